//! The manual page, in the `man` macros of roff.

use super::help::{EXIT_CODES, explained, usage};
use super::table::{Command, PROGRAM};
use config::keys::{self, Key};
use std::fmt::Write;

/// The whole page.
pub fn page() -> String {
    let mut out = String::new();
    let version = env!("CARGO_PKG_VERSION");
    let _ = writeln!(out, ".TH MESHWORK 8 \"\" \"meshwork {version}\" \"System administration\"");
    let _ = writeln!(out, ".SH NAME\nmeshwork \\- {}", escape(PROGRAM.summary));
    let _ = writeln!(out, ".SH SYNOPSIS\n.B {}", escape(&usage(&[&PROGRAM])));
    out.push_str(".SH DESCRIPTION\n");
    paragraphs(&mut out, PROGRAM.about);
    out.push_str(".SH FLAGS\nThese may stand before or behind every command that they make sense for.\n");
    flags(&mut out, &PROGRAM);
    out.push_str(".SH COMMANDS\n");
    for command in PROGRAM.commands {
        section(&mut out, &[&PROGRAM, command]);
        for below in command.commands {
            section(&mut out, &[&PROGRAM, command, below]);
        }
    }
    configuration(&mut out);
    let _ = writeln!(out, ".SH EXIT STATUS\n{}", escape(EXIT_CODES));
    out.push_str(FILES);
    out.push_str(EXAMPLES);
    out.push_str(".SH SEE ALSO\n.BR batctl (8),\n.BR ip\\-link (8)\n");
    out
}

/// One command.
fn section(out: &mut String, path: &[&'static Command]) {
    let Some(command) = path.last() else { return };
    let _ = writeln!(out, ".SS \"{}\"", escape(&usage(path)));
    if !command.aliases.is_empty() {
        let _ = writeln!(out, "Also called: {}.\n.PP", escape(&command.aliases.join(", ")));
    }
    let summary = command.summary.chars().next().map(|c| c.to_uppercase().collect::<String>()).unwrap_or_default();
    let rest: String = command.summary.chars().skip(1).collect();
    let _ = writeln!(out, "{}.", escape(&format!("{summary}{rest}")));
    if !command.about.is_empty() {
        out.push_str(".PP\n");
        paragraphs(out, command.about);
    }
    for operand in command.operands {
        let _ = writeln!(out, ".TP\n.I {}\n{}", escape(operand.name), escape(operand.help));
    }
    flags(out, command);
}

fn flags(out: &mut String, command: &Command) {
    for flag in command.all_flags() {
        let short = flag.short.map(|s| format!("\\fB\\-{s}\\fR, ")).unwrap_or_default();
        let value = match flag.takes {
            None => String::new(),
            Some(takes) if takes.optional => format!(" [\\fI{}\\fR]", takes.name),
            Some(takes) => format!(" \\fI{}\\fR", takes.name),
        };
        let _ = writeln!(out, ".TP\n{short}\\fB\\-\\-{}\\fR{value}\n{}", escape(flag.long), escape(&explained(flag)));
    }
}

/// The settings of the file.
fn configuration(out: &mut String) {
    let _ = writeln!(out, ".SH CONFIGURATION FILE");
    paragraphs(
        out,
        "TOML. Everything has a default, so an empty file is a good file; \"meshwork config check --print\" shows what \
         holds. Times and sizes are written with their unit: \"500ms\", \"1s\", \"512KiB\". Whatever is unknown or \
         impossible is refused with line and column.\n\n\
         Settings marked (restart) are read at start only; SIGHUP takes in all others.",
    );
    for table in keys::tables() {
        let brackets = if matches!(table, "link" | "radio") { format!("[[{table}]]") } else { format!("[{table}]") };
        let _ = writeln!(out, ".SS \"{brackets}\"");
        if table == "link" {
            out.push_str("One for each hard interface.\n");
        }
        if table == "radio" {
            out.push_str("One for each radio that the node brings into a mesh by itself.\n");
        }
        for key in keys::of(table) {
            setting(out, key);
        }
    }
}

fn setting(out: &mut String, key: &Key) {
    let default = key.default().map(|d| format!(" Default: {d}.")).unwrap_or_default();
    let restart = if key.restart { " (restart)" } else { "" };
    let _ = writeln!(
        out,
        ".TP\n\\fB{}\\fR = \\fI{}\\fR\n{}",
        escape(key.name),
        escape(key.value),
        escape(&format!("{}{default}{restart}", key.help))
    );
}

fn paragraphs(out: &mut String, text: &str) {
    for (i, paragraph) in text.split("\n\n").enumerate() {
        let _ = writeln!(out, "{}{}", if i > 0 { ".PP\n" } else { "" }, escape(paragraph));
    }
}

/// Text as roff prints it unchanged.
fn escape(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-").replace('"', "\\(dq");
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}

const FILES: &str = "\
.SH FILES
.TP
.I /etc/meshwork.toml
The configuration.
.TP
.I /run/meshwork/NAME.sock
Control socket of the node whose mesh interface is NAME.
.TP
.I /var/lib/meshwork/
Sequence numbers that survive a restart.
.TP
.IR /etc/bat\\-hosts ,\\  ~/bat\\-hosts ,\\  bat\\-hosts
Names for addresses, one \\(dqMAC NAME\\(dq a line, as batctl reads them.
";

const EXAMPLES: &str = "\
.SH EXAMPLES
.TP
.B meshwork run \\-i wlan0 \\-i eth1
A node with two hard interfaces and no configuration file.
.TP
.B meshwork o \\-w
All nodes of the mesh, again every second.
.TP
.B meshwork ping \\-R 192.168.7.20
Ask the node that this client is at, and see the way.
.TP
.B meshwork monitor \\-\\-read trace.pcap \\-\\-only ogm
The routing messages of a capture file.
";
