//! Keeps radios in their meshes while a node runs.
//!
//! A thread of its own: drivers take up to seconds, and a radio may appear later, vanish and come
//! back.

use super::plan::Wanted;
use super::up::{Up, bring_up};
use config::Radio;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;
use tokio::sync::watch;

/// A radio that could not be brought up is tried again this often; one that is up is looked after
/// as often.
const EVERY: Duration = Duration::from_secs(3);
/// Putting radios back takes no longer than this, wpa_supplicant included.
const STOP_WAIT: Duration = Duration::from_secs(6);

/// How a radio is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RadioState {
    /// Its interface.
    pub interface: String,
    /// Why it is not in its mesh, as a sentence; `None` if it is.
    pub trouble: Option<String>,
}

/// The main loop's side.
#[derive(Debug)]
pub struct Keeper {
    orders: Option<Sender<Vec<Radio>>>,
    ended: Option<Receiver<()>>,
    told: watch::Receiver<Vec<RadioState>>,
    tell: watch::Sender<Vec<RadioState>>,
    run: PathBuf,
}

impl Keeper {
    /// Keeps nothing yet; `run` is a folder for notes.
    pub fn new(run: &Path) -> Self {
        let (tell, told) = watch::channel(Vec::new());
        Self { orders: None, ended: None, told, tell, run: run.to_owned() }
    }

    /// Keeps these radios in their meshes, and no others. The thread inherits the rights of the
    /// caller.
    pub fn keep(&mut self, wanted: Vec<Radio>) {
        if self.orders.is_none() {
            if wanted.is_empty() {
                return;
            }
            let ((order, orders), (end, ended)) = (channel(), channel());
            let (tell, run) = (self.tell.clone(), self.run.clone());
            let thread = std::thread::Builder::new().name("radios".to_owned()).stack_size(256 * 1024);
            let work = move || {
                Radios { tell, run, radios: Vec::new() }.work(&orders);
                let _ = end.send(());
            };
            match thread.spawn(work) {
                Ok(_) => (self.orders, self.ended) = (Some(order), Some(ended)),
                Err(e) => tracing::error!(error = %e, "no thread to bring radios up in"),
            }
        }
        if let Some(orders) = &self.orders {
            // The thread ends only when this end does.
            let _ = orders.send(wanted);
        }
    }

    /// How the radios are doing.
    pub fn states(&self) -> Vec<RadioState> {
        self.told.borrow().clone()
    }

    /// Puts all radios back as they were found, and waits until that is done.
    pub fn stop(&mut self) {
        self.orders = None;
        if let Some(ended) = self.ended.take()
            && ended.recv_timeout(STOP_WAIT).is_err()
        {
            tracing::warn!("a radio does not answer; it may not be as it was found");
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The thread's side.
struct Radios {
    tell: watch::Sender<Vec<RadioState>>,
    run: PathBuf,
    radios: Vec<Kept>,
}

struct Kept {
    wanted: Radio,
    up: Option<Up>,
    trouble: Option<String>,
}

impl Radios {
    fn work(mut self, orders: &Receiver<Vec<Radio>>) {
        loop {
            match orders.recv_timeout(EVERY) {
                Ok(wanted) => self.change(wanted),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            for radio in &mut self.radios {
                radio.look_after(&self.run);
            }
            let states = self
                .radios
                .iter()
                .map(|r| RadioState { interface: r.wanted.interface.clone(), trouble: r.trouble.clone() });
            self.tell.send_replace(states.collect());
        }
    }

    fn change(&mut self, wanted: Vec<Radio>) {
        self.radios.retain(|r| wanted.contains(&r.wanted));
        for wanted in wanted {
            if self.radios.iter().all(|r| r.wanted != wanted) {
                self.radios.push(Kept { wanted, up: None, trouble: None });
            }
        }
    }
}

impl Kept {
    fn look_after(&mut self, run: &Path) {
        let name = &self.wanted.interface;
        if let Some(why) = self.up.as_mut().and_then(Up::trouble) {
            tracing::warn!(interface = name, why, "the radio has left its mesh");
            self.up = None;
        }
        if self.up.is_some() {
            return;
        }
        match Wanted::new(&self.wanted).and_then(|wanted| bring_up(&wanted, run)) {
            Ok(up) => {
                tracing::info!(
                    interface = name, phy = up.phy, mesh_id = self.wanted.mesh_id, channel = %up.wanted().channel,
                    "radio brought into its mesh"
                );
                (self.up, self.trouble) = (Some(up), None);
            }
            Err(why) => {
                if self.trouble.as_ref() != Some(&why) {
                    tracing::warn!(interface = name, why, "the radio cannot be brought into its mesh");
                }
                self.trouble = Some(why);
            }
        }
    }
}
