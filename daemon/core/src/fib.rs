//! The forwarding table: what the hot path needs to know, published by the control side as
//! changes. An in-kernel data plane mirrors the same changes into its maps.

use crate::config::{LinkId, MAX_LINKS};
use crate::queue::Class;
use crate::snoop::Snoop;
use crate::time::{Duration, Instant};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::hash::{BuildHasher, Hasher};
use hashbrown::HashMap;
use packet::{MacAddr, Vid};

/// Where a packet goes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NextHop {
    /// The hard interface it leaves by.
    pub link: LinkId,
    /// The neighbour's hard interface address.
    pub neigh: MacAddr,
}

/// Which routing table: packets that start here use [`Table::Host`], packets that came in on a
/// hard interface use that interface's table. Source: "B.A.T.M.A.N. IV" section 10.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// The default table.
    Host,
    /// The table of a receiving hard interface.
    Link(LinkId),
}

/// Next hops that are used in turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bond {
    hops: [NextHop; Self::MOST],
    len: u8,
}

impl Bond {
    /// Most next hops; further ones are left out.
    pub const MOST: usize = 4;

    /// `None` for fewer than two.
    pub fn new(hops: &[NextHop]) -> Option<Self> {
        let first = *hops.first().filter(|_| hops.len() > 1)?;
        let mut all = [first; Self::MOST];
        for (slot, hop) in all.iter_mut().zip(hops) {
            *slot = *hop;
        }
        // At most 4.
        Some(Self { hops: all, len: hops.len().min(Self::MOST) as u8 })
    }

    /// They.
    pub fn hops(&self) -> &[NextHop] {
        self.hops.get(..usize::from(self.len)).unwrap_or(&self.hops)
    }
}

/// A hard interface as the data plane needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FibLink {
    /// Its MAC.
    pub mac: MacAddr,
    /// Largest mesh packet it carries, Ethernet header excluded.
    pub mtu: usize,
}

/// One step that takes the forwarding table from one consistent state to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FibChange {
    /// Own originator address and translation table version.
    Own {
        /// MAC of the primary hard interface.
        orig: MacAddr,
        /// Own table version.
        ttvn: u8,
    },
    /// Report the next frame that leaves for this neighbour, once.
    Watch(NextHop),
    /// Cut packets that do not fit, or drop them.
    Fragmentation(bool),
    /// Carry packets of others on, or drop them.
    Carry(bool),
    /// Which client frames the control side wants to see.
    Snoop(Snoop),
    /// A hard interface is usable (`Some`) or gone.
    Link(LinkId, Option<FibLink>),
    /// An originator's table version; creates the entry.
    Originator {
        /// Its address.
        orig: MacAddr,
        /// Version of its translation table as last learned.
        ttvn: u8,
    },
    /// An originator is gone with all its routes.
    OriginatorGone(MacAddr),
    /// An originator offers Internet, or does no longer: what goes to and fro is carried for the other end.
    Gateway(MacAddr, bool),
    /// Best next hop to an originator in one table, or none.
    Route {
        /// The originator.
        orig: MacAddr,
        /// For packets that came from where.
        table: Table,
        /// The way, `None` when there is none left.
        next: Option<NextHop>,
    },
    /// Packets from here to an originator take these ways in turn; `None`: only the best one.
    Bond {
        /// The originator.
        orig: MacAddr,
        /// The ways.
        bond: Option<Bond>,
    },
    /// Keep marked clients apart; `false` forgets all marks.
    Isolation(bool),
    /// How a client is marked; only told while isolation is on.
    Marked {
        /// The client.
        addr: MacAddr,
        /// Its VLAN.
        vid: Vid,
        /// It is one of our own.
        own: bool,
        /// Two clients that have one of these bits in common are kept apart.
        bits: u8,
    },
    /// What is carried for others is held back on a hard interface until then: a neighbour's owner waits for
    /// the air.
    Yield(LinkId, Instant),
    /// A station here is a guest, or is none any more.
    Guest(MacAddr, bool),
    /// A client of another node: its best originator, or `None` when it is gone.
    Client {
        /// The client.
        addr: MacAddr,
        /// Its VLAN.
        vid: Vid,
        /// Where it is.
        at: Option<ClientAt>,
    },
    /// A client of the mesh that we handle for our LAN, or handle no longer.
    Claim {
        /// The client.
        addr: MacAddr,
        /// Its VLAN.
        vid: Vid,
        /// We do.
        ours: bool,
    },
    /// An own client, or `None` when it is gone.
    Local {
        /// The client.
        addr: MacAddr,
        /// Its VLAN.
        vid: Vid,
        /// Its state.
        state: Option<LocalState>,
    },
}

/// Where a client of another node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAt {
    /// Best originator that serves it.
    pub orig: MacAddr,
    /// It is known to have moved on: packets are sent with an outdated version on purpose, so that
    /// their receiver redirects them.
    pub roaming: bool,
}

/// State of an own client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocalState {
    /// Here.
    Active,
    /// Moved to another node; its removal is not announced yet.
    Roamed,
    /// Removed; its removal is not announced yet.
    Pending,
}

/// Hash builder with a secret seed, so that nobody outside can choose colliding addresses.
#[derive(Clone, Debug)]
pub struct Seeded(u64);

impl Seeded {
    /// `seed` is any unpredictable number.
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }
}

impl BuildHasher for Seeded {
    type Hasher = Mix;
    fn build_hasher(&self) -> Mix {
        Mix(self.0)
    }
}

/// Mixes one 64-bit key; two multiply rounds, no allocation.
#[derive(Debug)]
pub struct Mix(u64);

impl Hasher for Mix {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for &b in bytes {
            self.write_u64(u64::from(b));
        }
    }
    #[inline]
    fn write_u64(&mut self, k: u64) {
        let mut x = (self.0 ^ k).wrapping_mul(0xff51_afd7_ed55_8ccd);
        x ^= x >> 32;
        x = x.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        self.0 = x ^ (x >> 29);
    }
}

type Map<V> = HashMap<u64, V, Seeded>;

/// An originator's entry.
#[derive(Clone, Debug, Default)]
pub(crate) struct FibOrig {
    pub(crate) ttvn: u8,
    gateway: bool,
    host: Option<NextHop>,
    /// Ways used in turn, and whose turn it is.
    bond: Option<Box<(Bond, u8)>>,
    by_link: Vec<Option<NextHop>>,
}

/// An own client's entry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FibLocal {
    pub(crate) state: LocalState,
    /// From then on one frame goes to the control side, which keeps the client alive.
    pub(crate) report_at: Instant,
}

/// The entry of a client that we claimed.
#[derive(Clone, Copy, Debug)]
struct FibClaim {
    /// A frame of it last came over the mesh.
    used: Instant,
    /// From then on one frame goes to the control side, which keeps the claim alive.
    report_at: Instant,
}

/// How often one frame of a claimed client goes to the control side, which gives claims up after
/// 100 s.
const REPORT_CLAIM_EVERY: Duration = Duration::from_secs(10);

/// The forwarding table of the portable data plane.
#[derive(Clone, Debug)]
pub struct Fib {
    pub(crate) own: MacAddr,
    pub(crate) ttvn: u8,
    pub(crate) fragmentation: bool,
    pub(crate) carries: bool,
    pub(crate) snoop: Snoop,
    links: Vec<Option<FibLink>>,
    origs: Map<FibOrig>,
    clients: Map<ClientAt>,
    locals: Map<FibLocal>,
    claims: Map<FibClaim>,
    /// Marks of other nodes' clients and of our own, while isolation is on.
    marks: Option<Box<[Map<u8>; 2]>>,
    /// Guests of this node.
    guests: Map<()>,
    seed: u64,
}

const fn client_key(addr: MacAddr, vid: Vid) -> u64 {
    (addr.to_u64() << 16) | vid.to_wire() as u64
}

impl Fib {
    /// An empty table; `seed` is any unpredictable number.
    pub fn new(seed: u64) -> Self {
        Self {
            own: MacAddr::ZERO,
            ttvn: 0,
            fragmentation: true,
            carries: true,
            snoop: Snoop::default(),
            links: alloc::vec![None; MAX_LINKS],
            origs: Map::with_hasher(Seeded(seed)),
            clients: Map::with_hasher(Seeded(seed)),
            locals: Map::with_hasher(Seeded(seed)),
            claims: Map::with_hasher(Seeded(seed)),
            marks: None,
            guests: Map::with_hasher(Seeded(seed)),
            seed,
        }
    }

    /// Takes one change in.
    pub fn apply(&mut self, change: &FibChange) {
        match *change {
            FibChange::Own { orig, ttvn } => (self.own, self.ttvn) = (orig, ttvn),
            // Frames are watched where they leave, see `Plane`.
            FibChange::Watch(_) | FibChange::Yield(..) => {}
            FibChange::Fragmentation(on) => self.fragmentation = on,
            FibChange::Carry(on) => self.carries = on,
            FibChange::Snoop(snoop) => self.snoop = snoop,
            FibChange::Link(id, link) => {
                if let Some(slot) = self.links.get_mut(usize::from(id.0)) {
                    *slot = link;
                }
            }
            FibChange::Originator { orig, ttvn } => self.origs.entry(orig.to_u64()).or_default().ttvn = ttvn,
            FibChange::OriginatorGone(orig) => {
                self.origs.remove(&orig.to_u64());
            }
            FibChange::Gateway(orig, is) => {
                if let Some(entry) = self.origs.get_mut(&orig.to_u64()) {
                    entry.gateway = is;
                }
            }
            FibChange::Route { orig, table, next } => {
                let Some(entry) = self.origs.get_mut(&orig.to_u64()) else { return };
                match table {
                    Table::Host => entry.host = next,
                    Table::Link(id) => {
                        let i = usize::from(id.0);
                        if entry.by_link.len() <= i && next.is_some() {
                            entry.by_link.resize(i + 1, None);
                        }
                        if let Some(slot) = entry.by_link.get_mut(i) {
                            *slot = next;
                        }
                    }
                }
            }
            FibChange::Bond { orig, bond } => {
                if let Some(entry) = self.origs.get_mut(&orig.to_u64()) {
                    entry.bond = bond.map(|bond| Box::new((bond, 0)));
                }
            }
            FibChange::Guest(addr, true) => {
                self.guests.insert(addr.to_u64(), ());
            }
            FibChange::Guest(addr, false) => {
                self.guests.remove(&addr.to_u64());
            }
            FibChange::Isolation(on) => {
                let map = || Map::with_hasher(Seeded(self.seed));
                self.marks = on.then(|| Box::new([map(), map()]));
            }
            FibChange::Marked { addr, vid, own, bits } => {
                let Some(marks) = self.marks.as_mut().and_then(|m| m.get_mut(usize::from(own))) else { return };
                match bits {
                    0 => marks.remove(&client_key(addr, vid)),
                    _ => marks.insert(client_key(addr, vid), bits),
                };
            }
            FibChange::Client { addr, vid, at } => {
                match at {
                    Some(at) => self.clients.insert(client_key(addr, vid), at),
                    None => self.clients.remove(&client_key(addr, vid)),
                };
            }
            FibChange::Claim { addr, vid, ours: true } => {
                let fresh = FibClaim { used: Instant::ZERO, report_at: Instant::ZERO };
                self.claims.entry(client_key(addr, vid)).or_insert(fresh);
            }
            FibChange::Claim { addr, vid, ours: false } => {
                self.claims.remove(&client_key(addr, vid));
            }
            FibChange::Local { addr, vid, state } => {
                let key = client_key(addr, vid);
                match state {
                    Some(state) => {
                        let report_at = self.locals.get(&key).map_or(Instant::ZERO, |l| l.report_at);
                        self.locals.insert(key, FibLocal { state, report_at });
                    }
                    None => {
                        self.locals.remove(&key);
                    }
                }
            }
        }
    }

    /// Our originator address.
    pub const fn own(&self) -> MacAddr {
        self.own
    }

    /// A usable hard interface.
    #[inline]
    pub fn link(&self, id: LinkId) -> Option<&FibLink> {
        self.links.get(usize::from(id.0))?.as_ref()
    }

    /// True if this is the MAC of one of our hard interfaces.
    #[inline]
    pub fn is_own(&self, mac: MacAddr) -> bool {
        mac == self.own || self.links.iter().flatten().any(|l| l.mac == mac)
    }

    /// Best next hop to an originator in a table.
    #[inline]
    pub fn route(&self, orig: MacAddr, table: Table) -> Option<NextHop> {
        let entry = self.origs.get(&orig.to_u64())?;
        match table {
            Table::Host => entry.host,
            Table::Link(id) => *entry.by_link.get(usize::from(id.0))?,
        }
    }

    /// Next hop of the next packet from here to an originator: several in turn where there is a
    /// bond.
    #[inline]
    pub fn next_from_host(&mut self, orig: MacAddr) -> Option<NextHop> {
        let entry = self.origs.get_mut(&orig.to_u64())?;
        match (&mut entry.bond, entry.host) {
            (Some(bond), Some(best)) => {
                let (bond, turn) = &mut **bond;
                *turn = (*turn + 1) % bond.len;
                Some(bond.hops().get(usize::from(*turn)).copied().unwrap_or(best))
            }
            (_, host) => host,
        }
    }

    /// True if isolation keeps one of our own clients and one of another node apart.
    #[inline]
    pub fn is_isolated(&self, own: MacAddr, other: MacAddr, vid: Vid) -> bool {
        let Some(marks) = &self.marks else { return false };
        let [others, owns] = &**marks;
        let bits = |map: &Map<u8>, addr| map.get(&client_key(addr, vid)).copied().unwrap_or(0);
        bits(owns, own) & bits(others, other) != 0
    }

    /// For whom of two nodes a packet between them is carried: the sender, unless that is a gateway.
    pub fn served(&self, from: MacAddr, to: MacAddr) -> MacAddr {
        if self.origs.get(&from.to_u64()).is_some_and(|o| o.gateway) { to } else { from }
    }

    /// Table version of an originator as last learned.
    #[inline]
    pub fn ttvn_of(&self, orig: MacAddr) -> Option<u8> {
        self.origs.get(&orig.to_u64()).map(|o| o.ttvn)
    }

    /// Where a client of another node is.
    #[inline]
    pub fn client(&self, addr: MacAddr, vid: Vid) -> Option<ClientAt> {
        self.clients.get(&client_key(addr, vid)).copied()
    }

    /// Whose frame it is that a client of ours sent.
    #[inline]
    pub fn class_of(&self, client: MacAddr) -> Class {
        let guest = !self.guests.is_empty() && self.guests.contains_key(&client.to_u64());
        if guest { Class::Guest } else { Class::Owner }
    }

    /// State of an own client.
    #[inline]
    pub fn local(&self, addr: MacAddr, vid: Vid) -> Option<LocalState> {
        self.locals.get(&client_key(addr, vid)).map(|l| l.state)
    }

    /// A frame of a client came over the mesh: true if we handle it and the control side need not
    /// be told again.
    #[inline]
    pub(crate) fn use_claim(&mut self, addr: MacAddr, vid: Vid, now: Instant) -> bool {
        let Some(claim) = self.claims.get_mut(&client_key(addr, vid)) else { return false };
        claim.used = now;
        let fresh = now < claim.report_at;
        if !fresh {
            claim.report_at = now + REPORT_CLAIM_EVERY;
        }
        fresh
    }

    /// Time since a client that we handle sent something over the mesh, as far as the data plane
    /// decided about it.
    #[inline]
    pub(crate) fn claim_age(&self, addr: MacAddr, vid: Vid, now: Instant) -> Option<Duration> {
        self.claims.get(&client_key(addr, vid)).map(|c| now.since(c.used))
    }

    pub(crate) fn local_mut(&mut self, addr: MacAddr, vid: Vid) -> Option<&mut FibLocal> {
        self.locals.get_mut(&client_key(addr, vid))
    }
}
