//! Medians, the printed table, and the figures that are kept.

use anyhow::{Context, Result};
use serde_json::json;
use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;

/// The middle of the values; of the two in the middle, the lower. `NaN` when there is none.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().filter(|v| v.is_finite()).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len().wrapping_sub(1) / 2).copied().unwrap_or(f64::NAN)
}

/// Columns of text, the first to the left, the others to the right.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these headings.
    pub(crate) fn new(headings: &[&str]) -> Self {
        Self { rows: vec![headings.iter().map(|h| (*h).into()).collect()] }
    }

    /// Adds a row; cells that are left out stay empty.
    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.into());
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |n: usize| self.rows.iter().filter_map(|r| r.get(n)).map(|c| c.chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for row in &self.rows {
            let mut line = String::new();
            for (n, (cell, width)) in row.iter().zip(&widths).enumerate() {
                if n == 0 {
                    write!(line, "{cell:<width$}")?;
                } else {
                    write!(line, "  {cell:>width$}")?;
                }
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// Judges figures against their bounds.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// What fell short.
    pub(crate) missed: Vec<String>,
    /// Figures with a bound, in short.
    pub(crate) judged: Vec<String>,
}

/// What a figure may be at most or must be at least.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Bound {
    /// At least this.
    Least(f64),
    /// At most this.
    Most(f64),
    /// No bound: it is for people.
    None,
}

impl std::fmt::Display for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Least(limit) => write!(f, ">= {limit}"),
            Self::Most(limit) => write!(f, "<= {limit}"),
            Self::None => Ok(()),
        }
    }
}

impl Verdict {
    /// Takes note of a figure: keeps it for `tests/run --long` as a line of JSON in
    /// the file that `FIGURES` names, and remembers it when it misses its bound.
    pub(crate) fn figure(&mut self, name: &str, value: f64, unit: &str, bound: Bound) -> Result<()> {
        let (limit, ok) = match bound {
            Bound::Least(limit) => (Some(limit), value >= limit),
            Bound::Most(limit) => (Some(limit), value <= limit),
            Bound::None => (None, true),
        };
        let value = (value * 100.0).round() / 100.0;
        if limit.is_some() {
            self.judged.push(format!("{name}: {value} {unit}"));
        }
        if !ok {
            self.missed.push(format!("{name}: {value} {unit}, wanted {bound}"));
        }
        if let Some(path) = std::env::var_os("FIGURES").filter(|p| !p.is_empty()) {
            let figure = json!({"figure": name, "value": value, "unit": unit, "limit": limit, "ok": ok});
            let mut file = OpenOptions::new().append(true).create(true).open(path).context("FIGURES")?;
            writeln!(file, "{figure}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median([4.0, 1.0, f64::NAN]), 1.0);
        assert!(median([]).is_nan());
    }

    #[test]
    fn columns_line_up() {
        let mut table = Table::new(&["what", "x"]);
        table.row(["a".into(), "100".into()]);
        assert_eq!(table.to_string(), "what    x\na     100\n");
    }
}
