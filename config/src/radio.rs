//! Radios that the node brings into a mesh by itself.

use crate::keys::{self, Show};
use packet::MacAddr;
use std::path::PathBuf;

/// A radio, and the mesh that it is brought into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Radio {
    /// Interface to make; a hard interface of the node.
    pub interface: String,
    /// Name of the radio, `None` for the only one.
    pub phy: Option<String>,
    /// How the mesh is built.
    pub mode: RadioMode,
    /// Name of the mesh, 1 to 32 bytes.
    pub mesh_id: String,
    /// Number of its channel.
    pub channel: u8,
    /// Its width in MHz, one of [`WIDTHS`].
    pub width: u8,
    /// Country that the radio is in, `None` to leave it to the system.
    pub country: Option<String>,
    /// Where the passphrase of a protected mesh is; `None` for an open one.
    pub passphrase_file: Option<PathBuf>,
    /// Address of the ad-hoc network, `None` for the first one heard.
    pub bssid: Option<MacAddr>,
}

/// How a mesh of radios is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RadioMode {
    /// Mesh point of 802.11s.
    Mesh,
    /// Ad-hoc, IBSS.
    AdHoc,
}

/// Widths of a channel in MHz.
pub const WIDTHS: [u8; 4] = [20, 40, 80, 160];

impl Radio {
    /// A mesh point on 20 MHz of a channel.
    pub fn new(interface: impl Into<String>, mesh_id: impl Into<String>, channel: u8) -> Self {
        Self {
            interface: interface.into(),
            phy: None,
            mode: RadioMode::Mesh,
            mesh_id: mesh_id.into(),
            channel,
            width: 20,
            country: None,
            passphrase_file: None,
            bssid: None,
        }
    }

    /// Its part of the configuration file.
    pub fn to_toml(&self) -> String {
        let mut text = String::from("[[radio]]\n");
        for key in keys::of("radio") {
            if let Show::Radio(show) = key.show
                && let Some(value) = show(self)
            {
                text.extend([key.name, " = ", &value, "\n"]);
            }
        }
        text
    }
}

impl RadioMode {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mesh => "mesh",
            Self::AdHoc => "adhoc",
        }
    }

    /// The mode of a word.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "mesh" => Some(Self::Mesh),
            "adhoc" => Some(Self::AdHoc),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{Config, Link, Overrides, RadioMode};

    fn parse(text: &str) -> Result<Config, String> {
        Config::parse("test", text, &Overrides::default()).map_err(|e| e.to_string())
    }

    #[test]
    fn a_radio_is_a_hard_interface() {
        let text = "[[radio]]\ninterface = \"wmesh0\"\nmesh_id = \"ff \\\"x\\\"\"\nchannel = 36\nwidth = 80\n\
                    country = \"DE\"\npassphrase_file = \"/etc/mesh.key\"\n[[link]]\ninterface = \"eth0\"\n";
        let config = parse(text).unwrap();
        assert_eq!(config.links, [Link::new("eth0"), Link::new("wmesh0")]);
        let radio = &config.radios[0];
        assert_eq!((radio.mode, radio.channel, radio.width), (RadioMode::Mesh, 36, 80));
        assert_eq!(radio.mesh_id, "ff \"x\"");
        assert_eq!(parse(&config.to_string()).unwrap(), config);
        let adhoc = parse(
            "[[radio]]\ninterface = \"w\"\nmode = \"adhoc\"\nmesh_id = \"x\"\nchannel = 1\nbssid = \"02:00:00:00:00:01\"\n",
        );
        let adhoc = adhoc.unwrap();
        assert_eq!(parse(&adhoc.to_string()).unwrap(), adhoc);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, words) in [
            ("[[radio]]\ninterface = \"w\"\n", "has no mesh_id"),
            ("[radio]\ninterface = \"w\"\n", "two brackets"),
            ("[[radio]]\ninterface = \"w\"\nmesh_id = \"x\"\nchannel = 0\n", "radio.channel: found 0"),
            ("[[radio]]\ninterface = \"w\"\nmesh_id = \"x\"\nchannel = 1\nwidth = 30\n", "20, 40, 80 or 160"),
            ("[[radio]]\ninterface = \"w\"\nmesh_id = \"x\"\nchannel = 1\ncountry = \"de\"\n", "capital letters"),
            (
                "[[radio]]\ninterface = \"w\"\nmesh_id = \"x\"\nchannel = 1\nbssid = \"02:00:00:00:00:01\"\n",
                "only ad-hoc",
            ),
            ("[[radio]]\ninterface = \"w\"\nmesh_id = \"x\"\nchannel = 1\nmodes = \"mesh\"\n", "did you mean \"mode\""),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(words), "{error} should contain {words}");
        }
    }
}
