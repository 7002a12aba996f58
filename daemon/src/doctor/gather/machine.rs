//! Rights, kernel, radios' switches, memory and clock.

use super::seconds;
use crate::doctor::check::HARD;
use crate::doctor::facts::{Ability, Clock, Kernel, Rights, Switches};
use caps::{CapSet, Capability};
use socket2::{Domain, Protocol, Socket, Type};
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::{Instant, SystemTime};

/// What this process may do.
pub(super) fn rights() -> Rights {
    let has = |cap| caps::has_cap(None, CapSet::Effective, cap).unwrap_or(false);
    Rights { net_admin: has(Capability::CAP_NET_ADMIN), net_raw: has(Capability::CAP_NET_RAW) }
}

/// What the kernel can do.
pub(super) fn kernel() -> Kernel {
    let tun = match fs::OpenOptions::new().read(true).write(true).open("/dev/net/tun") {
        Ok(_) => Ability::Fine,
        Err(e) if e.kind() == ErrorKind::PermissionDenied => Ability::Denied,
        // No such device: the file is there, the driver is not.
        Err(e)
            if e.kind() == ErrorKind::NotFound
                || e.raw_os_error() == Some(libc::ENODEV)
                || e.raw_os_error() == Some(libc::ENXIO) =>
        {
            Ability::Missing
        }
        Err(e) => Ability::Broken(e.to_string()),
    };
    let packet = match Socket::new(Domain::PACKET, Type::RAW, None::<Protocol>) {
        Ok(_) => Ability::Fine,
        Err(e) if e.kind() == ErrorKind::PermissionDenied => Ability::Denied,
        Err(e) if e.raw_os_error() == Some(libc::EAFNOSUPPORT) => Ability::Missing,
        Err(e) => Ability::Broken(e.to_string()),
    };
    Kernel { tun, packet, batman_adv: text("/sys/module/batman_adv/version") }
}

/// Radios that rfkill holds back.
pub(super) fn switched_off() -> Vec<(String, &'static str)> {
    rfkill(Path::new("/sys/class/rfkill"))
}

fn rfkill(folder: &Path) -> Vec<(String, &'static str)> {
    let mut off = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let read = |file: &str| text(entry.path().join(file)).unwrap_or_default();
        if read("type") != "wlan" {
            continue;
        }
        if read("hard") == "1" {
            off.push((read("name"), HARD));
        } else if read("soft") == "1" {
            off.push((read("name"), "software"));
        }
    }
    off.sort();
    off
}

/// Switches of the kernel that matter to `mesh`.
pub(super) fn switches(mesh: &str) -> Switches {
    let number = |path: String| text(path)?.parse::<u8>().ok();
    let filter = |of: &str| number(format!("/proc/sys/net/ipv4/conf/{of}/rp_filter"));
    let bridge = |of: &str| number(format!("/proc/sys/net/bridge/bridge-nf-call-{of}")) == Some(1);
    Switches {
        ip_forward: number("/proc/sys/net/ipv4/ip_forward".to_owned()) == Some(1),
        // The kernel takes the larger one.
        rp_filter: filter(mesh).max(filter("all")).filter(|_| filter(mesh).is_some()),
        bridge_calls_iptables: bridge("iptables") || bridge("ip6tables"),
    }
}

/// The clock, and how far it ran from the time that passed since `began`, when it said `then`.
pub(super) fn clock(then: SystemTime, began: Instant) -> Clock {
    let now = seconds(SystemTime::now());
    let passed = i64::try_from(began.elapsed().as_secs()).unwrap_or(0);
    Clock { now: u64::try_from(now).unwrap_or(0), jump: now - seconds(then) - passed }
}

/// Memory that programs can still get, in bytes.
pub(super) fn memory_available() -> Option<u64> {
    available(&text("/proc/meminfo")?)
}

fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|l| l.strip_prefix("MemAvailable:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

fn text(path: impl AsRef<Path>) -> Option<String> {
    Some(fs::read_to_string(path).ok()?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn radios_that_are_off() {
        let root = std::env::temp_dir().join(format!("rfkill-{}", std::process::id()));
        for (n, kind, soft, hard) in [(0, "wlan", 0, 0), (1, "wlan", 1, 0), (2, "wlan", 1, 1), (3, "bluetooth", 1, 0)] {
            let dir = root.join(format!("rfkill{n}"));
            fs::create_dir_all(&dir).unwrap();
            for (file, value) in [
                ("type", kind.to_owned()),
                ("soft", soft.to_string()),
                ("hard", hard.to_string()),
                ("name", format!("phy{n}")),
            ] {
                fs::write(dir.join(file), value + "\n").unwrap();
            }
        }
        assert_eq!(rfkill(&root), [("phy1".to_owned(), "software"), ("phy2".to_owned(), HARD)]);
        fs::remove_dir_all(&root).unwrap();
        assert_eq!(rfkill(&root), []);
    }

    #[test]
    fn memory_is_read() {
        assert_eq!(available("MemTotal: 64 kB\nMemAvailable:      37 kB\n"), Some(37 * 1024));
        assert_eq!(available("MemTotal: 64 kB\n"), None);
    }
}
