//! Option names that users of batman-adv know, in our words.
//!
//! Source: shared notes on OpenWrt, section 5 (the network protocol handlers of batman-adv's package).

use super::parse::{Section, Value, Word};
use super::tree::{Entries, setting, spanned};
use crate::check::truth;
use crate::error::{Place, Problem};
use crate::raw::{Setting, Spanned};
use crate::suggest;

/// How an option of batman-adv becomes one of ours.
enum Becomes {
    /// The same word under another name.
    Same(&'static str, &'static str),
    /// A number of milliseconds.
    Milliseconds(&'static str, &'static str),
    /// Yes becomes no.
    Inverted(&'static str, &'static str),
    /// `BATMAN_IV` and `BATMAN_V`.
    Algorithm,
    /// `10000/2000`.
    Bandwidth,
    /// A rate in any spelling that batctl takes.
    Rate(&'static str, &'static str),
    /// Nothing, and why.
    Nothing(&'static str),
}

use Becomes::{Algorithm, Bandwidth, Inverted, Milliseconds, Nothing, Rate, Same};

/// Options of `proto 'meshwork'`.
const MESH: &[(&str, Becomes)] = &[
    ("routing_algo", Algorithm),
    ("aggregated_ogms", Same("mesh", "aggregation")),
    ("ap_isolation", Same("mesh", "ap_isolation")),
    ("bonding", Same("mesh", "bonding")),
    ("bridge_loop_avoidance", Same("mesh", "bridge_loop_avoidance")),
    ("distributed_arp_table", Same("mesh", "distributed_arp_table")),
    ("fragmentation", Same("mesh", "fragmentation")),
    ("gw_mode", Same("gateway", "mode")),
    ("gw_bandwidth", Bandwidth),
    ("gw_sel_class", Same("gateway", "class")),
    ("hop_penalty", Same("mesh", "hop_penalty")),
    ("multicast_mode", Inverted("mesh", "multicast_forceflood")),
    ("multicast_fanout", Same("mesh", "multicast_fanout")),
    ("orig_interval", Milliseconds("mesh", "orig_interval")),
    ("mtu", Same("mesh", "mtu")),
    ("macaddr", Same("mesh", "mac")),
    ("isolation_mark", Nothing("packet marks are the kernel's own and do not reach this program")),
    ("log_level", Nothing("what is logged is set by option level of config log in /etc/config/meshwork")),
    ("network_coding", Nothing("batman-adv itself has it no more")),
];

/// Options of `proto 'meshwork_hardif'`.
const HARDIF: &[(&str, Becomes)] = &[
    ("hop_penalty", Same("link", "hop_penalty")),
    ("throughput_override", Rate("link", "throughput")),
    ("elp_interval", Milliseconds("mesh", "elp_interval")),
];

/// Options that netifd itself reads from any interface.
const NETIFD: &[&str] = &[
    "proto",
    "name",
    "device",
    "ifname",
    "type",
    "auto",
    "disabled",
    "enabled",
    "defaultroute",
    "peerdns",
    "dns",
    "dns_search",
    "dns_metric",
    "metric",
    "ip4table",
    "ip6table",
    "ip6assign",
    "ip6hint",
    "ip6class",
    "ip6ifaceid",
    "delegate",
    "force_link",
    "zone",
    "mtu",
    "macaddr",
    "master",
    "ipv6",
    "multicast",
    "renew",
];

/// What a mesh interface says, by our tables.
pub(super) fn mesh(section: &Section, problems: &mut Vec<Problem>) -> Vec<(&'static str, Entries)> {
    let mut out: Vec<(&'static str, Entries)> = vec![("mesh", Vec::new())];
    // The module's handler takes IV where nothing is said; whoever moves a configuration over keeps that by
    // what the converter writes. Here, nothing said is our own default.
    for (key, value) in &section.options {
        translate(MESH, key, value, &mut out, problems);
    }
    out
}

/// What a hard interface says: its link, unless its device is not known yet, and what it says of the mesh.
pub(super) fn hardif(
    section: &Section,
    device: Option<&String>,
    problems: &mut Vec<Problem>,
) -> (Option<Entries>, Entries) {
    let mut out: Vec<(&'static str, Entries)> = vec![("link", Vec::new()), ("mesh", Vec::new())];
    for (key, value) in &section.options {
        translate(HARDIF, key, value, &mut out, problems);
    }
    let place = section.get("device").or(section.get("ifname"));
    let interface = device.map(String::as_str).or(place.map(|word| word.text.as_str()));
    let mut tables = out.into_iter().map(|(_, entries)| entries);
    let (link, mesh) = (tables.next().unwrap_or_default(), tables.next().unwrap_or_default());
    let link = interface.map(|name| {
        let at = place.unwrap_or(&section.kind);
        let mut link = link;
        link.push((spanned(at, "interface".to_owned()), spanned(at, Setting::Word(name.to_owned()))));
        link
    });
    (link, mesh)
}

/// The VLAN that a `meshwork_vlan` isolates, of which mesh; `None` where it says nothing about that.
///
/// In batman-adv the mesh interface's own option is for frames without tag, and each VLAN has one of its own.
pub(super) fn vlan<'s>(section: &'s Section, problems: &mut Vec<Problem>) -> Option<(&'s str, &'s Word, bool)> {
    let word = section.get("ap_isolation")?;
    let device = section.get("device").or(section.get("ifname"))?;
    let Some((mesh, _)) = device.text.rsplit_once('.').filter(|(_, n)| n.parse::<u16>().is_ok()) else {
        let text = format!("found {}, allowed: the mesh interface and a VLAN like mesh0.10", device.text);
        problems.push(Problem { place: Place::File(device.span.clone()), key: String::new(), text });
        return None;
    };
    let Some(on) = truth(&Setting::Word(word.text.clone())) else {
        let text = format!("found {}, allowed: 0 or 1; until then: 0", word.text);
        problems.push(Problem { place: Place::File(word.span.clone()), key: String::new(), text });
        return None;
    };
    Some((mesh, device, on))
}

fn translate(
    known: &[(&str, Becomes)],
    key: &Word,
    value: &Value,
    out: &mut Vec<(&'static str, Entries)>,
    problems: &mut Vec<Problem>,
) {
    let mut problem = |span: &std::ops::Range<usize>, key: &str, text: String| {
        problems.push(Problem { place: Place::File(span.clone()), key: key.to_owned(), text });
    };
    let Some((_, becomes)) = known.iter().find(|(name, _)| *name == key.text) else {
        if !NETIFD.contains(&key.text.as_str()) {
            let names = || known.iter().map(|(name, _)| *name);
            let near = suggest::closest(&key.text, names());
            let hint = near.map_or(String::new(), |near| format!("; did you mean {near:?}?"));
            let list: Vec<&str> = names().collect();
            problem(&key.span, "", format!("unknown option{hint} Allowed: {}", list.join(", ")));
        }
        return;
    };
    let word = match value {
        Value::One(word) => word,
        Value::Many(_) => {
            problem(&key.span, "", "found a list, allowed: one value, with \"option\"".to_owned());
            return;
        }
    };
    let text = word.text.trim();
    let mut put = |table: &'static str, name: &str, value: Spanned<Setting>| {
        let entry = (spanned(key, name.to_owned()), value);
        match out.iter_mut().find(|(t, _)| *t == table) {
            Some((_, entries)) => entries.push(entry),
            None => out.push((table, vec![entry])),
        }
    };
    let said = |text: String| spanned(word, Setting::Word(text));
    match *becomes {
        Same(table, name) => put(table, name, setting(value)),
        Milliseconds(table, name) => {
            // Our own spelling with a unit is understood as well.
            let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            put(table, name, said(if plain { format!("{text}ms") } else { text.to_owned() }));
        }
        Inverted(table, name) => match truth(&Setting::Word(text.to_owned())) {
            Some(yes) => put(table, name, said((!yes).to_string())),
            None => problem(&word.span, "", format!("found {text}, allowed: 0 or 1; until then: not said")),
        },
        Algorithm => {
            let name = match text {
                "BATMAN_IV" => "IV",
                "BATMAN_V" => "V",
                other => other,
            };
            put("mesh", "algorithm", said(name.to_owned()));
        }
        Bandwidth => {
            let (down, up) = text.split_once('/').unwrap_or((text, ""));
            match (rate(down), rate(up)) {
                (Some(down), Some(up)) => {
                    put("gateway", "download", said(down));
                    put("gateway", "upload", said(up));
                }
                (Some(down), None) if up.is_empty() => put("gateway", "download", said(down)),
                _ => {
                    let allowed = "DOWNLOAD/UPLOAD in kbit/s like 10000/2000, or with units like 10MBit/2MBit";
                    problem(
                        &word.span,
                        "gateway.download",
                        format!("found {text}, allowed: {allowed}; until then: not said"),
                    );
                }
            }
        }
        Rate(table, name) => put(table, name, said(rate(text).unwrap_or_else(|| text.to_owned()))),
        Nothing(why) => problem(&key.span, "", format!("has no effect: {why}")),
    }
}

/// A rate as batctl reads it, in our spelling: without a unit kbit/s, with one in any case.
fn rate(text: &str) -> Option<String> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "kbit" => "kbit",
        "mbit" => "Mbit",
        "gbit" => "Gbit",
        _ => return None,
    };
    (!number.is_empty()).then(|| format!("{number}{unit}"))
}
