//! Figures for Prometheus, in its text format and as OpenMetrics. The two differ in how counters are called.

use super::json::Made;
use super::privacy;
use super::site::View;
use crate::control::view;
use mesh_core::queue::{Class, ClassCount};
use std::fmt::{Display, Write as _};

/// Media type of the text format, version 0.0.4.
pub(super) const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
/// Media type of OpenMetrics.
pub(super) const OPEN: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// As Prometheus' text format.
pub(super) fn text(v: &View<'_>) -> Made {
    Ok(Metrics { out: String::with_capacity(8192), open: false, name: "", counter: false }.all(v))
}

/// As OpenMetrics.
pub(super) fn open(v: &View<'_>) -> Made {
    Ok(Metrics { out: String::with_capacity(8192), open: true, name: "", counter: false }.all(v))
}

struct Metrics {
    out: String,
    open: bool,
    /// The family that is being written.
    name: &'static str,
    counter: bool,
}

impl Metrics {
    fn gauge(&mut self, name: &'static str, help: &str) -> &mut Self {
        self.family(name, false, help)
    }

    /// `name` without `_total`.
    fn counter(&mut self, name: &'static str, help: &str) -> &mut Self {
        self.family(name, true, help)
    }

    fn family(&mut self, name: &'static str, counter: bool, help: &str) -> &mut Self {
        (self.name, self.counter) = (name, counter);
        let end = if counter && !self.open { "_total" } else { "" };
        let kind = if counter { "counter" } else { "gauge" };
        // Writing to a String cannot fail.
        let _ = write!(self.out, "# TYPE meshwork_{name}{end} {kind}\n# HELP meshwork_{name}{end} {help}\n");
        self
    }

    fn sample(&mut self, labels: &[(&str, &dyn Display)], value: &dyn Display) -> &mut Self {
        let end = if self.counter { "_total" } else { "" };
        let _ = write!(self.out, "meshwork_{}{end}", self.name);
        for (i, (key, text)) in labels.iter().enumerate() {
            let text = text.to_string().replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.out, "{}{key}=\"{text}\"", if i == 0 { '{' } else { ',' });
        }
        let _ = writeln!(self.out, "{} {value}", if labels.is_empty() { "" } else { "}" });
        self
    }

    fn all(mut self, v: &View<'_>) -> Vec<u8> {
        let s = v.s;
        let node = view::node(s);
        let labels: [(&str, &dyn Display); 3] =
            [("version", &node.version), ("algorithm", &node.algo_name), ("mesh", &node.mesh_ifname)];
        self.gauge("build_info", "Version, routing algorithm and mesh interface; always 1.").sample(&labels, &1);
        self.gauge("uptime_seconds", "Time since the node started.").sample(&[], &seconds(s.mesh.uptime.as_millis()));
        self.gauge("resident_memory_bytes", "Resident memory of the node.").sample(&[], &s.rss_bytes);
        self.gauge("neighbors", "Nodes that are heard directly.").sample(&[], &s.mesh.neighbors.len());
        let reached = s.mesh.originators.iter().filter(|o| !o.paths.is_empty()).count();
        self.gauge("originators", "Nodes with a way there.").sample(&[], &reached);
        let global = s.mesh.global_clients.iter().filter(|c| c.best).count();
        self.gauge("clients", "Clients of this node (local) and of others (global).");
        self.sample(&[("at", &"local")], &s.mesh.local_clients.len()).sample(&[("at", &"global")], &global);
        self.neighbors(v);
        self.originators(v);
        self.gauge("gateway_selected", "1 for the gateway in use, 0 for the others.");
        for g in view::gateways(s) {
            self.sample(&[("orig", &g.orig_address)], &u8::from(g.best));
        }
        self.interfaces(v);
        let counted = view::statistics(s);
        let counted = if v.full { counted } else { privacy::counters(counted, &s.mesh_name) };
        self.counter(
            "events",
            "What control side and data plane counted, by name; names with bytes in them are bytes.",
        );
        for (name, n) in &counted.counters {
            self.sample(&[("name", name)], n);
        }
        self.counter("dropped_frames", "Frames that went no further, by reason.");
        for (reason, n) in &counted.drops {
            self.sample(&[("reason", reason)], n);
        }
        if self.open {
            self.out.push_str("# EOF\n");
        }
        self.out.into_bytes()
    }

    fn neighbors(&mut self, v: &View<'_>) {
        let all: Vec<_> = view::neighbors(v.s).collect();
        let each = |metrics: &mut Self, value: &dyn Fn(&crate::control::protocol::Neighbor) -> Option<String>| {
            for n in &all {
                if let Some(value) = value(n) {
                    let orig = n.orig_address.map_or_else(String::new, |o| o.to_string());
                    metrics.sample(&[("ifname", &n.hard_ifname), ("neigh", &n.neigh_address), ("orig", &orig)], &value);
                }
            }
        };
        self.gauge("neighbor_tq_ratio", "B.A.T.M.A.N. IV: transmit quality of the link, 0 to 1.");
        each(self, &|n| n.tq.map(|tq| ratio(tq.into(), 255)));
        self.gauge("neighbor_received_ratio", "B.A.T.M.A.N. IV: share of its messages that were heard.");
        each(self, &|n| n.tq.map(|_| ratio(n.receive_count.into(), 64)));
        self.gauge("neighbor_echoed_ratio", "B.A.T.M.A.N. IV: share of own messages that came back from it.");
        each(self, &|n| n.tq.map(|_| ratio(n.echo_count.into(), 64)));
        self.gauge("neighbor_throughput_bytes_per_second", "B.A.T.M.A.N. V: throughput of the link.");
        each(self, &|n| n.throughput.map(|kbits| (kbits * 125).to_string()));
        self.gauge("neighbor_last_seen_seconds", "Time since the neighbor was heard.");
        each(self, &|n| Some(seconds(n.last_seen_msecs.into())));
    }

    fn originators(&mut self, v: &View<'_>) {
        let best: Vec<_> = view::originators(v.s).filter(|o| o.best).collect();
        self.gauge("originator_tq_ratio", "B.A.T.M.A.N. IV: transmit quality of the way in use, 0 to 1.");
        for o in &best {
            if let Some(tq) = o.tq {
                let value = ratio(tq.into(), 255);
                self.sample(
                    &[("ifname", &o.hard_ifname), ("orig", &o.orig_address), ("nexthop", &o.neigh_address)],
                    &value,
                );
            }
        }
        self.gauge("originator_throughput_bytes_per_second", "B.A.T.M.A.N. V: throughput of the way in use.");
        for o in &best {
            if let Some(kbits) = o.throughput {
                let labels: [(&str, &dyn Display); 3] =
                    [("ifname", &o.hard_ifname), ("orig", &o.orig_address), ("nexthop", &o.neigh_address)];
                self.sample(&labels, &(kbits * 125));
            }
        }
        self.gauge("originator_last_seen_seconds", "Time since the node was heard of.");
        for o in &best {
            self.sample(&[("orig", &o.orig_address)], &seconds(o.last_seen_msecs.into()));
        }
    }

    fn interfaces(&mut self, v: &View<'_>) {
        let all: Vec<_> = view::interfaces(v.s, &v.about.setup).collect();
        self.gauge("interface_used", "1 for a hard interface in use, 0 for one that cannot be used.");
        for i in &all {
            self.sample(&[("ifname", &i.hard_ifname)], &u8::from(i.active));
        }
        self.gauge("channel_busy_ratio", "Share of the time that the channel of a radio is busy.");
        for i in &all {
            if let Some(percent) = i.channel_busy_percent {
                self.sample(&[("ifname", &i.hard_ifname)], &ratio(percent.into(), 100));
            }
        }
        // What passes the mesh interface is the owner's and guests'.
        let mesh = v.full.then_some((&v.s.mesh_name, &v.s.io.host));
        let ports = || mesh.into_iter().chain(v.s.io.links.iter().map(|(n, p)| (n, p)));
        type Value = fn(&crate::io::PortCounters) -> u64;
        let families: [(&str, &str, Value); 4] = [
            ("interface_received_bytes", "Bytes received, Ethernet headers included.", |p| p.rx_bytes),
            ("interface_sent_bytes", "Bytes sent, Ethernet headers included.", |p| p.tx_bytes),
            ("interface_received_frames", "Frames received.", |p| p.rx_frames),
            ("interface_sent_frames", "Frames sent.", |p| p.tx_frames),
        ];
        for (name, help, value) in families {
            self.counter(name, help);
            for (ifname, port) in ports() {
                self.sample(&[("ifname", ifname)], &value(port));
            }
        }
        self.classes(v);
        self.share(v);
    }

    /// What is given, from the account.
    fn share(&mut self, v: &View<'_>) {
        let share = view::share(v.s, false);
        self.gauge("share_giving", "1 while this node carries for others.");
        self.sample(&[], &u8::from(share.give_now != "off"));
        self.gauge("share_month_bytes", "Given this month: carried for others and sent for guests.");
        self.sample(&[], &share.month_bytes);
    }

    /// What left by whose it is.
    fn classes(&mut self, v: &View<'_>) {
        let queues = &v.s.io.queues;
        self.gauge("queue_frames", "Frames that wait in front of a hard interface.");
        for (ifname, _, waiting) in queues {
            self.sample(&[("ifname", ifname)], waiting);
        }
        type Value = fn(&ClassCount) -> String;
        let families: [(&str, &str, Value); 6] = [
            ("class_sent_bytes", "Bytes sent: control, guests', carried for others; the owner's with a login.", |c| {
                c.bytes.to_string()
            }),
            ("class_sent_frames", "Frames sent, by class.", |c| c.frames.to_string()),
            ("class_late_frames", "Frames dropped because they waited too long, by class.", |c| c.late.to_string()),
            ("class_marked_frames", "Frames that waited too long and left with an ECN mark, by class.", |c| {
                c.marked.to_string()
            }),
            ("class_full_frames", "Frames dropped for want of room, by class.", |c| c.full.to_string()),
            ("class_waited_seconds", "How long the frames that were sent waited, by class.", |c| {
                format!("{}.{:06}", c.waited_us / 1_000_000, c.waited_us % 1_000_000)
            }),
        ];
        for (name, help, value) in families {
            self.counter(name, help);
            for (ifname, counts, _) in queues {
                for &class in Class::ALL.iter().filter(|c| v.full || **c != Class::Owner) {
                    let labels: [(&str, &dyn Display); 2] = [("ifname", ifname), ("class", &class.name())];
                    self.sample(&labels, &value(counts.of(class)));
                }
            }
        }
    }
}

/// Three digits after the point, without floating point.
fn ratio(share: u32, of: u32) -> String {
    let milli = share * 1000 / of;
    format!("{}.{:03}", milli / 1000, milli % 1000)
}

fn seconds(msecs: u128) -> String {
    format!("{}.{:03}", msecs / 1000, msecs % 1000)
}
