//! The thin shell around [`Medium`]: a thread that moves frames between the nodes' TAP devices.
//!
//! It owns the TAP descriptors, wakes for a frame, for the medium's next event (a timer with
//! microseconds, which the lab's other timers do not need) or for a change made by the lab.

use super::medium::{Medium, Path, RadioId, Usage};
use anyhow::{Context, Result};
use mesh_core::{Duration, Instant};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use packet::MacAddr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// A running medium. The thread ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Air {
    shared: Arc<Shared>,
    thread: Option<thread::JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    wake: EventFd,
    epoll: Epoll,
}

#[derive(Debug)]
struct State {
    medium: Medium,
    taps: Vec<File>,
    /// Radios without room, and whether their nodes are left waiting yet.
    full: Vec<(RadioId, bool)>,
    /// How far behind the clock the medium ran at worst since this was asked last.
    lag: Duration,
    stop: bool,
}

impl Air {
    /// Starts the medium's thread; no radio is in it yet.
    ///
    /// # Errors
    /// No descriptors or threads left.
    pub(crate) fn start(medium: Medium) -> Result<Self> {
        let wake = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK).context("eventfd")?;
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).context("epoll")?;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK)
            .context("timerfd")?;
        epoll.add(&wake, EpollEvent::new(EpollFlags::EPOLLIN, WAKE)).context("epoll")?;
        epoll.add(&timer, EpollEvent::new(EpollFlags::EPOLLIN, TIMER)).context("epoll")?;
        let state = State { medium, taps: Vec::new(), full: Vec::new(), lag: Duration::ZERO, stop: false };
        let shared = Arc::new(Shared { state: Mutex::new(state), wake, epoll });
        let thread = thread::Builder::new().name("air".into()).spawn({
            let shared = Arc::clone(&shared);
            move || shared.run(&timer)
        })?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Takes a node's TAP device in as a radio.
    ///
    /// # Errors
    /// No descriptors left.
    pub(crate) fn add_radio(&self, mac: MacAddr, tap: OwnedFd) -> Result<RadioId> {
        let mut state = self.shared.lock();
        let id = state.medium.add_radio(mac);
        let token = u64::try_from(id.0).unwrap_or(WAKE);
        self.shared.epoll.add(&tap, EpollEvent::new(EpollFlags::EPOLLIN, token)).context("epoll")?;
        state.taps.push(tap.into());
        Ok(id)
    }

    /// See [`Medium::set_path`].
    pub(crate) fn set_path(&self, from: RadioId, to: RadioId, path: Option<Path>) {
        self.shared.lock().medium.set_path(from, to, path);
    }

    /// See [`Medium::set_power`].
    pub(crate) fn set_power(&self, radio: RadioId, on: bool) {
        self.shared.lock().medium.set_power(radio, on);
    }

    /// See [`Medium::usage`].
    pub(crate) fn usage(&self, radio: RadioId) -> Usage {
        self.shared.lock().medium.usage(radio)
    }

    /// How late the medium was at worst since the last call: more than some milliseconds means
    /// that the machine is too slow for this neighbourhood.
    pub(crate) fn take_lag(&self) -> Duration {
        std::mem::take(&mut self.shared.lock().lag)
    }
}

impl Drop for Air {
    fn drop(&mut self) {
        self.shared.lock().stop = true;
        // The eventfd's counter cannot be full; if it were, the thread would be awake anyway.
        let _ = self.shared.wake.write(1);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hears those nodes again whose radio has room, and no longer those whose radio has none.
    fn listen(&self, state: &mut State) {
        let State { medium, taps, full, .. } = state;
        let set = |radio: RadioId, on: bool| {
            let Some(tap) = taps.get(radio.0) else { return };
            let events = if on { EpollFlags::EPOLLIN } else { EpollFlags::empty() };
            let _ = self.epoll.modify(tap, &mut EpollEvent::new(events, u64::try_from(radio.0).unwrap_or(WAKE)));
        };
        full.retain(|(radio, silenced)| {
            let room = medium.has_room(*radio);
            if room == *silenced {
                set(*radio, room);
            }
            !room
        });
        for (_, silenced) in full {
            *silenced = true;
        }
    }

    fn run(&self, timer: &TimerFd) {
        let start = std::time::Instant::now();
        let clock = || Instant::from_micros(u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX / 4));
        let mut events = [EpollEvent::empty(); 64];
        let mut buffer = vec![0; LARGEST_FRAME];
        loop {
            let count = match self.epoll.wait(&mut events, EpollTimeout::NONE) {
                Ok(count) => count,
                Err(nix::errno::Errno::EINTR) => continue,
                Err(_) => return,
            };
            let mut state = self.lock();
            if state.stop {
                return;
            }
            let now = clock();
            if let Some(due) = state.medium.poll_timeout() {
                state.lag = state.lag.max(now.since(due));
            }
            for event in events.iter().take(count) {
                match event.data() {
                    // Both are only there to wake; read to make them silent again.
                    WAKE => drop(self.wake.read()),
                    TIMER => drop(timer.wait()),
                    radio => state.hear(RadioId(usize::try_from(radio).unwrap_or(usize::MAX)), &mut buffer, now),
                }
            }
            let now = clock();
            state.deliver(now);
            self.listen(&mut state);
            let next = state.medium.poll_timeout();
            drop(state);
            let Some(next) = next else { continue };
            // A timer of zero would be switched off.
            let delay = next.since(now).max(Duration::from_micros(1));
            let _ = timer.set(Expiration::OneShot(TimeSpec::from(delay)), TimerSetTimeFlags::empty());
        }
    }
}

impl State {
    /// Takes in what a node wants to send, a bounded number of frames at a time.
    fn hear(&mut self, radio: RadioId, buffer: &mut [u8], now: Instant) {
        let Some(mut tap) = self.taps.get(radio.0) else { return };
        for _ in 0..BURST {
            if !self.medium.has_room(radio) {
                if self.full.iter().all(|(full, _)| *full != radio) {
                    self.full.push((radio, false));
                }
                return;
            }
            match tap.read(buffer) {
                Ok(len) => self.medium.send(radio, buffer.get(..len).unwrap_or_default(), now),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    }

    fn deliver(&mut self, now: Instant) {
        while let Some(delivery) = self.medium.poll(now) {
            // An interface that is down, or a full receive queue, loses the frame as a radio would.
            if let Some(mut tap) = self.taps.get(delivery.to.0) {
                let _ = tap.write(&delivery.frame);
            }
        }
    }
}

const WAKE: u64 = u64::MAX;
const TIMER: u64 = u64::MAX - 1;
const BURST: usize = 64;
const LARGEST_FRAME: usize = 10_240;
