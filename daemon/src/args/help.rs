//! The help texts.

use super::table::{Command, Flag, PROGRAM};
use std::fmt::Write;

/// Columns of a line.
const WIDTH: usize = 80;
/// Where the explanations begin.
const INDENT: usize = 26;

/// The help of a command; `path` leads from the program to it.
pub fn help(path: &[&'static Command]) -> String {
    let command = *path.last().unwrap_or(&&PROGRAM);
    let mut out = String::new();
    let about = if command.about.is_empty() { command.summary } else { command.about };
    let _ = writeln!(out, "Usage: {}\n", usage(path));
    for paragraph in about.split("\n\n") {
        let _ = writeln!(out, "{}\n", wrap(paragraph, 0));
    }
    if !command.commands.is_empty() {
        out.push_str("Commands:\n");
        for c in command.commands {
            let short =
                c.aliases.first().filter(|_| c.aliases.len() < 4).map(|a| format!(" ({a})")).unwrap_or_default();
            row(&mut out, &format!("{}{short}", c.name), c.summary);
        }
        out.push('\n');
    }
    if !command.operands.is_empty() {
        for o in command.operands {
            row(&mut out, o.name, o.help);
        }
        out.push('\n');
    }
    out.push_str("Flags:\n");
    for flag in command.all_flags() {
        row(&mut out, &spelled(flag), &explained(flag));
    }
    if command.id == PROGRAM.id {
        let _ = write!(out, "\n{}\n", wrap(EXIT_CODES, 0));
    } else if !command.aliases.is_empty() {
        let _ = write!(out, "\n{}\n", wrap(&format!("Also called: {}", command.aliases.join(", ")), 0));
    }
    out
}

/// What exit codes mean, for help and manual page.
pub const EXIT_CODES: &str = "Exit codes: 0 done, 1 failed, 2 the command line or the configuration file is wrong and nothing was started. doctor \
     ends with 3 if it found something to be warned of, and with 4 if it found an error.";

/// `meshwork ping [FLAGS] HOST`.
pub fn usage(path: &[&'static Command]) -> String {
    let command = *path.last().unwrap_or(&&PROGRAM);
    let mut out = super::parse::words(path);
    if !command.commands.is_empty() && command.id == PROGRAM.id {
        out.push_str(" [FLAGS] COMMAND");
        return out;
    }
    out.push_str(" [FLAGS]");
    if !command.commands.is_empty() {
        let names: Vec<&str> = command.commands.iter().map(|c| c.name).collect();
        let _ = write!(out, " [{}]", names.join("|"));
    }
    for o in command.operands {
        let _ = if o.optional { write!(out, " [{}]", o.name) } else { write!(out, " {}", o.name) };
    }
    out
}

/// `-w, --watch [SECONDS]`.
pub fn spelled(flag: &Flag) -> String {
    let short = flag.short.map_or_else(|| "    ".to_owned(), |s| format!("-{s}, "));
    let value = match flag.takes {
        None => String::new(),
        Some(takes) if takes.optional => format!(" [{}]", takes.name),
        Some(takes) => format!(" {}", takes.name),
    };
    format!("{short}--{}{value}", flag.long)
}

/// Its help, and the default if it has one.
pub fn explained(flag: &Flag) -> String {
    if flag.default.is_empty() { flag.help.to_owned() } else { format!("{} [{}]", flag.help, flag.default) }
}

fn row(out: &mut String, left: &str, right: &str) {
    let gap = (INDENT - 2).saturating_sub(left.chars().count());
    let text = wrap(right, INDENT);
    let _ = if gap > 0 {
        writeln!(out, "  {left}{}{text}", " ".repeat(gap))
    } else {
        writeln!(out, "  {left}\n{}{text}", " ".repeat(INDENT))
    };
}

/// Breaks lines at blanks; all but the first are indented.
pub fn wrap(text: &str, indent: usize) -> String {
    let mut out = String::new();
    let mut column = indent;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if column > indent && column + 1 + length > WIDTH {
            let _ = write!(out, "\n{}", " ".repeat(indent));
            column = indent;
        } else if column > indent {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
    out
}
