//! Settings of gateways: Internet for others, or from others.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use packet::MacAddr;

/// Internet for others, or from others. Rates in units of 100 kbit/s.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gateway {
    /// What to do.
    pub mode: Mode,
    /// Offered towards clients.
    pub download: u32,
    /// Offered towards the Internet.
    pub upload: u32,
    /// Selection class of B.A.T.M.A.N. IV, 1 to 255.
    pub class: u8,
    /// V: throughput that another gateway must give more to be taken.
    pub advantage: u32,
    /// The only gateways to choose from; empty for all.
    pub allowed: Vec<MacAddr>,
    /// Offers beyond this are not believed.
    pub plausible: u32,
    /// As a client: router advertisements from the selected gateway only.
    pub router_advertisements: bool,
    /// DHCP answers and router advertisements from gateways only.
    pub guard: bool,
    /// Who must be reachable on the Internet; empty to check nothing.
    pub check: Vec<Target>,
    /// Time between two rounds, 1 s to 1 h.
    pub check_interval: Duration,
    /// So many targets must answer.
    pub check_needed: usize,
    /// So many rounds in a row change our mind.
    pub check_rounds: u32,
    /// The interface that leads to the Internet, `None` to go by the default route.
    pub check_interface: Option<String>,
    /// As a server: how the line to the Internet is shared.
    pub wan: Wan,
    /// Guests get no more than this from the Internet, `None` for all that is left.
    pub wan_down: Option<u32>,
    /// Guests get no more than this towards the Internet, `None` for all that is left.
    pub wan_up: Option<u32>,
}

/// Whether guests are held to what the owner of the line leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wan {
    /// Yes; the line is that of the default route.
    Auto,
    /// No.
    Off,
    /// Yes; the line is behind this interface.
    Interface(String),
}

impl fmt::Display for Wan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Off => "off",
            Self::Interface(name) => name,
        })
    }
}

/// Most targets of a check.
pub const MAX_TARGETS: usize = 16;
/// Most allowed gateways.
pub const MAX_ALLOWED: usize = 256;

impl Default for Gateway {
    fn default() -> Self {
        Self {
            mode: Mode::Off,
            download: 100,
            upload: 20,
            class: 20,
            advantage: 50,
            allowed: Vec::new(),
            plausible: 100_000,
            router_advertisements: true,
            guard: false,
            check: Vec::new(),
            check_interval: Duration::from_secs(10),
            check_needed: 1,
            check_rounds: 3,
            check_interface: None,
            wan: Wan::Auto,
            wan_down: None,
            wan_up: None,
        }
    }
}

/// What a node does about gateways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Nothing.
    Off,
    /// Choose one.
    Client,
    /// Be one.
    Server,
}

impl Mode {
    /// All of them.
    pub const ALL: &'static [Self] = &[Self::Off, Self::Client, Self::Server];

    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Client => "client",
            Self::Server => "server",
        }
    }
}

/// Somebody on the Internet, and how to ask whether the way there works. Always a number and never
/// a name: who resolves names may be what is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// `ping:9.9.9.9`: an ICMP echo.
    Ping(IpAddr),
    /// `tcp:9.9.9.9:443`: a connection is accepted, or refused by the target itself.
    Tcp(SocketAddr),
    /// `dns:9.9.9.9` or `dns:9.9.9.9:53`: a name server answers.
    Dns(SocketAddr),
}

const DNS_PORT: u16 = 53;

impl FromStr for Target {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (how, whom) = text.split_once(':').ok_or(())?;
        let ip = |text: &str| text.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().map_err(|_| ());
        let socket = || whom.parse::<SocketAddr>().ok().filter(|s| s.port() != 0).ok_or(());
        match how {
            "ping" => ip(whom).map(Self::Ping),
            "tcp" => socket().map(Self::Tcp),
            "dns" => socket().or_else(|()| Ok(SocketAddr::new(ip(whom)?, DNS_PORT))).map(Self::Dns),
            _ => Err(()),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ping(ip) => write!(f, "ping:{ip}"),
            Self::Tcp(to) => write!(f, "tcp:{to}"),
            Self::Dns(to) => write!(f, "dns:{to}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets() {
        for (text, shown) in [
            ("ping:9.9.9.9", "ping:9.9.9.9"),
            ("ping:2620:fe::fe", "ping:2620:fe::fe"),
            ("ping:[2620:fe::fe]", "ping:2620:fe::fe"),
            ("tcp:1.1.1.1:443", "tcp:1.1.1.1:443"),
            ("tcp:[2620:fe::fe]:443", "tcp:[2620:fe::fe]:443"),
            ("dns:9.9.9.9", "dns:9.9.9.9:53"),
            ("dns:9.9.9.9:5353", "dns:9.9.9.9:5353"),
            ("dns:2620:fe::fe", "dns:[2620:fe::fe]:53"),
        ] {
            let target: Target = text.parse().unwrap();
            assert_eq!(target.to_string(), shown);
            assert_eq!(shown.parse(), Ok(target));
        }
        for bad in ["", "9.9.9.9", "ping:", "ping:example.org", "tcp:1.1.1.1", "tcp:1.1.1.1:0", "http:1.1.1.1:80"] {
            assert_eq!(bad.parse::<Target>(), Err(()), "{bad}");
        }
    }
}
