//! The hard interfaces of a node: opened when they appear, followed while they change, put back
//! as they were found.

use crate::io::port::Port;
use crate::io::{PacketPort, PnetPort, PortablePlane};
use crate::netlink::judge::{MTU_RECOMMENDED, judge};
use crate::netlink::{LinkInfo, Verdict, Watcher};
use crate::nl80211::radio_below;
use crate::run::LinkSetup;
use crate::run::readings::Target;
use mesh_core::config::MAX_LINKS;
use mesh_core::{Input, LinkConfig, LinkId};
use std::io;
use std::path::Path;

/// What a frame is longer than the MTU of its interface: an Ethernet header and a VLAN tag.
pub(super) const FRAME_OVERHEAD: usize = 18;

/// All hard interfaces that the settings name.
#[derive(Debug, Default)]
pub(super) struct Links {
    slots: Vec<Slot>,
}

#[derive(Debug)]
struct Slot {
    id: LinkId,
    setup: LinkSetup,
    state: State,
    /// Whether the core takes it for connected.
    carrier: bool,
    /// Number of the interface that was seen last under this name.
    seen: Option<u32>,
    /// Number of the interface that we set up, to be set down at the end.
    raised: Option<u32>,
    /// Its driver cannot know how fast it is.
    blind: bool,
    mtu_told: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Closed(String),
    Open { ifindex: u32, config: LinkConfig },
}

impl Links {
    /// Takes the settings in: interfaces that are named no more are closed, new ones are opened
    /// by the next [`Links::sync`]. What the core has to know is appended to `inputs`.
    ///
    /// # Errors
    /// With [`MAX_LINKS`] interfaces taken already; the rest is in use then.
    pub(super) fn configure(
        &mut self,
        setups: &[LinkSetup],
        watcher: &mut Watcher,
        plane: &mut PortablePlane,
        inputs: &mut Vec<Input>,
    ) -> Result<(), String> {
        for slot in &mut self.slots {
            match setups.iter().find(|s| s.name == slot.setup.name) {
                Some(setup) => {
                    if setup.portable != slot.setup.portable {
                        slot.close("it is reopened".to_owned(), plane, inputs);
                    }
                    slot.setup = setup.clone();
                }
                None => {
                    slot.close("it is not configured any more".to_owned(), plane, inputs);
                    slot.put_back(watcher);
                }
            }
        }
        self.slots.retain(|slot| setups.iter().any(|s| s.name == slot.setup.name));
        for setup in setups {
            if self.slots.iter().any(|s| s.setup.name == setup.name) {
                continue;
            }
            let mut ids = (0u8..).map(LinkId).take(MAX_LINKS);
            let Some(id) = ids.find(|id| self.slots.iter().all(|s| s.id != *id)) else {
                return Err(format!("{} is one hard interface more than the {MAX_LINKS} a node can have", setup.name));
            };
            self.slots.push(Slot {
                id,
                setup: setup.clone(),
                state: State::Closed("it was not looked at yet".to_owned()),
                carrier: true,
                seen: None,
                raised: None,
                blind: false,
                mtu_told: false,
            });
        }
        Ok(())
    }

    /// Opens, closes and follows interfaces after the watcher's table changed. `own` is the
    /// number of the mesh interface.
    pub(super) fn sync(
        &mut self,
        watcher: &mut Watcher,
        plane: &mut PortablePlane,
        own: Option<u32>,
        inputs: &mut Vec<Input>,
    ) {
        for slot in &mut self.slots {
            slot.sync(watcher, plane, own, inputs);
        }
    }

    /// Smallest MTU of the interfaces in use.
    pub(super) fn smallest_mtu(&self) -> Option<u32> {
        let open = self.slots.iter().filter_map(|s| match &s.state {
            State::Open { config, .. } => u32::try_from(config.mtu).ok(),
            State::Closed(_) => None,
        });
        open.min()
    }

    /// The interfaces in use.
    pub(super) fn open_ones(&self) -> impl Iterator<Item = Target> {
        self.slots.iter().filter_map(|slot| match &slot.state {
            State::Open { ifindex, config } => {
                let (id, ifindex, name) = (slot.id, *ifindex, config.name.clone());
                Some(Target { id, ifindex, name, wifi: config.wifi, blind: slot.blind })
            }
            State::Closed(_) => None,
        })
    }

    /// Interfaces that are not in use, with the reason.
    pub(super) fn refused(&self) -> Vec<(String, String)> {
        let closed = self.slots.iter().filter_map(|s| match &s.state {
            State::Closed(why) => Some((s.setup.name.clone(), why.clone())),
            State::Open { .. } => None,
        });
        closed.collect()
    }

    /// Sets interfaces down again that were down before.
    pub(super) fn put_back(&mut self, watcher: &mut Watcher) {
        for slot in &mut self.slots {
            slot.put_back(watcher);
        }
    }
}

impl Slot {
    fn sync(&mut self, watcher: &mut Watcher, plane: &mut PortablePlane, own: Option<u32>, inputs: &mut Vec<Input>) {
        match judge(&self.setup.name, watcher.table(), own) {
            Verdict::Absent => {
                self.seen = None;
                self.close("there is no such interface; it is waited for".to_owned(), plane, inputs);
            }
            Verdict::Refused(why) => self.close(why, plane, inputs),
            Verdict::Down(link) => {
                let index = link.index;
                self.close("it is set down; it is waited for".to_owned(), plane, inputs);
                // Only at first sight: whoever sets it down later means it.
                if self.seen.replace(index) != Some(index) {
                    match watcher.requests().set_up(index, true) {
                        Ok(()) => self.raised = Some(index),
                        Err(e) => {
                            tracing::warn!(link = self.setup.name, error = %e, "cannot set the hard interface up");
                        }
                    }
                }
            }
            Verdict::Usable(link) => {
                self.seen = Some(link.index);
                self.follow(link, plane, inputs);
            }
        }
    }

    fn follow(&mut self, link: &LinkInfo, plane: &mut PortablePlane, inputs: &mut Vec<Input>) {
        let name = &self.setup.name;
        self.blind = link.speed_means_nothing();
        let wifi = self.setup.wifi.unwrap_or_else(|| radio_below(Path::new("/sys/class/net"), name).is_some());
        let fresh = LinkConfig {
            name: name.clone(),
            mac: link.mac,
            mtu: usize::try_from(link.mtu).unwrap_or(usize::MAX).min(usize::from(u16::MAX)),
            wifi,
            hop_penalty: self.setup.hop_penalty,
            throughput: self.setup.throughput,
            measure: self.setup.measure,
            broadcast_copies: self.setup.broadcast_copies,
        };
        let frame_len = fresh.mtu + FRAME_OVERHEAD;
        match &mut self.state {
            State::Open { ifindex, config } if *ifindex == link.index => {
                if *config != fresh {
                    tracing::info!(link = name, mac = %fresh.mac, mtu = fresh.mtu, wifi, "hard interface changed");
                    plane.grow_to(frame_len);
                    plane.set_link_mac(self.id, fresh.mac);
                    *config = fresh.clone();
                    inputs.push(Input::LinkUp(self.id, fresh));
                }
            }
            State::Open { .. } | State::Closed(_) => {
                if matches!(self.state, State::Open { .. }) {
                    // Another interface of the same name.
                    inputs.push(Input::LinkDown(self.id));
                    plane.close_link(self.id);
                }
                match open(&self.setup, link, frame_len) {
                    Ok(port) => {
                        tracing::info!(link = name, mac = %fresh.mac, mtu = fresh.mtu, wifi, "hard interface in use");
                        plane.grow_to(frame_len);
                        plane.open_link(self.id, name, port);
                        inputs.push(Input::LinkUp(self.id, fresh.clone()));
                        self.state = State::Open { ifindex: link.index, config: fresh };
                    }
                    Err(e) => {
                        self.state = State::Closed(String::new());
                        self.close(format!("it cannot be opened: {e}"), plane, inputs);
                    }
                }
            }
        }
        self.follow_carrier(link.carrier, inputs);
        if link.mtu < MTU_RECOMMENDED && !self.mtu_told && matches!(self.state, State::Open { .. }) {
            self.mtu_told = true;
            tracing::warn!(
                link = self.setup.name,
                mtu = link.mtu,
                "full-sized frames do not fit in one piece; where the hardware allows it, an MTU of 1532 is faster"
            );
        }
    }

    /// An interface without a carrier stays open, as the kernel module keeps it: its address may be
    /// the node's name, and some drivers never claim a carrier. But whoever was heard there is gone.
    fn follow_carrier(&mut self, carrier: bool, inputs: &mut Vec<Input>) {
        let had = std::mem::replace(&mut self.carrier, carrier);
        if had && !carrier && matches!(self.state, State::Open { .. }) {
            tracing::info!(link = self.setup.name, "hard interface lost its carrier");
            inputs.push(Input::CarrierLost(self.id));
        }
    }

    fn close(&mut self, why: String, plane: &mut PortablePlane, inputs: &mut Vec<Input>) {
        match &self.state {
            State::Open { .. } => {
                tracing::warn!(link = self.setup.name, why, "hard interface lost");
                inputs.push(Input::LinkDown(self.id));
                plane.close_link(self.id);
            }
            State::Closed(before) if *before == why => return,
            State::Closed(_) => tracing::warn!(link = self.setup.name, why, "hard interface not usable"),
        }
        self.state = State::Closed(why);
    }

    fn put_back(&mut self, watcher: &mut Watcher) {
        let Some(index) = self.raised.take() else { return };
        if watcher.table().by_index(index).is_some_and(|l| l.name == self.setup.name)
            && let Err(e) = watcher.requests().set_up(index, false)
        {
            tracing::warn!(link = self.setup.name, error = %e, "cannot set the hard interface down again");
        }
    }
}

fn open(setup: &LinkSetup, link: &LinkInfo, frame_len: usize) -> io::Result<Box<dyn Port>> {
    Ok(if setup.portable {
        Box::new(PnetPort::open(&setup.name, link.index, link.mac, frame_len)?)
    } else {
        Box::new(PacketPort::open(link.index, link.mac)?)
    })
}
