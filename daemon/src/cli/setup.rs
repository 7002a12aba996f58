//! `setup`: which mesh a fresh router is to be in, and why not another.
//!
//! It looks and decides; what is done about it is up to a script (on OpenWrt `/usr/lib/meshwork/setup`), or to `join`.

use super::Out;
use super::scan::{mesh_json, routing, search};
use crate::args::Args;
use crate::control::FORMAT;
use crate::nl80211::channel::number;
use crate::radio::discover::{Discovery, Found, Protection, Search, discover, installed};
use config::{Algorithm, Community, RadioMode};
use packet::consts::VERSION;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

/// What a mesh is called that a router founds where it hears none and nobody named one.
const NAMELESS: &str = "meshwork";
/// Its channels: one of each band that every country allows.
const CHANNELS: [u8; 2] = [1, 36];
/// How long to listen for the algorithm on a channel: two rounds of the kernel's routing messages.
const LISTEN: Duration = Duration::from_millis(2200);

/// Looks around and says what to do.
///
/// # Errors
/// No radio that may look around, a community file that makes no sense.
pub(super) fn run(args: &Args, out: Out<'_>) -> anyhow::Result<()> {
    let community = Community::load(Path::new(args.value_or_default("community")))?;
    let country = community.as_ref().and_then(|c| c.country.clone());
    let listen = Some(LISTEN);
    let seen = discover(&Search { country, listen, ..search(args) }).map_err(anyhow::Error::msg)?;
    let choice = choose(community.as_ref(), &seen, args.operand(0), installed("wpa_supplicant"));
    if args.has("json") {
        writeln!(out, "{}", to_json(community.as_ref(), &seen, &choice))?;
    } else if args.has("shell") {
        write!(out, "{}", shell(community.as_ref(), &choice))?;
    } else {
        write!(out, "{}", page(community.as_ref(), &seen, &choice))?;
    }
    Ok(())
}

/// What to do.
#[derive(Debug, PartialEq, Eq)]
struct Choice {
    action: Action,
    /// The mesh in question; empty where none is.
    mesh_id: String,
    mode: RadioMode,
    channels: Vec<u8>,
    /// Why not something else.
    reasons: Vec<Reason>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    /// Be in the mesh, which is in reach.
    Join,
    /// Begin it; others of its name will be the same mesh.
    Found,
    /// Ask the owner which one.
    Choose,
    /// Nothing, the reasons say why.
    Wait,
}

impl Action {
    const fn name(self) -> &'static str {
        match self {
            Self::Join => "join",
            Self::Found => "found",
            Self::Choose => "choose",
            Self::Wait => "wait",
        }
    }
}

/// Why a mesh is not joined: a word for programs, and a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Reason(&'static str, String);

fn choose(community: Option<&Community>, seen: &Discovery, asked: Option<&str>, supplicant: bool) -> Choice {
    let nothing = |action, reasons| Choice {
        action,
        mesh_id: String::new(),
        mode: RadioMode::Mesh,
        channels: Vec::new(),
        reasons,
    };
    // Without a country a radio may not send on its own account, whatever it hears.
    let silent = seen.meshes.iter().all(|m| m.obstacle.is_some());
    let wanted = match (asked, community) {
        (Some(name), _) => name.to_owned(),
        (None, Some(c)) => c.mesh_id.clone(),
        (None, None) if seen.meshes.is_empty() => {
            return Choice {
                mesh_id: NAMELESS.to_owned(),
                channels: CHANNELS.to_vec(),
                ..nothing(Action::Found, vec![])
            };
        }
        (None, None) if silent => {
            return nothing(Action::Wait, seen.meshes.iter().flat_map(|m| why_not(m, None, supplicant)).collect());
        }
        (None, None) => return nothing(Action::Choose, Vec::new()),
    };
    let rules = community.filter(|c| c.mesh_id == wanted);
    let named: Vec<&Found> = seen.meshes.iter().filter(|m| m.name == wanted.as_bytes()).collect();
    if let Some(found) = named.iter().find(|m| why_not(m, rules, supplicant).is_empty()) {
        let channel = number(found.channel.freq).and_then(|n| u8::try_from(n).ok());
        let mut channels = rules.map_or_else(Vec::new, |c| c.channels.clone());
        if rules.is_none() {
            channels.extend(channel);
        }
        return Choice { action: Action::Join, mesh_id: wanted, mode: found.mode, channels, reasons: Vec::new() };
    }
    let reasons: Vec<Reason> = named.iter().flat_map(|m| why_not(m, rules, supplicant)).collect();
    let Some(rules) = rules else {
        let reasons =
            if named.is_empty() { vec![Reason("unheard", format!("{wanted:?} is not in reach"))] } else { reasons };
        return Choice { mesh_id: wanted, ..nothing(Action::Wait, reasons) };
    };
    if rules.passphrase.is_some() && !supplicant {
        let reason = Reason("wpad", needs_supplicant(&wanted));
        let reasons = if reasons.iter().any(|r| r.0 == "wpad") { reasons } else { vec![reason] };
        return Choice { mesh_id: wanted, ..nothing(Action::Wait, reasons) };
    }
    // Of a community's own mesh the file knows best: on its channel and with its key others of it will come. What is
    // heard under its name and does not fit is told, and no reason to stay dark.
    Choice { action: Action::Found, mesh_id: wanted, mode: RadioMode::Mesh, channels: rules.channels.clone(), reasons }
}

/// Why a mesh in reach is not the one, as far as can be heard.
fn why_not(found: &Found, rules: Option<&Community>, supplicant: bool) -> Vec<Reason> {
    let name = found.name();
    let mut out = Vec::new();
    if let (false, false, Some(version)) = (found.heard.iv, found.heard.v, found.heard.other_version) {
        let text = format!("{name:?} speaks batman-adv of version {version}, this node {VERSION}; they do not mix");
        out.push(Reason("version", text));
    } else if let Some(why) = &found.obstacle {
        let code = if why.contains("country") {
            "country"
        } else if found.protection == Protection::Sae && !supplicant {
            "wpad"
        } else {
            "radio"
        };
        let text = if code == "wpad" { needs_supplicant(&name) } else { format!("{name:?} cannot be joined: {why}") };
        out.push(Reason(code, text));
    }
    let Some(rules) = rules else { return out };
    let channel = number(found.channel.freq).and_then(|n| u8::try_from(n).ok()).unwrap_or(0);
    if !rules.channels.contains(&channel) {
        let ours: Vec<String> = rules.channels.iter().map(ToString::to_string).collect();
        let text = format!("{name:?} is heard on channel {channel}, the community's is {}", ours.join(" or "));
        out.push(Reason("channel", text));
    }
    if (found.protection == Protection::Sae) != rules.passphrase.is_some() {
        let (theirs, ours) = if rules.passphrase.is_some() { ("open", "protected") } else { ("protected", "open") };
        let text =
            format!("the mesh called {name:?} that is heard is {theirs}, the community's is {ours}: it is another one");
        out.push(Reason("key", text));
    }
    let heard = (found.heard.iv, found.heard.v);
    let other = matches!((rules.algorithm, heard), (Algorithm::Iv, (false, true)) | (Algorithm::V, (true, false)));
    if other {
        let text =
            format!("{name:?} runs B.A.T.M.A.N. {}, the community {}", routing(found.heard), rules.algorithm.name());
        out.push(Reason("algorithm", text));
    }
    out
}

fn needs_supplicant(name: &str) -> String {
    format!(
        "{name:?} is protected by a passphrase, and the wpad of this router knows no mesh: install wpad-mesh-mbedtls in \
         place of wpad-basic-mbedtls"
    )
}

fn to_json(community: Option<&Community>, seen: &Discovery, choice: &Choice) -> Value {
    let reasons = |all: &[Reason]| all.iter().map(|r| json!({ "code": r.0, "text": r.1 })).collect::<Vec<_>>();
    let supplicant = installed("wpa_supplicant");
    let meshes: Vec<Value> = seen
        .meshes
        .iter()
        .map(|m| {
            let rules = community.filter(|c| m.name == c.mesh_id.as_bytes());
            let mut value = mesh_json(m);
            if let Some(map) = value.as_object_mut() {
                map.insert("named".to_owned(), rules.is_some().into());
                map.insert("reasons".to_owned(), reasons(&why_not(m, rules, supplicant)).into());
            }
            value
        })
        .collect();
    json!({
        "format": FORMAT,
        "community": community.map(|c| json!({
            "name": c.name,
            "mesh_id": c.mesh_id,
            "channels": c.channels,
            "country": c.country,
            "protected": c.passphrase.is_some(),
            "access_point": c.access_point,
        })),
        "action": choice.action.name(),
        "mesh_id": choice.mesh_id,
        "mode": choice.mode.name(),
        "channels": choice.channels,
        "reasons": reasons(&choice.reasons),
        "meshes": meshes,
        "notes": seen.notes,
    })
}

/// For a shell: `name='value'`, a line each. The passphrase is among it: a script has to hand it on.
fn shell(community: Option<&Community>, choice: &Choice) -> String {
    let rules = community.filter(|c| c.mesh_id == choice.mesh_id);
    let channels: Vec<String> = choice.channels.iter().map(ToString::to_string).collect();
    let none = String::new;
    let values = [
        ("action", choice.action.name().to_owned()),
        ("mesh_id", choice.mesh_id.clone()),
        ("mode", choice.mode.name().to_owned()),
        ("channels", channels.join(" ")),
        ("community", rules.map_or_else(|| choice.mesh_id.clone(), |c| c.name.clone())),
        ("width", rules.map_or(20, |c| c.width).to_string()),
        ("country", community.and_then(|c| c.country.clone()).unwrap_or_else(none)),
        ("passphrase", rules.and_then(|c| c.passphrase.clone()).unwrap_or_else(none)),
        ("algorithm", rules.map_or("auto", |c| c.algorithm.name()).to_owned()),
        ("access_point", rules.and_then(|c| c.access_point.clone()).unwrap_or_else(none)),
        ("network", rules.and_then(|c| c.network.clone()).unwrap_or_else(none)),
        ("reasons", choice.reasons.iter().map(|r| r.1.as_str()).collect::<Vec<_>>().join("; ")),
    ];
    values.iter().map(|(name, value)| format!("{name}='{}'\n", value.replace('\'', "'\\''"))).collect()
}

fn page(community: Option<&Community>, seen: &Discovery, choice: &Choice) -> String {
    let mut text = String::new();
    match community {
        Some(c) => text.push_str(&format!("The community file names the mesh {:?}.\n", c.mesh_id)),
        None => text.push_str("No community file names a mesh.\n"),
    }
    for mesh in &seen.meshes {
        text.push_str(&format!("In reach: {:?} on {}, {}\n", mesh.name(), mesh.channel, routing(mesh.heard)));
    }
    for note in &seen.notes {
        text.push_str(&format!("Note: {note}\n"));
    }
    for reason in &choice.reasons {
        text.push_str(&format!("{}: {}\n", reason.0, reason.1));
    }
    text.push_str(&match choice.action {
        Action::Join => format!("To do: join {:?}\n", choice.mesh_id),
        Action::Found => format!("To do: found {:?}; others of that name will be the same mesh\n", choice.mesh_id),
        Action::Choose => "To do: choose one of them: meshwork setup NAME\n".to_owned(),
        Action::Wait => "Nothing can be done until that changes.\n".to_owned(),
    });
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nl80211::Channel;
    use crate::nl80211::channel::Width;
    use crate::radio::discover::Heard;

    fn found(name: &str) -> Found {
        Found {
            name: name.as_bytes().to_vec(),
            mode: RadioMode::Mesh,
            channel: Channel { freq: 2437, width: Width::W20 },
            signal_dbm: Some(-61),
            senders: Vec::new(),
            protection: Protection::Open,
            forwarding: false,
            heard: Heard { listened: true, iv: true, ..Heard::default() },
            phy: "phy0".to_owned(),
            obstacle: None,
        }
    }

    fn reach(meshes: Vec<Found>) -> Discovery {
        Discovery { meshes, notes: Vec::new() }
    }

    fn town(more: &str) -> Community {
        Community::parse("c", &format!("name = \"town\"\nchannels = [6, 36]\n{more}")).unwrap()
    }

    #[test]
    fn what_to_do_follows_from_what_is_named_and_heard() {
        let c = town("");
        let did = |c: Option<&Community>, seen: Vec<Found>, asked: Option<&str>| {
            let choice = choose(c, &reach(seen), asked, true);
            (choice.action, choice.mesh_id)
        };
        let some = |action, name: &str| (action, name.to_owned());
        assert_eq!(did(Some(&c), vec![found("other"), found("town")], None), some(Action::Join, "town"));
        assert_eq!(did(Some(&c), vec![found("other")], None), some(Action::Found, "town"));
        assert_eq!(did(None, vec![found("other")], None), some(Action::Choose, ""));
        assert_eq!(did(None, vec![], None), some(Action::Found, "meshwork"));
        assert_eq!(did(None, vec![found("other")], Some("other")), some(Action::Join, "other"));
        assert_eq!(did(None, vec![found("other")], Some("town")), some(Action::Wait, "town"));
    }

    #[test]
    fn it_says_why_when_it_cannot() {
        type Change = fn(&mut Found);
        let cases: [(&str, &str, Change, bool); 7] = [
            ("channel", "", |m| m.channel.freq = 2412, true),
            ("key", "", |m| m.protection = Protection::Sae, true),
            ("key", "passphrase = \"correct horse\"\n", |_| {}, true),
            ("version", "", |m| m.heard = Heard { listened: true, other_version: Some(14), ..Heard::default() }, true),
            ("algorithm", "algorithm = \"V\"\n", |_| {}, true),
            ("country", "", |m| m.obstacle = Some("the country of phy0 is not known".to_owned()), true),
            (
                "wpad",
                "passphrase = \"correct horse\"\n",
                |m| {
                    m.protection = Protection::Sae;
                    m.obstacle = Some("it needs wpa_supplicant".to_owned());
                },
                false,
            ),
        ];
        for (code, more, change, supplicant) in cases {
            let mut mesh = found("town");
            change(&mut mesh);
            let choice = choose(Some(&town(more)), &reach(vec![mesh]), None, supplicant);
            let codes: Vec<&str> = choice.reasons.iter().map(|r| r.0).collect();
            assert_eq!(codes, [code], "{choice:?}");
            // A node without its key stays dark, any other begins the community's mesh where it belongs.
            assert_eq!(choice.action, if code == "wpad" { Action::Wait } else { Action::Found }, "{code}");
        }
        let missing = choose(Some(&town("passphrase = \"correct horse\"\n")), &reach(vec![]), None, false);
        assert_eq!((missing.action, missing.reasons[0].0), (Action::Wait, "wpad"), "also where none is heard");
    }

    #[test]
    fn a_shell_reads_every_value() {
        let c =
            Community::parse("c", "name = \"it's ours\"\npassphrase = \"a 'b' c d e\"\ncountry = \"DE\"\n").unwrap();
        let choice = choose(Some(&c), &reach(vec![]), None, true);
        let text = shell(Some(&c), &choice);
        assert!(text.contains("mesh_id='it'\\''s ours'\n") && text.contains("channels='1 36'\n"), "{text}");
        assert!(text.contains("passphrase='a '\\''b'\\'' c d e'\n") && text.contains("action='found'\n"), "{text}");
    }
}
