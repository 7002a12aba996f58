//! What day it is: where the machine stands, and in UTC.

/// A day and the time of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Local {
    /// Year of the common era.
    pub year: i32,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// Minutes since midnight.
    pub minute: u16,
}

/// The local time at `secs` seconds since 1970; `None` where the system cannot tell.
pub fn local(secs: u64) -> Option<Local> {
    // SAFETY: a record of numbers and a pointer that is never read here, all zero is one of them.
    let mut parts: libc::tm = unsafe { core::mem::zeroed() };
    let secs = libc::time_t::try_from(secs).ok()?;
    // SAFETY: both pointers are of values that live here; the system writes a whole record.
    let done = unsafe { libc::localtime_r(&raw const secs, &raw mut parts) };
    if done.is_null() {
        return None;
    }
    Some(Local {
        year: parts.tm_year.checked_add(1900)?,
        month: u8::try_from(parts.tm_mon + 1).ok()?,
        day: u8::try_from(parts.tm_mday).ok()?,
        minute: u16::try_from(parts.tm_hour * 60 + parts.tm_min).ok()?,
    })
}

/// `2026-01-31T12:00:00` of seconds since 1970. Source: H. Hinnant, "chrono-compatible low-level date algorithms".
pub(crate) fn utc(secs: u64) -> String {
    let (days, rest) = (secs / 86_400 + 719_468, secs % 86_400);
    let era = days / 146_097;
    let day = days % 146_097;
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let date = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{date:02}T{:02}:{:02}:{:02}", rest / 3600, rest / 60 % 60, rest % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_in_the_middle_of_a_month() {
        // 2026-06-15 12:00 UTC: nowhere on earth another month.
        let at = local(1_781_524_800).unwrap();
        assert_eq!((at.year, at.month), (2026, 6));
        assert!((14..=16).contains(&at.day) && at.minute < 1440);
    }
}
