//! Measures how fast the link to a neighbour is where nobody else can tell, for B.A.T.M.A.N. V.
//!
//! A short train of throughput-meter messages goes to the neighbour back to back; it answers each
//! at once, kernel nodes too. The slowest piece of the link spreads the train, so the time between
//! the first and the last answer says how fast it is. The median of three trains is what counts.
//!
//! Cost: a train, then silence for at least a hundred times as long as the train took, and for a
//! minute once three are known. None leaves while somebody uses the link or runs a test. What is
//! found is too low where others use the link just then, and no more than this machine can send.

use super::{MESSAGE, MIN_MESSAGE, message};
use crate::border::Output;
use crate::config::{Algorithm, LinkId, Measure};
use crate::counters::Count;
use crate::fib::NextHop;
use crate::frame::Frame;
use crate::mesh::Mesh;
use crate::time::{Duration, Instant};
use crate::v::rate::RateSource;
use packet::MacAddr;
use packet::consts::{ETH_LEN, ETHERTYPE};
use packet::eth::EthHeader;
use packet::icmp::TpHeader;
use packet::unicast::UnicastHeader;
use zerocopy::IntoBytes;

/// Messages of a train, at least and at most.
const LENGTH: (u32, u32) = (8, 128);
/// How long a train should take, as far as [`LENGTH`] allows.
const WANTED: Duration = Duration::from_millis(20);
/// A train takes at most one part in so many of the time.
const SHARE: u32 = 100;
/// Time between trains while fewer than three results are known, and later.
const EARLY: Duration = Duration::from_secs(5);
const LATER: Duration = Duration::from_secs(60);
/// Answers are waited for so long.
const PATIENCE: Duration = Duration::from_secs(2);
/// Pause after a train that was not answered; doubled up to 16 times.
const PAUSE: Duration = Duration::from_secs(10);
/// A link is in use if it carried more than this per second, or than one part in 20 of its speed.
const QUIET_BYTES: u64 = 12_500;
/// Answers that come in one go look infinitely fast; 10 Gbit/s is the most that is believed.
const FASTEST: u64 = 100_000;

/// What is known of a neighbour's link.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Known {
    /// The last results, newest first, in units of 100 kbit/s; 0 for none.
    results: [u32; 3],
    /// No train before this.
    next: Instant,
    /// Trains in a row that were not answered.
    failures: u8,
}

impl Known {
    /// The median of what is known; the lower one of two.
    fn median(&self) -> Option<u32> {
        let mut sorted = self.results;
        sorted.sort_unstable();
        match sorted {
            [0, 0, 0] => None,
            [0, 0, only] => Some(only),
            [_, middle, _] => Some(middle),
        }
    }

    fn add(&mut self, result: u32) {
        let [a, b, _] = self.results;
        self.results = [result, a, b];
        self.failures = 0;
    }
}

/// A train under way.
#[derive(Debug)]
pub(super) struct Train {
    hop: NextHop,
    dst: MacAddr,
    session: u16,
    uid: u8,
    length: u32,
    /// Bytes of one frame.
    frame: u64,
    /// First and last answer.
    first: Option<Instant>,
    last: Instant,
    answers: u32,
    ends: Instant,
}

impl Mesh {
    /// Called with every hello of a link: sends a train if one is due.
    pub(crate) fn measure_links(&mut self, id: LinkId, now: Instant) {
        self.give_up_train(now);
        self.meters.forget_silent(now);
        let busy = self.meters.train.is_some() || !self.meters.runs.is_empty() || !self.meters.sessions.is_empty();
        if busy || self.algorithm != Algorithm::V || self.primary.is_none() {
            return;
        }
        let Some(link) = self.links.get(&id) else { return };
        let wanted = |source| match link.cfg.measure {
            Measure::Never => false,
            Measure::Always => source != RateSource::Configured,
            Measure::Blind => matches!(source, RateSource::Assumed | RateSource::Measured),
        };
        let due = link.neighbors.iter().find_map(|(neigh, n)| {
            let known = &n.v.known;
            let dst = n.originator.filter(|_| wanted(n.v.rate.source) && n.v.last_elp.is_some())?;
            let speed = u64::from(known.median().unwrap_or(0)) * 12_500;
            let quiet = link.v.bytes_per_second <= QUIET_BYTES.max(speed / 20);
            (quiet && known.next <= now).then_some((*neigh, dst, known.median()))
        });
        let size = MESSAGE.min(link.cfg.mtu);
        if let Some((neigh, dst, speed)) = due
            && size >= MIN_MESSAGE
        {
            self.send_train(NextHop { link: id, neigh }, dst, speed, size, now);
        }
    }

    fn send_train(&mut self, hop: NextHop, dst: MacAddr, speed: Option<u32>, size: usize, now: Instant) {
        let Some(link) = self.links.get(&hop.link) else { return };
        let eth = EthHeader { dst: hop.neigh, src: link.cfg.mac, ethertype: ETHERTYPE.into() };
        // Frames fit 64 KiB.
        let frame = (size + ETH_LEN) as u64;
        // A unit is a tenth of a bit per microsecond.
        let fill = speed.map_or(0, |s| u64::from(s) * WANTED.as_micros() as u64 / 80 / frame);
        let length = u32::try_from(fill).unwrap_or(u32::MAX).clamp(LENGTH.0, LENGTH.1);
        let [high, low, uid, _] = self.rng.next_u32().to_be_bytes();
        let session = u16::from_be_bytes([high, low]);
        let own = self.own_orig();
        // Fewer than 1500 bytes.
        let step = (size - UnicastHeader::LEN) as u32;
        for i in 0..length {
            let seqno = TpHeader::FIRST_SEQNO.wrapping_add(i * step);
            let mut packet = message(dst, own, uid, session, seqno, i);
            packet.truncate(size);
            let mut f = Frame::copy_of(&packet);
            if let Some(room) = f.push_front(ETH_LEN).get_mut(..ETH_LEN) {
                room.copy_from_slice(eth.as_bytes());
            }
            self.out.push_back(Output::LinkTx(hop.link, f));
        }
        self.counters.add(Count::IcmpTx, u64::from(length));
        self.meters.train = Some(Train {
            hop,
            dst,
            session,
            uid,
            length,
            frame,
            first: None,
            last: now,
            answers: 0,
            ends: now + PATIENCE,
        });
    }

    /// True if an answer belongs to the train under way.
    pub(super) fn train_answer(&mut self, header: &TpHeader, now: Instant) -> bool {
        let Some(train) = &mut self.meters.train else { return false };
        if (train.dst, train.session, train.uid) != (header.icmp.orig, header.icmp.seqno.get(), header.icmp.uid) {
            return false;
        }
        train.first.get_or_insert(now);
        train.last = now;
        train.answers += 1;
        if header.timestamp.get() + 1 == train.length || train.answers >= train.length {
            self.end_train(now);
        }
        true
    }

    fn give_up_train(&mut self, now: Instant) {
        if self.meters.train.as_ref().is_some_and(|t| t.ends <= now) {
            self.end_train(now);
        }
    }

    fn end_train(&mut self, now: Instant) {
        let Some(train) = self.meters.train.take() else { return };
        // Neighbours that measure each other do so at different times.
        let jitter = self.rng.below(EARLY);
        self.meters.forget_silent(now);
        let crossed = !self.meters.sessions.is_empty();
        let neighbor = self.links.get_mut(&train.hop.link).and_then(|l| l.neighbors.get_mut(&train.hop.neigh));
        let Some(neighbor) = neighbor else { return };
        let known = &mut neighbor.v.known;
        let first = train.first.unwrap_or(train.last);
        if crossed {
            // A train came the other way: answers waited behind it and arrived closer together.
            known.next = now + 2 * EARLY + jitter;
            return;
        }
        // Half of them lost says more about losses than about speed.
        if train.answers < train.length / 2 {
            known.failures = (known.failures + 1).min(5);
            known.next = now + PAUSE * (1 << (known.failures - 1)) + jitter;
            return;
        }
        let bytes = u64::from(train.answers - 1) * train.frame;
        let took = train.last.since(first).as_micros() as u64;
        let speed = (bytes * 80).checked_div(took).unwrap_or(FASTEST).clamp(1, FASTEST);
        // At most FASTEST.
        known.add(speed as u32);
        let least = if known.results.contains(&0) { EARLY } else { LATER };
        let whole = Duration::from_micros(u64::from(train.length) * train.frame * 80 / speed);
        known.next = now + least.max(whole * SHARE) + jitter;
        neighbor.v.rate.measured = known.median();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_what_counts() {
        let mut k = Known::default();
        assert_eq!(k.median(), None);
        for (result, median) in [(90, 90), (10, 10), (80, 80), (1000, 80), (85, 85)] {
            k.add(result);
            assert_eq!(k.median(), Some(median), "after {result}");
        }
    }
}
