//! What a community bakes into its images: the mesh that a freshly flashed router joins by itself.

use crate::error::{Errors, Place, Problem};
use crate::raw::{self, Setting, Table};
use crate::{Algorithm, check, suggest};
use std::path::Path;

/// Where the file is.
pub const COMMUNITY_FILE: &str = "/etc/meshwork/community.toml";
/// Most channels: one for each radio that a router may have.
const MAX_CHANNELS: usize = 4;

/// A community's mesh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Community {
    /// By which its nodes agree on addresses; 1 to 32 bytes.
    pub name: String,
    /// What its radios call it; 1 to 32 bytes. The name, unless said otherwise.
    pub mesh_id: String,
    /// Its channels, at most one in each band.
    pub channels: Vec<u8>,
    /// Width of a channel in MHz.
    pub width: u8,
    /// Where it is; none where the routers know by themselves.
    pub country: Option<String>,
    /// Its passphrase; an open mesh has none.
    pub passphrase: Option<String>,
    /// Which routing algorithm its nodes run.
    pub algorithm: Algorithm,
    /// Name of the access point that every node has for phones; without it there is none.
    pub access_point: Option<String>,
    /// IPv4 network of the whole mesh, where it is not that of its name.
    pub network: Option<String>,
}

/// Settings, and what may stand there.
const KEYS: &[(&str, &str)] = &[
    ("name", "1 to 32 bytes"),
    ("mesh_id", "1 to 32 bytes"),
    ("channels", "a list of channels, at most one below 15 and one above, like [6, 36]"),
    ("width", "20, 40, 80 or 160"),
    ("country", "two capital letters, like \"DE\""),
    ("passphrase", "8 to 63 printable characters"),
    ("algorithm", "\"auto\", \"IV\" or \"V\""),
    ("access_point", "1 to 32 bytes"),
    ("network", "a private network of 8 to 21 bits, like \"10.64.0.0/12\""),
];

impl Community {
    /// Reads the file; `None` if there is none.
    ///
    /// # Errors
    /// It cannot be read, or something in it is wrong: everything that is, with its line.
    pub fn load(path: &Path) -> Result<Option<Self>, crate::LoadError> {
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(&path.to_string_lossy(), &text).map(Some).map_err(crate::LoadError::Bad),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(crate::LoadError::Read(path.to_owned(), e)),
        }
    }

    /// Reads the text of a file called `file`.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn parse(file: &str, text: &str) -> Result<Self, Errors> {
        let table = raw::from_toml(text).map_err(|e| {
            let problem = Problem {
                place: Place::File(e.span),
                key: String::new(),
                text: format!("not readable as TOML: {}", e.text),
            };
            Errors::new(file, text, vec![problem])
        })?;
        Self::check(&table).map_err(|problems| Errors::new(file, text, problems))
    }

    fn check(table: &Table) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut found = Self {
            name: String::new(),
            mesh_id: String::new(),
            channels: vec![1, 36],
            width: 20,
            country: None,
            passphrase: None,
            algorithm: Algorithm::Auto,
            access_point: None,
            network: None,
        };
        for (key, value) in &table.0 {
            let name = key.get_ref().as_str();
            let place = Place::File(value.span());
            let Some((_, allowed)) = KEYS.iter().find(|(known, _)| *known == name) else {
                let near = suggest::closest(name, KEYS.iter().map(|(known, _)| *known));
                let hint = near.map_or(String::new(), |near| format!("; did you mean {near:?}?"));
                let place = Place::File(key.span());
                problems.push(Problem { place, key: name.to_owned(), text: format!("unknown setting{hint}") });
                continue;
            };
            if found.take(name, value.get_ref()).is_none() {
                let text = format!("found {}, allowed: {allowed}", value.get_ref());
                problems.push(Problem { place, key: name.to_owned(), text });
            }
        }
        if found.name.is_empty() && problems.is_empty() {
            let text = "has no name, by which its nodes agree on addresses".to_owned();
            problems.push(Problem { place: Place::File(0..0), key: "name".to_owned(), text });
        }
        if found.mesh_id.is_empty() {
            found.mesh_id.clone_from(&found.name);
        }
        if problems.is_empty() { Ok(found) } else { Err(problems) }
    }

    /// Takes one setting in; `None` if it makes no sense.
    fn take(&mut self, name: &str, value: &Setting) -> Option<()> {
        let text = |range: std::ops::RangeInclusive<usize>| {
            check::word(value).filter(|t| range.contains(&t.len()) && !t.chars().any(char::is_control))
        };
        match name {
            "name" => self.name = text(1..=32)?,
            "mesh_id" => self.mesh_id = text(1..=32)?,
            "access_point" => self.access_point = Some(text(1..=32)?),
            "passphrase" => {
                let phrase = text(8..=63)?;
                self.passphrase = Some(phrase.is_ascii().then_some(phrase)?);
            }
            "country" => {
                let country = text(2..=2)?;
                self.country = Some(country.bytes().all(|b| b.is_ascii_uppercase()).then_some(country)?);
            }
            "algorithm" => {
                self.algorithm = {
                    let word = text(1..=4)?;
                    Algorithm::ALL.iter().copied().find(|a| a.name() == word)?
                }
            }
            "network" => self.network = Some(text(9..=18).filter(|t| crate::uci::home::network(t))?),
            "width" => {
                let width = small(value);
                self.width = width.filter(|w| crate::radio::WIDTHS.contains(w))?;
            }
            _ => {
                let Setting::List(items) = value else { return None };
                let one = |item: &Setting| small(item).filter(|n| good(*n));
                let all: Vec<u8> = items.iter().map(|item| one(item.get_ref())).collect::<Option<_>>()?;
                let low = all.iter().filter(|n| **n < 15).count();
                let fits = (1..=MAX_CHANNELS).contains(&all.len()) && low <= 1 && all.len() - low <= 1;
                self.channels = fits.then_some(all)?;
            }
        }
        Some(())
    }
}

fn small(value: &Setting) -> Option<u8> {
    if let Setting::Integer(n) = value { u8::try_from(*n).ok() } else { None }
}

/// Channels of 2.4 and 5 GHz.
fn good(channel: u8) -> bool {
    matches!(channel, 1..=14 | 32..=177)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_file_and_the_shortest() {
        let all = "name = \"town\"\nmesh_id = \"town-mesh\"\nchannels = [6, 36]\nwidth = 40\ncountry = \"DE\"\n\
                   passphrase = \"correct horse\"\nalgorithm = \"IV\"\naccess_point = \"town\"\nnetwork = \"10.80.0.0/12\"\n";
        let c = Community::parse("c", all).unwrap();
        assert_eq!((c.mesh_id.as_str(), c.channels.as_slice(), c.width), ("town-mesh", &[6, 36][..], 40));
        assert_eq!((c.algorithm, c.country.as_deref()), (Algorithm::Iv, Some("DE")));
        let short = Community::parse("c", "name = \"town\"\n").unwrap();
        assert_eq!((short.mesh_id.as_str(), short.passphrase), ("town", None));
        assert_eq!(short.channels, [1, 36]);
    }

    #[test]
    fn the_example_is_good() {
        let c = Community::parse("example", include_str!("../../openwrt/community.example.toml")).unwrap();
        assert_eq!((c.name.as_str(), c.country.as_deref()), ("our-town", Some("DE")));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, words) in [
            ("", "has no name"),
            ("name = \"\"\n", "name: found \"\""),
            ("name = \"town\"\nchannels = [1, 6]\n", "at most one below 15"),
            ("name = \"town\"\nchannels = [20]\n", "channels: found"),
            ("name = \"town\"\nchannels = 6\n", "channels: found 6"),
            ("name = \"town\"\ncountry = \"de\"\n", "two capital letters"),
            ("name = \"town\"\npassphrase = \"short\"\n", "8 to 63"),
            ("name = \"town\"\nwidth = 30\n", "20, 40, 80 or 160"),
            ("name = \"town\"\nalgorithm = \"VI\"\n", "\"IV\" or \"V\""),
            ("name = \"town\"\nnetwork = \"10.64.0.1/12\"\n", "10.64.0.0/12"),
            ("name = \"town\"\nchanels = [1]\n", "did you mean \"channels\""),
            ("name = \"town\nwidth = 20", "not readable"),
        ] {
            let error = Community::parse("community.toml", text).unwrap_err().to_string();
            assert!(error.contains(words), "{error} should contain {words}");
        }
    }
}
