"use strict";
// One sentence on what the node did for others today, where it keeps an account of that.
const account = (box, say, get, lang) => {
  const amount = (bytes) => {
    const units = ["B", "kB", "MB", "GB", "TB"];
    const i = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, bytes)) / 3)));
    return `${(bytes / 1000 ** i).toLocaleString(lang, { maximumSignificantDigits: 2 })} ${units[i]}`;
  };
  let last = null;
  async function tell() {
    const answer = await get("api/v1/share");
    if (!answer.ok) return;
    const share = (await answer.json()).share, today = share.days.at(-1);
    if (!today) return;
    // With whom is told to those who may know.
    const month = today.date.slice(0, 7);
    const whom = share.nodes?.filter((n) => n.neighbor && n.month === month && n.handed_bytes > 0).length;
    const now = { at: Date.now(), day: today.date, spare: today.spare_bytes };
    const rate = last?.day === now.day && now.at > last.at ? (now.spare - last.spare) * 8 / 1000 / (now.at - last.at) : null;
    last = now;
    const parts = [`${say("share_carried")} ${amount(today.carried_bytes)}${whom ? ` ${say("share_for")} ${whom} ${say("share_neighbours")}` : ""}`];
    // What the owner used is the owner's to see.
    if (today.used_sent_bytes !== undefined) parts.push(`${say("share_used")} ${amount(today.used_sent_bytes + today.used_received_bytes)}`);
    if (rate > 0) parts.push(`${say("share_spare")} ${rate.toLocaleString(lang, { maximumSignificantDigits: 2 })} Mbit/s`);
    box.textContent = `${parts.join("; ")}.`;
    box.hidden = false;
  }
  // A node without an account describes none.
  get("openapi.json").then((answer) => answer.ok ? answer.json() : {}).then((described) => {
    if (!described.paths?.["/api/v1/share"]) return;
    const again = () => { if (!document.hidden) tell().catch(() => {}); };
    again();
    setInterval(again, 10000);
  }).catch(() => {});
};
