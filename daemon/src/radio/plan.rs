//! Which radio a mesh gets, and why it cannot have one: decisions, no system calls.

use crate::nl80211::channel::{Width, frequency};
use crate::nl80211::{Channel, Kind, RadioInterface, Wiphy};
use config::{Radio, RadioMode};
use packet::MacAddr;
use std::path::PathBuf;

/// What a radio is to be brought into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Interface to make.
    pub interface: String,
    /// Name of the radio, `None` for the only one that can do it.
    pub phy: Option<String>,
    /// Mesh point or ad-hoc.
    pub mode: RadioMode,
    /// Name of the mesh.
    pub mesh_id: String,
    /// Its channel.
    pub channel: Channel,
    /// Country that the radio is in.
    pub country: Option<String>,
    /// File with the passphrase of a protected mesh.
    pub passphrase_file: Option<PathBuf>,
    /// Address of the ad-hoc network.
    pub bssid: Option<MacAddr>,
}

impl Wanted {
    /// From a checked configuration.
    ///
    /// # Errors
    /// When there is no such channel.
    pub fn new(radio: &Radio) -> Result<Self, String> {
        let freq = frequency(u32::from(radio.channel));
        let width = Width::of_mhz(u32::from(radio.width));
        let channel = freq.zip(width).map(|(freq, width)| Channel { freq, width });
        let Some(channel) = channel.filter(|c| c.center().is_some()) else {
            return Err(format!("there is no channel {} that is {} MHz wide", radio.channel, radio.width));
        };
        Ok(Self {
            interface: radio.interface.clone(),
            phy: radio.phy.clone(),
            mode: radio.mode,
            mesh_id: radio.mesh_id.clone(),
            channel,
            country: radio.country.clone(),
            passphrase_file: radio.passphrase_file.clone(),
            bssid: radio.bssid,
        })
    }

    /// What its interface is.
    pub const fn kind(&self) -> Kind {
        match self.mode {
            RadioMode::Mesh => Kind::MeshPoint,
            RadioMode::AdHoc => Kind::AdHoc,
        }
    }
}

/// One interface of a radio, as far as it stands in the way.
#[derive(Debug, Clone)]
pub struct Neighbor<'a> {
    /// The interface.
    pub interface: &'a RadioInterface,
    /// It is set up.
    pub up: bool,
    /// Program that owns it, in words.
    pub owner: Option<String>,
}

/// The radio for it, or why there is none, as a sentence for people.
///
/// # Errors
/// Names the radio that was asked for and is not there, or says that there is a choice.
pub fn choose<'w>(wanted: &Wanted, radios: &'w [Wiphy]) -> Result<&'w Wiphy, String> {
    let names = |of: &[&Wiphy]| of.iter().map(|w| w.name.as_str()).collect::<Vec<_>>().join(", ");
    let all: Vec<&Wiphy> = radios.iter().collect();
    if let Some(phy) = &wanted.phy {
        return radios.iter().find(|w| w.name == *phy).ok_or_else(|| match all.as_slice() {
            [] => format!("there is no radio {phy}, nor any other"),
            all => format!("there is no radio {phy}; there is {}", names(all)),
        });
    }
    let able: Vec<&Wiphy> =
        radios.iter().filter(|w| w.can(wanted.kind()) && w.refusal(wanted.channel).is_none()).collect();
    match (able.as_slice(), radios) {
        ([one], _) => Ok(one),
        ([], [one]) => Ok(one),
        ([], []) => Err("there is no radio".to_owned()),
        ([], _) => Err(format!("none of the radios {} can do that on {}", names(&all), wanted.channel)),
        _ => Err(format!("there are several radios, {}; say which one with phy = \"NAME\"", names(&able))),
    }
}

/// Why a radio cannot be brought into the mesh, as a sentence for people; `None` if it can.
/// `others` are its interfaces but the wanted one.
pub fn refusal(wanted: &Wanted, radio: &Wiphy, others: &[Neighbor<'_>], country: Option<&str>) -> Option<String> {
    let (name, channel) = (&radio.name, wanted.channel);
    let kind = match wanted.mode {
        RadioMode::Mesh => "a mesh point of 802.11s",
        RadioMode::AdHoc => "ad-hoc (IBSS)",
    };
    if !radio.can(wanted.kind()) {
        return Some(format!("the driver of {name} cannot do {kind}"));
    }
    if country.is_none() {
        return Some(format!(
            "the country of {name} is not known, and each has its own channels; say it with --country DE, with \
             country = \"DE\" in the [[radio]], or with \"iw reg set DE\""
        ));
    }
    if let Some(why) = radio.refusal(channel) {
        return Some(format!("{channel} cannot be used: {why}"));
    }
    for other in others {
        let i = other.interface;
        if let Some(owner) = &other.owner {
            return Some(format!("{owner} owns {} of {name}; it is left alone", i.name));
        }
        if let Some(freq) = i.freq.filter(|f| other.up && *f != channel.freq && i.kind != MONITOR) {
            let what = match i.kind {
                Kind::AccessPoint => "serves an access point",
                Kind::Station => "is connected to an access point",
                Kind::MeshPoint => "is in a mesh",
                Kind::AdHoc => "is in an ad-hoc network",
                Kind::Other(_) => "is in use",
            };
            let there = Channel { freq, width: Width::W20 };
            if !radio.fits(&[i.kind, wanted.kind()], 2) {
                return Some(format!(
                    "{} {what} on {there}, and {name} can be on one channel at a time; that is not changed unasked. \
                     Use {there} for the mesh, or another radio",
                    i.name
                ));
            }
        }
    }
    let mut kinds: Vec<Kind> = others.iter().filter(|o| o.up).map(|o| o.interface.kind).collect();
    let busy: Vec<&str> = others.iter().filter(|o| o.up).map(|o| o.interface.name.as_str()).collect();
    kinds.push(wanted.kind());
    if !busy.is_empty() && !radio.fits(&kinds, 1) {
        return Some(format!(
            "{name} cannot serve a mesh beside {}; set that down first: ip link set {} down",
            busy.join(", "),
            busy.first().unwrap_or(&"")
        ));
    }
    None
}

const MONITOR: Kind = Kind::Other(6);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nl80211::wiphy::{ChannelInfo, Combination};

    fn radio(name: &str) -> Wiphy {
        let info = ChannelInfo { widest: Some(Width::W40), ..ChannelInfo::default() };
        Wiphy {
            name: name.to_owned(),
            kinds: vec![2, 3, 7],
            channels: [(2412, info), (2437, info)].into(),
            combinations: vec![Combination { limits: vec![(2, vec![2, 3, 7])], most: 2, channels: 1 }],
            ..Wiphy::default()
        }
    }

    fn wanted() -> Wanted {
        Wanted::new(&Radio::new("wmesh0", "lab", 6)).unwrap()
    }

    fn interface(kind: Kind, freq: Option<u32>) -> RadioInterface {
        RadioInterface {
            ifindex: 3,
            name: "wlan0".to_owned(),
            wiphy: 0,
            kind,
            mac: MacAddr::ZERO,
            freq,
            width: None,
            center_freq: None,
            ssid: None,
        }
    }

    fn refused(others: &[Neighbor<'_>]) -> String {
        refusal(&wanted(), &radio("phy0"), others, Some("DE")).unwrap_or_default()
    }

    #[test]
    fn what_stands_in_the_way() {
        let free = interface(Kind::Station, None);
        let ap = interface(Kind::AccessPoint, Some(2412));
        let same = interface(Kind::AccessPoint, Some(2437));
        let other = |interface, up, owner: Option<&str>| Neighbor { interface, up, owner: owner.map(str::to_owned) };
        assert_eq!(refused(&[]), "");
        assert_eq!(refused(&[other(&free, true, None)]), "");
        assert_eq!(refused(&[other(&same, true, None)]), "", "beside it, on its channel");
        let text = refused(&[other(&ap, true, None)]);
        assert!(text.contains("wlan0 serves an access point on channel 1"), "{text}");
        assert!(refused(&[other(&free, false, Some("NetworkManager"))]).starts_with("NetworkManager owns wlan0"));
        let two = [other(&free, true, None), other(&same, true, None)];
        assert!(refused(&two).contains("cannot serve a mesh beside wlan0"));
    }

    #[test]
    fn what_the_radio_cannot() {
        let mut wanted = wanted();
        let say = |wanted: &Wanted, country| refusal(wanted, &radio("phy0"), &[], country).unwrap_or_default();
        assert!(say(&wanted, None).contains("country"));
        wanted.channel.freq = 2472;
        assert!(say(&wanted, Some("DE")).contains("no such channel"));
        wanted.mode = RadioMode::AdHoc;
        assert!(say(&wanted, Some("DE")).contains("cannot do ad-hoc"));
        assert!(Wanted::new(&Radio { width: 80, ..Radio::new("w", "x", 6) }).is_err());
    }

    #[test]
    fn which_radio() {
        let (a, b) = (radio("phy0"), Wiphy { name: "phy1".into(), ..Wiphy::default() });
        let mut wanted = wanted();
        assert_eq!(choose(&wanted, &[a.clone(), b.clone()]).unwrap().name, "phy0", "the only one that can");
        assert!(choose(&wanted, &[a.clone(), radio("phy2")]).unwrap_err().contains("say which one"));
        assert!(choose(&wanted, &[]).is_err());
        wanted.phy = Some("phy1".to_owned());
        assert_eq!(choose(&wanted, &[a.clone(), b]).unwrap().name, "phy1");
        assert!(choose(&wanted, &[a]).unwrap_err().contains("there is phy0"));
    }
}
