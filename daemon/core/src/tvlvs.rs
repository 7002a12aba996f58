//! The containers of OGMs: what we say of ourselves, and what others say. Source: "Wire format"
//! section 13.

use crate::counters::Drop;
use crate::mesh::Mesh;
use crate::time::{Duration, Instant};
use alloc::vec::Vec;
use packet::MacAddr;
use packet::tvlv::meshwork::{self, Meshwork};
use packet::tvlv::{self, ContainerHeader, Containers, Value, kind};
use zerocopy::IntoBytes;

/// Our own container rides in so many OGMs after something changed ...
const REPEAT: u8 = 4;
/// ... and then in one of so many.
const EVERY: u8 = 16;
/// A node that did not send it for so long does not run Meshwork any more.
const FORGET: Duration = Duration::from_secs(90);

/// Facts leave at least so many bytes to the translation table.
const TT_ROOM: usize = 256;

/// What we last said of ourselves in our own container.
#[derive(Debug, Default)]
pub(crate) struct Introduced {
    flags: u16,
    /// OGMs in a row that still carry it.
    repeat: u8,
    /// OGMs since one carried it.
    since: u8,
}

impl Introduced {
    /// Before the first OGM.
    pub(crate) const fn new() -> Self {
        Self { flags: 0, repeat: REPEAT, since: 0 }
    }
}

/// One of our own containers.
struct Own {
    kind: u8,
    version: u8,
    value: Vec<u8>,
}

impl Mesh {
    /// Containers of the next own OGM, whose header is `header` bytes long; commits changes of the
    /// local translation table.
    pub(crate) fn own_tvlvs(&mut self, header: usize) -> Vec<u8> {
        let mut own = Vec::new();
        if let Some(value) = self.gateway_container() {
            own.push(Own { kind: kind::GATEWAY, version: tvlv::gateway::VERSION, value });
        }
        if let Some(value) = self.dat_container() {
            own.push(Own { kind: kind::DAT, version: tvlv::dat::VERSION, value });
        }
        if let Some(value) = self.multicast_container() {
            own.push(Own { kind: kind::MCAST, version: tvlv::mcast::VERSION, value });
        }
        let mtu = self.links.values().map(|l| l.cfg.mtu).min().unwrap_or(0);
        if self.cfg.extensions {
            let so_far = header + own.iter().map(|c| ContainerHeader::LEN + c.value.len()).sum::<usize>();
            let facts = self.facts_due(so_far, mtu.saturating_sub(so_far + ContainerHeader::LEN + TT_ROOM));
            if self.introduces_itself() || !facts.is_empty() {
                let mut value = Meshwork::new(self.auto_flags()).as_bytes().to_vec();
                value.extend(facts);
                own.push(Own { kind: kind::MESHWORK, version: meshwork::VERSION, value });
            }
        }
        let others: usize = own.iter().map(|c| ContainerHeader::LEN + c.value.len()).sum();
        self.commit_local(mtu.saturating_sub(header + others + ContainerHeader::LEN));
        own.push(Own { kind: kind::TT, version: 1, value: self.local.tvlv().to_vec() });
        let size = own.iter().map(|c| ContainerHeader::LEN + c.value.len()).sum();
        let mut out = alloc::vec![0; size];
        let mut rest: &mut [u8] = &mut out;
        for c in &own {
            let Ok(left) = tvlv::emit(rest, c.kind, c.version, &c.value) else {
                debug_assert!(false, "even values in a buffer of their size");
                return Vec::new();
            };
            rest = left;
        }
        debug_assert!(rest.is_empty(), "even values in a buffer of their size");
        out
    }

    /// True if this OGM carries our own container: it costs air time in the whole mesh, and news
    /// are rare.
    fn introduces_itself(&mut self) -> bool {
        let flags = self.auto_flags();
        if self.introduced.flags != flags {
            self.introduced = Introduced { flags, repeat: REPEAT, since: 0 };
        }
        self.introduced.since += 1;
        if self.introduced.repeat == 0 && self.introduced.since < EVERY {
            return false;
        }
        self.introduced.repeat = self.introduced.repeat.saturating_sub(1);
        self.introduced.since = 0;
        true
    }

    /// Somebody new is near: say again what we are.
    pub(crate) fn introduce_again(&mut self) {
        self.introduced.repeat = self.introduced.repeat.max(REPEAT);
    }

    /// Follows what an originator says of itself. A container that is not there says that its
    /// feature is off; unknown containers are carried unread.
    pub(crate) fn receive_tvlvs(&mut self, orig: MacAddr, tvlvs: &[u8], now: Instant) {
        let mut said = crate::originator::Features { known: true, ..Default::default() };
        let mut facts = None;
        for c in Containers::new(tvlvs) {
            match Value::parse(c) {
                Ok(Value::Tt(tt)) => self.receive_tt(orig, &tt, now),
                Ok(Value::Gateway(g)) => said.gateway = g.is_offer().then(|| (g.down.get(), g.up.get())),
                Ok(Value::Dat) => said.dat = true,
                Ok(Value::McastCapability(m)) => said.multicast = Some(m.flags),
                Ok(Value::Meshwork(m)) => {
                    said.meshwork = Some(m.flags.get());
                    facts = crate::facts::Known::read(c.value, now);
                }
                Ok(_) => {}
                Err(_) => self.counters.drop(Drop::BadTvlv),
            }
        }
        let Some(o) = self.originators.get_mut(&orig) else { return };
        if let Some(facts) = facts {
            o.facts = Some(alloc::boxed::Box::new(facts));
        }
        if said.meshwork.is_some() {
            o.meshwork_at = now;
        } else if now.since(o.meshwork_at) < FORGET {
            said.meshwork = o.features.meshwork;
        }
        let before = core::mem::replace(&mut o.features, said);
        if before != said {
            self.features_changed(orig, before, now);
        }
    }

    /// An originator says other things of itself than before.
    fn features_changed(&mut self, orig: MacAddr, before: crate::originator::Features, now: Instant) {
        self.dat_changed(orig);
        self.gateway_changed(orig, before, now);
        self.multicast_changed(orig, before);
    }
}
