//! What this node gives: whether it carries for others at all, and how much of its links its owner leaves.
//!
//! Announced ways get worse while the owner is busy, so that others take those past an idle home: under V they
//! promise no more throughput than is left, under IV the hop penalty rises by up to [`EXTRA_PENALTY`]. What is
//! carried for others does not count, or routes would flee from themselves. Kernel nodes understand both.
//!
//! Where nothing is given, neighbours still get the echo of their own OGMs, marked so that nobody takes it for a
//! way, and our own OGMs as ever. Other nodes' are not passed on, and neither are their broadcasts; their packets are
//! stopped once they had time to find another way.

use crate::border::Output;
use crate::config::LinkId;
use crate::fib::{FibChange, NextHop, Table};
use crate::link::Link;
use crate::mesh::Mesh;
use crate::time::{Duration, Instant};
use crate::v::rate::RateSource;
use alloc::vec::Vec;
use packet::MacAddr;

/// Most that the owner's load adds to the hop penalty of IV, of 255.
const EXTRA_PENALTY: u32 = 30;
/// Packets of others pass for so long after this node stopped to give. Whoever has another way takes it within
/// five OGMs; whoever has none would send here until the originators beyond are forgotten.
const GRACE: Duration = Duration::from_secs(30);
/// All of a link.
const FULL: u32 = 1000;
/// What is announced follows the load when it is this much away from it: a tenth of the link.
const STEP: u32 = 100;
/// A load below this is none.
const NONE: u32 = 40;
/// A rising load counts half at once: routes have to leave within seconds.
const RISE: u32 = 2;
/// A falling one a sixteenth, so that pauses of the owner bring nobody back.
const FALL: u32 = 16;

/// What the owner sent and received over a hard interface in the last second, as the shell counted it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OwnerUse {
    /// Bytes sent for the owner.
    pub sent: u64,
    /// Bytes that came here to stay.
    pub received: u64,
    /// Of a radio: its time that went to the owner beside the mesh, on a home network say, in thousandths.
    pub air: u32,
    /// Bytes a second that the line was seen to take while frames waited for it.
    pub line: Option<u64>,
}

/// How busy the owner keeps one direction of a link, of [`FULL`].
#[derive(Debug, Clone, Copy, Default)]
struct Level {
    smooth: u32,
    announced: u32,
}

impl Level {
    fn note(&mut self, now: u32) {
        let (old, now) = (self.smooth, now.min(FULL));
        // The last bit of a way down needs a step of at least one.
        self.smooth = if now > old { old + (now - old).div_ceil(RISE) } else { old - (old - now).div_ceil(FALL) };
        let level = if self.smooth < NONE { 0 } else { self.smooth };
        if level.abs_diff(self.announced) >= STEP || level == 0 {
            self.announced = level;
        }
    }
}

/// How busy the owner keeps a link.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Load {
    sent: Level,
    received: Level,
    /// Bytes a second that the line was seen to take, as told last.
    seen: Option<u64>,
    /// What it would take without what the owner does beside the mesh, in units of 100 kbit/s.
    line: Option<u32>,
}

impl Mesh {
    /// Notes how much the owner used a link in the last second.
    pub(crate) fn note_owner_use(&mut self, id: LinkId, used: OwnerUse, now: Instant) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let air = if link.cfg.wifi { used.air.min(FULL) } else { 0 };
        if link.load.seen != used.line {
            // It was seen while the owner took the rest of the air, which counts below.
            let whole = |bytes: u64| bytes.saturating_mul(FULL.into()) / u64::from((FULL - air).max(FULL / 10));
            (link.load.seen, link.load.line) = (used.line, used.line.map(|bytes| units(whole(bytes))));
        }
        // Of a line that nobody knows, bytes are no part.
        let rate = line_rate(link, now).map_or(u64::MAX, |rate| u64::from(rate.max(1)));
        let part = |bytes: u64| (u64::from(FULL) * u64::from(units(bytes)) / rate).min(FULL.into()) as u32;
        let (sent, received) = (part(used.sent), part(used.received));
        let (sent, received) = if half_duplex(link) { (sent + received, sent + received) } else { (sent, received) };
        link.load.sent.note(sent + air);
        link.load.received.note(received + air);
    }

    /// Carries for others from now on, or does not.
    pub(crate) fn set_gives(&mut self, gives: bool, now: Instant) {
        let before = core::mem::replace(&mut self.gives, gives);
        if before == gives {
            return;
        }
        self.gives_until = (!gives).then(|| now + GRACE);
        if gives {
            self.out.push_back(Output::Fib(FibChange::Carry(true)));
        } else {
            // Kernel neighbours find out as other ways overtake ours, Meshwork neighbours now.
            let origs: Vec<MacAddr> = self.originators.keys().copied().collect();
            self.tell_lost(&origs, None, now);
        }
    }

    /// Others had time to find other ways: their packets are stopped.
    pub(crate) fn stop_carrying(&mut self, now: Instant) {
        if self.gives_until.is_some_and(|until| until <= now) {
            self.gives_until = None;
            self.out.push_back(Output::Fib(FibChange::Carry(false)));
        }
    }

    /// Bytes a second that a hard interface takes, where that is known.
    pub fn line_bytes(&self, id: LinkId, now: Instant) -> Option<u64> {
        Some(u64::from(line_rate(self.links.get(&id)?, now)?) * 12_500)
    }

    /// The link that a neighbour is heard on, and its originator as far as known.
    pub fn neighbor_at(&self, neigh: MacAddr) -> Option<(LinkId, MacAddr)> {
        self.links.values().find_map(|l| Some((l.id, l.neighbors.get(&neigh)?.originator.unwrap_or(neigh))))
    }

    /// The neighbour that carries what is sent from here to an originator on, by its originator; `None` where it is
    /// that originator itself, or where no way leads.
    pub fn carrier(&self, orig: MacAddr) -> Option<MacAddr> {
        let hop = self.originators.get(&orig)?.router(Table::Host)?;
        Some(self.originator_of(hop.neigh)).filter(|next| *next != orig)
    }

    /// How much of a link the owner uses, as others are told: sent and received, in thousandths.
    pub fn owner_load(&self, id: LinkId) -> (u32, u32) {
        self.links.get(&id).map_or((0, 0), |l| (l.load.sent.announced, l.load.received.announced))
    }

    /// IV: what our hop takes off a way that comes in by `from` and goes on by `via`.
    pub(crate) fn relay_penalty(&self, via: LinkId, from: LinkId) -> u8 {
        let busy = self.owner_load(via).0.max(self.owner_load(from).1);
        let all = u32::from(self.cfg.hop_penalty) + EXTRA_PENALTY * busy / FULL;
        // At most 255 is kept, see the line above it.
        all.min(255) as u8
    }

    /// V: no more of `throughput` than the owner leaves, on the way in by `from` and on by `via`; never nothing.
    pub(crate) fn spare_throughput(&self, throughput: u32, via: NextHop, from: LinkId, now: Instant) -> u32 {
        let (sent, received) = (self.owner_load(via.link).0, self.owner_load(from).1);
        let mut spare = throughput;
        let left = |rate: u32, busy: u32| (u64::from(rate) * u64::from(FULL - busy.min(FULL)) / u64::from(FULL)) as u32;
        if sent > 0
            && let Some(link) = self.links.get(&via.link)
        {
            let line = line_rate(link, now).unwrap_or(u32::MAX);
            let hop = link.neighbors.get(&via.neigh).map_or(u32::MAX, |n| n.v.rate.throughput());
            // What comes in where it goes out needs the air twice.
            let times = if via.link == from && half_duplex(link) { 2 } else { 1 };
            spare = spare.min(left(line.min(hop.max(1)), sent) / times);
        }
        if received > 0 {
            let line = self.links.get(&from).and_then(|l| line_rate(l, now)).unwrap_or(throughput);
            spare = spare.min(left(line, received));
        }
        spare.max(throughput.min(1))
    }
}

/// Bytes of a second in units of 100 kbit/s.
fn units(bytes: u64) -> u32 {
    u32::try_from(bytes / 12_500).unwrap_or(u32::MAX)
}

fn half_duplex(link: &Link) -> bool {
    link.cfg.wifi || !link.v.speed.full_duplex
}

/// What a link takes, in units of 100 kbit/s: as was seen, but no more than anybody says it can.
fn line_rate(link: &Link, now: Instant) -> Option<u32> {
    let said = |n: &crate::link::Neighbor| {
        let (rate, source) = n.v.rate.current(&link.cfg, link.v.speed, now);
        (rate > 0 && !matches!(source, RateSource::Assumed | RateSource::Gone)).then_some(rate)
    };
    let said = link.neighbors.values().filter_map(said).max();
    said.into_iter().chain(link.load.line).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(level: &mut Level, load: u32, secs: u32) -> u32 {
        for _ in 0..secs {
            level.note(load);
        }
        level.announced
    }

    #[test]
    fn rises_within_seconds_and_falls_slowly() {
        let mut level = Level::default();
        assert!(after(&mut level, 900, 3) > 700);
        assert!(after(&mut level, 900, 5) > 850);
        assert!(after(&mut level, 0, 4) > 600, "a pause of the owner");
        assert_eq!(after(&mut level, 0, 90), 0);
        assert_eq!(after(&mut level, 20, 1000), 0, "next to nothing is nothing");
        assert!(after(&mut level, 5000, 1000) <= FULL);
    }

    /// What the owner does beside the mesh, on a radio; with a line that was seen to take 5 Mbit/s, or none.
    fn beside(air: u32, line: Option<u64>) -> (Mesh, NextHop) {
        let now = Instant::from_micros(1_000_000);
        let mut config = crate::MeshConfig::new(MacAddr([2, 0, 0, 0, 0, 1]));
        config.hop_penalty = 15;
        let mut mesh = Mesh::new(config, 1, None, now);
        for (n, wifi) in [(0, true), (1, false)] {
            let link = crate::LinkConfig {
                name: "x".into(),
                mac: MacAddr([2, 0, 0, 0, 1, n]),
                mtu: 1532,
                wifi,
                hop_penalty: 0,
                throughput: Some(200),
                measure: crate::config::Measure::Never,
                broadcast_copies: None,
            };
            mesh.handle(crate::Input::LinkUp(LinkId(n), link), now);
        }
        let hop = NextHop { link: LinkId(0), neigh: MacAddr([2, 0, 0, 0, 2, 0]) };
        mesh.note_neighbor(hop, now).unwrap();
        let link = mesh.links.get_mut(&LinkId(0)).unwrap();
        let (cfg, speed) = (link.cfg.clone(), link.v.speed);
        link.neighbors.get_mut(&hop.neigh).unwrap().v.rate.sample(&cfg, speed, now);
        for _ in 0..60 {
            for id in [LinkId(0), LinkId(1)] {
                mesh.note_owner_use(id, OwnerUse { sent: 0, received: 0, air, line }, now);
            }
        }
        (mesh, hop)
    }

    #[test]
    fn air_that_goes_past_the_mesh_counts() {
        let now = Instant::from_micros(1_000_000);
        let (mesh, hop) = beside(500, None);
        // What is told stops where it is near enough.
        assert_eq!(mesh.owner_load(LinkId(0)), (485, 485));
        assert_eq!(mesh.owner_load(LinkId(1)), (0, 0), "a wire has none");
        assert_eq!(mesh.relay_penalty(LinkId(0), LinkId(1)), 15 + 14);
        // 20 Mbit/s, half of which is left; what came by the radio needs its air twice.
        assert_eq!(mesh.spare_throughput(200, hop, LinkId(1), now), 103);
        assert_eq!(mesh.spare_throughput(100, hop, LinkId(0), now), 51);
        assert_eq!(mesh.spare_throughput(30, hop, LinkId(0), now), 30, "the way is slower elsewhere");
        let (mesh, hop) = beside(5000, None);
        assert!(mesh.owner_load(LinkId(0)).0 >= 900);
        assert!((1..=10).contains(&mesh.spare_throughput(100, hop, LinkId(0), now)), "never nothing");
        // What frames were seen to take while the home took half: not half of that again.
        let (mesh, hop) = beside(500, Some(50 * 12_500));
        assert_eq!(mesh.spare_throughput(200, hop, LinkId(1), now), 51);
        assert_eq!(mesh.line_bytes(LinkId(0), now), Some(100 * 12_500));
    }

    #[test]
    fn wavering_changes_nothing() {
        let mut level = Level::default();
        after(&mut level, 500, 20);
        let told = level.announced;
        for _ in 0..300 {
            assert_eq!((after(&mut level, 540, 1), after(&mut level, 470, 1)), (told, told));
        }
    }
}
