//! How much went over which link, and for whom; for the history.

use mesh_core::fib::NextHop;
use mesh_core::queue::Class;
use mesh_core::{Frame, LinkId};
use packet::MacAddr;
use packet::consts::{ETH_LEN, packet_type};

/// Most neighbours that are told apart; what further ones take is counted for all of them.
const MOST: usize = 64;

/// What went over a link.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes to and from own clients.
    pub owner: u64,
    /// Bytes sent for others.
    pub relay: u64,
    /// Ways that began or ceased to lead over it.
    pub changes: u64,
}

/// Traffic by neighbour.
#[derive(Debug, Default)]
pub struct Tally {
    by: Vec<(NextHop, Traffic)>,
    /// The entry of the last frame: the next one often is of the same neighbour.
    last: usize,
    /// Frames for everybody, and neighbours beyond [`MOST`].
    rest: Traffic,
    /// Ways that changed.
    changes: u64,
}

impl Tally {
    fn of(&mut self, link: LinkId, neigh: MacAddr) -> &mut Traffic {
        let key = NextHop { link, neigh };
        if self.by.get(self.last).is_none_or(|(known, _)| *known != key) {
            self.last = match self.by.iter().position(|(known, _)| *known == key) {
                Some(place) => place,
                None if self.by.len() < MOST && !neigh.is_multicast() => {
                    self.by.push((key, Traffic::default()));
                    self.by.len() - 1
                }
                None => MOST,
            };
        }
        self.by.get_mut(self.last).map_or(&mut self.rest, |(_, traffic)| traffic)
    }

    /// A mesh frame leaves.
    #[inline]
    pub fn sent(&mut self, link: LinkId, frame: &Frame, own: MacAddr) {
        let bytes = frame.bytes();
        let (Some(neigh), true) = (bytes.first_chunk(), is_payload(bytes)) else { return };
        let flooded_here = bytes.get(ETH_LEN) == Some(&packet_type::BCAST)
            && bytes.get(FLOODED_BY..FLOODED_BY + 6) == Some(&own.0)
            && frame.class != Some(Class::Guest);
        let len = bytes.len() as u64;
        let traffic = self.of(link, MacAddr(*neigh));
        if flooded_here || frame.class == Some(Class::Owner) {
            traffic.owner += len;
        } else {
            traffic.relay += len;
        }
    }

    /// A mesh frame came; only those for this node are counted, the others will leave again.
    #[inline]
    pub fn came(&mut self, link: LinkId, frame: &Frame, own: MacAddr) {
        let bytes = frame.bytes();
        if !is_payload(bytes) || bytes.get(DEST..DEST + 6) != Some(&own.0) {
            return;
        }
        let Some(neigh) = bytes.get(6..12).and_then(|b| b.first_chunk()) else { return };
        self.of(link, MacAddr(*neigh)).owner += bytes.len() as u64;
    }

    /// The way to somebody led over `before` and leads over `after` now.
    pub fn way_changed(&mut self, before: NextHop, after: Option<NextHop>) {
        self.changes += 1;
        for hop in [Some(before), after].into_iter().flatten() {
            self.of(hop.link, hop.neigh).changes += 1;
        }
    }

    /// All since it was taken last: by neighbour, and in all.
    pub fn take(&mut self) -> (Vec<(NextHop, Traffic)>, Traffic) {
        let Self { by, rest, changes, .. } = std::mem::take(self);
        let (owner, relay) = by.iter().fold((rest.owner, rest.relay), |(o, r), (_, t)| (o + t.owner, r + t.relay));
        (by, Traffic { owner, relay, changes })
    }
}

/// Where the originator stands that a packet is for: at the same place in all kinds of packets that carry payload to one
/// originator.
const DEST: usize = ETH_LEN + 4;
/// And where the originator of a flooded packet stands.
const FLOODED_BY: usize = ETH_LEN + 8;

/// True for packets that carry something of clients. Flooded ones count where they are sent.
fn is_payload(frame: &[u8]) -> bool {
    matches!(
        frame.get(ETH_LEN),
        Some(
            &(packet_type::UNICAST
                | packet_type::UNICAST_4ADDR
                | packet_type::FRAG
                | packet_type::BCAST
                | packet_type::MCAST)
        )
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
    const NEAR: MacAddr = MacAddr([2, 0, 0, 0, 0, 2]);
    const FAR: MacAddr = MacAddr([2, 0, 0, 0, 0, 3]);
    const ALL: MacAddr = MacAddr([0xff; 6]);

    fn frame(kind: u8, dst: MacAddr, src: MacAddr, at: usize, orig: MacAddr, class: Option<Class>) -> Frame {
        let mut bytes = [dst.0.as_slice(), &src.0, &[0x43, 0x05, kind]].concat();
        bytes.resize(100, 0);
        bytes[at..at + 6].copy_from_slice(&orig.0);
        let mut frame = Frame::copy_of(&bytes);
        frame.class = class;
        frame
    }

    #[test]
    fn traffic_is_of_whom_it_is_for() {
        let link = LinkId(0);
        let mut tally = Tally::default();
        let unicast = |dst, src, orig, class| frame(packet_type::UNICAST, dst, src, DEST, orig, class);
        tally.sent(link, &unicast(NEAR, OWN, FAR, Some(Class::Owner)), OWN);
        tally.sent(link, &unicast(NEAR, OWN, FAR, None), OWN);
        tally.sent(link, &unicast(NEAR, OWN, FAR, Some(Class::Guest)), OWN);
        tally.came(link, &unicast(OWN, NEAR, OWN, None), OWN);
        // To be passed on: counted when it leaves.
        tally.came(link, &unicast(OWN, NEAR, FAR, None), OWN);
        tally.sent(link, &frame(packet_type::OGM, ALL, OWN, DEST, OWN, None), OWN);
        tally.sent(link, &frame(packet_type::BCAST, ALL, OWN, FLOODED_BY, OWN, None), OWN);
        tally.sent(link, &frame(packet_type::BCAST, ALL, OWN, FLOODED_BY, FAR, None), OWN);
        let hop = NextHop { link, neigh: NEAR };
        tally.way_changed(hop, Some(NextHop { link, neigh: FAR }));
        tally.way_changed(hop, None);
        let (by, all) = tally.take();
        assert_eq!(by[0], (hop, Traffic { owner: 200, relay: 200, changes: 2 }));
        assert_eq!((by.len(), by[1].1.changes), (2, 1));
        assert_eq!(all, Traffic { owner: 300, relay: 300, changes: 2 });
        assert_eq!(tally.take(), (Vec::new(), Traffic::default()), "each is told once");
    }

    #[test]
    fn a_crowd_is_counted_together() {
        let mut tally = Tally::default();
        for n in 0..=255 {
            let near = MacAddr([2, 0, 0, 0, 1, n]);
            tally.sent(LinkId(1), &frame(packet_type::UNICAST, near, OWN, DEST, FAR, None), OWN);
        }
        let (by, all) = tally.take();
        assert_eq!((by.len(), all.relay), (MOST, 25_600));
    }
}
