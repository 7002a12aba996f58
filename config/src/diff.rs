//! What a reload changes, and what of it has to wait for a restart.

use crate::checked::Config;
use crate::keys::{self, Show};
use std::fmt;

/// One difference between two configurations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What changed: `mesh.mtu`, `link wlan0 hop_penalty`, `link wlan0`.
    pub what: String,
    /// Old value as it stands in a file, `None` for "not set" or "not there".
    pub from: Option<String>,
    /// New value.
    pub to: Option<String>,
    /// Takes effect only after a restart.
    pub restart: bool,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |v: &Option<String>| v.clone().unwrap_or_else(|| "nothing".into());
        write!(f, "{}: {} -> {}", self.what, text(&self.from), text(&self.to))?;
        if self.restart { f.write_str(" (after a restart)") } else { Ok(()) }
    }
}

/// Every difference, in the order of the file.
pub fn diff(old: &Config, new: &Config) -> Vec<Change> {
    let mut changes = Vec::new();
    for key in keys::KEYS {
        match key.show {
            Show::Node(show) => {
                let (from, to) = (show(old), show(new));
                if from != to {
                    changes.push(Change {
                        what: format!("{}.{}", key.table, key.name),
                        from,
                        to,
                        restart: key.restart,
                    });
                }
            }
            Show::Link(_) if key.name == "interface" => links(old, new, &mut changes),
            Show::Link(_) => {}
            Show::Radio(_) if key.name == "interface" => radios(old, new, &mut changes),
            Show::Radio(_) => {}
        }
    }
    changes
}

/// `new` as far as a running node that was started with `old` can take it in: settings that need
/// a restart keep their old values.
pub fn live_part(old: &Config, new: &Config) -> Config {
    let mut live = new.clone();
    live.mesh.name.clone_from(&old.mesh.name);
    live.control.clone_from(&old.control);
    live
}

/// Hard interfaces that went, came, or changed.
fn links(old: &Config, new: &Config, changes: &mut Vec<Change>) {
    let mut note = |what, from, to| changes.push(Change { what, from, to, restart: false });
    for gone in old.links.iter().filter(|o| new.links.iter().all(|n| n.interface != o.interface)) {
        note(format!("link {}", gone.interface), Some("used".into()), None);
    }
    for link in &new.links {
        let Some(before) = old.links.iter().find(|o| o.interface == link.interface) else {
            note(format!("link {}", link.interface), None, Some("used".into()));
            continue;
        };
        for key in keys::of("link") {
            let Show::Link(show) = key.show else { continue };
            let (from, to) = (show(before), show(link));
            if from != to {
                note(format!("link {} {}", link.interface, key.name), from, to);
            }
        }
    }
}

/// Radios that went, came, or changed.
fn radios(old: &Config, new: &Config, changes: &mut Vec<Change>) {
    let mut note = |what, from, to| changes.push(Change { what, from, to, restart: false });
    for gone in old.radios.iter().filter(|o| new.radios.iter().all(|n| n.interface != o.interface)) {
        note(format!("radio {}", gone.interface), Some("used".into()), None);
    }
    for radio in &new.radios {
        let Some(before) = old.radios.iter().find(|o| o.interface == radio.interface) else {
            note(format!("radio {}", radio.interface), None, Some("used".into()));
            continue;
        };
        for key in keys::of("radio") {
            let Show::Radio(show) = key.show else { continue };
            let (from, to) = (show(before), show(radio));
            if from != to {
                note(format!("radio {} {}", radio.interface, key.name), from, to);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checked::{Link, Overrides};

    fn parse(text: &str) -> Config {
        Config::parse("test", text, &Overrides::default()).unwrap()
    }

    #[test]
    fn names_every_change() {
        let old = parse("[mesh]\nmtu = 1500\n[[link]]\ninterface = \"a\"\n[[link]]\ninterface = \"b\"\n");
        let new = parse(
            "[mesh]\nname = \"bat0\"\n[log]\nlevel = \"debug\"\n\
             [[link]]\ninterface = \"b\"\nwifi = true\n[[link]]\ninterface = \"c\"\n",
        );
        let lines: Vec<String> = diff(&old, &new).iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            [
                "mesh.name: \"mesh0\" -> \"bat0\" (after a restart)",
                "mesh.mtu: 1500 -> nothing",
                "link a: used -> nothing",
                "link b wifi: \"auto\" -> true",
                "link c: nothing -> used",
                "log.level: \"info\" -> \"debug\"",
            ]
        );
        assert_eq!(diff(&new, &new), []);
    }

    #[test]
    fn the_live_part_needs_no_restart() {
        let old = Config::default();
        let new = parse(
            "[mesh]\nname = \"bat0\"\nmac = \"02:00:00:00:00:01\"\nmtu = 1400\nup = false\nhop_penalty = 15\n\
             orig_interval = \"5s\"\naggregation = false\nfragmentation = false\nfast_start = false\n\
             bridge_loop_avoidance = false\nwifi_clients = true\nmulticast_forceflood = true\nmulticast_fanout = 4\ndistributed_arp_table = false\nalgorithm = \"V\"\nelp_interval = \"1s\"\nextensions = false\npublish = false\nnode_name = \"roof\"\nverify_forwarding = false\nbonding = true\nap_isolation = true\nap_isolation_vlans = [0, 10]\nisolated_clients = true\nprotected_clients = [\"02:00:00:00:00:07\"]\nthroughput_meter = false\nstate_dir = \"\"\n[[link]]\ninterface = \"c\"\n[gateway]\nmode = \"server\"\n\
             download = \"1Mbit\"\nupload = \"1Mbit\"\nclass = 3\nadvantage = \"1Mbit\"\n\
             allowed = [\"02:00:00:00:00:05\"]\nplausible = \"1Gbit\"\nrouter_advertisements = false\nguard = true\n\
             check = [\"ping:9.9.9.9\", \"dns:9.9.9.9\"]\ncheck_interval = \"1s\"\ncheck_needed = 2\ncheck_rounds = 1\n\
             check_interface = \"wan\"\nwan = \"off\"\nwan_down = \"1Mbit\"\nwan_up = \"1Mbit\"\n[limits]\noriginators = 16\n\
             neighbors = 4\nclients = 16\nclients_per_originator = 16\nlocal_clients = 1\nvlans = 1\naddresses = 16\nclaims = 64\n\
             fragment_memory = \"32KiB\"\n[share]\nqueue = false\nguests = [\"br0\"]\nair = \"yield\"\ngive = \"80%\"\ngive_hours = [\"22:00-06:00\"]\ngive_budget = \"1GiB\"\n[http]\nlisten = []\nrespondd = false\nport = 80\nhosts = [\"roof\"]\n\
             token_file = \"/t\"\n[control]\nsocket = \"/tmp/s\"\ngroup = \"mesh\"\nuser = \"mesh\"\n[log]\nlevel = \"warn\"\n",
        );
        let all = diff(&old, &new);
        // Every setting; of those of a link only its name, of those of a radio none.
        let left_out = keys::of("link").count() - 1 + keys::of("radio").count();
        assert_eq!(all.len(), keys::KEYS.len() - left_out);
        let live = diff(&old, &live_part(&old, &new));
        let expected: Vec<Change> = all.iter().filter(|c| !c.restart).cloned().collect();
        assert_eq!(live, expected);
        assert!(all.iter().any(|c| c.restart));
        assert_eq!(live_part(&old, &new).links, [Link::new("c")]);
    }
}
