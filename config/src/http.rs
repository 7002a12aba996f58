//! Settings of the status endpoint: where it listens, and who may see what.

use crate::checked::check_interface;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

/// The status endpoint over TCP. The unix socket beside the control socket is there in any case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http {
    /// Where to listen; empty for nowhere.
    pub listen: Vec<Listen>,
    /// TCP port.
    pub port: u16,
    /// Names that a browser may call the node by, besides its own and all numbers; `*.mesh` stands for all below.
    pub hosts: Vec<String>,
    /// File whose first line is the token that sees all.
    pub token_file: Option<PathBuf>,
    /// Answer map servers that ask by respondd, and ask others while somebody looks at the map.
    pub respondd: bool,
}

/// TCP port of the status endpoint.
pub const PORT: u16 = 4305;
/// Most places to listen at.
pub const MAX_LISTEN: usize = 16;
/// Most names.
pub const MAX_HOSTS: usize = 32;

impl Default for Http {
    fn default() -> Self {
        Self {
            listen: vec![Listen::Localhost, Listen::Mesh],
            port: PORT,
            hosts: Vec::new(),
            token_file: None,
            respondd: true,
        }
    }
}

/// A place to listen at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// 127.0.0.1 and ::1.
    Localhost,
    /// Link-local addresses of the mesh interface, and of the bridge that it is a port of.
    Mesh,
    /// One address.
    Address(IpAddr),
    /// All addresses of an interface.
    Interface(String),
}

impl FromStr for Listen {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "localhost" => Ok(Self::Localhost),
            "mesh" => Ok(Self::Mesh),
            _ => match text.parse() {
                Ok(address) => Ok(Self::Address(address)),
                Err(_) => check_interface(text).map(|()| Self::Interface(text.to_owned())).map_err(|_| ()),
            },
        }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Localhost => f.write_str("localhost"),
            Self::Mesh => f.write_str("mesh"),
            Self::Address(address) => write!(f, "{address}"),
            Self::Interface(name) => f.write_str(name),
        }
    }
}

/// Reads the name of a host, or `*.` and the end of one; `None` if it cannot be one.
pub fn parse_host(text: &str) -> Option<String> {
    let name = text.strip_prefix("*.").unwrap_or(text);
    let label =
        |l: &str| !l.is_empty() && l.len() <= 63 && l.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    (name.len() <= 253 && name.split('.').all(label)).then(|| text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_read_back_as_written() {
        for text in ["localhost", "mesh", "10.1.2.3", "fe80::1", "br-lan"] {
            assert_eq!(text.parse::<Listen>().map(|l| l.to_string()), Ok(text.to_owned()));
        }
        assert_eq!("::1".parse(), Ok(Listen::Address(IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]))));
        for text in ["", "10.1.2.3:80", "a name", "much-too-long-for-one"] {
            assert_eq!(text.parse::<Listen>(), Err(()), "{text}");
        }
    }

    #[test]
    fn names_of_hosts() {
        assert_eq!(parse_host("Roof.mesh").as_deref(), Some("roof.mesh"));
        assert_eq!(parse_host("*.mesh").as_deref(), Some("*.mesh"));
        for text in ["", "*", "*.", "a..b", "a b", "a:80", "http://a", "*.*.mesh"] {
            assert_eq!(parse_host(text), None, "{text}");
        }
    }
}
