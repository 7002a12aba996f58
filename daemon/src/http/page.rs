//! The page for people. Its tables are written here, so that they are there without JavaScript too; the script
//! fetches them anew when there is news, and draws what tables cannot show.

use super::answer::{self, Answer, Body};
use super::json::Made;
use super::request::Request;
use super::site::View;
use crate::control::protocol::{Gateway, Interface, Mac, Neighbor, Originator};
use crate::control::view;
use std::fmt::Write as _;

/// Every word of the page: key, English, German.
const WORDS: &str = include_str!("page/words.tsv");
/// Changes when a file of the page does.
const EDITION: &str = env!("PAGE_EDITION");
const SCRIPT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/page.js.gz"));
const STYLE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/page.css.gz"));

/// What there is for programs.
const OPENAPI: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/openapi.json.gz"));

/// A language of the page, by its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Language {
    English = 1,
    German = 2,
}

/// The files that belong to the page.
pub(super) fn asset(path: &str) -> Option<Answer> {
    if path == "/openapi.json" {
        return Some(Answer { gzip: true, ..Answer::good(answer::JSON, Body::Fixed(OPENAPI)) });
    }
    let (kind, bytes) = match path {
        "/page.js" => ("text/javascript; charset=utf-8", SCRIPT),
        "/page.css" => ("text/css; charset=utf-8", STYLE),
        _ => return None,
    };
    Some(Answer { gzip: true, lasting: true, ..Answer::good(kind, Body::Fixed(bytes)) })
}

/// True if the asker's first language that we have is German.
pub(super) fn wants_german(request: &Request<'_>) -> bool {
    let ours = request.languages.split(',').map(|l| l.trim().get(..2).unwrap_or_default());
    ours.into_iter()
        .find(|l| l.eq_ignore_ascii_case("en") || l.eq_ignore_ascii_case("de"))
        .is_some_and(|l| l.eq_ignore_ascii_case("de"))
}

/// The page in English.
pub(super) fn english(v: &View<'_>) -> Made {
    Ok(Page::new(v, Language::English).whole())
}

/// The page in German.
pub(super) fn german(v: &View<'_>) -> Made {
    Ok(Page::new(v, Language::German).whole())
}

/// Its tables alone, in English.
pub(super) fn english_tables(v: &View<'_>) -> Made {
    Ok(Page::new(v, Language::English).tables().out.into_bytes())
}

/// Its tables alone, in German.
pub(super) fn german_tables(v: &View<'_>) -> Made {
    Ok(Page::new(v, Language::German).tables().out.into_bytes())
}

struct Page<'a> {
    v: &'a View<'a>,
    language: Language,
    out: String,
}

/// How good something is, in three steps that have a colour each.
fn grade(percent: u64) -> &'static str {
    match percent {
        70.. => "good",
        35.. => "fair",
        _ => "poor",
    }
}

impl<'a> Page<'a> {
    fn new(v: &'a View<'a>, language: Language) -> Self {
        Self { v, language, out: String::with_capacity(4096) }
    }

    /// A word in the language of the page; the key where somebody forgot it.
    fn word(&self, key: &'static str) -> &'static str {
        let line = WORDS.lines().find(|line| line.split('\t').next() == Some(key));
        line.and_then(|line| line.split('\t').nth(self.language as usize)).unwrap_or(key)
    }

    /// Text as it is.
    fn raw(&mut self, html: &str) -> &mut Self {
        self.out.push_str(html);
        self
    }

    /// Text that is not ours: nothing in it is markup.
    fn text(&mut self, text: &str) -> &mut Self {
        for c in text.chars() {
            match c {
                '<' => self.out.push_str("&lt;"),
                '>' => self.out.push_str("&gt;"),
                '&' => self.out.push_str("&amp;"),
                '"' => self.out.push_str("&quot;"),
                c => self.out.push(c),
            }
        }
        self
    }

    fn say(&mut self, key: &'static str) -> &mut Self {
        let word = self.word(key);
        self.text(word)
    }

    /// A cell.
    fn cell(&mut self, text: &str) -> &mut Self {
        self.raw("<td>").text(text).raw("</td>")
    }

    /// A name if there is one, else the address.
    fn name(&mut self, address: Mac) -> &mut Self {
        let name = self.v.name(address.0);
        let mac = address.0.to_string();
        self.raw("<td title=\"").text(&mac).raw("\">").text(&name).raw("</td>")
    }

    /// Time since something.
    fn age(&mut self, msecs: u64) -> &mut Self {
        let text = span(msecs / 1000);
        let old = if msecs > 30_000 { "<td class=\"num old\">" } else { "<td class=num>" };
        self.raw(old).text(&text).raw("</td>")
    }

    /// A share, as a bar and a number.
    fn bar(&mut self, percent: u64) -> &mut Self {
        let _ = write!(
            self.out,
            "<td class=num><meter class={} min=0 max=100 value={percent}></meter> {percent} %</td>",
            grade(percent)
        );
        self
    }

    /// Quality of a link or way.
    fn metric(&mut self, tq: Option<u8>, kbits: Option<u64>) -> &mut Self {
        match (tq, kbits) {
            (Some(tq), _) => self.bar(u64::from(tq) * 100 / 255),
            (None, Some(kbits)) => {
                let text = format!("{}.{} Mbit/s", kbits / 1000, kbits % 1000 / 100);
                self.raw("<td class=num>").text(&text).raw("</td>")
            }
            (None, None) => self.raw("<td></td>"),
        }
    }

    /// Opens a table with these headings.
    fn table(&mut self, title: &'static str, id: &str, headings: &[&'static str]) -> &mut Self {
        self.raw("<section><h2 id=")
            .raw(id)
            .raw(">")
            .say(title)
            .raw("</h2><div class=wide role=region tabindex=0 aria-labelledby=");
        // Who has no mouse scrolls a table that is too wide with the keys.
        self.raw(id).raw("><table><thead><tr>");
        for heading in headings {
            self.raw("<th scope=col>").say(heading).raw("</th>");
        }
        self.raw("</tr></thead><tbody>")
    }

    fn end_table(&mut self) -> &mut Self {
        self.raw("</tbody></table></div></section>\n")
    }

    fn whole(mut self) -> Vec<u8> {
        let node = view::node(self.v.s);
        // Addresses are relative: the page may be behind another one.
        let (other, tables) = match self.language {
            Language::English => ("de", "tables"),
            Language::German => ("en", "de/tables"),
        };
        self.raw("<!DOCTYPE html>\n<html lang=").say("lang").raw("><head><meta charset=utf-8><title>");
        self.text(&node.mesh_ifname).raw(" · ").say("title").raw("</title>");
        self.raw("<meta name=viewport content=\"width=device-width,initial-scale=1\"><meta name=color-scheme content=\"light dark\">");
        let _ = write!(self.out, "<link rel=icon href=\"data:,\"><link rel=stylesheet href=\"page.css?{EDITION}\">");
        let _ = write!(self.out, "<script src=\"page.js?{EDITION}\" defer></script></head>");
        let _ = write!(self.out, "<body data-tables=\"{tables}\">\n<header><h1>");
        self.text(&node.mesh_ifname).raw("</h1><p>");
        let address = node.hard_address.unwrap_or(node.mesh_address);
        let name = self.v.name(address.0);
        self.text(&name).raw(" · ").text(&node.algo_name.replace('_', " ")).raw(" · Meshwork ").text(&node.version);
        self.raw("</p><p class=side><span id=live hidden>").say("live").raw("</span> <a lang=");
        self.raw(if self.language == Language::English { "de" } else { "en" });
        let _ = write!(self.out, " href=\"{other}\">");
        self.say("lang_other")
            .raw("</a></p></header>\n<p id=lost role=status hidden>")
            .say("lost")
            .raw("</p>\n<main>\n");
        // The script shows the map and what happened once there is something to show.
        self.raw("<section id=map aria-labelledby=map-title hidden><div><h2 id=map-title>").say("map");
        self.raw("</h2><div id=drawing></div><p class=legend>").say("legend");
        self.raw("</p></div><div id=detail aria-live=polite><p>").say("choose").raw("</p></div></section>\n");
        self.raw(
            "<p id=share hidden></p>\n<section id=past aria-labelledby=past-title hidden></section>\n<div id=tables>\n",
        );
        self = self.tables();
        self.raw("</div>\n<section id=happened hidden><h2>").say("happened");
        self.raw("</h2><ol id=events tabindex=0></ol></section>\n</main>\n<script type=\"application/json\" id=words>");
        let words = self.words();
        self.raw(&words).raw("</script>\n</body></html>\n");
        self.out.into_bytes()
    }

    /// All words in the language of the page, for the script.
    fn words(&self) -> String {
        let mut all = String::from("{");
        for line in WORDS.lines() {
            let mut columns = line.split('\t');
            let (key, word) = (columns.next().unwrap_or_default(), columns.nth(self.language as usize - 1));
            let comma = if all.len() > 1 { "," } else { "" };
            let word = word.unwrap_or_default().replace('\\', "\\\\").replace('"', "\\\"").replace('<', "\\u003c");
            let _ = write!(all, "{comma}\"{key}\":\"{word}\"");
        }
        all + "}"
    }

    fn tables(mut self) -> Self {
        let v = self.v;
        let status = view::status(v.s, &v.about.setup, Default::default());
        let nodes = v.s.mesh.originators.iter().map(|o| o.addr).chain([v.s.mesh.originator]);
        let devices: usize = nodes.map(|node| v.devices(node)).sum();
        self.raw("<ul class=tiles>");
        for (number, key) in
            [(status.neighbors, "neighbours_tile"), (status.originators + 1, "nodes_tile"), (devices, "clients_tile")]
        {
            let _ = write!(self.out, "<li><b>{number}</b> ");
            self.say(key).raw("</li>");
        }
        let (up, memory) = (span(status.uptime_msecs / 1000), status.rss_bytes * 10 / 1024 / 1024);
        self.raw("<li><b>").text(&up).raw("</b> ").say("uptime").raw("</li><li><b>");
        let point = if self.language == Language::German { ',' } else { '.' };
        let _ = write!(self.out, "{}{point}{} MiB</b> ", memory / 10, memory % 10);
        self.say("memory").raw("</li></ul>\n");
        self.alarms();
        self.neighbors(&view::neighbors(v.s).collect::<Vec<_>>());
        self.nodes(&view::originators(v.s).filter(|o| o.best).collect::<Vec<_>>());
        self.gateways(&view::gateways(v.s).collect::<Vec<_>>());
        self.interfaces(&view::interfaces(v.s, &v.about.setup).collect::<Vec<_>>());
        self
    }

    fn alarms(&mut self) {
        let v = self.v;
        let status = view::status(v.s, &v.about.setup, Default::default());
        let alarms: Vec<_> = status.alarms.into_iter().filter_map(super::privacy::public).collect();
        if alarms.is_empty() {
            return;
        }
        self.raw("<section class=alarms><h2>").say("alarms").raw("</h2><ul>");
        for alarm in alarms {
            self.raw("<li>").text(&alarm.what.replace('_', " "));
            for who in [alarm.orig_address, alarm.neigh_address].into_iter().flatten() {
                let name = v.name(who.0);
                self.raw(" · ").text(&name);
            }
            self.raw("</li>");
        }
        self.raw("</ul></section>\n");
    }

    fn neighbors(&mut self, all: &[Neighbor]) {
        let iv = all.iter().any(|n| n.tq.is_some());
        let headings: &[_] = if iv {
            &["node", "interface", "quality", "heard", "hears", "seen"]
        } else {
            &["node", "interface", "quality", "seen"]
        };
        if all.is_empty() {
            self.raw("<section><h2>").say("neighbours").raw("</h2><p>").say("alone").raw("</p></section>\n");
            return;
        }
        self.table("neighbours", "neighbours", headings);
        for n in all {
            self.raw("<tr>").name(n.orig_address.unwrap_or(n.neigh_address)).cell(&n.hard_ifname);
            self.metric(n.tq, n.throughput);
            if iv {
                self.bar(u64::from(n.receive_count) * 100 / 64).bar(u64::from(n.echo_count) * 100 / 64);
            }
            self.age(n.last_seen_msecs).raw("</tr>");
        }
        self.end_table();
    }

    fn nodes(&mut self, all: &[Originator]) {
        if all.is_empty() {
            return;
        }
        self.table("nodes", "nodes", &["node", "via", "metric", "clients", "kind", "seen"]);
        let v = self.v;
        for o in all {
            let near = v.s.mesh.neighbors.iter().find(|n| n.addr == o.neigh_address.0).and_then(|n| n.originator);
            self.raw("<tr>").name(o.orig_address);
            if near == Some(o.orig_address.0) {
                self.raw("<td>").say("direct").raw("</td>");
            } else {
                self.name(near.map_or(o.neigh_address, Mac));
            }
            self.metric(o.tq, o.throughput);
            let _ = write!(self.out, "<td class=num>{}</td><td>", v.devices(o.orig_address.0));
            if o.meshwork {
                self.raw("Meshwork");
            } else {
                self.say("other");
            }
            self.raw("</td>").age(o.last_seen_msecs).raw("</tr>");
        }
        self.end_table();
    }

    fn gateways(&mut self, all: &[Gateway]) {
        if all.is_empty() {
            self.raw("<section><h2>").say("gateways").raw("</h2><p>").say("no_gateway").raw("</p></section>\n");
            return;
        }
        self.table("gateways", "gateways", &["node", "offer", "metric", "state", "seen"]);
        for g in all {
            let offer = format!(
                "{}.{} / {}.{} Mbit/s",
                g.bandwidth_down / 10,
                g.bandwidth_down % 10,
                g.bandwidth_up / 10,
                g.bandwidth_up % 10
            );
            self.raw("<tr>").name(g.orig_address).raw("<td class=num>").text(&offer).raw("</td>");
            self.metric(g.tq, g.throughput.map(|t| u64::from(t) * 100)).raw("<td>");
            if g.best {
                self.say("chosen");
            } else if g.router.is_none() {
                self.say("no_way");
            }
            self.raw("</td>").age(g.last_seen_msecs).raw("</tr>");
        }
        self.end_table();
    }

    fn interfaces(&mut self, all: &[Interface]) {
        self.table("interfaces", "interfaces", &["interface", "address", "state"]);
        for i in all {
            self.raw("<tr>").cell(&i.hard_ifname);
            self.cell(&i.hard_address.map(|a| a.to_string()).unwrap_or_default()).raw("<td>");
            if let Some(reason) = &i.reason {
                self.text(reason);
            } else {
                self.say("used");
            }
            if i.wifi {
                self.raw(" · ").say("radio");
            }
            if let Some(percent) = i.channel_busy_percent {
                self.raw(" · ").say("busy");
                let _ = write!(self.out, " {percent} %");
            }
            self.raw("</td></tr>");
        }
        self.end_table();
    }
}

/// A time span as a person says it.
fn span(secs: u64) -> String {
    match secs {
        0..60 => format!("{secs} s"),
        60..3600 => format!("{} min", secs / 60),
        3600..172_800 => format!("{} h {} min", secs / 3600, secs % 3600 / 60),
        _ => format!("{} d {} h", secs / 86_400, secs % 86_400 / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_has_both_languages() {
        for line in WORDS.lines() {
            let words: Vec<_> = line.split('\t').collect();
            assert!(words.len() == 3 && words.iter().all(|w| !w.is_empty()), "{line}");
        }
        let this = include_str!("page.rs");
        for key in this.split(".say(\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(WORDS.lines().any(|l| l.split('\t').next() == Some(key)), "{key}");
        }
    }

    #[test]
    fn spans() {
        assert_eq!([span(5), span(61), span(3700), span(180_000)], ["5 s", "1 min", "1 h 1 min", "2 d 2 h"]);
    }
}
