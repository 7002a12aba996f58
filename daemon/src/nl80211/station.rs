//! Stations: what a driver knows about each neighbour of a radio.

use super::consts::{attr, cmd, rate, sta};
use super::survey::u64_of;
use crate::netlink::GenericSocket;
use crate::netlink::message::{attrs, u16_at, u32_at};
use packet::MacAddr;
use std::io;

/// A neighbour as the driver sees it. What a driver does not tell is `None`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StationInfo {
    /// Its address.
    pub mac: MacAddr,
    /// Throughput of payload that the driver expects, in kbit/s.
    pub expected_throughput_kbit: Option<u32>,
    /// Rate of the last frame sent to it, in units of 100 kbit/s.
    pub tx_bitrate_100kbit: Option<u32>,
    /// Rate of the last frame that came from it, in units of 100 kbit/s.
    pub rx_bitrate_100kbit: Option<u32>,
    /// Strength of its frames in dBm, averaged where the driver does that.
    pub signal_dbm: Option<i8>,
    /// Milliseconds since its last frame.
    pub inactive_ms: Option<u32>,
    /// Frames sent to it, all attempts of a frame counted once.
    pub tx_packets: Option<u32>,
    /// Attempts beyond the first.
    pub tx_retries: Option<u32>,
    /// Frames given up after the last attempt.
    pub tx_failed: Option<u32>,
    /// Bytes sent to it, and received from it; 0 where the driver does not count.
    pub bytes: [u64; 2],
    /// Microseconds of air that they took; 0 where the driver does not count.
    pub air_us: [u64; 2],
    /// 802.11s: how far the peering has come.
    pub peering: Option<PeerState>,
}

/// How far a peering of 802.11s has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerState {
    /// On its way, by any of the steps to an established one.
    Opening,
    /// Frames pass.
    Established,
    /// Being taken down.
    Closing,
    /// Not wanted.
    Blocked,
}

impl StationInfo {
    /// Reads the attributes of a station message.
    pub fn parse(attributes: &[u8]) -> Option<Self> {
        let mut mac = None;
        let mut info = Self::default();
        let (mut average, mut wide) = (None, [None; 2]);
        for (kind, value) in attrs(attributes) {
            match kind {
                attr::MAC => mac = value.try_into().ok().map(MacAddr),
                attr::STA_INFO => {
                    for (kind, value) in attrs(value) {
                        match kind {
                            sta::INACTIVE_TIME => info.inactive_ms = u32_at(value, 0),
                            sta::PLINK_STATE => info.peering = value.first().map(|s| PeerState::of(*s)),
                            sta::SIGNAL => info.signal_dbm = value.first().map(|s| s.cast_signed()),
                            sta::SIGNAL_AVG => average = value.first().map(|s| s.cast_signed()),
                            sta::TX_BITRATE => info.tx_bitrate_100kbit = bitrate(value),
                            sta::RX_BITRATE => info.rx_bitrate_100kbit = bitrate(value),
                            sta::TX_BYTES => info.bytes[0] = u32_at(value, 0).unwrap_or(0).into(),
                            sta::RX_BYTES => info.bytes[1] = u32_at(value, 0).unwrap_or(0).into(),
                            sta::TX_BYTES64 => wide[0] = u64_of(value),
                            sta::RX_BYTES64 => wide[1] = u64_of(value),
                            sta::TX_DURATION => info.air_us[0] = u64_of(value).unwrap_or(0),
                            sta::RX_DURATION => info.air_us[1] = u64_of(value).unwrap_or(0),
                            sta::TX_PACKETS => info.tx_packets = u32_at(value, 0),
                            sta::TX_RETRIES => info.tx_retries = u32_at(value, 0),
                            sta::TX_FAILED => info.tx_failed = u32_at(value, 0),
                            sta::EXPECTED_THROUGHPUT => info.expected_throughput_kbit = u32_at(value, 0),
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        info.mac = mac?;
        // The narrow ones begin anew after 4 GiB.
        info.bytes = [wide[0].unwrap_or(info.bytes[0]), wide[1].unwrap_or(info.bytes[1])];
        // Some drivers tell 0 for an average that they do not keep.
        info.signal_dbm = average.filter(|a| *a != 0).or(info.signal_dbm);
        Some(info)
    }

    /// Frames can be sent to it: a peering of 802.11s is established, other modes have none.
    pub fn usable(&self) -> bool {
        matches!(self.peering, None | Some(PeerState::Established))
    }
}

impl PeerState {
    /// Source: `enum nl80211_plink_state`.
    const fn of(number: u8) -> Self {
        match number {
            4 => Self::Established,
            5 => Self::Closing,
            6 => Self::Blocked,
            _ => Self::Opening,
        }
    }
}

fn bitrate(rate_info: &[u8]) -> Option<u32> {
    let mut narrow = None;
    for (kind, value) in attrs(rate_info) {
        match kind {
            rate::BITRATE32 => return u32_at(value, 0),
            rate::BITRATE => narrow = u16_at(value, 0).map(u32::from),
            _ => {}
        }
    }
    narrow
}

/// All stations of an interface.
///
/// # Errors
/// What the kernel answers, `ENODEV` when the interface is gone or is no radio.
pub fn stations(socket: &mut GenericSocket, ifindex: u32) -> io::Result<Vec<StationInfo>> {
    let mut all = Vec::new();
    let message = socket.dump_message(cmd::GET_STATION).attr(attr::IFINDEX, &ifindex.to_ne_bytes());
    socket.ask(message, |_, attributes| all.extend(StationInfo::parse(attributes)))?;
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::message::{HEADER_LEN, Message};

    #[test]
    fn a_station_is_read() {
        let bytes = Message::new(0, 0)
            .attr(attr::IFINDEX, &[7, 0, 0, 0])
            .attr(attr::MAC, &[2, 0, 0, 0, 0, 9])
            .nest(attr::STA_INFO, |m| {
                m.attr(sta::INACTIVE_TIME, &120u32.to_ne_bytes())
                    .attr(sta::SIGNAL, &[(-61i8).cast_unsigned()])
                    .attr(sta::SIGNAL_AVG, &[(-63i8).cast_unsigned()])
                    .nest(sta::TX_BITRATE, |m| {
                        m.attr(rate::BITRATE, &540u16.to_ne_bytes()).attr(rate::BITRATE32, &70_000u32.to_ne_bytes())
                    })
                    .attr(sta::TX_FAILED, &3u32.to_ne_bytes())
                    .nest(sta::RX_BITRATE, |m| m.attr(rate::BITRATE, &130u16.to_ne_bytes()))
                    .attr(sta::RX_BYTES, &7u32.to_ne_bytes())
                    .attr(sta::TX_BYTES64, &5_000_000_000u64.to_ne_bytes())
                    .attr(sta::TX_BYTES, &705_032_704u32.to_ne_bytes())
                    .attr(sta::TX_DURATION, &30_000u64.to_ne_bytes())
                    .attr(sta::RX_DURATION, &40u64.to_ne_bytes())
                    .attr(sta::PLINK_STATE, &[4])
                    .attr(sta::EXPECTED_THROUGHPUT, &26_500u32.to_ne_bytes())
            })
            .finish(0);
        let station = StationInfo::parse(&bytes[HEADER_LEN..]).unwrap();
        assert_eq!(station.mac, MacAddr([2, 0, 0, 0, 0, 9]));
        assert_eq!((station.inactive_ms, station.signal_dbm, station.tx_failed), (Some(120), Some(-63), Some(3)));
        assert_eq!((station.tx_bitrate_100kbit, station.expected_throughput_kbit), (Some(70_000), Some(26_500)));
        assert_eq!(station.peering, Some(PeerState::Established));
        assert!(station.usable());
        assert_eq!((station.bytes, station.air_us), ([5_000_000_000, 7], [30_000, 40]));
        assert_eq!(station.rx_bitrate_100kbit, Some(130));
    }

    #[test]
    fn what_a_driver_does_not_tell_is_unknown() {
        let bytes = Message::new(0, 0).attr(attr::MAC, &[2, 0, 0, 0, 0, 9]).finish(0);
        let station = StationInfo::parse(&bytes[HEADER_LEN..]).unwrap();
        assert_eq!((station.tx_bitrate_100kbit, station.expected_throughput_kbit), (None, None));
        assert!(station.usable(), "ad-hoc has no peering");
        assert_eq!(StationInfo::parse(&[]), None);
        let cut = Message::new(0, 0).attr(attr::MAC, &[2, 0, 0]).finish(0);
        assert_eq!(StationInfo::parse(&cut[HEADER_LEN..]), None);
    }
}
