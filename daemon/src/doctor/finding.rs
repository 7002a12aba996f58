//! What the doctor says.

use crate::control::json::{objects, words};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The mesh works; this could be better, or explains a surprise.
    Hint,
    /// The mesh works badly or only in part.
    Warning,
    /// The mesh, or a hard interface of it, cannot work like this.
    Error,
}

impl Severity {
    /// The word in front of a finding.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Hint => "hint",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// A stable name for programs.
    pub code: &'static str,
    /// The interface that it is about; missing where it is about the node or the machine.
    pub interface: Option<String>,
    /// What is wrong, one or two sentences.
    pub text: String,
    /// What to do about it, sentences or a command.
    pub advice: String,
}

words!(Severity, Hint { Hint "hint", Warning "warning", Error "error" });

objects! {
    Finding { severity, code, interface, text, advice }
    Report { findings, fine, unseen }
}

/// Everything the doctor found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// What is wrong, worst first.
    pub findings: Vec<Finding>,
    /// What was looked at and is as it should be, a sentence each.
    pub fine: Vec<String>,
    /// What could not be looked at, and why, a sentence each.
    pub unseen: Vec<String>,
}

impl Report {
    /// Adds a finding.
    pub fn add(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// The worst severity, `None` where nothing is wrong.
    pub fn worst(&self) -> Option<Severity> {
        self.findings.iter().map(|f| f.severity).max()
    }

    /// Whether there is a finding of this name.
    pub fn has(&self, code: &str) -> bool {
        self.findings.iter().any(|f| f.code == code)
    }

    /// Exit status: 0 for hints at most, 3 for warnings, 4 for errors. 1 and 2 are left to a
    /// doctor that could not do its work.
    pub fn exit_code(&self) -> u8 {
        match self.worst() {
            None | Some(Severity::Hint) => 0,
            Some(Severity::Warning) => 3,
            Some(Severity::Error) => 4,
        }
    }
}

impl Finding {
    /// An error.
    pub fn error(code: &'static str, text: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, text, advice)
    }

    /// A warning.
    pub fn warning(code: &'static str, text: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, text, advice)
    }

    /// A hint.
    pub fn hint(code: &'static str, text: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::new(Severity::Hint, code, text, advice)
    }

    /// A finding about the node or the machine.
    pub fn new(severity: Severity, code: &'static str, text: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { severity, code, interface: None, text: text.into(), advice: advice.into() }
    }

    /// The same about an interface.
    #[must_use]
    pub fn on(self, interface: &str) -> Self {
        Self { interface: Some(interface.to_owned()), ..self }
    }
}
