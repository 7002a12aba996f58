//! How a frame for a group enters the mesh: not at all, as copies for those who want it, as one
//! packet with the list of them, or flooded. Source: section 4.3.

use super::group::{Group, Reach};
use super::tracked::{self, Leg};
use super::want::Wants;
use crate::counters::{Count, Drop};
use crate::fib::Table;
use crate::frame::Frame;
use crate::mesh::Mesh;
use crate::sorted::SortedSet;
use crate::time::Instant;
use alloc::vec::Vec;
use packet::eth::ClientFrame;
use packet::unicast::UnicastHeader;
use packet::{MacAddr, Vid};
use zerocopy::IntoBytes;

/// What becomes of a frame.
#[derive(Debug, PartialEq, Eq)]
enum Way {
    Flood,
    /// One packet that lists them.
    Tracked(Vec<MacAddr>),
    /// A packet for each.
    Copies(Vec<MacAddr>),
    /// Nobody wants it.
    Nobody,
}

impl Mesh {
    /// A frame for a group, not for everybody, from the mesh interface.
    pub(crate) fn multicast_from_host(&mut self, mut frame: Frame, now: Instant) -> Result<(), Drop> {
        let inner = ClientFrame::parse(frame.bytes()).map_err(|_| Drop::Short)?;
        if self.primary.is_none() {
            return Err(Drop::LinkDown);
        }
        match self.multicast_way(&inner, &frame) {
            Way::Flood => self.flood_own(frame, now),
            Way::Nobody => Err(Drop::NoListener),
            Way::Tracked(dests) => {
                frame.priority = inner.priority(frame.bytes());
                self.counters.frame(Count::Tx, frame.len());
                self.counters.frame(Count::McastTxLocal, tracked::packet_len(dests.len(), frame.len()));
                self.send_tracked(dests, Leg::First, &frame);
                Ok(())
            }
            Way::Copies(dests) => {
                frame.priority = inner.priority(frame.bytes());
                self.counters.frame(Count::Tx, frame.len());
                for dest in dests {
                    let ttvn = self.global.tables.get(&dest).map_or(0, |t| t.ttvn);
                    let mut copy = frame.clone();
                    if let Some(room) = copy.push_front(UnicastHeader::LEN).get_mut(..UnicastHeader::LEN) {
                        room.copy_from_slice(UnicastHeader::new(dest, ttvn).as_bytes());
                    }
                    if self.send_frame(dest, Table::Host, copy) {
                        self.counters.add(Count::McastCopies, 1);
                    } else {
                        self.counters.drop(Drop::NoRoute);
                    }
                }
                Ok(())
            }
        }
    }

    fn multicast_way(&mut self, inner: &ClientFrame, frame: &Frame) -> Way {
        if self.cfg.multicast_forceflood {
            return Way::Flood;
        }
        let Some(group) = Group::of(inner, frame.bytes()) else { return Way::Flood };
        let originators = &self.originators;
        let wants = self.multicast.wants.get_or_insert_with(|| Wants::of(originators));
        if group.reach == Reach::Unsnoopable && wants.wants_unsnoopables() {
            return Way::Flood;
        }
        let mut dests = SortedSet::new();
        wants.add_to(&mut dests, group);
        let capable = wants.all_capable();
        if let Some(client) = self.global.entries.get(&(inner.dst, Vid::UNTAGGED)) {
            dests.extend(client.at.iter().map(|at| at.orig));
        }
        // Who is on our LAN has seen the frame there; who cannot be reached gets nothing anyway.
        dests.retain(|&orig| {
            !self.is_backbone_gateway(orig, inner.vid)
                && self.originators.get(&orig).is_some_and(|o| o.router(Table::Host).is_some())
        });
        let dests: Vec<MacAddr> = dests.into_iter().collect();
        let own = packet::tvlv::mcast::flags::HAVE_MC_PTYPE_CAPA;
        if dests.is_empty() {
            Way::Nobody
        } else if capable
            && self.multicast_flags() & own != 0
            && tracked::packet_len(dests.len(), frame.len()) <= super::TRACKED_MTU
        {
            Way::Tracked(dests)
        } else if dests.len() <= self.cfg.multicast_fanout {
            Way::Copies(dests)
        } else {
            Way::Flood
        }
    }
}
