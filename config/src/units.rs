//! Values with a unit, as people write them: `"500ms"`, `"512KiB"`.

use std::time::Duration;

/// Units of time and their length in microseconds, longest first.
const TIME: &[(&str, u64)] = &[("h", 3_600_000_000), ("min", 60_000_000), ("s", 1_000_000), ("ms", 1_000), ("us", 1)];

/// Units of size and their bytes, largest first. `k` of the metric system is not offered: half of
/// all people mean 1024 with it.
const SIZE: &[(&str, u64)] = &[("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1024 * 1024), ("KiB", 1024), ("B", 1)];

/// Units of throughput in kbit/s, largest first.
const RATE: &[(&str, u64)] = &[("Gbit", 1_000_000), ("Mbit", 1_000), ("kbit", 1)];

/// Reads `"54Mbit"`, `"1Gbit"`, `"5.5Mbit"` as kbit/s; `None` for anything else.
pub fn parse_rate(text: &str) -> Option<u64> {
    parse(text, RATE)
}

/// The shortest text that [`parse_rate`] reads back as `kbit` per second.
pub fn format_rate(kbit: u64) -> String {
    format(kbit, RATE)
}

/// Reads `"500ms"`, `"1s"`, `"1.5s"`, `"2min"`, `"1h"`. `None` without a unit, for an unknown
/// unit, for negative numbers and where microseconds are not enough to say it exactly.
pub fn parse_duration(text: &str) -> Option<Duration> {
    parse(text, TIME).map(Duration::from_micros)
}

/// The shortest text that [`parse_duration`] reads back as `d` (cut to microseconds).
pub fn format_duration(d: Duration) -> String {
    format(u64::try_from(d.as_micros()).unwrap_or(u64::MAX), TIME)
}

/// Reads `"512KiB"`, `"1MiB"`, `"20160B"`; `None` for anything else.
pub fn parse_size(text: &str) -> Option<u64> {
    parse(text, SIZE)
}

/// The shortest text that [`parse_size`] reads back as `bytes`.
pub fn format_size(bytes: u64) -> String {
    format(bytes, SIZE)
}

/// A decimal number and one of `units`, a space between them allowed.
fn parse(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = units.iter().find(|(name, _)| *name == unit.trim_start_matches(' '))?.1;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if whole.is_empty() || fraction.is_empty() || fraction.len() > 9 || fraction.contains('.') {
        return None;
    }
    let part = fraction.parse::<u64>().ok()?.checked_mul(factor)?;
    let scale = 10u64.pow(u32::try_from(fraction.len()).ok()?);
    if part % scale != 0 {
        return None;
    }
    whole.parse::<u64>().ok()?.checked_mul(factor)?.checked_add(part / scale)
}

/// `value` in the largest unit that needs no fraction.
fn format(value: u64, units: &[(&str, u64)]) -> String {
    // The last unit is 1, so one always divides; zero is written in it too.
    let fits = units.iter().find(|(_, factor)| value != 0 && value.is_multiple_of(*factor)).or(units.last());
    fits.map_or_else(String::new, |(name, factor)| format!("{}{name}", value / factor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, us) in [
            ("1s", 1_000_000),
            ("1.5s", 1_500_000),
            ("500ms", 500_000),
            ("0.25 ms", 250),
            ("2min", 120_000_000),
            ("1h", 3_600_000_000),
            ("0s", 0),
        ] {
            assert_eq!(parse_duration(text), Some(Duration::from_micros(us)), "{text}");
        }
        for bad in ["", "1", "s", "1 parsec", "-1s", "1.s", ".5s", "1.0001us", "1.2.3s", "1S", "1s ", "99999999999999h"]
        {
            assert_eq!(parse_duration(bad), None, "{bad}");
        }
    }

    #[test]
    fn sizes() {
        assert_eq!(parse_size("512KiB"), Some(512 * 1024));
        assert_eq!(parse_size("0.5MiB"), Some(512 * 1024));
        assert_eq!(parse_size("512K"), None);
        assert_eq!(parse_size("512"), None);
    }

    #[test]
    fn rates() {
        assert_eq!(parse_rate("5.5Mbit"), Some(5_500));
        assert_eq!(parse_rate("1 Gbit"), Some(1_000_000));
        assert_eq!(parse_rate("54"), None);
        assert_eq!(format_rate(54_000), "54Mbit");
    }

    #[test]
    fn text_round_trip() {
        for us in [0, 1, 999, 1000, 40_000, 1_000_000, 90_000_000, 3_600_000_000, u64::MAX] {
            let d = Duration::from_micros(us);
            assert_eq!(parse_duration(&format_duration(d)), Some(d), "{us}");
            assert_eq!(parse_size(&format_size(us)), Some(us), "{us}");
        }
        assert_eq!(format_duration(Duration::from_millis(1500)), "1500ms");
        assert_eq!(format_size(512 * 1024), "512KiB");
    }
}
