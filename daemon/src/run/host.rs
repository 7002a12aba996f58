//! The mesh interface of a node: its address, its MTU, and what its administrator changes.

use crate::io::Tap;
use crate::netlink::judge::host_mtu_limit;
use crate::netlink::{LinkTable, Watcher};
use anyhow::{Context as _, anyhow};
use mesh_core::sorted::SortedMap;
use mesh_core::{Behind, HostInfo};
use packet::MacAddr;

/// The MTU that everything on Ethernet copes with.
const MTU_DEFAULT: u32 = 1500;

/// The mesh interface.
#[derive(Debug)]
pub(super) struct Host {
    name: String,
    /// Its number.
    pub(super) ifindex: u32,
    /// Its MAC.
    pub(super) mac: MacAddr,
    /// Its MTU.
    pub(super) mtu: u32,
    /// MTU that the settings ask for.
    wanted: Option<u32>,
    /// False once its administrator has set another MTU than we did.
    ours: bool,
    /// Stations behind radios and isolated ports.
    pub(super) marked: SortedMap<MacAddr, Behind>,
    /// What the core was told last.
    told: HostInfo,
}

impl Host {
    /// Makes the interface and gives it its address; its MTU comes with [`Host::fit_mtu`].
    ///
    /// # Errors
    /// When the device cannot be made, with what to do about it.
    pub(super) fn open(
        name: &str,
        mac: MacAddr,
        wanted: Option<u32>,
        up: bool,
        watcher: &mut Watcher,
    ) -> anyhow::Result<(Self, Tap)> {
        let tap = Tap::open(name).map_err(|e| {
            let hint = match e.raw_os_error() {
                Some(libc::EBUSY) => "; another program has it, perhaps another meshwork",
                Some(libc::ENOENT | libc::ENODEV | libc::ENXIO) => "; the kernel module tun is missing",
                Some(libc::EPERM | libc::EACCES) => "; that needs root, or CAP_NET_ADMIN",
                Some(libc::EINVAL) => "; an interface of another kind has this name",
                _ => "",
            };
            anyhow!("cannot make the mesh interface {name}: {e}{hint}")
        })?;
        watcher.refresh().context("cannot list interfaces")?;
        let link = watcher.table().by_name(name).ok_or_else(|| anyhow!("the mesh interface {name} has vanished"))?;
        let (ifindex, mtu) = (link.index, link.mtu);
        watcher.requests().set_mac(ifindex, mac).with_context(|| format!("cannot set the address of {name}"))?;
        if up {
            watcher.requests().set_up(ifindex, true).with_context(|| format!("cannot set {name} up"))?;
        }
        watcher.refresh().context("cannot list interfaces")?;
        let (marked, told) = (SortedMap::new(), HostInfo::default());
        Ok((Self { name: name.to_owned(), ifindex, mac, mtu, wanted, ours: true, marked, told }, tap))
    }

    /// Chooses the MTU by the hard interfaces, sets it, and says why.
    pub(super) fn fit_mtu(&mut self, smallest_link: Option<u32>, fragmentation: bool, watcher: &mut Watcher) {
        // Without a hard interface nothing can be said yet.
        let Some(smallest) = smallest_link else { return };
        if !self.ours {
            return;
        }
        let limit = host_mtu_limit(smallest, fragmentation);
        let mtu = self.wanted.unwrap_or(MTU_DEFAULT).min(limit);
        if mtu == self.mtu {
            return;
        }
        match watcher.requests().set_mtu(self.ifindex, mtu).and_then(|()| watcher.refresh()) {
            Ok(()) => {
                let why = match (self.wanted, fragmentation) {
                    (Some(wanted), _) if wanted == mtu => "configured",
                    (None, _) if mtu == MTU_DEFAULT => "the default, the hard interfaces carry it",
                    (_, true) => "the most that 16 fragments on the smallest hard interface carry",
                    (_, false) => "the most that the smallest hard interface carries; fragmentation is off",
                };
                tracing::info!(interface = self.name, mtu, smallest_link = smallest, why, "MTU of the mesh interface");
                self.mtu = mtu;
            }
            Err(e) => tracing::warn!(interface = self.name, mtu, error = %e, "cannot set the MTU"),
        }
    }

    /// New settings for the MTU; [`Host::fit_mtu`] carries them out.
    pub(super) fn want_mtu(&mut self, wanted: Option<u32>) {
        if self.wanted != wanted {
            self.wanted = wanted;
            self.ours = true;
        }
    }

    /// What stands on the interface, if that is another thing than at the last call.
    pub(super) fn news(&mut self, table: &LinkTable) -> Option<HostInfo> {
        let info = HostInfo {
            bridged: table.is_bridged(self.ifindex),
            vlans: table.vlans_on(self.ifindex),
            marked: self.marked.clone(),
        };
        if info == self.told {
            return None;
        }
        if info.bridged != self.told.bridged {
            tracing::info!(interface = self.name, bridged = info.bridged, "bridge around the mesh interface");
        }
        if info.vlans != self.told.vlans {
            let vlans: Vec<u16> = info.vlans.iter().filter_map(|(_, vid)| vid.id()).collect();
            tracing::info!(interface = self.name, ?vlans, "VLANs on the mesh interface");
        }
        self.told = info.clone();
        Some(info)
    }

    /// Looks at what others changed about the interface: its new MAC if that is one of it.
    pub(super) fn observe(&mut self, table: &LinkTable) -> Option<MacAddr> {
        let link = table.by_index(self.ifindex)?;
        if link.mtu != self.mtu {
            tracing::info!(interface = self.name, mtu = link.mtu, "MTU of the mesh interface was set by hand");
            self.mtu = link.mtu;
            self.ours = false;
        }
        if link.mac == self.mac || !link.mac.is_unicast() {
            return None;
        }
        tracing::info!(interface = self.name, mac = %link.mac, "address of the mesh interface was set by hand");
        self.mac = link.mac;
        Some(link.mac)
    }
}

/// A MAC for the mesh interface that is the same after every start: made from the first hard
/// interface, else from the number of the machine, else (`None`) there is none.
pub(super) fn stable_mac(mesh: &str, links: &[&str], table: &LinkTable, machine_id: Option<&str>) -> Option<MacAddr> {
    let hardware = links.iter().find_map(|name| {
        let link = table.by_name(name)?;
        link.permanent_mac.or(Some(link.mac)).filter(|m| m.is_unicast())
    });
    match (hardware, machine_id) {
        (Some(mac), _) => Some(derived_mac(&mac.0, mesh)),
        (None, Some(id)) if !id.is_empty() => Some(derived_mac(id.as_bytes(), mesh)),
        _ => None,
    }
}

/// A locally administered address that depends on all bytes of both (FNV-1a, then mixed).
fn derived_mac(from: &[u8], mesh: &str) -> MacAddr {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for byte in from.iter().chain(mesh.as_bytes()) {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    local_mac(mesh_core::rng::Rng::new(hash).next_u64())
}

/// A locally administered unicast address out of 46 bits of a number.
pub(super) fn local_mac(bits: u64) -> MacAddr {
    let [a, b, c, d, e, f, ..] = bits.to_be_bytes();
    MacAddr([(a & 0xfc) | 0x02, b, c, d, e, f])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derived_addresses_are_stable_local_and_different() {
        let hard = [2, 0, 0, 0, 0, 1];
        let first = derived_mac(&hard, "mesh0");
        assert_eq!(first, derived_mac(&hard, "mesh0"));
        assert_ne!(first, derived_mac(&hard, "mesh1"));
        assert_ne!(first, derived_mac(&[2, 0, 0, 0, 0, 2], "mesh0"));
        for n in 0..1000u64 {
            let mac = derived_mac(&n.to_be_bytes(), "mesh0");
            assert_eq!(mac.0[0] & 3, 2, "{mac} is unicast and locally administered");
        }
    }

    #[test]
    fn without_hardware_the_machine_counts() {
        let table = LinkTable::default();
        assert_eq!(stable_mac("mesh0", &["wlan0"], &table, None), None);
        assert_eq!(stable_mac("mesh0", &["wlan0"], &table, Some("")), None);
        let mac = stable_mac("mesh0", &["wlan0"], &table, Some("0123456789abcdef"));
        assert_eq!(mac, Some(derived_mac(b"0123456789abcdef", "mesh0")));
    }
}
