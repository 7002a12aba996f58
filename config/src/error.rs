//! What is wrong with a configuration, said so that it can be put right at once.

use std::fmt;
use std::io;
use std::ops::Range;
use std::path::PathBuf;

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Bytes of the file.
    File(Range<usize>),
    /// A flag of the command line, `--mtu`.
    Flag(&'static str),
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// Full name of the setting, `mesh.mtu`; empty where the file is no TOML at all.
    pub key: String,
    /// What was found, and what is allowed.
    pub text: String,
}

/// Everything that is wrong with a configuration; at least one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Errors {
    name: String,
    source: String,
    problems: Vec<Problem>,
}

impl Errors {
    /// `problems` of a file called `name` that holds `source`, in the order of the file, those
    /// of the command line first.
    pub(crate) fn new(name: &str, source: &str, mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(|p| match &p.place {
            Place::Flag(_) => (0, 0),
            Place::File(span) => (1, span.start),
        });
        Self { name: name.to_owned(), source: source.to_owned(), problems }
    }

    /// The problems, in the order in which they are printed.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Line and column of a problem, both from 1, columns in characters; `None` for the command
    /// line.
    pub fn position(&self, problem: &Problem) -> Option<(usize, usize)> {
        let Place::File(span) = &problem.place else { return None };
        let before = self.source.get(..span.start.min(self.source.len())).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |i| i + 1);
        let line = before.matches('\n').count() + 1;
        Some((line, before.get(line_start..).unwrap_or_default().chars().count() + 1))
    }

    /// The line of a problem with a row of carets under the value.
    fn excerpt(&self, f: &mut fmt::Formatter<'_>, line: usize, column: usize, span: &Range<usize>) -> fmt::Result {
        let Some(text) = self.source.lines().nth(line - 1) else { return Ok(()) };
        let value = self.source.get(span.clone()).unwrap_or_default().lines().next().unwrap_or_default();
        let room = (text.chars().count() + 1).saturating_sub(column).max(1);
        let carets = "^".repeat(value.chars().count().clamp(1, room));
        // Tabs keep their width under a tab.
        let indent: String = text.chars().take(column - 1).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        let margin = line.to_string();
        let blank = " ".repeat(margin.len());
        write!(f, "\n {margin} | {text}\n {blank} | {indent}{carets}")
    }
}

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.problems.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            let key = if problem.key.is_empty() { String::new() } else { format!("{}: ", problem.key) };
            match (&problem.place, self.position(problem)) {
                (Place::File(span), Some((line, column))) => {
                    write!(f, "{}:{line}:{column}: {key}{}", self.name, problem.text)?;
                    self.excerpt(f, line, column, span)?;
                }
                (Place::Flag(flag), _) => write!(f, "{flag}: {}", problem.text)?,
                (Place::File(_), None) => write!(f, "{}: {key}{}", self.name, problem.text)?,
            }
        }
        Ok(())
    }
}

impl std::error::Error for Errors {}

/// Why there is no configuration.
#[derive(Debug)]
pub enum LoadError {
    /// The file cannot be read.
    Read(PathBuf, io::Error),
    /// The file or the command line says something impossible.
    Bad(Errors),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(path, e) => write!(f, "{}: cannot be read: {e}", path.display()),
            Self::Bad(errors) => errors.fmt(f),
        }
    }
}

// The text says everything already; a source would make printers say it twice.
impl std::error::Error for LoadError {}
