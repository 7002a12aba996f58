//! Names for addresses, from bat-hosts files as batctl reads them: `MAC NAME`, `#` begins a
//! comment.

use packet::MacAddr;
use std::collections::HashMap;
use std::path::PathBuf;

/// Names of addresses, both ways.
#[derive(Debug, Default)]
pub struct Names {
    by_mac: HashMap<MacAddr, String>,
    by_name: HashMap<String, MacAddr>,
}

impl Names {
    /// No names at all.
    pub fn none() -> Self {
        Self::default()
    }

    /// Reads the usual files; those that are not there or not readable are skipped. Later files
    /// win, as in batctl: the system's, the user's, the folder's.
    pub fn load() -> Self {
        let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join("bat-hosts"));
        let files = [Some(PathBuf::from("/etc/bat-hosts")), home, Some(PathBuf::from("bat-hosts"))];
        let mut names = Self::default();
        for text in files.into_iter().flatten().filter_map(|file| std::fs::read_to_string(file).ok()) {
            names.read(&text);
        }
        names
    }

    /// Takes in the text of one file. Lines that are no `MAC NAME` are skipped.
    pub fn read(&mut self, text: &str) {
        for line in text.lines() {
            let line = line.split('#').next().unwrap_or_default();
            let mut words = line.split_whitespace();
            let (Some(mac), Some(name)) = (words.next(), words.next()) else { continue };
            let Ok(mac) = mac.parse::<MacAddr>() else { continue };
            if let Some(old) = self.by_mac.insert(mac, name.to_owned())
                && old != name
            {
                self.by_name.remove(&old);
            }
            if let Some(old) = self.by_name.insert(name.to_owned(), mac)
                && old != mac
            {
                self.by_mac.remove(&old);
            }
        }
    }

    /// The address of a name.
    pub fn mac(&self, name: &str) -> Option<MacAddr> {
        self.by_name.get(name).copied()
    }

    /// The name of an address, if it has one.
    pub fn name(&self, mac: MacAddr) -> Option<&str> {
        self.by_mac.get(&mac).map(String::as_str)
    }

    /// The name of an address, or the address.
    pub fn show(&self, mac: MacAddr) -> String {
        self.name(mac).map_or_else(|| mac.to_string(), str::to_owned)
    }

    /// A line of text with every address in it replaced by its name.
    pub fn replace(&self, line: &str) -> String {
        const LEN: usize = "02:00:00:00:00:01".len();
        if self.by_mac.is_empty() {
            return line.to_owned();
        }
        let mut out = String::with_capacity(line.len());
        let mut rest = line;
        while let Some(first) = rest.chars().next() {
            let name = rest.get(..LEN).and_then(|word| word.parse().ok()).and_then(|mac| self.name(mac));
            let step = if let Some(name) = name {
                out.push_str(name);
                LEN
            } else {
                out.push(first);
                first.len_utf8()
            };
            rest = rest.get(step..).unwrap_or_default();
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mac(last: u8) -> MacAddr {
        MacAddr([2, 0, 0, 0, 0, last])
    }

    #[test]
    fn reads_what_batctl_reads() {
        let mut names = Names::none();
        names.read("# the roof\n02:00:00:00:00:01 roof # north\n\n  02:00:00:00:00:02\tcellar extra\nnonsense\n");
        assert_eq!(names.mac("roof"), Some(mac(1)));
        assert_eq!(names.name(mac(2)), Some("cellar"));
        assert_eq!(names.show(mac(3)), "02:00:00:00:00:03");
        assert_eq!(names.mac("extra"), None);
    }

    #[test]
    fn later_lines_win_and_nothing_stale_is_left() {
        let mut names = Names::none();
        names.read("02:00:00:00:00:01 a\n02:00:00:00:00:01 b\n02:00:00:00:00:02 b\n");
        assert_eq!(names.mac("a"), None);
        assert_eq!(names.mac("b"), Some(mac(2)));
        assert_eq!(names.name(mac(1)), None);
    }

    #[test]
    fn addresses_in_a_line() {
        let mut names = Names::none();
        names.read("02:00:00:00:00:01 roof\n");
        assert_eq!(
            names.replace("02:00:00:00:00:01 > 02:00:00:00:00:02: [ü 02:00:00:00:00:01]"),
            "roof > 02:00:00:00:00:02: [ü roof]"
        );
    }
}
