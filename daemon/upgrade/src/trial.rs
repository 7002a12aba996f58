//! What a node remembers of upgrades, and when it goes back.
//!
//! ```text
//!            manifest taken                 sees a neighbour again
//!   idle ------------------> trial --------------------------------> idle, serial kept
//!                              |  ten minutes without, or started three times in vain
//!                              +-------------------------------> idle, serial kept as failed
//! ```
//!
//! The text form lies in a file that survives upgrades. A line that is damaged costs itself and nothing else.

use crate::manifest::Kind;
use std::fmt::Write as _;
use std::time::Duration;

/// How often a trial may begin anew, for instance after power cuts, before it counts as failed.
pub const MAX_STARTS: u32 = 3;
/// How long a new program has to run before a neighbour that it sees counts: what crashes does it sooner.
pub const SETTLE: Duration = Duration::from_secs(60);
/// How long a node waits for a neighbour after an upgrade.
pub const TRIAL: Duration = Duration::from_secs(600);

/// What lies in the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// Highest serial that was ever installed, 0 for none.
    pub serial: u32,
    /// Serial of the last upgrade that this node went back from, 0 for none.
    pub failed: u32,
    /// An upgrade that waits for its moment: serial, and seconds waited so far.
    pub pending: Option<(u32, u64)>,
    /// An upgrade that has to prove itself.
    pub trial: Option<Trial>,
    /// What happened last, a sentence for people.
    pub last: String,
}

/// An upgrade that has to prove itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// Of its manifest.
    pub serial: u32,
    /// What was replaced.
    pub kind: Kind,
    /// The version before it.
    pub from: String,
    /// There was a neighbour before: only then the upgrade is to blame for there being none.
    pub had_neighbor: bool,
    /// How often the trial began.
    pub starts: u32,
    /// What leads back to the former firmware, in the words of the device's own script; empty where nothing does.
    pub way_back: String,
}

impl State {
    /// Reads the text form; what cannot be read is as if it were not there.
    pub fn parse(text: &str) -> Self {
        let mut state = Self::default();
        for line in text.lines() {
            let (key, rest) = line.split_once(' ').unwrap_or((line, ""));
            match key {
                "serial" => state.serial = rest.parse().unwrap_or(state.serial),
                "failed" => state.failed = rest.parse().unwrap_or(state.failed),
                "pending" => state.pending = pair(rest),
                "trial" => state.trial = Trial::parse(rest),
                "last" => state.last = rest.to_owned(),
                _ => {}
            }
        }
        state
    }

    /// The text form.
    pub fn to_text(&self) -> String {
        let mut out = format!("serial {}\nfailed {}\n", self.serial, self.failed);
        // Writing to a String cannot fail.
        if let Some((serial, secs)) = self.pending {
            let _ = writeln!(out, "pending {serial} {secs}");
        }
        if let Some(t) = &self.trial {
            let neighbor = if t.had_neighbor { "neighbor" } else { "alone" };
            let _ =
                writeln!(out, "trial {} {} {neighbor} {} {} {}", t.serial, t.kind.word(), t.starts, t.from, t.way_back);
        }
        if !self.last.is_empty() {
            let _ = writeln!(out, "last {}", self.last.replace('\n', " "));
        }
        out
    }

    /// Seconds that the offer `serial` has waited, after `more` of them.
    pub fn waited(&mut self, serial: u32, more: u64) -> u64 {
        let before = self.pending.filter(|(of, _)| *of == serial).map_or(0, |(_, secs)| secs);
        let now = before.saturating_add(more);
        self.pending = Some((serial, now));
        now
    }

    /// An upgrade begins. Its serial counts once it ended, one way or the other: power may fail before it is there.
    pub fn begin(&mut self, trial: Trial) {
        self.pending = None;
        self.trial = Some(trial);
    }

    /// The upgrade was cut off before anything was replaced: as if it had never begun, so that it is tried again.
    pub fn never_began(&mut self) {
        self.trial = None;
    }

    /// The upgrade stays.
    pub fn confirm(&mut self, why: &str) {
        if let Some(trial) = self.trial.take() {
            self.serial = self.serial.max(trial.serial);
            self.last = format!("serial {} stays: {why}", trial.serial);
        }
    }

    /// The former version is back.
    pub fn went_back(&mut self, why: &str) {
        if let Some(trial) = self.trial.take() {
            self.serial = self.serial.max(trial.serial);
            self.failed = trial.serial;
            self.last = format!("serial {} went back to {}: {why}", trial.serial, trial.from);
        }
    }
}

impl Trial {
    fn parse(rest: &str) -> Option<Self> {
        let mut words = rest.splitn(6, ' ');
        Some(Self {
            serial: words.next()?.parse().ok()?,
            kind: Kind::parse(words.next()?)?,
            had_neighbor: words.next()? == "neighbor",
            starts: words.next()?.parse().ok()?,
            from: words.next()?.to_owned(),
            way_back: words.next().unwrap_or_default().to_owned(),
        })
    }
}

fn pair(text: &str) -> Option<(u32, u64)> {
    let (a, b) = text.split_once(' ')?;
    Some((a.parse().ok()?, b.parse().ok()?))
}

/// What was seen of the new version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// For how long it has been running without a restart, `None` if it does not answer.
    pub running: Option<Duration>,
    /// It sees a neighbour.
    pub neighbor: bool,
}

/// What to do with an upgrade on trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Go on looking.
    Wait,
    /// It stays, because of this.
    Confirm(&'static str),
    /// Back to the former version, because of this.
    Back(&'static str),
}

impl Trial {
    /// Judges after `passed` of at most `limit`; `settle` is how long the new version has to have run.
    pub fn judge(&self, seen: Seen, passed: Duration, limit: Duration, settle: Duration) -> Verdict {
        if self.starts > MAX_STARTS {
            return Verdict::Back("it was started three times and never proved itself");
        }
        let settled = seen.running.is_some_and(|d| d >= settle);
        if settled && seen.neighbor {
            return Verdict::Confirm("it sees a neighbour");
        }
        if passed < limit {
            return Verdict::Wait;
        }
        match (self.had_neighbor, settled, seen.running) {
            (false, true, _) => Verdict::Confirm("it runs, and there was no neighbour before it either"),
            (true, true, _) => Verdict::Back("it saw no neighbour in time, and the former version did"),
            (_, false, Some(_)) => Verdict::Back("it does not keep running"),
            (_, false, None) => Verdict::Back("it does not answer"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trial() -> Trial {
        Trial {
            serial: 17,
            kind: Kind::Program,
            from: "0.1.0".to_owned(),
            had_neighbor: true,
            starts: 1,
            way_back: "boot_part 1".to_owned(),
        }
    }

    fn judge(trial: &Trial, running: Option<u64>, neighbor: bool, passed: u64) -> Verdict {
        let seen = Seen { running: running.map(Duration::from_secs), neighbor };
        trial.judge(seen, Duration::from_secs(passed), TRIAL, SETTLE)
    }

    #[test]
    fn the_file_is_read_as_written_and_survives_damage() {
        let state = State {
            serial: 17,
            failed: 12,
            pending: Some((18, 3600)),
            trial: Some(trial()),
            last: "serial 12 went back".to_owned(),
        };
        assert_eq!(State::parse(&state.to_text()), state);
        let no_way = State { trial: Some(Trial { way_back: String::new(), ..trial() }), ..state.clone() };
        assert_eq!(State::parse(&no_way.to_text()), no_way);
        assert_eq!(State::parse(""), State::default());
        let torn = State::parse("serial 17\nfailed x\ntrial 17 prog\npending 1\n\u{fffd}\u{fffd} 3\n");
        assert_eq!(torn, State { serial: 17, ..State::default() });
    }

    #[test]
    fn a_neighbour_confirms_once_the_program_has_settled() {
        let t = trial();
        assert_eq!(judge(&t, Some(30), true, 40), Verdict::Wait, "it may crash yet");
        assert!(matches!(judge(&t, Some(61), true, 70), Verdict::Confirm(_)));
        assert!(matches!(judge(&t, Some(61), true, 5000), Verdict::Confirm(_)), "late, but not gone");
    }

    #[test]
    fn ten_minutes_without_one_lead_back() {
        let t = trial();
        assert_eq!(judge(&t, Some(599), false, 599), Verdict::Wait);
        assert_eq!(
            judge(&t, Some(599), false, 600),
            Verdict::Back("it saw no neighbour in time, and the former version did")
        );
        assert_eq!(judge(&t, None, false, 600), Verdict::Back("it does not answer"));
        assert_eq!(
            judge(&t, Some(3), true, 600),
            Verdict::Back("it does not keep running"),
            "a crash every few seconds"
        );
        let alone = Trial { had_neighbor: false, ..trial() };
        assert!(matches!(judge(&alone, Some(599), false, 600), Verdict::Confirm(_)), "nobody was there before");
        assert!(matches!(judge(&alone, None, false, 600), Verdict::Back(_)), "but it has to run");
    }

    #[test]
    fn a_router_that_starts_again_and_again_goes_back() {
        let t = Trial { starts: MAX_STARTS + 1, ..trial() };
        assert!(matches!(judge(&t, Some(61), true, 70), Verdict::Back(_)));
        assert_eq!(judge(&Trial { starts: MAX_STARTS, ..trial() }, None, false, 0), Verdict::Wait);
    }

    #[test]
    fn what_went_back_is_known_and_what_never_began_is_forgotten() {
        let mut state = State { serial: 16, ..State::default() };
        state.begin(trial());
        assert_eq!((state.serial, state.pending), (16, None));
        let mut never = state.clone();
        never.never_began();
        assert_eq!((never.serial, never.trial), (16, None));
        let mut back = state.clone();
        back.went_back("no neighbour");
        assert_eq!((back.serial, back.failed, &back.trial), (17, 17, &None));
        assert_eq!(back.last, "serial 17 went back to 0.1.0: no neighbour");
        state.confirm("a neighbour");
        assert_eq!((state.serial, state.failed, state.trial), (17, 0, None));
    }

    #[test]
    fn waiting_goes_on_after_a_restart_and_begins_anew_for_another_offer() {
        let mut state = State::default();
        assert_eq!(state.waited(17, 0), 0);
        assert_eq!(state.waited(17, 3600), 3600);
        let mut again = State::parse(&state.to_text());
        assert_eq!(again.waited(17, 60), 3660);
        assert_eq!(again.waited(18, 60), 60);
    }
}
