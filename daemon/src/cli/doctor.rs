//! `doctor`: what is wrong, in plain words, worst first.

use super::{Ended, Out};
use crate::args::Args;
use crate::args::help::wrap;
use crate::control::{FORMAT, json};
use crate::doctor::facts::Facts;
use crate::doctor::gather::{Options, gather};
use crate::doctor::{Finding, Report, Severity, examine};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

/// Looks, and says what it found. Ends with 0, 3 or 4 by the worst finding.
///
/// # Errors
/// A flag makes no sense, the kernel does not list its interfaces; [`Ended`] when something is
/// wrong.
pub(super) async fn run(args: &Args, out: Out<'_>) -> anyhow::Result<()> {
    let listen = args.seconds("time")?.unwrap_or(Duration::from_secs(5));
    let options = Options {
        socket: super::socket(args),
        mesh: args.value_or_default("mesh").to_owned(),
        config: args.value("config").map(PathBuf::from),
        interfaces: args.values("interface").map(str::to_owned).collect(),
        listen,
    };
    let facts = gather(&options).await?;
    let mut report = examine(&facts);
    if args.has("json") {
        let mut answer = json::tree(&mut report);
        if let Some(answer) = answer.as_object_mut() {
            answer.insert("format".to_owned(), FORMAT.into());
            answer.insert("severity".to_owned(), report.worst().map_or("fine", Severity::word).into());
            answer.insert("mesh_ifname".to_owned(), facts.mesh.clone().into());
        }
        writeln!(out, "{answer}")?;
    } else {
        out.write_all(page(&facts, &report).as_bytes())?;
    }
    match report.exit_code() {
        0 => Ok(()),
        code => Err(Ended(code).into()),
    }
}

/// Columns in front of the text of a finding.
const INDENT: usize = 9;

/// The answer for people.
fn page(facts: &Facts, report: &Report) -> String {
    let mut out = String::new();
    let of = |severity| report.findings.iter().filter(|f| f.severity == severity).count();
    let mut parts: Vec<String> = Vec::new();
    for severity in [Severity::Error, Severity::Warning, Severity::Hint] {
        match of(severity) {
            0 => {}
            1 => parts.push(format!("1 {}", severity.word())),
            n => parts.push(format!("{n} {}s", severity.word())),
        }
    }
    let listened = if facts.listened.is_zero() {
        String::new()
    } else {
        format!(", after listening for {} s", facts.listened.as_secs())
    };
    let sum = if parts.is_empty() { "nothing is wrong".to_owned() } else { parts.join(", ") };
    let _ = writeln!(out, "{}: {sum}{listened}.", facts.mesh);
    for finding in &report.findings {
        let _ = write!(out, "\n{}", paragraph(finding));
    }
    for (title, lines) in [("As it should be:", &report.fine), ("Not looked at:", &report.unseen)] {
        if !lines.is_empty() {
            let _ = writeln!(out, "\n{title}");
        }
        for line in lines {
            let _ = writeln!(out, "  - {}", wrap(line, 4));
        }
    }
    out
}

fn paragraph(finding: &Finding) -> String {
    let word = finding.severity.word().to_uppercase();
    // A text may bring lines of its own along, such as those of a configuration file.
    let lines: Vec<String> = finding.text.lines().map(|line| wrap(line, INDENT)).collect();
    let text = lines.join(&format!("\n{}", " ".repeat(INDENT)));
    format!("{word:INDENT$}{text}\n{:INDENT$}-> {}\n", "", wrap(&finding.advice, INDENT + 3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_reads_well() {
        let facts = Facts { mesh: "mesh0".into(), listened: Duration::from_millis(5003), ..Facts::default() };
        let mut report = Report::default();
        assert_eq!(page(&facts, &report), "mesh0: nothing is wrong, after listening for 5 s.\n");
        report.add(Finding::error(
            "x",
            "eth0 is a port of the bridge br0, which takes all its frames; the mesh gets none.",
            "Take it out of the bridge: ip link set eth0 nomaster. To reach the mesh from the bridge, put mesh0 in.",
        ));
        report.add(Finding::hint("y", "The file is wrong:\na.toml:1:1: nonsense", "Correct it."));
        report.fine.push("the node runs".into());
        report.unseen.push("packet filters: needs CAP_NET_ADMIN".into());
        assert_eq!(
            page(&facts, &report),
            "\
mesh0: 1 error, 1 hint, after listening for 5 s.

ERROR    eth0 is a port of the bridge br0, which takes all its frames; the mesh
         gets none.
         -> Take it out of the bridge: ip link set eth0 nomaster. To reach the
            mesh from the bridge, put mesh0 in.

HINT     The file is wrong:
         a.toml:1:1: nonsense
         -> Correct it.

As it should be:
  - the node runs

Not looked at:
  - packet filters: needs CAP_NET_ADMIN
"
        );
    }
}
