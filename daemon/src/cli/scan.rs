//! `scan`: the meshes in reach, in plain words.

use super::{Out, Quiet};
use crate::args::{Args, UsageError};
use crate::control::FORMAT;
use crate::nl80211::channel::number;
use crate::radio::discover::{Discovery, Found, Heard, Protection, Search, discover};
use serde_json::{Value, json};
use std::time::Duration;

/// Looks around with the radios of this machine and prints what is there. Takes some seconds and
/// needs no running node.
///
/// # Errors
/// No radio, or none that may look around.
pub(super) fn run(args: &Args, out: Out<'_>) -> anyhow::Result<()> {
    let text = args.value_or_default("listen");
    let listen = text.parse().ok().and_then(|s: f64| Duration::try_from_secs_f64(s).ok()).filter(|d| *d <= LISTEN_MAX);
    let listen =
        listen.ok_or_else(|| UsageError::new(format!("--listen: found {text:?}, allowed: 0 to 60 seconds")))?;
    let search = Search { listen: Some(listen).filter(|d| !d.is_zero()), ..search(args) };
    let found = discover(&search).map_err(anyhow::Error::msg)?;
    if args.has("json") {
        writeln!(out, "{}", to_json(&found))?;
        return Ok(());
    }
    write!(out, "{}", page(&found))?;
    if found.meshes.is_empty() { Err(Quiet.into()) } else { Ok(()) }
}

/// What the flags that `scan` and `join` share say.
pub(super) fn search(args: &Args) -> Search {
    Search { phy: args.value("phy").map(str::to_owned), disturb: args.has("all-channels"), ..Search::default() }
}

/// The whole output.
fn page(found: &Discovery) -> String {
    let mut text = String::new();
    for note in &found.notes {
        text.extend(["Note: ", note, "\n"]);
    }
    if found.meshes.is_empty() {
        text.push_str("No mesh is in reach.\n");
        return text;
    }
    let rows: Vec<[String; 6]> = found.meshes.iter().map(row).collect();
    let head = ["Mesh", "Kind", "Channel", "Strength", "Routing", "To be joined"].map(str::to_owned);
    let width =
        |i: usize| rows.iter().chain([&head]).filter_map(|r| Some(r.get(i)?.chars().count())).max().unwrap_or(0);
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    for row in std::iter::once(&head).chain(&rows) {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(&format!("{cell:width$}  "));
        }
        text.extend([line.trim_end(), "\n"]);
    }
    text
}

fn row(mesh: &Found) -> [String; 6] {
    let name: String = mesh.name().chars().map(|c| if c.is_control() { '?' } else { c }).collect();
    let mut kind = mesh.mode.name().to_owned();
    if mesh.protection == Protection::Sae {
        kind.push_str(", SAE");
    }
    let strength = mesh.signal_dbm.map_or_else(|| "?".to_owned(), |dbm| format!("{dbm} dBm, {}", strength(dbm)));
    let joined = match &mesh.obstacle {
        Some(why) => format!("no: {why}"),
        None if mesh.protection == Protection::Sae => "yes, with --passphrase-file".to_owned(),
        None if mesh.forwarding && !mesh.heard.iv && !mesh.heard.v => {
            "yes, but its 802.11s code forwards by itself: perhaps no batman-adv mesh".to_owned()
        }
        None => "yes".to_owned(),
    };
    [
        name,
        kind,
        mesh.channel.to_string().trim_start_matches("channel ").to_owned(),
        strength,
        routing(mesh.heard),
        joined,
    ]
}

/// Strength in words. The bounds are those at which usual radios step down their rates.
pub(super) const fn strength(dbm: i32) -> &'static str {
    match dbm {
        -60.. => "strong",
        -72..-60 => "good",
        -82..-72 => "fair",
        _ => "weak",
    }
}

/// What was heard of the routing, in words.
pub(super) fn routing(heard: Heard) -> String {
    match (heard.iv, heard.v, heard.other_version) {
        (true, true, _) => "IV and V, two meshes of one name".to_owned(),
        (true, false, _) => "IV".to_owned(),
        (false, true, _) => "V".to_owned(),
        (false, false, Some(version)) => format!("batman-adv, version {version}"),
        (false, false, None) if heard.encrypted => "unknown, encrypted".to_owned(),
        (false, false, None) => "unknown".to_owned(),
    }
}

fn to_json(found: &Discovery) -> Value {
    let meshes: Vec<Value> = found.meshes.iter().map(mesh_json).collect();
    json!({ "format": FORMAT, "meshes": meshes, "notes": found.notes })
}

pub(super) fn mesh_json(mesh: &Found) -> Value {
    let mut algorithms = Vec::new();
    if mesh.heard.iv {
        algorithms.push("BATMAN_IV");
    }
    if mesh.heard.v {
        algorithms.push("BATMAN_V");
    }
    json!({
        "mesh_id": mesh.name(),
        "mode": mesh.mode.name(),
        "channel": number(mesh.channel.freq),
        "freq_mhz": mesh.channel.freq,
        "width_mhz": mesh.channel.width.mhz(),
        "signal_dbm": mesh.signal_dbm,
        "senders": mesh.senders.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "protection": match mesh.protection {
            Protection::Open => "open",
            Protection::Sae => "sae",
            Protection::Other => "other",
        },
        "forwarding_80211s": mesh.forwarding,
        "algo_names": algorithms,
        "compat": if algorithms.is_empty() { mesh.heard.other_version } else { Some(packet::consts::VERSION) },
        "phy": mesh.phy,
        "joinable": mesh.obstacle.is_none(),
        "why_not": mesh.obstacle,
    })
}

const LISTEN_MAX: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nl80211::Channel;
    use crate::nl80211::channel::Width;
    use config::RadioMode;
    use packet::MacAddr;

    fn found() -> Found {
        Found {
            name: b"ff-mesh".to_vec(),
            mode: RadioMode::Mesh,
            channel: Channel { freq: 5180, width: Width::W80 },
            signal_dbm: Some(-61),
            senders: vec![MacAddr([2, 0, 0, 0, 0, 1])],
            protection: Protection::Open,
            forwarding: false,
            heard: Heard { listened: true, v: true, ..Heard::default() },
            phy: "phy0".to_owned(),
            obstacle: None,
        }
    }

    #[test]
    fn a_page_in_plain_words() {
        let mut closed = found();
        (closed.name, closed.obstacle) = (b"b\x1b[2J".to_vec(), Some("the country is not known".to_owned()));
        let heard = Discovery { meshes: vec![found(), closed], notes: vec!["phy1: it cannot scan".to_owned()] };
        let text = page(&heard);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "Note: phy1: it cannot scan");
        assert!(lines[1].starts_with("Mesh     Kind  Channel"), "{text}");
        assert_eq!(lines[2], "ff-mesh  mesh  36, 80 MHz wide  -61 dBm, good  V        yes");
        assert!(lines[3].starts_with("b?[2J") && lines[3].ends_with("no: the country is not known"), "{text}");
        assert_eq!(page(&Discovery::default()), "No mesh is in reach.\n");
    }

    #[test]
    fn the_same_as_json() {
        let json = mesh_json(&found());
        assert_eq!((json["channel"].as_u64(), json["algo_names"][0].as_str()), (Some(36), Some("BATMAN_V")));
        assert_eq!((json["joinable"].as_bool(), json["compat"].as_u64()), (Some(true), Some(15)));
    }

    #[test]
    fn routing_as_heard() {
        let say = |iv, v, other_version, encrypted| routing(Heard { listened: true, iv, v, other_version, encrypted });
        assert_eq!(say(true, false, None, false), "IV");
        assert_eq!(say(false, false, None, false), "unknown");
        assert_eq!(say(false, false, None, true), "unknown, encrypted");
        assert!(say(true, true, None, false).contains("two meshes"));
        assert!(say(false, false, Some(14), false).contains("14"));
    }
}
