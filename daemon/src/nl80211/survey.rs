//! How busy a channel is.

use super::consts::{attr, cmd, survey};
use crate::netlink::GenericSocket;
use crate::netlink::message::{attrs, u32_at};
use std::io;

/// What a radio measured on a channel. What a driver does not tell is `None`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Survey {
    /// Frequency in MHz.
    pub freq: u32,
    /// The radio is on it now.
    pub in_use: bool,
    /// Noise in dBm.
    pub noise_dbm: Option<i8>,
    /// Milliseconds that the radio was on it.
    pub active_ms: Option<u64>,
    /// Milliseconds of them that somebody sent.
    pub busy_ms: Option<u64>,
    /// Milliseconds that it received.
    pub receive_ms: Option<u64>,
    /// Milliseconds of them from its own networks.
    pub own_receive_ms: Option<u64>,
    /// Milliseconds that it sent.
    pub transmit_ms: Option<u64>,
}

impl Survey {
    /// Share of the time that somebody sent, 0 to 100; `None` where the driver does not measure it.
    pub fn busy_percent(&self) -> Option<u8> {
        let (active, busy) = (self.active_ms?, self.busy_ms?);
        u8::try_from(busy.saturating_mul(100).checked_div(active)?.min(100)).ok()
    }

    /// What was measured since an earlier look at the same channel; all of it where the counters
    /// began anew meanwhile.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        let gone = |now: Option<u64>, then: Option<u64>| now?.checked_sub(then?);
        let active_ms = gone(self.active_ms, before.active_ms).filter(|ms| *ms > 0 && self.freq == before.freq);
        match (active_ms, gone(self.busy_ms, before.busy_ms)) {
            (Some(active), Some(busy)) => Self { active_ms: Some(active), busy_ms: Some(busy), ..*self },
            _ => *self,
        }
    }

    /// Reads the attributes of a survey message.
    pub fn parse(attributes: &[u8]) -> Option<Self> {
        let mut read = Self::default();
        let (_, info) = attrs(attributes).find(|(kind, _)| *kind == attr::SURVEY_INFO)?;
        for (kind, value) in attrs(info) {
            match kind {
                survey::FREQUENCY => read.freq = u32_at(value, 0)?,
                survey::IN_USE => read.in_use = true,
                survey::NOISE => read.noise_dbm = value.first().map(|n| n.cast_signed()),
                survey::TIME => read.active_ms = u64_of(value),
                survey::TIME_BUSY => read.busy_ms = u64_of(value),
                survey::TIME_RX => read.receive_ms = u64_of(value),
                survey::TIME_TX => read.transmit_ms = u64_of(value),
                survey::TIME_BSS_RX => read.own_receive_ms = u64_of(value),
                _ => {}
            }
        }
        Some(read)
    }
}

/// What the radio of an interface measured, channel by channel.
///
/// # Errors
/// What the kernel answers, `EOPNOTSUPP` where the driver measures nothing.
pub fn surveys(socket: &mut GenericSocket, ifindex: u32) -> io::Result<Vec<Survey>> {
    let mut all = Vec::new();
    let message = socket.dump_message(cmd::GET_SURVEY).attr(attr::IFINDEX, &ifindex.to_ne_bytes());
    socket.ask(message, |_, attributes| all.extend(Survey::parse(attributes)))?;
    Ok(all)
}

pub(super) fn u64_of(value: &[u8]) -> Option<u64> {
    Some(u64::from_ne_bytes(value.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::message::{HEADER_LEN, Message};

    #[test]
    fn a_survey_is_read() {
        let bytes = Message::new(0, 0)
            .nest(attr::SURVEY_INFO, |m| {
                m.attr(survey::FREQUENCY, &2437u32.to_ne_bytes())
                    .attr(survey::IN_USE, &[])
                    .attr(survey::NOISE, &[(-92i8).cast_unsigned()])
                    .attr(survey::TIME, &1000u64.to_ne_bytes())
                    .attr(survey::TIME_BUSY, &250u64.to_ne_bytes())
                    .attr(survey::TIME_BSS_RX, &90u64.to_ne_bytes())
            })
            .finish(0);
        let read = Survey::parse(&bytes[HEADER_LEN..]).unwrap();
        assert_eq!((read.freq, read.in_use, read.noise_dbm), (2437, true, Some(-92)));
        assert_eq!((read.active_ms, read.busy_ms, read.transmit_ms), (Some(1000), Some(250), None));
        assert_eq!((read.own_receive_ms, read.receive_ms), (Some(90), None));
        assert_eq!(Survey::parse(&[]), None);
        assert_eq!(read.busy_percent(), Some(25));
        let later = Survey { active_ms: Some(1500), busy_ms: Some(700), ..read };
        assert_eq!(later.since(&read).busy_percent(), Some(90));
        assert_eq!(read.since(&later).busy_percent(), Some(25), "counted anew");
        assert_eq!(read.since(&read).busy_percent(), Some(25), "nothing new");
        assert_eq!(Survey { active_ms: None, ..read }.busy_percent(), None);
        assert_eq!(Survey { active_ms: Some(0), ..read }.busy_percent(), None);
    }
}
