//! Throughput meter: how much gets through to another node, kernel nodes included.
//!
//! ```text
//!   Start ──▶ Run: messages of 1486 bytes ──────────▶ session: what has come
//!                  window, timeout  ◀───── answers: next byte expected, the message's time stamp
//!             until its time is over, it is stopped, or nobody answers ──▶ Event::Meter
//! ```
//! Wakes up for timeouts, progress once a second and the end of the test. Source: protocol notes,
//! "Payload plane" section 9.
//!
//! What we answer is less than what comes in: an answer of 28 bytes to a message of at least
//! [`MIN_MESSAGE`], for at most [`SESSIONS`] known originators at a time, and only with
//! [`crate::MeshConfig::meter`]. So nobody can use us to flood somebody else ("Pitfalls" B 17).

mod receiver;
mod sender;
pub(crate) mod train;

use crate::border::{Event, Meter, MeterEnd, MeterReport};
use crate::config::LinkId;
use crate::counters::{Count, Drop};
use crate::fib::Table;
use crate::frame::Frame;
use crate::link::Bucket;
use crate::mesh::Mesh;
use crate::time::{Duration, Instant};
use alloc::vec::Vec;
use packet::MacAddr;
use packet::consts::ETH_LEN;
use packet::icmp::{TpHeader, tp_subtype};
use packet::unicast::UnicastHeader;
use receiver::Received;
use sender::{Answer, PAYLOAD, Window};
use zerocopy::IntoBytes;

/// Tests at a time, both directions together.
const SESSIONS: usize = 5;
/// A receiving session ends after so long a silence.
const SILENCE: Duration = Duration::from_secs(1);
/// Sessions that others may begin at once, and per second after that.
const NEW_SESSIONS: (u32, u32) = (20, 5);
/// Least length of a message that is answered. The kernel's are 1486 bytes long.
const MIN_MESSAGE: usize = 512;
/// Length of our messages, as the kernel's.
const MESSAGE: usize = PAYLOAD as usize + UnicastHeader::LEN;
/// Messages sent in one go; the rest follows after the shell had its turn.
const BURST: usize = 64;
/// How often people hear how far a test has come.
const PROGRESS: Duration = Duration::from_secs(1);

/// All tests of a node.
#[derive(Debug)]
pub(crate) struct Meters {
    runs: Vec<Run>,
    sessions: Vec<Session>,
    /// A link is being measured.
    train: Option<train::Train>,
    newcomers: Bucket,
}

/// A test that was started here.
#[derive(Debug)]
struct Run {
    /// Who asked for it.
    ask: u32,
    dst: MacAddr,
    session: u16,
    uid: u8,
    window: Window,
    started: Instant,
    ends: Instant,
    progress_at: Instant,
    acked_bytes: u64,
    repeated: u64,
    /// The window has room that the last burst left.
    more: bool,
}

/// A test that somebody else runs towards us.
#[derive(Debug)]
struct Session {
    peer: MacAddr,
    session: u16,
    received: Received,
    last: Instant,
}

impl Meters {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            runs: Vec::new(),
            sessions: Vec::new(),
            train: None,
            newcomers: Bucket::new(NEW_SESSIONS.0, NEW_SESSIONS.1, now),
        }
    }

    fn forget_silent(&mut self, now: Instant) {
        self.sessions.retain(|s| now.since(s.last) <= SILENCE);
    }
}

impl Run {
    fn report(&self, end: Option<MeterEnd>, now: Instant) -> MeterReport {
        MeterReport {
            ask: self.ask,
            dst: self.dst,
            elapsed: now.since(self.started),
            bytes: self.acked_bytes,
            repeated: self.repeated,
            end,
        }
    }

    fn next_timer(&self) -> Instant {
        let timer = self.ends.min(self.progress_at).min(self.window.timeout);
        if self.more { Instant::ZERO } else { timer }
    }
}

impl Mesh {
    /// Starts or stops a test.
    pub(crate) fn meter(&mut self, meter: Meter, now: Instant) {
        match meter {
            Meter::Start { ask, dst, length } => self.start_meter(ask, dst, length, now),
            Meter::Stop { ask } => {
                if let Some(i) = self.meters.runs.iter().position(|r| r.ask == ask) {
                    self.end_run(i, MeterEnd::Cancelled, now);
                }
            }
        }
    }

    fn start_meter(&mut self, ask: u32, dst: MacAddr, length: Duration, now: Instant) {
        self.meters.forget_silent(now);
        let meters = &self.meters;
        let busy = meters.runs.iter().map(|r| r.dst).chain(meters.sessions.iter().map(|s| s.peer)).any(|m| m == dst);
        let refused = if self.primary.is_none() {
            Some(MeterEnd::CannotSend)
        } else if self.originators.get(&dst).and_then(|o| o.router(Table::Host)).is_none() {
            Some(MeterEnd::Unreachable)
        } else if busy {
            Some(MeterEnd::Ongoing)
        } else if meters.runs.len() + meters.sessions.len() >= SESSIONS {
            Some(MeterEnd::TooMany)
        } else {
            None
        };
        if refused.is_some() {
            let report = MeterReport { ask, dst, elapsed: Duration::ZERO, bytes: 0, repeated: 0, end: refused };
            return self.event(Event::Meter(report));
        }
        let [session @ .., uid] = self.rng.next_u32().to_be_bytes().last_chunk::<3>().copied().unwrap_or_default();
        self.meters.runs.push(Run {
            ask,
            dst,
            session: u16::from_be_bytes(session),
            uid,
            window: Window::new(TpHeader::FIRST_SEQNO, now),
            started: now,
            ends: now + length,
            progress_at: now + PROGRESS,
            acked_bytes: 0,
            repeated: 0,
            more: false,
        });
        let i = self.meters.runs.len() - 1;
        self.send_messages(i, now);
    }

    fn end_run(&mut self, i: usize, end: MeterEnd, now: Instant) {
        let run = self.meters.runs.swap_remove(i);
        // Nothing came back in all that time: the other end does not answer tests.
        let end = if end == MeterEnd::Complete && run.acked_bytes == 0 { MeterEnd::Unreachable } else { end };
        self.event(Event::Meter(run.report(Some(end), now)));
    }

    /// Sends as much as the window of a test allows, at most a burst.
    fn send_messages(&mut self, i: usize, now: Instant) {
        for _ in 0..BURST {
            let Some(seqno) = self.meters.runs.get_mut(i).and_then(|r| r.window.take()) else { break };
            self.send_message(i, seqno, now);
        }
        if let Some(run) = self.meters.runs.get_mut(i) {
            run.more = run.window.is_open();
        }
    }

    fn send_message(&mut self, i: usize, seqno: u32, now: Instant) {
        let Some(run) = self.meters.runs.get(i) else { return };
        let (dst, session, uid) = (run.dst, run.session, run.uid);
        let packet = message(dst, self.own_orig(), uid, session, seqno, stamp(now));
        // Without a way it is as lost as anywhere else; the timeout tells.
        if self.send_to(dst, Table::Host, &packet) {
            self.counters.add(Count::IcmpTx, 1);
        }
    }

    /// A message of the throughput meter for us, Ethernet header included.
    pub(crate) fn receive_meter(&mut self, _link: LinkId, frame: &Frame, now: Instant) -> Result<(), Drop> {
        let packet = frame.bytes().get(ETH_LEN..).unwrap_or_default();
        let (header, _) = TpHeader::parse(packet).map_err(|_| Drop::Short)?;
        let header = *header;
        if self.is_own(header.icmp.orig) {
            return Err(Drop::OwnSource);
        }
        match header.icmp.rr_cur {
            tp_subtype::MESSAGE => self.receive_message(header, packet.len(), now),
            tp_subtype::ACK => self.receive_ack(header, now),
            _ => Err(Drop::Unsupported),
        }
    }

    fn receive_message(&mut self, header: TpHeader, len: usize, now: Instant) -> Result<(), Drop> {
        let (peer, session, seqno) = (header.icmp.orig, header.icmp.seqno.get(), header.seqno.get());
        if !self.cfg.meter {
            return Err(Drop::Unsupported);
        }
        if len < MIN_MESSAGE {
            return Err(Drop::Meter);
        }
        self.meters.forget_silent(now);
        let sessions = &mut self.meters.sessions;
        let i = match sessions.iter().position(|s| s.peer == peer && s.session == session) {
            Some(i) => i,
            None => {
                let known = self.originators.get(&peer).is_some_and(|o| o.router(Table::Host).is_some());
                if seqno != TpHeader::FIRST_SEQNO || !known {
                    return Err(Drop::Meter);
                }
                if self.meters.runs.len() + sessions.len() >= SESSIONS || !self.meters.newcomers.take(now) {
                    return Err(Drop::RateLimit);
                }
                sessions.push(Session { peer, session, received: Received::new(seqno), last: now });
                sessions.len() - 1
            }
        };
        let Some(s) = sessions.get_mut(i) else { return Err(Drop::Meter) };
        // Frames are far shorter than 4 GiB.
        let payload = (len - UnicastHeader::LEN) as u32;
        if !s.received.add(seqno, payload) {
            return Err(Drop::Meter);
        }
        s.last = now;
        let next = s.received.next;
        let uid = header.icmp.uid;
        let ack = TpHeader::new(peer, self.own_orig(), uid, session, tp_subtype::ACK, next, header.timestamp.get());
        if !self.send_to(peer, Table::Host, ack.as_bytes()) {
            return Err(Drop::NoRoute);
        }
        self.counters.add(Count::IcmpTx, 1);
        Ok(())
    }

    fn receive_ack(&mut self, header: TpHeader, now: Instant) -> Result<(), Drop> {
        if self.train_answer(&header, now) {
            return Ok(());
        }
        let key = (header.icmp.orig, header.icmp.seqno.get(), header.icmp.uid);
        let i = self.meters.runs.iter().position(|r| (r.dst, r.session, r.uid) == key).ok_or(Drop::Meter)?;
        let run = self.meters.runs.get_mut(i).ok_or(Drop::Meter)?;
        // The receiver gives our own clock back; it wraps after 71 minutes.
        let rtt = Duration::from_micros(u64::from(stamp(now).wrapping_sub(header.timestamp.get())));
        if rtt > now.since(run.started) {
            return Err(Drop::Meter);
        }
        let before = run.window.acked;
        let answer = run.window.answer(header.seqno.get(), rtt, now);
        run.acked_bytes += u64::from(run.window.acked.wrapping_sub(before));
        match answer {
            Answer::Nonsense => return Err(Drop::Meter),
            Answer::Repeat(seqno) => {
                run.repeated += 1;
                self.send_message(i, seqno, now);
            }
            Answer::Fine => {}
        }
        self.send_messages(i, now);
        Ok(())
    }

    /// When [`Mesh::run_meter_timers`] has something to do next.
    pub(crate) fn next_meter_timer(&self) -> Instant {
        self.meters.runs.iter().map(Run::next_timer).min().unwrap_or(Instant::FAR_FUTURE)
    }

    /// Sends, repeats, gives up.
    pub(crate) fn run_meter_timers(&mut self, now: Instant) {
        let mut i = 0;
        while let Some(run) = self.meters.runs.get_mut(i) {
            if run.ends <= now {
                self.end_run(i, MeterEnd::Complete, now);
                continue;
            }
            if run.progress_at <= now {
                run.progress_at = now + PROGRESS;
                let report = run.report(None, now);
                self.event(Event::Meter(report));
            }
            let Some(run) = self.meters.runs.get_mut(i) else { break };
            if run.window.timeout <= now {
                if !run.window.time_out(now) {
                    self.end_run(i, MeterEnd::Unreachable, now);
                    continue;
                }
                run.repeated += 1;
                run.more = true;
            }
            if run.more {
                self.send_messages(i, now);
            }
            i += 1;
        }
    }
}

/// A time stamp; only we read it.
fn stamp(now: Instant) -> u32 {
    now.as_micros() as u32
}

/// A message with filler that no link can squeeze.
fn message(dst: MacAddr, orig: MacAddr, uid: u8, session: u16, seqno: u32, stamp: u32) -> Vec<u8> {
    let head = TpHeader::new(dst, orig, uid, session, tp_subtype::MESSAGE, seqno, stamp);
    let mut packet = head.as_bytes().to_vec();
    packet.reserve(MESSAGE - TpHeader::LEN);
    let mut rng = crate::rng::Rng::new(u64::from(seqno));
    while packet.len() < MESSAGE {
        packet.extend_from_slice(&rng.next_u64().to_be_bytes());
    }
    packet.truncate(MESSAGE);
    packet
}
