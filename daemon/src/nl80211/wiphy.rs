//! Radios: what they can do.

use super::channel::{Channel, Width};
use super::consts::{attr, band, cmd, combination, freq};
use super::interface::Kind;
use crate::netlink::GenericSocket;
use crate::netlink::generic::text;
use crate::netlink::message::{attrs, u32_at};
use mesh_core::sorted::SortedMap;
use std::io;

/// A radio.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wiphy {
    /// Its number.
    pub index: u32,
    /// Its name, `phy0`.
    pub name: String,
    /// Numbers of the interface types it can have.
    pub kinds: Vec<u32>,
    /// Those of them that cost it nothing, such as monitors.
    pub software_kinds: Vec<u32>,
    /// Its channels, by frequency in MHz.
    pub channels: SortedMap<u32, ChannelInfo>,
    /// Which interfaces it can serve at the same time.
    pub combinations: Vec<Combination>,
}

/// What may be done on 20 MHz of a band.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ChannelInfo {
    /// Not allowed here, or beyond the hardware.
    pub disabled: bool,
    /// Only for those who hear somebody else there first.
    pub no_ir: bool,
    /// Shared with radars: one has to listen for a minute first.
    pub radar: bool,
    /// Widest channel that the rules allow around it; the hardware may do less.
    pub widest: Option<Width>,
}

/// Interfaces that a radio can serve at the same time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Combination {
    /// So many of these types.
    pub limits: Vec<(u32, Vec<u32>)>,
    /// So many in all.
    pub most: u32,
    /// On so many channels.
    pub channels: u32,
}

/// All radios in this network namespace.
///
/// # Errors
/// What the kernel answers.
pub fn wiphys(socket: &mut GenericSocket) -> io::Result<Vec<Wiphy>> {
    let mut all: SortedMap<u32, Wiphy> = SortedMap::new();
    // In parts: what newer radios can do does not fit one message.
    let message = socket.dump_message(cmd::GET_WIPHY).attr(attr::SPLIT_WIPHY_DUMP, &[]);
    socket.ask(message, |_, attributes| {
        let index = attrs(attributes).find(|(kind, _)| *kind == attr::WIPHY).and_then(|(_, v)| u32_at(v, 0));
        if let Some(index) = index {
            all.entry(index).or_insert_with(|| Wiphy { index, ..Wiphy::default() }).add(attributes);
        }
    })?;
    Ok(all.into_values().collect())
}

impl Wiphy {
    /// Takes one part of the description in.
    fn add(&mut self, attributes: &[u8]) {
        for (kind, value) in attrs(attributes) {
            match kind {
                attr::WIPHY_NAME => self.name = text(value),
                attr::SUPPORTED_IFTYPES => self.kinds = types(value),
                attr::SOFTWARE_IFTYPES => self.software_kinds = types(value),
                attr::WIPHY_BANDS => attrs(value).for_each(|(_, band)| self.add_band(band)),
                attr::INTERFACE_COMBINATIONS => {
                    self.combinations = attrs(value).map(|(_, c)| Combination::parse(c)).collect()
                }
                _ => {}
            }
        }
    }

    fn add_band(&mut self, bytes: &[u8]) {
        for (_, frequency) in attrs(bytes).filter(|(kind, _)| *kind == band::FREQS).flat_map(|(_, v)| attrs(v)) {
            let (mut mhz, mut info) = (0, ChannelInfo::default());
            let (mut above, mut below, mut w80, mut w160) = (true, true, true, true);
            for (kind, value) in attrs(frequency) {
                match kind {
                    freq::FREQ => mhz = u32_at(value, 0).unwrap_or(0),
                    freq::DISABLED => info.disabled = true,
                    freq::NO_IR => info.no_ir = true,
                    freq::RADAR => info.radar = true,
                    freq::NO_HT40_PLUS => above = false,
                    freq::NO_HT40_MINUS => below = false,
                    freq::NO_80MHZ => w80 = false,
                    freq::NO_160MHZ => w160 = false,
                    _ => {}
                }
            }
            info.widest = match (above || below, w80, w160) {
                _ if info.disabled => None,
                (true, true, true) => Some(Width::W160),
                (true, true, false) => Some(Width::W80),
                (true, false, _) => Some(Width::W40),
                (false, ..) => Some(Width::W20),
            };
            if mhz != 0 {
                self.channels.insert(mhz, info);
            }
        }
    }

    /// Can have an interface of this kind.
    pub fn can(&self, kind: Kind) -> bool {
        self.kinds.contains(&kind.number())
    }

    /// Why nobody may begin to send on a channel, as the end of a sentence; `None` if one may.
    pub fn refusal(&self, channel: Channel) -> Option<&'static str> {
        let Some(info) = self.channels.get(&channel.freq) else {
            return Some("the radio has no such channel");
        };
        if info.disabled {
            Some("it is not allowed in this country, or the radio cannot do it")
        } else if info.radar {
            Some("it is shared with radars; a mesh would have to listen for a minute first, which is not supported")
        } else if info.no_ir {
            Some("without a known country nobody may begin to send there")
        } else if channel.center().is_none() || info.widest.is_none_or(|w| w < channel.width) {
            Some("it cannot be that wide there")
        } else {
            None
        }
    }

    /// Can serve interfaces of these kinds at the same time, on so many channels.
    pub fn fits(&self, kinds: &[Kind], channels: u32) -> bool {
        let mut count: SortedMap<u32, u32> = SortedMap::new();
        for kind in kinds.iter().map(|k| k.number()).filter(|k| !self.software_kinds.contains(k)) {
            *count.entry(kind).or_default() += 1;
        }
        if count.values().sum::<u32>() <= 1 {
            return true;
        }
        self.combinations.iter().any(|c| c.fits(&count, channels))
    }
}

impl Combination {
    fn parse(bytes: &[u8]) -> Self {
        let mut combination = Self::default();
        for (kind, value) in attrs(bytes) {
            match kind {
                combination::MAXNUM => combination.most = u32_at(value, 0).unwrap_or(0),
                combination::NUM_CHANNELS => combination.channels = u32_at(value, 0).unwrap_or(0),
                combination::LIMITS => {
                    combination.limits = attrs(value)
                        .map(|(_, limit)| {
                            let (mut most, mut kinds) = (0, Vec::new());
                            for (kind, value) in attrs(limit) {
                                match kind {
                                    combination::LIMIT_MAX => most = u32_at(value, 0).unwrap_or(0),
                                    combination::LIMIT_TYPES => kinds = types(value),
                                    _ => {}
                                }
                            }
                            (most, kinds)
                        })
                        .collect();
                }
                _ => {}
            }
        }
        combination
    }

    /// As the kernel counts: every limit that names a type pays for all interfaces of the type.
    fn fits(&self, count: &SortedMap<u32, u32>, channels: u32) -> bool {
        if count.values().sum::<u32>() > self.most || channels > self.channels {
            return false;
        }
        let mut left = self.limits.clone();
        count.iter().all(|(kind, number)| {
            let mut named = false;
            let paid = left.iter_mut().filter(|(_, kinds)| kinds.contains(kind)).all(|(most, _)| {
                named = true;
                most.checked_sub(*number).map(|rest| *most = rest).is_some()
            });
            named && paid
        })
    }
}

/// Interface types as the kernel lists them: an empty attribute for each, its type the number.
fn types(value: &[u8]) -> Vec<u32> {
    attrs(value).map(|(kind, _)| u32::from(kind)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::message::{HEADER_LEN, Message};

    fn radio() -> Wiphy {
        let flags = |m: Message, kinds: &[u16]| kinds.iter().fold(m, |m, k| m.attr(*k, &[]));
        let mhz = |m: Message, mhz: u32| m.attr(freq::FREQ, &mhz.to_ne_bytes());
        let bytes = Message::new(0, 0)
            .text(attr::WIPHY_NAME, "phy3")
            .nest(attr::SUPPORTED_IFTYPES, |m| flags(m, &[1, 2, 3, 6, 7]))
            .nest(attr::SOFTWARE_IFTYPES, |m| flags(m, &[4, 6]))
            .nest(attr::WIPHY_BANDS, |m| {
                m.nest(0, |m| {
                    m.nest(band::FREQS, |m| {
                        m.nest(0, |m| flags(mhz(m, 2412), &[freq::NO_HT40_MINUS, freq::NO_80MHZ]))
                            .nest(1, |m| flags(mhz(m, 2484), &[freq::DISABLED]))
                            .nest(2, |m| flags(mhz(m, 5180), &[freq::NO_IR]))
                            .nest(3, |m| flags(mhz(m, 5260), &[freq::RADAR]))
                            .nest(4, |m| flags(mhz(m, 5745), &[freq::NO_160MHZ]))
                    })
                })
            })
            .nest(attr::INTERFACE_COMBINATIONS, |m| {
                m.nest(1, |m| {
                    m.nest(combination::LIMITS, |m| {
                        m.nest(1, |m| {
                            m.attr(combination::LIMIT_MAX, &1u32.to_ne_bytes())
                                .nest(combination::LIMIT_TYPES, |m| flags(m, &[2]))
                        })
                        .nest(2, |m| {
                            m.attr(combination::LIMIT_MAX, &2u32.to_ne_bytes())
                                .nest(combination::LIMIT_TYPES, |m| flags(m, &[3, 7]))
                        })
                    })
                    .attr(combination::MAXNUM, &3u32.to_ne_bytes())
                    .attr(combination::NUM_CHANNELS, &1u32.to_ne_bytes())
                })
            })
            .finish(0);
        let mut radio = Wiphy::default();
        radio.add(&bytes[HEADER_LEN..]);
        radio
    }

    #[test]
    fn channels_and_why_not() {
        let radio = radio();
        assert_eq!(radio.name, "phy3");
        assert!(radio.can(Kind::MeshPoint) && !radio.can(Kind::Other(5)));
        let refusal = |freq, width| radio.refusal(Channel { freq, width }).unwrap_or_default();
        assert_eq!(refusal(2412, Width::W20), "");
        assert_eq!(refusal(2412, Width::W40), "");
        assert!(refusal(2412, Width::W80).contains("wide"));
        assert!(refusal(2484, Width::W20).contains("not allowed"));
        assert!(refusal(5180, Width::W20).contains("country"));
        assert!(refusal(5260, Width::W20).contains("radar"));
        assert_eq!(refusal(5745, Width::W80), "");
        assert!(refusal(5745, Width::W160).contains("wide"));
        assert!(refusal(2437, Width::W20).contains("no such channel"));
    }

    #[test]
    fn what_fits_on_one_radio() {
        let radio = radio();
        let (station, ap, mesh, adhoc) = (Kind::Station, Kind::AccessPoint, Kind::MeshPoint, Kind::AdHoc);
        assert!(radio.fits(&[adhoc], 1), "one of anything always does");
        assert!(radio.fits(&[ap, mesh], 1));
        assert!(!radio.fits(&[ap, mesh], 2), "one channel only");
        assert!(radio.fits(&[station, ap, mesh], 1));
        assert!(!radio.fits(&[ap, mesh, mesh], 1));
        assert!(!radio.fits(&[adhoc, ap], 1), "no limit names it");
        assert!(radio.fits(&[mesh, Kind::Other(6)], 1), "a monitor costs nothing");
    }
}
