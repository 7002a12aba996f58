//! Light clients: stations behind a node that only send numbered frames and note what arrives.
//! The first ones are the nodes' own mesh interfaces.

use crate::node::NodeId;
use mesh_core::{Duration, Instant};
use packet::eth::ETHERTYPE_VLAN;
use packet::{MacAddr, Vid};

/// Ethertype of their frames: IEEE local experimental 1.
pub const ETHERTYPE_PROBE: u16 = 0x88b5;
/// Shortest frame.
pub const MIN_FRAME: usize = 60;

/// Number of a light client.
pub type ClientId = usize;
/// Number of a flow.
pub type FlowId = usize;

/// A light client.
#[derive(Clone, Debug)]
pub struct Client {
    /// Its MAC.
    pub mac: MacAddr,
    /// Its VLAN.
    pub vid: Vid,
    /// The node that it is behind.
    pub node: NodeId,
}

/// What a flow sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aim {
    /// Frames to a client.
    To(ClientId),
    /// Frames to a client, which answers each; what counts is the answer.
    Ask(ClientId),
    /// Broadcasts.
    All,
}

/// A frame that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Its number in the flow.
    pub seq: u32,
    /// Where.
    pub client: ClientId,
    /// When.
    pub at: Instant,
}

/// Numbered frames from one client.
#[derive(Clone, Debug)]
pub struct Flow {
    /// Who sends.
    pub from: ClientId,
    /// To whom.
    pub aim: Aim,
    /// Bytes of each frame, Ethernet header included.
    pub size: usize,
    /// Time between frames.
    pub interval: Duration,
    /// No frame is sent from then on.
    pub until: Instant,
    /// When each frame was sent.
    pub sent: Vec<Instant>,
    /// What arrived.
    pub arrived: Vec<Arrival>,
    /// Frames that arrived with other bytes than were sent.
    pub damaged: u32,
}

impl Flow {
    /// Longest time without an arrival from `start` to `end`.
    pub fn gap(&self, start: Instant, end: Instant) -> Duration {
        let mut last = start;
        let mut gap = Duration::ZERO;
        for arrival in self.arrived.iter().filter(|a| a.at >= start && a.at <= end) {
            gap = gap.max(arrival.at.since(last));
            last = arrival.at;
        }
        gap.max(end.since(last))
    }

    /// Frames that arrived twice at the same client.
    pub fn duplicates(&self) -> usize {
        let mut seen: Vec<_> = self.arrived.iter().map(|a| (a.client, a.seq)).collect();
        seen.sort_unstable();
        let all = seen.len();
        seen.dedup();
        all - seen.len()
    }

    /// Different frames that arrived at a client.
    pub fn delivered_to(&self, client: ClientId) -> usize {
        let mut seen: Vec<_> = self.arrived.iter().filter(|a| a.client == client).map(|a| a.seq).collect();
        seen.sort_unstable();
        seen.dedup();
        seen.len()
    }
}

/// What a probe frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Flow that it belongs to.
    pub flow: FlowId,
    /// Its number there.
    pub seq: u32,
    /// It is an answer.
    pub answer: bool,
}

/// Writes a probe frame of `size` bytes; the filler depends on the number, so that damage shows.
pub fn emit(probe: Probe, src: MacAddr, dst: MacAddr, vid: Vid, size: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(size.max(MIN_FRAME));
    bytes.extend(dst.0);
    bytes.extend(src.0);
    if let Some(id) = vid.id() {
        bytes.extend(ETHERTYPE_VLAN.to_be_bytes());
        bytes.extend(id.to_be_bytes());
    }
    bytes.extend(ETHERTYPE_PROBE.to_be_bytes());
    bytes.push(u8::from(probe.answer));
    bytes.extend((probe.flow as u32).to_be_bytes());
    bytes.extend(probe.seq.to_be_bytes());
    while bytes.len() < size.max(MIN_FRAME) {
        bytes.push(filler(bytes.len(), probe));
    }
    bytes
}

/// Reads a probe frame: what it says, and whether its filler is whole. `None` for other frames.
pub fn parse(frame: &[u8]) -> Option<(Probe, bool)> {
    let tagged = frame.get(12..14)? == ETHERTYPE_VLAN.to_be_bytes();
    let start = if tagged { 16 } else { 12 };
    let (kind, body) = frame.get(start..)?.split_first_chunk::<2>()?;
    if u16::from_be_bytes(*kind) != ETHERTYPE_PROBE {
        return None;
    }
    let (&answer, body) = body.split_first()?;
    let (flow, body) = body.split_first_chunk::<4>()?;
    let (seq, body) = body.split_first_chunk::<4>()?;
    let probe = Probe { flow: u32::from_be_bytes(*flow) as usize, seq: u32::from_be_bytes(*seq), answer: answer == 1 };
    let first = frame.len() - body.len();
    Some((probe, body.iter().enumerate().all(|(i, b)| *b == filler(first + i, probe))))
}

fn filler(position: usize, probe: Probe) -> u8 {
    (position as u32 ^ (position as u32 >> 8) ^ probe.seq.wrapping_mul(31)) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::host_mac;

    #[test]
    fn probes_round_trip_and_show_damage() {
        for vid in [Vid::UNTAGGED, Vid::tagged(7)] {
            let probe = Probe { flow: 70_000, seq: 9, answer: true };
            let mut frame = emit(probe, host_mac(1), host_mac(2), vid, 1400);
            assert_eq!(frame.len(), 1400);
            assert_eq!(parse(&frame), Some((probe, true)));
            frame.swap(900, 1000);
            assert_eq!(parse(&frame), Some((probe, false)));
            frame[13] ^= 1;
            assert_eq!(parse(&frame), None);
        }
    }

    #[test]
    fn gaps_and_duplicates() {
        let at = Instant::from_micros;
        let arrived =
            [(0, 10), (1, 20), (1, 25), (2, 90)].map(|(seq, t)| Arrival { seq, client: 5, at: at(t) }).to_vec();
        let flow = Flow {
            from: 0,
            aim: Aim::To(5),
            size: 60,
            interval: Duration::from_micros(10),
            until: at(100),
            sent: Vec::new(),
            arrived,
            damaged: 0,
        };
        assert_eq!(flow.gap(at(0), at(100)), Duration::from_micros(65));
        assert_eq!(flow.gap(at(0), at(200)), Duration::from_micros(110));
        assert_eq!((flow.duplicates(), flow.delivered_to(5), flow.delivered_to(4)), (1, 3, 0));
    }
}
