//! What a node's owner decided about upgrades: `/etc/config/meshwork-upgrade`, in OpenWrt's form everywhere.
//!
//! ```text
//! config upgrade 'upgrade'
//!     option enabled '1'
//!     option source 'http://firmware.example.org/stable'
//!     option signers '2'
//!     list key '3d40...660c'
//!     list key '92a0...0c00'
//! ```

use super::fetch::is_address;
use config::uci::parse::{Value, parse};
use std::time::Duration;
use upgrade::{Kind, PublicKey, trial};

/// Settings that hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Look for upgrades without being told.
    pub enabled: bool,
    /// Where manifests and images lie: a folder or a web address.
    pub source: Option<String>,
    /// Which line of releases to follow.
    pub branch: String,
    /// Whom to believe.
    pub keys: Vec<PublicKey>,
    /// How many of them have to have signed.
    pub signers: usize,
    /// What to replace.
    pub kind: Kind,
    /// Take a firmware although nothing leads back from it.
    pub without_way_back: bool,
    /// Time between two looks.
    pub interval: Duration,
    /// How long to wait for a neighbour.
    pub trial: Duration,
    /// How long a new program has to run before a neighbour counts.
    pub settle: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            enabled: false,
            source: None,
            branch: "stable".to_owned(),
            keys: Vec::new(),
            signers: 2,
            kind: Kind::Program,
            without_way_back: false,
            interval: Duration::from_secs(3600),
            trial: trial::TRIAL,
            settle: trial::SETTLE,
        }
    }
}

impl Settings {
    /// Reads the file's text. Whom to believe is nothing to guess at: one mistake refuses the whole.
    ///
    /// # Errors
    /// What is wrong, with its line.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut settings = Self::default();
        let at = |offset: usize| text.get(..offset).unwrap_or_default().lines().count().max(1);
        let (sections, slips) = parse(text);
        if let Some(slip) = slips.first() {
            return Err(format!("line {}: {}", at(slip.span.start), slip.text));
        }
        for section in sections {
            if section.kind.text != "upgrade" {
                return Err(format!(
                    "line {}: found config {}, allowed: config upgrade",
                    at(section.kind.span.end),
                    section.kind.text
                ));
            }
            for (name, value) in &section.options {
                let words: Vec<&str> = match value {
                    Value::One(word) => word.text.split_whitespace().collect(),
                    Value::Many(words) => words.iter().map(|w| w.text.as_str()).collect(),
                };
                settings.set(&name.text, &words).map_err(|allowed| {
                    format!(
                        "line {}: {}: found {:?}, allowed: {allowed}",
                        at(name.span.end),
                        name.text,
                        words.join(" ")
                    )
                })?;
            }
        }
        Ok(settings)
    }

    fn set(&mut self, name: &str, words: &[&str]) -> Result<(), &'static str> {
        let one = if let [word] = words { Some(*word) } else { None };
        let secs = |allowed| {
            one.and_then(|w| w.parse().ok())
                .filter(|n| (1..=604_800).contains(n))
                .map(Duration::from_secs)
                .ok_or(allowed)
        };
        const TIME: &str = "seconds, at most 604800";
        match name {
            "enabled" => self.enabled = switch(one)?,
            "without_way_back" => self.without_way_back = switch(one)?,
            "source" => {
                let usable = |w: &&str| is_address(w) || w.starts_with('/');
                self.source =
                    Some(one.filter(usable).ok_or("http://..., https://... or a folder's full name")?.to_owned());
            }
            "branch" => self.branch = one.ok_or("a word such as stable")?.to_owned(),
            "key" => {
                for word in words {
                    let key = PublicKey::parse(word).ok_or("64 hexadecimal digits, as in the .pub file of a signer")?;
                    if !self.keys.contains(&key) {
                        self.keys.push(key);
                    }
                }
            }
            "signers" => {
                let number = one.and_then(|w| w.parse().ok()).filter(|n| (1..=32).contains(n));
                self.signers = number.ok_or("a number from 1 to 32")?;
            }
            "kind" => self.kind = one.and_then(Kind::parse).ok_or("program or firmware")?,
            "interval" => self.interval = secs(TIME)?,
            "trial" => self.trial = secs(TIME)?,
            "settle" => self.settle = secs(TIME)?,
            _ => {
                return Err(
                    "enabled, source, branch, signers, key, kind, without_way_back, interval, trial, settle as names",
                );
            }
        }
        Ok(())
    }

    /// Whether an upgrade could ever be believed.
    ///
    /// # Errors
    /// What is missing.
    pub fn believable(&self) -> Result<(), String> {
        if self.keys.len() < self.signers {
            return Err(format!(
                "{} of {} signers have to sign an upgrade, so none could be believed: add their keys (list key) or lower signers",
                self.signers,
                self.keys.len()
            ));
        }
        Ok(())
    }
}

fn switch(word: Option<&str>) -> Result<bool, &'static str> {
    match word {
        Some("1" | "on" | "true" | "yes" | "enabled") => Ok(true),
        Some("0" | "off" | "false" | "no" | "disabled") => Ok(false),
        _ => Err("1 or 0"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";

    #[test]
    fn what_is_written_holds() {
        let text = format!(
            "config upgrade 'upgrade'\n\toption enabled '1'\n\toption source 'http://x/y'\n\toption signers '1'\n\tlist key '{KEY}'\n\tlist key '{KEY}'\n\toption kind firmware\n\toption trial 20\n"
        );
        let settings = Settings::parse(&text).unwrap();
        assert!(settings.enabled && settings.believable().is_ok());
        assert_eq!((settings.keys.len(), settings.kind), (1, Kind::Firmware));
        assert_eq!((settings.source.as_deref(), settings.trial.as_secs()), (Some("http://x/y"), 20));
        assert!(Settings { signers: 2, ..settings }.believable().is_err(), "a key said twice is one signer");
        assert_eq!(Settings::parse("").unwrap(), Settings::default());
    }

    #[test]
    fn one_mistake_refuses_all_of_it() {
        for (option, word) in [
            ("list key 'abc'", "line 2: key: found \"abc\", allowed: 64 hex"),
            ("option signers '0'", "a number from 1"),
            ("option source 'ftp://x'", "http://"),
            ("option source '-O/etc/passwd'", "http://"),
            ("option enabled 'maybe'", "1 or 0"),
            ("option singers '1'", "signers"),
            ("option trial '0'", "seconds"),
            ("option branch 'a", "never closed"),
        ] {
            let error = Settings::parse(&format!("config upgrade\n\t{option}\n")).unwrap_err();
            assert!(error.contains(word), "{option}: {error}");
        }
        assert!(Settings::parse("config mesh\n").unwrap_err().contains("config upgrade"));
    }
}
