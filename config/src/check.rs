//! Walks the tree of values, fills [`Config`] and notes everything that is wrong on the way.

use crate::checked::{
    Algorithm, Config, Control, Io, Limits, Link, Log, MAX_LINKS, Measure, Mesh, Overrides, Share, Wifi,
    check_interface,
};
use crate::error::{Place, Problem};
use crate::gateway::{self, Gateway, MAX_ALLOWED, MAX_TARGETS, Target};
use crate::giving::{self, Give, Hours};
use crate::http::{self, Http, Listen};
use crate::radio::{self, Radio, RadioMode};
use crate::raw::{Setting, Spanned, Table};
use crate::{keys, suggest, units};
use packet::{MacAddr, Vid};
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

/// Most protected clients.
const MAX_PROTECTED: usize = 64;
/// What a list of them looks like.
const STATIONS: &str = "a list of at most 64 MAC addresses of stations, like [\"02:00:00:00:00:01\"]";

/// The configuration that `file` and `overrides` say, or everything that is wrong with them.
pub(crate) fn run(file: &Table, overrides: &Overrides) -> Result<Config, Vec<Problem>> {
    let mut checker = Checker { overrides, problems: Vec::new() };
    let config = checker.config(file);
    if checker.problems.is_empty() { Ok(config) } else { Err(checker.problems) }
}

/// The configuration that `file` and `overrides` say, with the default for everything that is wrong with them.
pub(crate) fn run_lenient(file: &Table, overrides: &Overrides) -> (Config, Vec<Problem>) {
    let mut checker = Checker { overrides, problems: Vec::new() };
    let config = checker.config(file);
    (config, checker.problems)
}

struct Checker<'a> {
    overrides: &'a Overrides,
    problems: Vec<Problem>,
}

/// One table of the file while it is read.
struct Section<'c, 'a, 't> {
    checker: &'c mut Checker<'a>,
    name: &'static str,
    table: Option<&'t Table>,
}

impl<'a> Checker<'a> {
    fn config(&mut self, file: &Table) -> Config {
        let tables: Vec<&'static str> = keys::tables().collect();
        for (key, _) in &file.0 {
            if !tables.contains(&key.get_ref().as_str()) {
                // A key of [mesh] at the top of the file is the usual slip.
                let home = keys::KEYS.iter().find(|k| k.name == key.get_ref()).map(|k| k.table);
                self.unknown(key, "", &tables, home);
            }
        }
        let mesh = self.mesh(file);
        let radios = self.radios(file);
        let mut links = self.links(file, &mesh.name);
        // What a radio makes is a hard interface, also where only the radio is named.
        for radio in &radios {
            let used = links.iter().any(|l| l.interface == radio.interface);
            if !used && self.overrides.interfaces.is_empty() && links.len() < MAX_LINKS {
                links.push(Link::new(&radio.interface));
            }
        }
        Config {
            links,
            radios,
            mesh,
            gateway: self.gateway(file),
            limits: self.limits(file),
            share: self.share(file),
            http: self.http(file),
            control: self.control(file),
            log: self.log(file),
        }
    }

    fn mesh(&mut self, file: &Table) -> Mesh {
        let d = Mesh::default();
        let mut s = self.section("mesh", file);
        Mesh {
            name: s.interface("name").unwrap_or(d.name),
            mac: s.read("mac", "the MAC address of one station, like \"02:00:00:00:00:01\"", |v| {
                word(v)?.parse::<MacAddr>().ok().filter(|mac| mac.is_unicast())
            }),
            mtu: s.number("mtu", 68..=65_535).and_then(|n| u32::try_from(n).ok()),
            up: s.flag("up").unwrap_or(d.up),
            hop_penalty: s.byte("hop_penalty").unwrap_or(d.hop_penalty),
            orig_interval: s
                .duration("orig_interval", Duration::from_millis(40)..=Duration::from_secs(60))
                .unwrap_or(d.orig_interval),
            aggregation: s.flag("aggregation").unwrap_or(d.aggregation),
            fragmentation: s.flag("fragmentation").unwrap_or(d.fragmentation),
            fast_start: s.flag("fast_start").unwrap_or(d.fast_start),
            distributed_arp_table: s.flag("distributed_arp_table").unwrap_or(d.distributed_arp_table),
            bridge_loop_avoidance: s.flag("bridge_loop_avoidance").unwrap_or(d.bridge_loop_avoidance),
            wifi_clients: s.flag("wifi_clients").unwrap_or(d.wifi_clients),
            multicast_forceflood: s.flag("multicast_forceflood").unwrap_or(d.multicast_forceflood),
            protected_clients: s
                .read("protected_clients", STATIONS, |v| {
                    let good = |w: String| w.parse::<MacAddr>().ok().filter(|mac| mac.is_unicast());
                    words(v)?.into_iter().map(good).collect::<Option<Vec<_>>>().filter(|l| l.len() <= MAX_PROTECTED)
                })
                .unwrap_or(d.protected_clients),
            multicast_fanout: s
                .number("multicast_fanout", 0..=256)
                .and_then(|n| usize::try_from(n).ok())
                .unwrap_or(d.multicast_fanout),
            algorithm: s
                .read("algorithm", "\"auto\", \"IV\" or \"V\"", |v| {
                    let word = word(v)?;
                    Algorithm::ALL.iter().copied().find(|a| a.name() == word)
                })
                .unwrap_or(d.algorithm),
            elp_interval: s
                .duration("elp_interval", Duration::from_millis(20)..=Duration::from_secs(60))
                .unwrap_or(d.elp_interval),
            extensions: s.flag("extensions").unwrap_or(d.extensions),
            publish: s.flag("publish").unwrap_or(d.publish),
            node_name: s.read("node_name", "a name of 1 to 24 bytes without blanks or control characters", |v| {
                let good = |w: &String| {
                    (1..=24).contains(&w.len()) && !w.contains(|c: char| c.is_control() || c.is_whitespace())
                };
                word(v).filter(good)
            }),
            verify_forwarding: s.flag("verify_forwarding").unwrap_or(d.verify_forwarding),
            bonding: s.flag("bonding").unwrap_or(d.bonding),
            ap_isolation: s.flag("ap_isolation").unwrap_or(d.ap_isolation),
            ap_isolation_vlans: s
                .read("ap_isolation_vlans", "a list of VLANs from 0 to 4094 like [0, 10], where 0 is untagged", vlans)
                .unwrap_or(d.ap_isolation_vlans),
            isolated_clients: s.flag("isolated_clients").unwrap_or(d.isolated_clients),
            throughput_meter: s.flag("throughput_meter").unwrap_or(d.throughput_meter),
            state_dir: s
                .read("state_dir", "an absolute path, or \"\" to keep nothing", |v| {
                    let path = PathBuf::from(word(v)?);
                    (path.as_os_str().is_empty() || path.is_absolute()).then_some(path)
                })
                .map_or(d.state_dir, |path| Some(path).filter(|p| !p.as_os_str().is_empty())),
        }
    }

    fn gateway(&mut self, file: &Table) -> Gateway {
        let d = Gateway::default();
        let mut s = self.section("gateway", file);
        let allowed = "a list of MAC addresses of originators, like [\"02:00:00:00:00:01\"]";
        let targets = "a list of at most 16 targets, each \"ping:ADDRESS\", \"tcp:ADDRESS:PORT\" or \"dns:ADDRESS\", \
                       an address being a number and not a name";
        let gateway = Gateway {
            mode: s
                .read("mode", "\"off\", \"client\" or \"server\"", |v| {
                    let word = word(v)?;
                    gateway::Mode::ALL.iter().copied().find(|m| m.name() == word)
                })
                .unwrap_or(d.mode),
            download: s.rate("download").unwrap_or(d.download),
            upload: s.rate("upload").unwrap_or(d.upload),
            class: s.number("class", 1..=255).and_then(|n| u8::try_from(n).ok()).unwrap_or(d.class),
            advantage: s.rate("advantage").unwrap_or(d.advantage),
            allowed: s
                .read("allowed", allowed, |v| {
                    let good = |w: String| w.parse::<MacAddr>().ok().filter(|mac| mac.is_unicast());
                    words(v)?.into_iter().map(good).collect::<Option<Vec<_>>>().filter(|l| l.len() <= MAX_ALLOWED)
                })
                .unwrap_or(d.allowed),
            plausible: s.rate("plausible").unwrap_or(d.plausible),
            router_advertisements: s.flag("router_advertisements").unwrap_or(d.router_advertisements),
            guard: s.flag("guard").unwrap_or(d.guard),
            check: s
                .read("check", targets, |v| {
                    let list: Option<Vec<Target>> = words(v)?.into_iter().map(|w| w.parse().ok()).collect();
                    list.filter(|l| l.len() <= MAX_TARGETS)
                })
                .unwrap_or(d.check),
            check_interval: s
                .duration("check_interval", Duration::from_secs(1)..=Duration::from_secs(3600))
                .unwrap_or(d.check_interval),
            check_needed: s
                .number("check_needed", 1..=16)
                .and_then(|n| usize::try_from(n).ok())
                .unwrap_or(d.check_needed),
            check_rounds: s
                .number("check_rounds", 1..=100)
                .and_then(|n| u32::try_from(n).ok())
                .unwrap_or(d.check_rounds),
            check_interface: s.interface("check_interface"),
            wan: s
                .read("wan", "\"auto\", \"off\" or the name of a network interface", |v| {
                    Some(match word(v)?.as_str() {
                        "auto" => gateway::Wan::Auto,
                        "off" => gateway::Wan::Off,
                        name => gateway::Wan::Interface(check_interface(name).ok().map(|()| name.to_owned())?),
                    })
                })
                .unwrap_or(d.wan),
            wan_down: s.rate("wan_down"),
            wan_up: s.rate("wan_up"),
        };
        let (needed, targets) = (gateway.check_needed, gateway.check.len());
        if targets > 0 && needed > targets {
            let place = find(file, "gateway").and_then(|t| entry(t, "check_needed").or_else(|| entry(t, "check")));
            let place = Place::File(place.map_or(0..0, |(_, value)| value.span()));
            let text = format!("found {needed}, allowed: at most the number of targets in check, {targets}");
            self.problem(place, "gateway.check_needed", text);
        }
        gateway
    }

    fn limits(&mut self, file: &Table) -> Limits {
        let d = Limits::default();
        let mut s = self.section("limits", file);
        let mut count = |key, range| s.number(key, range).and_then(|n| usize::try_from(n).ok());
        Limits {
            originators: count("originators", 16..=65_536).unwrap_or(d.originators),
            neighbors: count("neighbors", 4..=4_096).unwrap_or(d.neighbors),
            clients: count("clients", 16..=1_000_000).unwrap_or(d.clients),
            clients_per_originator: count("clients_per_originator", 16..=16_384).unwrap_or(d.clients_per_originator),
            local_clients: count("local_clients", 1..=1_677).unwrap_or(d.local_clients),
            vlans: count("vlans", 1..=4_095).unwrap_or(d.vlans),
            addresses: count("addresses", 16..=65_536).unwrap_or(d.addresses),
            claims: count("claims", 64..=65_536).unwrap_or(d.claims),
            fragment_memory: s
                .read("fragment_memory", "a size with its unit like \"512KiB\", from 32KiB to 64MiB", |v| {
                    let bytes = usize::try_from(units::parse_size(&word(v)?)?).ok()?;
                    (32 * 1024..=64 * 1024 * 1024).contains(&bytes).then_some(bytes)
                })
                .unwrap_or(d.fragment_memory),
        }
    }

    fn share(&mut self, file: &Table) -> Share {
        let mut s = self.section("share", file);
        let hours = "a list of at most 16 ranges like \"22:00-06:00\"";
        let names = "a list of at most 16 network interfaces, like [\"phy0-ap1\"]";
        Share {
            queue: s.flag("queue").unwrap_or(true),
            guests: s
                .read("guests", names, |v| {
                    words(v).filter(|l| l.len() <= 16 && l.iter().all(|n| check_interface(n).is_ok()))
                })
                .unwrap_or_default(),
            background: s
                .read("air", "\"equal\" or \"yield\"", |v| match word(v)?.as_str() {
                    "equal" => Some(false),
                    "yield" => Some(true),
                    _ => None,
                })
                .unwrap_or(false),
            give: s
                .read("give", "\"all\", \"off\" or a share like \"80%\"", |v| word(v)?.parse().ok())
                .unwrap_or(Give::All),
            give_hours: s
                .read("give_hours", hours, |v| {
                    let all: Option<Vec<Hours>> = words(v)?.iter().map(|w| w.parse().ok()).collect();
                    all.filter(|h| h.len() <= giving::MAX_HOURS)
                })
                .unwrap_or_default(),
            give_budget: s.read("give_budget", "a size with its unit like \"50GiB\", from 1MiB on", |v| {
                units::parse_size(&word(v)?).filter(|n| *n >= 1024 * 1024)
            }),
        }
    }

    fn http(&mut self, file: &Table) -> Http {
        let d = Http::default();
        let mut s = self.section("http", file);
        let places = "a list of at most 16 places, each \"localhost\", \"mesh\", an address or an interface";
        Http {
            listen: s
                .read("listen", places, |v| {
                    let all: Option<Vec<Listen>> = words(v)?.iter().map(|w| w.parse().ok()).collect();
                    all.filter(|l| l.len() <= http::MAX_LISTEN)
                })
                .unwrap_or(d.listen),
            port: s.number("port", 1..=65_535).and_then(|n| u16::try_from(n).ok()).unwrap_or(d.port),
            hosts: s
                .read("hosts", "a list of at most 32 names of hosts, like [\"roof.example.org\", \"*.mesh\"]", |v| {
                    let all: Option<Vec<String>> = words(v)?.iter().map(|w| http::parse_host(w)).collect();
                    all.filter(|l| l.len() <= http::MAX_HOSTS)
                })
                .unwrap_or(d.hosts),
            token_file: s.read("token_file", "an absolute path", |v| {
                Some(PathBuf::from(word(v)?)).filter(|path| path.is_absolute())
            }),
            respondd: s.flag("respondd").unwrap_or(d.respondd),
        }
    }

    fn control(&mut self, file: &Table) -> Control {
        let mut s = self.section("control", file);
        Control {
            // The kernel's field has 108 bytes, one of them a zero. Source: unix(7).
            socket: s.read("socket", "an absolute path of at most 107 bytes", |v| {
                let path = PathBuf::from(word(v)?);
                (path.is_absolute() && path.as_os_str().len() <= 107).then_some(path)
            }),
            group: s.read("group", "the name of a group", |v| {
                word(v).filter(|w| !w.is_empty() && !w.contains([':', ',']) && !w.contains(char::is_whitespace))
            }),
            user: s.read("user", "the name of a user", |v| {
                word(v).filter(|w| !w.is_empty() && !w.contains([':', ',']) && !w.contains(char::is_whitespace))
            }),
        }
    }

    fn log(&mut self, file: &Table) -> Log {
        let allowed = "error, warn, info, debug or trace, then parts with their own, like \"info,netlink=debug\"";
        let mut s = self.section("log", file);
        s.read("level", allowed, |v| Log::parse(&word(v)?)).unwrap_or_default()
    }

    fn links(&mut self, file: &Table, mesh: &str) -> Vec<Link> {
        let mut links: Vec<Link> = Vec::new();
        match entry(file, "link").map(|(key, value)| (key, value.get_ref())) {
            None => {}
            Some((_, Setting::List(list))) => {
                for item in list {
                    let Setting::Table(table) = item.get_ref() else {
                        self.wrong(Place::File(item.span()), "link", item.get_ref(), "[[link]] tables");
                        continue;
                    };
                    let Some(link) = self.link(table, item) else { continue };
                    let name = || Place::File(entry(table, "interface").map_or(item.span(), |(_, name)| name.span()));
                    if links.iter().any(|l| l.interface == link.interface) {
                        let text = format!("{:?} is already a hard interface of this node", link.interface);
                        self.problem(name(), "link.interface", text);
                    } else {
                        self.refuse_itself(name, &link.interface, mesh);
                        links.push(link);
                    }
                }
                if let Some(item) = list.get(MAX_LINKS) {
                    let text = format!("found {} hard interfaces, allowed: at most {MAX_LINKS}", list.len());
                    self.problem(Place::File(item.span()), "link", text);
                }
            }
            Some((key, other)) => {
                let place = Place::File(key.span());
                self.wrong(place, "link", other, "[[link]] with two brackets, one for each hard interface");
            }
        }
        if self.overrides.interfaces.is_empty() { links } else { self.chosen_links(&links, mesh) }
    }

    fn radios(&mut self, file: &Table) -> Vec<Radio> {
        let mut radios: Vec<Radio> = Vec::new();
        match entry(file, "radio").map(|(key, value)| (key, value.get_ref())) {
            None => {}
            Some((_, Setting::List(list))) => {
                for item in list {
                    let Setting::Table(table) = item.get_ref() else {
                        self.wrong(Place::File(item.span()), "radio", item.get_ref(), "[[radio]] tables");
                        continue;
                    };
                    let Some(radio) = self.radio(table, item) else { continue };
                    if radios.iter().any(|r| r.interface == radio.interface) {
                        let text = format!("{:?} is already made of another radio", radio.interface);
                        self.problem(Place::File(item.span()), "radio.interface", text);
                    } else {
                        radios.push(radio);
                    }
                }
            }
            Some((key, other)) => {
                self.wrong(Place::File(key.span()), "radio", other, "[[radio]] with two brackets, one for each radio");
            }
        }
        radios
    }

    /// `None` if something that it needs is missing or wrong, which is noted.
    fn radio(&mut self, table: &Table, item: &Spanned<Setting>) -> Option<Radio> {
        let mut s = Section { checker: self, name: "radio", table: Some(table) };
        s.refuse_unknown();
        let interface = s.interface("interface");
        let mesh_id = s.read("mesh_id", "a name of 1 to 32 bytes", |v| word(v).filter(|w| (1..=32).contains(&w.len())));
        let channel = s.number("channel", 1..=177).and_then(|n| u8::try_from(n).ok());
        let mut radio = Radio::new("", "", 1);
        radio.mode = s.read("mode", "\"mesh\" or \"adhoc\"", |v| RadioMode::parse(&word(v)?)).unwrap_or(radio.mode);
        radio.phy = s.read("phy", "the name of a radio, like \"phy0\"", |v| {
            word(v).filter(|w| !w.is_empty() && !w.contains(|c: char| c.is_whitespace() || c.is_control() || c == '/'))
        });
        radio.width = s
            .read("width", "20, 40, 80 or 160, in MHz", |v| match v {
                Setting::Integer(n) => u8::try_from(*n).ok().filter(|n| radio::WIDTHS.contains(n)),
                Setting::Word(w) => w.parse().ok().filter(|n| radio::WIDTHS.contains(n)),
                _ => None,
            })
            .unwrap_or(radio.width);
        radio.country = s.read("country", "the two capital letters of a country, like \"DE\"", |v| {
            word(v).filter(|w| w.len() == 2 && w.bytes().all(|b| b.is_ascii_uppercase()))
        });
        radio.passphrase_file = s.read("passphrase_file", "an absolute path", |v| {
            Some(PathBuf::from(word(v)?)).filter(|path| path.is_absolute())
        });
        radio.bssid = s.read("bssid", "a MAC address like \"02:ca:fe:00:00:01\"", |v| {
            word(v)?.parse::<MacAddr>().ok().filter(|mac| mac.is_unicast())
        });
        for key in ["interface", "mesh_id", "channel"] {
            if entry(table, key).is_none() {
                let text = format!("missing; a [[radio]] needs interface, mesh_id and channel, and has no {key}");
                self.problem(Place::File(item.span()), "radio", text);
            }
        }
        if let Some((key, _)) = entry(table, "bssid").filter(|_| radio.mode == RadioMode::Mesh) {
            self.problem(
                Place::File(key.span()),
                "radio.bssid",
                "only ad-hoc networks have one; remove it, or set mode = \"adhoc\"".to_owned(),
            );
        }
        if let Some((key, _)) = entry(table, "passphrase_file").filter(|_| radio.mode == RadioMode::AdHoc) {
            self.problem(
                Place::File(key.span()),
                "radio.passphrase_file",
                "SAE protects meshes of 802.11s only; remove it, or set mode = \"mesh\"".to_owned(),
            );
        }
        (radio.interface, radio.mesh_id, radio.channel) = (interface?, mesh_id?, channel?);
        Some(radio)
    }

    /// The interfaces of the command line, with what the file says about each.
    fn chosen_links(&mut self, file: &[Link], mesh: &str) -> Vec<Link> {
        let place = || Place::Flag("--interface");
        let mut links: Vec<Link> = Vec::new();
        for name in &self.overrides.interfaces {
            if let Err(why) = check_interface(name) {
                self.problem(place(), "link.interface", format!("found {name:?}: {why}"));
            }
            self.refuse_itself(place, name, mesh);
            if links.iter().all(|l| l.interface != *name) {
                let mut link = file.iter().find(|l| l.interface == *name).cloned().unwrap_or_else(|| Link::new(name));
                let mut s = Section { checker: self, name: "link", table: None };
                link.io = s.io().unwrap_or(link.io);
                links.push(link);
            }
        }
        if links.len() > MAX_LINKS {
            let text = format!("found {} hard interfaces, allowed: at most {MAX_LINKS}", links.len());
            self.problem(place(), "link", text);
        }
        links
    }

    fn refuse_itself(&mut self, place: impl FnOnce() -> Place, interface: &str, mesh: &str) {
        if interface == mesh {
            let text = format!("{interface:?} is the mesh interface itself");
            self.problem(place(), "link.interface", text);
        }
    }

    /// `None` if it has no usable name; what is wrong with it is noted.
    fn link(&mut self, table: &Table, item: &Spanned<Setting>) -> Option<Link> {
        let mut s = Section { checker: self, name: "link", table: Some(table) };
        s.refuse_unknown();
        let mut link = Link::new("");
        link.hop_penalty = s.byte("hop_penalty").unwrap_or(link.hop_penalty);
        link.throughput = s.rate("throughput");
        link.measure = s
            .read("measure", "true, false or \"auto\"", |v| match (truth(v), word(v).as_deref()) {
                (Some(true), _) => Some(Measure::Yes),
                (Some(false), _) => Some(Measure::No),
                (None, Some("auto")) => Some(Measure::Auto),
                (None, _) => None,
            })
            .unwrap_or(link.measure);
        link.broadcast_copies = s.number("broadcast_copies", 1..=3).and_then(|n| u8::try_from(n).ok());
        link.wifi = s
            .read("wifi", "true, false or \"auto\"", |v| match (truth(v), word(v).as_deref()) {
                (Some(true), _) => Some(Wifi::Yes),
                (Some(false), _) => Some(Wifi::No),
                (None, Some("auto")) => Some(Wifi::Auto),
                (None, _) => None,
            })
            .unwrap_or(link.wifi);
        link.io = s.io().unwrap_or(link.io);
        link.interface = s.interface("interface").unwrap_or_default();
        if entry(table, "interface").is_none() {
            let text = "missing; a [[link]] needs interface = \"NAME\", its hard interface".to_owned();
            self.problem(Place::File(item.span()), "link.interface", text);
        }
        (!link.interface.is_empty()).then_some(link)
    }

    /// The table `name` of the file; its unknown keys are noted.
    fn section<'c, 't>(&'c mut self, name: &'static str, file: &'t Table) -> Section<'c, 'a, 't> {
        if let Some((key, value)) = entry(file, name) {
            if let Setting::List(_) = value.get_ref() {
                let text = format!("found [[{name}]], allowed: [{name}] with one bracket, there is only one");
                self.problem(Place::File(key.span()), name, text);
            } else if !matches!(value.get_ref(), Setting::Table(_)) {
                self.wrong(Place::File(value.span()), name, value.get_ref(), &format!("a table, [{name}]"));
            }
        }
        let mut section = Section { checker: self, name, table: find(file, name) };
        section.refuse_unknown();
        section
    }

    fn unknown(&mut self, key: &Spanned<String>, section: &str, known: &[&str], home: Option<&str>) {
        let name = key.get_ref();
        let hint = match (home, suggest::closest(name, known.iter().copied())) {
            (Some(home), _) => format!("; it belongs into [{home}]. "),
            (None, Some(near)) => format!("; did you mean {near:?}? "),
            (None, None) => ". ".to_owned(),
        };
        let list = if section.is_empty() { "Tables".to_owned() } else { format!("Keys of [{section}]") };
        let text = format!("unknown{hint}{list}: {}", known.join(", "));
        let full = if section.is_empty() { name.clone() } else { format!("{section}.{name}") };
        self.problem(Place::File(key.span()), &full, text);
    }

    fn wrong(&mut self, place: Place, key: &str, found: &dyn Display, allowed: &str) {
        self.problem(place, key, format!("found {found}, allowed: {allowed}"));
    }

    fn problem(&mut self, place: Place, key: &str, text: String) {
        self.problems.push(Problem { place, key: key.to_owned(), text });
    }
}

impl Section<'_, '_, '_> {
    /// The value of `key`, the command line's before the file's; `None` if nobody says anything
    /// or if it is wrong, which is noted.
    fn read<T>(&mut self, key: &'static str, allowed: &str, read: impl FnOnce(&Setting) -> Option<T>) -> Option<T> {
        let full = format!("{}.{key}", self.name);
        let said = self.checker.overrides.settings.iter().rev().find(|o| o.key == full);
        let from_flag;
        let (place, value) = match (said, self.table.and_then(|table| entry(table, key))) {
            (Some(said), _) => {
                from_flag = Setting::Word(said.value.clone());
                (Place::Flag(said.flag), &from_flag)
            }
            (None, Some((_, value))) => (Place::File(value.span()), value.get_ref()),
            (None, None) => return None,
        };
        let good = read(value);
        if good.is_none() {
            self.checker.wrong(place, &full, value, allowed);
        }
        good
    }

    fn flag(&mut self, key: &'static str) -> Option<bool> {
        self.read(key, "true or false", truth)
    }

    fn number(&mut self, key: &'static str, range: RangeInclusive<i64>) -> Option<i64> {
        let allowed = format!("a whole number from {} to {}", range.start(), range.end());
        self.read(key, &allowed, |v| match v {
            Setting::Integer(n) => Some(*n).filter(|n| range.contains(n)),
            Setting::Word(w) => w.parse().ok().filter(|n| range.contains(n)),
            _ => None,
        })
    }

    fn byte(&mut self, key: &'static str) -> Option<u8> {
        self.number(key, 0..=255).and_then(|n| u8::try_from(n).ok())
    }

    fn duration(&mut self, key: &'static str, range: RangeInclusive<Duration>) -> Option<Duration> {
        let (least, most) = (units::format_duration(*range.start()), units::format_duration(*range.end()));
        let allowed = format!("a time with its unit like \"500ms\" or \"1s\", from {least} to {most}");
        self.read(key, &allowed, |v| units::parse_duration(&word(v)?).filter(|d| range.contains(d)))
    }

    /// A rate in units of 100 kbit/s.
    fn rate(&mut self, key: &'static str) -> Option<u32> {
        self.read(key, "a rate with its unit like \"54Mbit\", from 100kbit to 400Gbit", |v| {
            let units = units::parse_rate(&word(v)?)? / 100;
            u32::try_from(units).ok().filter(|t| (1..=4_000_000).contains(t))
        })
    }

    fn interface(&mut self, key: &'static str) -> Option<String> {
        let allowed = "the name of a network interface: 1 to 15 bytes, no \"/\", \":\" or blank";
        self.read(key, allowed, |v| word(v).filter(|name| check_interface(name).is_ok()))
    }

    fn io(&mut self) -> Option<Io> {
        self.read("io", "\"packet\" or \"portable\"", |v| match word(v)?.as_str() {
            "packet" => Some(Io::Packet),
            "portable" => Some(Io::Portable),
            _ => None,
        })
    }

    fn refuse_unknown(&mut self) {
        let known: Vec<&str> = keys::of(self.name).map(|k| k.name).collect();
        for (key, _) in self.table.map(|t| t.0.as_slice()).unwrap_or_default() {
            if !known.contains(&key.get_ref().as_str()) {
                let near = suggest::closest(key.get_ref(), known.iter().copied());
                let elsewhere = keys::KEYS.iter().find(|k| k.name == key.get_ref() && k.table != self.name);
                let home = elsewhere.filter(|_| near.is_none()).map(|k| k.table);
                self.checker.unknown(key, self.name, &known, home);
            }
        }
    }
}

/// Text of a value that is text.
pub(crate) fn word(value: &Setting) -> Option<String> {
    match value {
        Setting::Text(text) | Setting::Word(text) => Some(text.clone()),
        Setting::Bool(_) | Setting::Integer(_) | Setting::Float(_) | Setting::List(_) | Setting::Table(_) => None,
    }
}

/// A list of texts; sources without types separate them by blanks.
fn words(value: &Setting) -> Option<Vec<String>> {
    match value {
        Setting::List(list) => list.iter().map(|item| word(item.get_ref())).collect(),
        Setting::Word(text) => Some(text.split_whitespace().map(str::to_owned).collect()),
        Setting::Bool(_) | Setting::Integer(_) | Setting::Float(_) | Setting::Text(_) | Setting::Table(_) => None,
    }
}

/// A list of VLANs; sources without types separate them by blanks.
fn vlans(value: &Setting) -> Option<Vec<Vid>> {
    let number = |n: i64| (0..=4094).contains(&n).then(|| Vid::tagged(u16::try_from(n).unwrap_or(0)));
    match value {
        Setting::List(list) => {
            let item = |item: &Spanned<Setting>| match item.get_ref() {
                Setting::Integer(n) => number(*n),
                Setting::Word(w) => number(w.parse().ok()?),
                _ => None,
            };
            list.iter().map(item).collect()
        }
        Setting::Word(text) => text.split_whitespace().map(|w| number(w.parse().ok()?)).collect(),
        Setting::Bool(_) | Setting::Integer(_) | Setting::Float(_) | Setting::Text(_) | Setting::Table(_) => None,
    }
}

/// A yes or no; sources without types have several words for it.
pub(crate) fn truth(value: &Setting) -> Option<bool> {
    match value {
        Setting::Bool(b) => Some(*b),
        Setting::Word(w) => match w.as_str() {
            "true" | "1" | "on" | "yes" | "enabled" => Some(true),
            "false" | "0" | "off" | "no" | "disabled" => Some(false),
            _ => None,
        },
        Setting::Text(_) | Setting::Integer(_) | Setting::Float(_) | Setting::List(_) | Setting::Table(_) => None,
    }
}

fn entry<'t>(table: &'t Table, key: &str) -> Option<&'t (Spanned<String>, Spanned<Setting>)> {
    table.0.iter().find(|(k, _)| k.get_ref() == key)
}

/// The table called `name`, if it is one.
fn find<'t>(file: &'t Table, name: &str) -> Option<&'t Table> {
    match entry(file, name)?.1.get_ref() {
        Setting::Table(table) => Some(table),
        _ => None,
    }
}
