//! The radios: in which mesh they are, and why nobody is there.

use super::{count, list};
use crate::doctor::facts::{Facts, InReach, Radio};
use crate::doctor::finding::{Finding, Report, Severity};
use crate::nl80211::{Kind, channel};

/// A channel that is busy for so much of the time leaves little.
const BUSY: u8 = 60;

pub(super) fn check(facts: &Facts, report: &mut Report) {
    for radio in &facts.radio {
        match radio.kind {
            Kind::MeshPoint | Kind::AdHoc => meshes(radio, report),
            Kind::Station | Kind::AccessPoint | Kind::Other(_) => other_kind(radio, report),
        }
        busy(radio, report);
    }
}

fn other_kind(radio: &Radio, report: &mut Report) {
    let name = &radio.interface;
    let what = match radio.kind {
        Kind::Station => "a client of an access point",
        Kind::AccessPoint => "an access point",
        Kind::MeshPoint | Kind::AdHoc | Kind::Other(_) => return,
    };
    report.add(
        Finding::warning(
            "radio_kind",
            format!("The radio {name} is {what}; nodes that mesh hear each other as mesh points or ad-hoc."),
            "\"meshwork join NAME\" brings a radio into a mesh. Across an access point and its clients mesh frames \
             pass only in the 4-address mode (WDS).",
        )
        .on(name),
    );
}

fn meshes(radio: &Radio, report: &mut Report) {
    let name = &radio.interface;
    let Some(freq) = radio.freq else {
        report.add(
            Finding::error(
                "not_joined",
                format!("The radio {name} is in no mesh: it has no channel."),
                match &radio.plan {
                    Some(plan) => format!(
                        "The node brings it into {:?} when nothing stands in the way; \"meshwork interfaces\" and the \
                         log say what does.",
                        plan.name
                    ),
                    None => "meshwork scan shows the meshes in reach, meshwork join NAME joins one.".to_owned(),
                },
            )
            .on(name),
        );
        return;
    };
    let open: Vec<_> = radio.peers.iter().filter(|p| !p.established).map(|p| p.mac).collect();
    let met = radio.peers.len() - open.len();
    let named = radio.plan.as_ref().map(|p| &p.name).or(radio.name.as_ref());
    let of = named.map(|n| format!("mesh {n:?}, ")).unwrap_or_default();
    let key = match radio.keyed {
        Some(true) => ", with a key",
        Some(false) => ", without a key",
        None => "",
    };
    report.fine.push(format!("{name}: {of}{}{key}, {}", on(freq), count(met as u64, "station")));
    if !open.is_empty() && met == 0 {
        report.add(
            Finding::error(
                "peering",
                format!("{name} hears {}, but the two radios do not agree to mesh.", list(&open)),
                "The passphrase differs, or one side has one and the other has none, or the 802.11s settings do (iw \
                 dev IF station dump, mesh plink).",
            )
            .on(name),
        );
    }
    if let Some(in_reach) = radio.in_reach.as_ref().filter(|_| met == 0 && open.is_empty()) {
        alone(radio, freq, named, in_reach, report);
    }
}

/// Why nobody is there, judged by the meshes that are.
fn alone(radio: &Radio, freq: u32, named: Option<&String>, in_reach: &[InReach], report: &mut Report) {
    let name = &radio.interface;
    let adhoc = radio.kind == Kind::AdHoc;
    let mut add = |code, text: String, advice: String| {
        report.add(Finding::new(Severity::Error, code, text, advice).on(name));
    };
    let same_name = |m: &&InReach| named.is_some_and(|n| *n == m.name);
    let ours: Vec<&InReach> = in_reach.iter().filter(same_name).collect();
    if let Some(m) = ours.iter().find(|m| m.adhoc != adhoc) {
        let kind = |adhoc| if adhoc { "ad-hoc" } else { "a mesh of 802.11s" };
        return add(
            "other_kind",
            format!("{:?} is {} there, and {} on {name}.", m.name, kind(m.adhoc), kind(adhoc)),
            format!("Make both the same: mode = \"{}\" of the [[radio]].", if m.adhoc { "adhoc" } else { "mesh" }),
        );
    }
    let secured = radio.keyed.or(radio.plan.as_ref().map(|p| p.secured));
    if let Some(m) = ours.iter().find(|m| secured.is_some_and(|s| s != m.secured)) {
        let (theirs, mine) = if m.secured { ("has a key", "has none") } else { ("is open", "has a key") };
        return add(
            "key",
            format!("The mesh {:?} in reach {theirs}, {name} {mine}: no frame of one is read by the other.", m.name),
            if m.secured {
                "Set passphrase_file of the [[radio]] to a file with the mesh's passphrase; wpa_supplicant has to be \
                 installed."
                    .to_owned()
            } else {
                "Take the passphrase out here, or give the others one.".to_owned()
            },
        );
    }
    if !ours.is_empty() && ours.iter().all(|m| m.freq != freq) {
        let theirs = list(ours.iter().map(|m| on(m.freq)));
        return add(
            "other_channel",
            format!("The mesh {:?} is in reach {theirs}, but {name} is {}.", ours[0].name, on(freq)),
            match channel::number(ours[0].freq) {
                Some(n) => format!("Radios hear each other on one channel only: channel = {n} of the [[radio]]."),
                None => "Radios hear each other on one channel only.".to_owned(),
            },
        );
    }
    let here: Vec<&InReach> = in_reach.iter().filter(|m| m.adhoc == adhoc && !same_name(m)).collect();
    if ours.is_empty() && !here.is_empty() {
        let known = named.map_or_else(|| "no station answers it".to_owned(), |n| format!("its mesh is called {n:?}"));
        return add(
            "other_mesh_id",
            format!(
                "{name} meets nobody: {known}, and in reach {}.",
                list(here.iter().map(|m| format!("is {:?} {}", m.name, on(m.freq))))
            ),
            format!("Is one of them meant? Names must agree to the letter: meshwork join {}", here[0].name),
        );
    }
    if in_reach.is_empty() {
        add(
            "no_mesh_in_reach",
            format!("{name} looked around on all channels and heard no mesh."),
            "Is the other node switched on and near enough, and its antenna on?".to_owned(),
        );
    }
}

fn on(freq: u32) -> String {
    channel::number(freq).map_or_else(|| format!("on {freq} MHz"), |n| format!("on channel {n}"))
}

fn busy(radio: &Radio, report: &mut Report) {
    if let Some(percent) = radio.busy_percent.filter(|p| *p >= BUSY) {
        report.add(
            Finding::warning(
                "channel_busy",
                format!("The channel of {} is busy for {percent} % of the time.", radio.interface),
                "Another channel leaves more room: meshwork scan and iw dev IF survey dump show them. All nodes of a \
                 mesh have to move together.",
            )
            .on(&radio.interface),
        );
    }
}
