//! Gateways: who offers Internet, which one is ours, and where DHCP and router messages go.
//!
//! `select` ranks the gateways and keeps one, `inspect` reads client frames, `steer` sends them to
//! one gateway instead of to everybody, `handover` tells own clients that their IPv6 router is not
//! theirs any more. Woken once a second and by the containers of OGMs; emits [`GatewayNews`].
//! Source: "Payload plane" section 5, "B.A.T.M.A.N. V" section 6.

mod handover;
mod inspect;
mod select;
mod steer;

use crate::border::{Event, GatewayNews, Output};
use crate::config::{Algorithm, GatewayMode, MeshConfig};
use crate::fib::FibChange;
use crate::link::Bucket;
use crate::mesh::Mesh;
use crate::originator::Features;
use crate::sorted::SortedMap;
use crate::time::Instant;
use alloc::vec::Vec;
use handover::Routers;
use packet::MacAddr;
use packet::tvlv::gateway::Gateway;
use select::Rhythm;
use zerocopy::IntoBytes;

/// News of other gateways told at once, and per second after that: whoever changes what it offers
/// with every OGM fills nobody's log.
const NEWS: (u32, u32) = (64, 1);

/// OGMs that tell of the end of a gateway.
const LAST_WORDS: u8 = 2;

/// What a node remembers of gateways.
#[derive(Debug)]
pub(crate) struct State {
    /// The gateway that DHCP goes to; none unless we are a client.
    selected: Option<MacAddr>,
    /// Who offers Internet. One entry for each originator that offers something, so
    /// the table of originators bounds it.
    known: SortedMap<MacAddr, Known>,
    /// Our own Internet connection works, as far as the shell knows.
    online: bool,
    /// It was told that clients ask for addresses and nobody can be asked.
    told_none: bool,
    news: Bucket,
    /// IPv6 routers that own clients may know.
    routers: Routers,
}

/// A gateway.
#[derive(Debug)]
struct Known {
    rhythm: Rhythm,
    /// People were told of it.
    told: bool,
}

impl State {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            selected: None,
            known: SortedMap::new(),
            online: true,
            told_none: false,
            news: Bucket::new(NEWS.0, NEWS.1, now),
            routers: Routers::default(),
        }
    }
}

impl Mesh {
    /// Value of our container; `None` unless we are a gateway whose Internet works.
    pub(crate) fn gateway_container(&self) -> Option<Vec<u8>> {
        let (down, up) = self.gateway_announced()?;
        Some(Gateway::new(down, up).as_bytes().to_vec())
    }

    /// What we offer to others, down and up, in units of 100 kbit/s.
    pub(crate) fn gateway_announced(&self) -> Option<(u32, u32)> {
        let cfg = &self.cfg.gateway;
        (cfg.mode == GatewayMode::Server && self.gateway.online && cfg.down > 0 && cfg.up > 0)
            .then_some((cfg.down, cfg.up))
    }

    /// The gateway in use, if we are a client and there is one.
    pub(crate) fn gateway_selected(&self) -> Option<MacAddr> {
        self.gateway.selected
    }

    /// True while a gateway was heard of as often as usual.
    pub(crate) fn gateway_is_fresh(&self, orig: MacAddr, now: Instant) -> bool {
        self.gateway.known.get(&orig).is_some_and(|k| !k.rhythm.is_silent(now))
    }

    /// The shell found that our own Internet connection works, or does not.
    pub(crate) fn gateway_online(&mut self, online: bool) {
        if core::mem::replace(&mut self.gateway.online, online) == online {
            return;
        }
        if self.cfg.gateway.mode == GatewayMode::Server {
            self.event(Event::Gateway(if online { GatewayNews::Announced } else { GatewayNews::Withdrawn }));
        }
    }

    /// The node ends: a last OGM, said twice as one may be lost, offers nothing. Without it a kernel
    /// node sends its clients' DHCP here until it forgets us, 400 s later. Source: measured.
    pub(crate) fn gateway_leave(&mut self, now: Instant) {
        if self.gateway_announced().is_none() {
            return;
        }
        self.gateway.online = false;
        for _ in 0..LAST_WORDS {
            match self.algorithm {
                _ if self.is_listening() => {}
                Algorithm::Iv => self.send_last_ogm(now),
                Algorithm::V => self.send_last_ogm2(now),
            }
        }
    }

    /// Settings changed.
    pub(crate) fn gateway_configured(&mut self, old: &MeshConfig, now: Instant) {
        if old.gateway != self.cfg.gateway {
            self.gateway.told_none = false;
            self.gateway_elect(true, now);
        }
    }

    /// An originator offers another bandwidth than before.
    pub(crate) fn gateway_changed(&mut self, orig: MacAddr, before: Features, now: Instant) {
        let offer = self.originators.get(&orig).and_then(|o| o.features.gateway);
        match (before.gateway, offer) {
            (None, Some((down, up))) => {
                let told = self.tell_gateway(GatewayNews::New { orig, down, up }, now);
                let rhythm = Rhythm::new(self.cfg.orig_interval, now);
                self.gateway.known.insert(orig, Known { rhythm, told });
                self.out.push_back(Output::Fib(FibChange::Gateway(orig, true)));
            }
            (Some(old), Some(new)) if old != new => {
                self.tell_gateway(GatewayNews::Changed { orig, down: new.0, up: new.1 }, now);
            }
            (Some(_), None) => {
                self.gateway_gone(orig);
                return self.gateway_elect(false, now);
            }
            _ => return,
        }
        if let Some((down, up)) = offer
            && down.max(up) > self.cfg.gateway.plausible
        {
            self.tell_gateway(GatewayNews::Implausible { orig, down, up }, now);
        }
        self.gateway_elect(false, now);
    }

    /// An originator is no gateway any more, or there no more. The next election, within a second
    /// or before the next DHCP message, finds another one.
    pub(crate) fn gateway_gone(&mut self, orig: MacAddr) {
        let Some(known) = self.gateway.known.remove(&orig) else { return };
        self.out.push_back(Output::Fib(FibChange::Gateway(orig, false)));
        // Who comes too often to be told of goes as quietly.
        if known.told {
            self.event(Event::Gateway(GatewayNews::Gone { orig }));
        }
    }

    /// Once a second.
    pub(crate) fn gateway_work(&mut self, now: Instant) {
        for (orig, known) in &mut self.gateway.known {
            if let Some(o) = self.originators.get(orig) {
                known.rhythm.note(o.last_seen);
            }
        }
        self.gateway_elect(false, now);
    }

    /// False if too much was told already.
    fn tell_gateway(&mut self, news: GatewayNews, now: Instant) -> bool {
        let tell = self.gateway.news.take(now);
        if tell {
            self.event(Event::Gateway(news));
        }
        tell
    }
}

#[cfg(test)]
mod tests;
