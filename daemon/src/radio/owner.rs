//! Which other program looks after an interface of a radio.
//!
//! There is no one place to ask. Each of the usual programs leaves a trace of its own: a file in
//! `/run`, a socket named after the interface, its command line.

use mesh_core::sorted::SortedSet;
use std::fs;
use std::path::Path;

/// The program that owns an interface, in words; `None` if none of those known here does.
/// `root` is `/`.
pub fn owner(root: &Path, name: &str, ifindex: u32) -> Option<String> {
    // NetworkManager keeps a file for each device that says whether it manages it.
    let device = fs::read_to_string(root.join(format!("run/NetworkManager/devices/{ifindex}")));
    if device.is_ok_and(|text| text.lines().any(|l| l.trim() == "managed=true")) {
        return Some("NetworkManager".to_owned());
    }
    for program in ["hostapd", "wpa_supplicant"] {
        for run in ["run", "var/run"] {
            if root.join(run).join(program).join(name).exists() {
                return Some(program.to_owned());
            }
        }
    }
    programs(root).find_map(|words| {
        let program = Path::new(words.first()?).file_name()?.to_str()?.to_owned();
        let names_it = || {
            let mut words = words.iter().skip(1);
            words.any(|w| w == name || w.strip_prefix("-i").is_some_and(|i| i == name))
        };
        match program.as_str() {
            // These look after every radio that they find.
            "iwd" | "connmand" => Some(program),
            "wpa_supplicant" | "hostapd" if names_it() => Some(program),
            _ => None,
        }
    })
}

/// True if OpenWrt's netifd looks after a radio: it is configured there and not switched off.
/// `root` is `/`.
pub fn netifd_owns(root: &Path, phy: &str) -> bool {
    let Ok(text) = fs::read_to_string(root.join("etc/config/wireless")) else { return false };
    // Which section means which radio is told by a path in sysfs, or by the number in its name.
    let sysfs = fs::canonicalize(root.join("sys/class/ieee80211").join(phy).join("device"));
    let device = sysfs.ok().map(|p| p.to_string_lossy().into_owned());
    uci_sections(&text).into_iter().filter(|s| s.kind == "wifi-device").any(|section| {
        let option = |key: &str| section.options.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str());
        let here = match (option("path"), option("phy"), &device) {
            (Some(path), _, Some(device)) => device.ends_with(path),
            (_, Some(named), _) => named == phy,
            _ => section.name.strip_prefix("radio") == phy.strip_prefix("phy"),
        };
        here && option("disabled") != Some("1")
    })
}

struct Section {
    kind: String,
    name: String,
    options: Vec<(String, String)>,
}

/// Sections of a UCI file, as far as it is needed here: `config KIND 'NAME'`, `option KEY 'VALUE'`.
fn uci_sections(text: &str) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let bare = |word: Option<&str>| word.unwrap_or_default().trim_matches(['\'', '"']).to_owned();
        match words.next() {
            Some("config") => {
                sections.push(Section { kind: bare(words.next()), name: bare(words.next()), options: Vec::new() });
            }
            Some("option") => {
                if let Some(section) = sections.last_mut() {
                    section.options.push((bare(words.next()), bare(words.next())));
                }
            }
            _ => {}
        }
    }
    sections
}

/// Command lines of the processes that share our network namespace, or of all where the system
/// does not say which do.
///
/// Whether they do is not asked of `/proc/PID/ns/net`: a node that has given up its rights may
/// not read that. Netlink sockets have numbers of their own on the whole machine, and each
/// namespace lists its own.
fn programs(root: &Path) -> impl Iterator<Item = Vec<String>> {
    let proc = root.join("proc");
    let ours = netlink_sockets(&proc.join("self"));
    let entries = fs::read_dir(&proc).ok().into_iter().flatten().flatten();
    entries.filter_map(move |entry| {
        let dir = entry.path();
        entry.file_name().to_str()?.parse::<u32>().ok()?;
        if let (Some(ours), Some(theirs)) = (&ours, netlink_sockets(&dir))
            && ours.is_disjoint(&theirs)
        {
            return None;
        }
        let words = fs::read(dir.join("cmdline")).ok()?;
        Some(words.split(|b| *b == 0).map(|w| String::from_utf8_lossy(w).into_owned()).collect())
    })
}

/// Numbers of the netlink sockets in the namespace of a process. `None` where they cannot be read.
fn netlink_sockets(process: &Path) -> Option<SortedSet<u64>> {
    let text = fs::read_to_string(process.join("net/netlink")).ok()?;
    let inodes = text.lines().skip(1).filter_map(|line| line.split_whitespace().last()?.parse().ok());
    Some(inodes.filter(|inode| *inode != 0).collect()).filter(|all: &SortedSet<u64>| !all.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, file: &str, text: &str) {
        let path = root.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn traces_of_the_usual_programs() {
        let root = std::env::temp_dir().join(format!("owner-{}", std::process::id()));
        let of = |name: &str, index| owner(&root, name, index);
        write(&root, "run/NetworkManager/devices/3", "[device]\nmanaged=true\n");
        write(&root, "run/NetworkManager/devices/4", "[device]\nmanaged=false\n");
        write(&root, "var/run/hostapd/wlan1", "");
        write(&root, "proc/17/cmdline", "/sbin/wpa_supplicant\0-B\0-iwlan2\0-c\0x\0");
        write(&root, "proc/18/cmdline", "hostapd\0-i\0wlan3\0");
        write(&root, "proc/self/cmdline", "iwd\0");
        assert_eq!(of("wlan0", 3).as_deref(), Some("NetworkManager"));
        assert_eq!(of("wlan0", 4), None);
        assert_eq!(of("wlan1", 5).as_deref(), Some("hostapd"));
        assert_eq!(of("wlan2", 6).as_deref(), Some("wpa_supplicant"));
        assert_eq!(of("wlan3", 7).as_deref(), Some("hostapd"));
        // Of another network namespace, where this socket is not ours.
        let sockets = |inode: u32| format!("sk Eth Pid Groups Inode\n0 0 0 0 0\n1 0 7 0 {inode}\n");
        write(&root, "proc/self/net/netlink", &sockets(5));
        write(&root, "proc/19/cmdline", "/usr/libexec/iwd\0");
        write(&root, "proc/19/net/netlink", &sockets(6));
        assert_eq!(of("wlan0", 4), None);
        write(&root, "proc/19/net/netlink", &sockets(5));
        assert_eq!(of("wlan0", 4).as_deref(), Some("iwd"));
        fs::remove_dir_all(&root).unwrap();
    }

    #[test]
    fn radios_of_a_router() {
        let root = std::env::temp_dir().join(format!("netifd-{}", std::process::id()));
        assert!(!netifd_owns(&root, "phy0"), "no OpenWrt");
        write(
            &root,
            "etc/config/wireless",
            "\nconfig wifi-device 'radio0'\n\toption type 'mac80211'\n\toption disabled '1'\n\n\
             config wifi-device 'radio1'\n\toption type 'mac80211'\n\nconfig wifi-iface 'x'\n\toption device 'radio0'\n",
        );
        assert!(!netifd_owns(&root, "phy0"), "switched off there");
        assert!(netifd_owns(&root, "phy1"));
        assert!(!netifd_owns(&root, "phy2"), "not configured there");
        fs::remove_dir_all(&root).unwrap();
    }
}
