//! What this node gives to others at the moment, and the account of it.

use crate::io::PortablePlane;
use crate::ledger::{Date, Ledger, LedgerFile, NodeSums, Sums};
use crate::run::readings::Readings;
use crate::sys::clock;
use config::{Give, Hours};
use mesh_core::queue::{Class, QueueCounts};
use mesh_core::sorted::SortedMap;
use mesh_core::{Input, Instant, LinkId, Mesh, OwnerUse};
use packet::MacAddr;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// How much others get, as the settings say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Giving {
    /// How much of the sending time.
    pub give: Give,
    /// In these hours alone; empty: always.
    pub hours: Vec<Hours>,
    /// Bytes of a month.
    pub budget: Option<u64>,
}

impl Default for Giving {
    fn default() -> Self {
        Self { give: Give::All, hours: Vec::new(), budget: None }
    }
}

impl Giving {
    /// What holds at a moment when `given` bytes of the month were given, and why it is less than set.
    fn at(&self, minute: Option<u16>, given: u64) -> (Give, Option<&'static str>) {
        let out = minute.is_some_and(|m| !self.hours.is_empty() && !self.hours.iter().any(|h| h.has(m)));
        match self.give {
            Give::Off => (Give::Off, None),
            _ if self.budget.is_some_and(|most| given >= most) => (Give::Off, Some("budget")),
            _ if out => (Give::Off, Some("hours")),
            give => (give, None),
        }
    }
}

/// The account, and what is given now, as others see it.
#[derive(Debug, Clone, Default)]
pub struct CommonsView {
    /// What the settings say.
    pub giving: Giving,
    /// What holds now; `None` before the first look.
    pub now: Option<Give>,
    /// Why it is less than the settings say: `hours` or `budget`.
    pub why: Option<&'static str>,
    /// Bytes given this month.
    pub month: u64,
    /// By day and node.
    pub ledger: Ledger,
    /// Radios whose owner takes some of their time beside the mesh, and how much of it, in thousandths.
    pub air: Vec<(LinkId, u32)>,
}

/// Keeps both.
pub(super) struct Commons {
    view: CommonsView,
    file: LedgerFile,
    /// What was counted at the last look.
    counted: QueueCounts,
    /// Owner's bytes sent by each hard interface at the last look, and all that went either way.
    links: SortedMap<LinkId, (u64, u64)>,
    looked: Instant,
    /// What interfaces had left in the last second, bytes; `None` where nothing is known of any.
    spare: Option<u64>,
}

impl Commons {
    /// The account that the last run left in `dir`.
    pub(super) fn new(dir: Option<&Path>, mesh: &str, giving: Giving, now: Instant) -> Self {
        let file = LedgerFile::new(dir, mesh, now);
        let view = CommonsView { giving, ledger: file.load(), ..CommonsView::default() };
        Self { view, file, counted: QueueCounts::default(), links: SortedMap::new(), looked: now, spare: None }
    }

    /// Other settings.
    pub(super) fn set(&mut self, giving: Giving) {
        self.view.giving = giving;
    }

    /// The account goes on in another place.
    pub(super) fn move_to(&mut self, dir: Option<&Path>, mesh: &str, now: Instant) {
        self.file = LedgerFile::new(dir, mesh, now);
    }

    /// What interfaces had left in the last second, in kbit/s, where it is known how fast any is.
    pub(super) fn spare(&self) -> Option<u64> {
        self.spare.map(|bytes| bytes / 125)
    }

    /// What others see.
    pub(super) fn view(&self) -> CommonsView {
        self.view.clone()
    }

    /// Books the last second, and finds what holds from now on.
    pub(super) fn look(
        &mut self,
        plane: &mut PortablePlane,
        mesh: &Mesh,
        readings: &Readings,
        now: Instant,
    ) -> Vec<Input> {
        let here = SystemTime::now().duration_since(UNIX_EPOCH).ok().and_then(|t| clock::local(t.as_secs()));
        let day = here.and_then(Date::of);
        let mut inputs = Vec::new();
        let received = self.book_nodes(plane, mesh, day);
        let beside = |id| readings.air(id);
        self.view.air.clear();
        self.book_links(plane, mesh, (&received, &beside), day, now, &mut inputs);
        self.file.keep(&self.view.ledger, now);
        self.view.month = day.map_or(0, |day| self.view.ledger.given(day.month()));
        let (give, why) = self.view.giving.at(day.and(here).map(|h| h.minute), self.view.month);
        self.view.why = why;
        if self.view.now.replace(give) != Some(give) {
            tracing::info!(give = %give, why = why.unwrap_or("settings"), "what others get");
            inputs.push(Input::Gives(give != Give::Off));
            plane.set_part(if let Give::Part(percent) = give { Some(percent) } else { None });
        }
        inputs
    }

    /// What came in for us by each hard interface.
    fn book_nodes(&mut self, plane: &mut PortablePlane, mesh: &Mesh, day: Option<Date>) -> SortedMap<LinkId, u64> {
        let ledger = &mut self.view.ledger;
        let book = plane.book();
        let (mut sums, mut received) = (Sums::default(), SortedMap::new());
        let mut nodes: SortedMap<MacAddr, NodeSums> = SortedMap::new();
        for (neigh, with) in book.neighbors() {
            let (link, orig) = mesh.neighbor_at(neigh).unzip();
            sums.received += with.direct + with.brought;
            sums.used_received += with.brought;
            if let Some(link) = link {
                *received.entry(link).or_insert(0) += with.direct + with.brought;
            }
            let node = nodes.entry(orig.unwrap_or(MacAddr::ZERO)).or_default();
            node.handed += with.handed;
            node.used += with.brought;
        }
        for (orig, with) in book.originators() {
            nodes.entry(orig).or_default().carried += with.carried;
            if let Some(carrier) = mesh.carrier(orig) {
                sums.used_sent += with.sent;
                nodes.entry(carrier).or_default().used += with.sent;
            }
        }
        book.clear();
        ledger.book(day, sums);
        for (orig, sums) in nodes {
            ledger.book_node(day, orig, sums);
        }
        received
    }

    fn book_links(
        &mut self,
        plane: &mut PortablePlane,
        mesh: &Mesh,
        (received, beside): (&SortedMap<LinkId, u64>, &dyn Fn(LinkId) -> u32),
        day: Option<Date>,
        now: Instant,
        inputs: &mut Vec<Input>,
    ) {
        let elapsed = now.since(self.looked);
        self.looked = now;
        let micros = u64::try_from(elapsed.as_micros()).unwrap_or(0).max(1);
        let per_second = |bytes: u64| bytes.saturating_mul(1_000_000) / micros;
        let before = std::mem::replace(&mut self.counted, plane.classes());
        let gained = |class| {
            let bytes = |counts: &QueueCounts| counts.of(class).bytes;
            bytes(&self.counted).saturating_sub(bytes(&before))
        };
        self.spare = None;
        let mut sums = Sums {
            carried: gained(Class::Relay),
            guests: gained(Class::Guest),
            sent: gained(Class::Owner),
            seconds: (micros + 500_000) / 1_000_000,
            ..Sums::default()
        };
        for id in (0..mesh_core::config::MAX_LINKS).filter_map(|i| u8::try_from(i).ok().map(LinkId)) {
            let Some(seen) = plane.seen_of(id) else {
                self.links.remove(&id);
                continue;
            };
            let last = self.links.insert(id, (seen.owner, seen.all));
            // An interface that was opened again counts from nothing.
            let (owner, all) = last.filter(|l| l.0 <= seen.owner && l.1 <= seen.all).unwrap_or((seen.owner, seen.all));
            let air = beside(id);
            if air > 0 {
                self.view.air.push((id, air));
            }
            let used = OwnerUse {
                sent: per_second(seen.owner - owner),
                received: per_second(received.get(&id).copied().unwrap_or(0)),
                air,
                line: seen.line,
            };
            inputs.push(Input::OwnerUse(id, used));
            if let Some(line) = mesh.line_bytes(id, now) {
                let could = u64::try_from(u128::from(line) * u128::from(micros) / 1_000_000).unwrap_or(u64::MAX);
                let beside = could / 1000 * u64::from(air.min(1000));
                let left = could.saturating_sub(seen.all - all).saturating_sub(beside);
                sums.spare = sums.spare.saturating_add(left);
                self.spare = Some(self.spare.unwrap_or(0).saturating_add(per_second(left)));
            }
        }
        self.view.ledger.book(day, sums);
    }

    /// Writes the account at the end.
    pub(super) fn stop(&mut self, plane: &mut PortablePlane, mesh: &Mesh, readings: &Readings, now: Instant) {
        self.look(plane, mesh, readings, now);
        self.file.write(&self.view.ledger, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_and_budget_end_giving() {
        let night = Giving { give: Give::Part(80), hours: vec!["22:00-06:00".parse().unwrap()], budget: Some(1000) };
        let noon = Some(720);
        assert_eq!(night.at(Some(0), 999), (Give::Part(80), None));
        assert_eq!(night.at(Some(0), 1000), (Give::Off, Some("budget")));
        assert_eq!(night.at(noon, 0), (Give::Off, Some("hours")));
        assert_eq!(night.at(None, 0), (Give::Part(80), None), "the clock is not set");
        assert_eq!(Giving::default().at(noon, u64::MAX), (Give::All, None));
        assert_eq!(Giving { give: Give::Off, ..night }.at(noon, 0), (Give::Off, None));
    }
}
