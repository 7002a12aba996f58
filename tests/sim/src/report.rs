//! Tables of figures, their snapshots, and the seed.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// A table with a title, for people and for comparing with an earlier one.
#[derive(Clone, Debug)]
pub struct Table {
    title: String,
    notes: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these column heads.
    pub fn new(title: &str, heads: &[&str]) -> Self {
        Self { title: title.to_owned(), notes: Vec::new(), rows: vec![heads.iter().map(|h| (*h).to_owned()).collect()] }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: &[String]) {
        self.rows.push(cells.to_vec());
    }

    /// Adds a line below the title.
    pub fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    /// The whole table as text.
    pub fn text(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |c: usize| self.rows.iter().filter_map(|r| r.get(c)).map(|t| t.chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut out = format!("{}\n", self.title);
        for note in &self.notes {
            let _ = writeln!(out, "  {note}");
        }
        for row in &self.rows {
            let mut line = String::from(" ");
            for (cell, width) in row.iter().zip(&widths) {
                let pad = " ".repeat(width - cell.chars().count());
                let _ = match cell.starts_with(|c: char| c.is_ascii_digit() || c == '-') {
                    true => write!(line, " {pad}{cell} "),
                    false => write!(line, " {cell}{pad} "),
                };
            }
            let _ = writeln!(out, "{}", line.trim_end());
        }
        out
    }

    /// Compares with `snapshots/NAME.txt`. With `SIM_ACCEPT=1` the file is written instead; with
    /// another seed than the default nothing is compared.
    ///
    /// # Panics
    /// When the table differs from the file, with both.
    pub fn check(&self, name: &str) {
        if seed() != DEFAULT_SEED {
            return;
        }
        let path = snapshot_path(name);
        let now = self.text();
        if std::env::var_os("SIM_ACCEPT").is_some() {
            assert!(fs::write(&path, &now).is_ok(), "cannot write {}", path.display());
            return;
        }
        let was = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            was == now,
            "figures changed; look whether they got better, then accept them with SIM_ACCEPT=1\n--- {}\n{was}\n+++ now\n{now}",
            path.display()
        );
    }
}

/// Where a snapshot is kept.
pub fn snapshot_path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("snapshots").join(format!("{name}.txt"))
}

/// Seed of all figures unless `SIM_SEED` says otherwise.
pub const DEFAULT_SEED: u64 = 1;

/// The seed from `SIM_SEED`, or the default.
pub fn seed() -> u64 {
    std::env::var("SIM_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(DEFAULT_SEED)
}

/// Prints the seed if the test that owns it fails.
#[derive(Debug)]
pub struct Seed(pub u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the seed was {}; play it again with SIM_SEED={}", self.0, self.0);
        }
    }
}

/// Millionths as percent with one decimal, rounded down.
pub fn percent(millionths: u32) -> String {
    format!("{}.{} %", millionths / 10_000, millionths / 1000 % 10)
}

/// A duration as seconds with two decimals.
pub fn seconds(d: mesh_core::Duration) -> String {
    format!("{}.{:02} s", d.as_secs(), d.subsec_millis() / 10)
}

/// The same, or a dash for never.
pub fn or_never(d: Option<mesh_core::Duration>) -> String {
    d.map_or_else(|| "never".to_owned(), seconds)
}

/// The middle one of an odd number of values, the upper middle of an even number.
pub fn median<T: Ord + Copy>(values: &[T]) -> Option<T> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use mesh_core::Duration;

    #[test]
    fn tables_line_up() {
        let mut table = Table::new("title", &["name", "n"]);
        table.note("note");
        table.row(&["a".into(), "1".into()]);
        table.row(&["bcd".into(), "100".into()]);
        assert_eq!(table.text(), "title\n  note\n  name  n\n  a       1\n  bcd   100\n");
    }

    #[test]
    fn numbers_read_well() {
        assert_eq!(percent(999_999), "99.9 %");
        assert_eq!(seconds(Duration::from_millis(1239)), "1.23 s");
        assert_eq!(or_never(None), "never");
        assert_eq!(median(&[3, 1, 2]), Some(2));
    }
}
