"use strict";
(() => {
  const tables = document.getElementById("tables");
  const live = document.getElementById("live");
  const lost = document.getElementById("lost");
  let busy = false;

  async function refresh() {
    if (busy) return;
    busy = true;
    try {
      const answer = await fetch(document.body.dataset.tables);
      if (answer.ok) tables.innerHTML = await answer.text();
    } catch {
      // The stream of events tells when the node is gone.
    } finally {
      busy = false;
    }
  }

  const events = new EventSource("/api/v1/events");
  events.addEventListener("open", () => { live.hidden = false; lost.hidden = true; });
  events.addEventListener("error", () => { live.hidden = true; lost.hidden = false; });
  events.addEventListener("state", refresh);
})();
