//! From facts to findings. Pure; one file for each part of the node.

mod air;
mod interface;
mod machine;
mod node;
mod radio;
#[cfg(test)]
mod tests;

pub(crate) use interface::{HARD, candidates};

use super::facts::Facts;
use super::finding::Report;

/// Everything that is wrong, worst first; what matters to the whole node before what matters to
/// one interface.
pub fn examine(facts: &Facts) -> Report {
    let mut report = Report::default();
    node::check(facts, &mut report);
    interface::check(facts, &mut report);
    radio::check(facts, &mut report);
    air::check(facts, &mut report);
    machine::check(facts, &mut report);
    report.findings.sort_by_key(|f| std::cmp::Reverse(f.severity));
    report
}

/// `1 frame`, `2 frames`.
fn count(n: u64, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

/// `a`, `a and b`, `a, b and c`; beyond five the rest is a number.
fn list<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    let mut texts: Vec<String> = items.into_iter().map(|i| i.to_string()).collect();
    if texts.len() > 6 {
        let more = texts.len() - 5;
        texts.truncate(5);
        texts.push(format!("{more} more"));
    }
    match texts.pop() {
        None => String::new(),
        Some(last) if texts.is_empty() => last,
        Some(last) => format!("{} and {last}", texts.join(", ")),
    }
}
