//! The node's own addresses, the clients that never leave: that of the mesh interface, and those of
//! the VLANs on it. Source: "Pitfalls" A 1.
//!
//! A VLAN is announced when its interface is made, as by the kernel. If it were announced by its first
//! frame, all answers up to the next OGM would have nowhere to go.

use super::Key;
use crate::border::Output;
use crate::fib::FibChange;
use crate::host::HostInfo;
use crate::mesh::Mesh;
use crate::time::Instant;
use packet::{MacAddr, Vid};

impl Mesh {
    /// Adds the address of the mesh interface.
    pub(crate) fn add_own_client(&mut self, now: Instant) {
        let key = (self.cfg.host_mac, Vid::UNTAGGED);
        let bounds = self.local_bounds();
        let added = self.local.add(key, true, 0, bounds, now, &mut self.out);
        debug_assert!(added.is_ok(), "permanent clients are never refused");
    }

    /// The system around the mesh interface changed.
    pub(crate) fn host_changed(&mut self, info: HostInfo, now: Instant) {
        let old = core::mem::replace(&mut self.host, info);
        self.refresh_marks(now);
        let guest = |info: &HostInfo, addr: &MacAddr| info.marked.get(addr).is_some_and(|b| b.guest);
        for addr in old.marked.keys().filter(|a| guest(&old, a) && !guest(&self.host, a)) {
            self.out.push_back(Output::Fib(FibChange::Guest(*addr, false)));
        }
        for addr in self.host.marked.keys().filter(|a| guest(&self.host, a) && !guest(&old, a)) {
            self.out.push_back(Output::Fib(FibChange::Guest(*addr, true)));
        }
        let new = self.host.vlans.clone();
        for key in old.vlans.iter().filter(|key| !new.contains(key)) {
            self.remove_own_client(*key);
        }
        for key in new.into_iter().filter(|key| key.0.is_unicast() && !old.vlans.contains(key)) {
            // Their number is not ours to choose, so the bounds of ordinary clients hold.
            let bounds = self.local_bounds();
            match self.local.add(key, false, 0, bounds, now, &mut self.out) {
                Ok(_) => self.local.keep(key),
                Err(why) => {
                    self.local_full = true;
                    self.counters.drop(why);
                }
            }
        }
    }

    /// Takes an address back that is not ours any more.
    pub(crate) fn remove_own_client(&mut self, key: Key) {
        if let Some(e) = self.local.entries.get_mut(&key) {
            e.permanent = false;
        }
        self.local.remove(key, false, &mut self.out);
    }
}

#[cfg(test)]
mod tests {
    use crate::{HostInfo, Input, Instant, Mesh, MeshConfig};
    use alloc::vec;
    use alloc::vec::Vec;
    use packet::{MacAddr, Vid};

    const HOST: MacAddr = MacAddr([2, 0xba, 0, 0, 0, 1]);

    fn announced(mesh: &Mesh) -> Vec<(Vid, bool)> {
        mesh.local.entries.iter().filter(|(_, e)| !e.pending).map(|(k, e)| (k.1, e.permanent)).collect()
    }

    #[test]
    fn vlans_are_announced_as_long_as_they_are_there() {
        let now = Instant::from_micros(1_000_000);
        let mut mesh = Mesh::new(MeshConfig::new(HOST), 1, None, now);
        let vlans = vec![(HOST, Vid::tagged(7)), (HOST, Vid::tagged(9))];
        mesh.handle(Input::Host(HostInfo { vlans, ..HostInfo::default() }), now);
        assert_eq!(announced(&mesh), [(Vid::UNTAGGED, true), (Vid::tagged(7), true), (Vid::tagged(9), true)]);
        mesh.local.commit(1000, &mut mesh.out);
        let vlans = vec![(HOST, Vid::tagged(9))];
        mesh.handle(Input::Host(HostInfo { vlans, ..HostInfo::default() }), now);
        assert_eq!(announced(&mesh), [(Vid::UNTAGGED, true), (Vid::tagged(9), true)]);
        mesh.local.commit(1000, &mut mesh.out);
        assert!(mesh.broken_invariant().is_none());
    }

    #[test]
    fn more_vlans_than_the_bound_are_left_out() {
        let now = Instant::from_micros(1_000_000);
        let mut config = MeshConfig::new(HOST);
        config.caps.vlans = 3;
        let mut mesh = Mesh::new(config, 1, None, now);
        let vlans = (1..100).map(|id| (HOST, Vid::tagged(id))).collect();
        mesh.handle(Input::Host(HostInfo { vlans, ..HostInfo::default() }), now);
        mesh.local.commit(1000, &mut mesh.out);
        assert!(mesh.broken_invariant().is_none());
        assert_eq!(announced(&mesh).len(), 3, "untagged, and two VLANs");
    }
}
