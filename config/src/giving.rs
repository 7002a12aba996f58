//! How much a node gives to others: a share of its sending time, hours of the day, a budget of bytes.

use std::fmt;
use std::str::FromStr;

/// How much of its sending time a node gives to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Give {
    /// All that its owner leaves.
    All,
    /// At most so many percent, 1 to 99.
    Part(u8),
    /// Nothing: it uses the mesh and is no way through.
    Off,
}

impl FromStr for Give {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "all" => return Ok(Self::All),
            "off" => return Ok(Self::Off),
            _ => {}
        }
        match text.strip_suffix('%').map(str::parse) {
            Some(Ok(0)) => Ok(Self::Off),
            Some(Ok(100)) => Ok(Self::All),
            Some(Ok(part @ 1..=99)) => Ok(Self::Part(part)),
            _ => Err(()),
        }
    }
}

impl fmt::Display for Give {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Part(percent) => write!(f, "{percent}%"),
            Self::Off => f.write_str("off"),
        }
    }
}

/// Hours of the day, over midnight where the end is before the begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hours {
    /// Minutes since midnight of the first one in.
    pub from: u16,
    /// Minutes since midnight of the first one out; 1440 for midnight.
    pub to: u16,
}

/// Most ranges of hours.
pub const MAX_HOURS: usize = 16;

impl Hours {
    /// True at so many minutes after midnight.
    pub fn has(self, minute: u16) -> bool {
        let (from, to) = (self.from <= minute, minute < self.to);
        if self.from < self.to { from && to } else { from || to }
    }
}

impl FromStr for Hours {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let minute = |text: &str| {
            let (hours, minutes) = text.split_once(':')?;
            let two = |t: &str| (t.len() == 2).then(|| t.parse::<u16>().ok())?;
            let all = two(hours)? * 60 + two(minutes).filter(|m| *m < 60)?;
            (all <= 1440).then_some(all)
        };
        let (from, to) = text.split_once('-').ok_or(())?;
        let (from, to) = (minute(from).filter(|m| *m < 1440).ok_or(())?, minute(to).ok_or(())?);
        if from == to { Err(()) } else { Ok(Self { from, to }) }
    }
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to } = self;
        write!(f, "{:02}:{:02}-{:02}:{:02}", from / 60, from % 60, to / 60, to % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares() {
        for (text, give) in [
            ("all", Give::All),
            ("100%", Give::All),
            ("80%", Give::Part(80)),
            ("1%", Give::Part(1)),
            ("0%", Give::Off),
            ("off", Give::Off),
        ] {
            assert_eq!(text.parse(), Ok(give), "{text}");
            assert_eq!(give.to_string().parse(), Ok(give));
        }
        for text in ["", "80", "101%", "-1%", "8.5%", "ALL", "80 %", "%", "+5%x"] {
            assert_eq!(text.parse::<Give>(), Err(()), "{text}");
        }
    }

    #[test]
    fn hours() {
        let night: Hours = "22:00-06:30".parse().unwrap();
        assert!(night.has(1320) && night.has(0) && night.has(389) && !night.has(390) && !night.has(1319));
        let day: Hours = "06:00-24:00".parse().unwrap();
        assert!(day.has(1439) && !day.has(0) && !day.has(359));
        assert_eq!((night.to_string(), day.to_string()), ("22:00-06:30".to_owned(), "06:00-24:00".to_owned()));
        for text in [
            "",
            "22-06",
            "22:00",
            "24:00-06:00",
            "25:00-26:00",
            "10:60-11:00",
            "10:00-10:00",
            "1:00-2:00",
            "01:00 - 02:00",
        ] {
            assert_eq!(text.parse::<Hours>(), Err(()), "{text}");
        }
    }
}
