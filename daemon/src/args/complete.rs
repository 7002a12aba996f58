//! Completions for three shells.

use super::table::{Command, Flag, PROGRAM, Value};
use std::fmt::Write;

/// The completions for a shell, `None` for a shell that we do not know.
pub fn script(shell: &str) -> Option<String> {
    match shell {
        "bash" => Some(bash()),
        "zsh" => Some(zsh()),
        "fish" => Some(fish()),
        _ => None,
    }
}

/// Every command with the words that lead to it, the program's own name left out.
fn commands() -> Vec<(Vec<&'static str>, &'static Command)> {
    let mut all = Vec::new();
    for command in PROGRAM.commands {
        all.push((vec![command.name], command));
        for below in command.commands {
            all.push((vec![command.name, below.name], below));
        }
    }
    all
}

/// Words that stand for a command, at most its full name and its short ones.
fn patterns(command: &Command) -> String {
    std::iter::once(command.name).chain(command.aliases.iter().copied()).collect::<Vec<_>>().join("|")
}

fn flag_words(command: &Command) -> String {
    let mut words = Vec::new();
    for flag in command.all_flags() {
        words.push(format!("--{}", flag.long));
        words.extend(flag.short.map(|s| format!("-{s}")));
    }
    words.join(" ")
}

fn bash() -> String {
    let mut out = String::from("# bash completion for meshwork\n_meshwork() {\n");
    out.push_str(
        "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} path= word i\n    \
         for ((i = 1; i < COMP_CWORD; i++)); do\n        \
         word=${COMP_WORDS[i]}\n        \
         case \"$path/$word\" in\n",
    );
    for command in PROGRAM.commands {
        let starts: Vec<String> = patterns(command).split('|').map(|p| format!("/{p}")).collect();
        let _ = writeln!(out, "            {}) path=/{} ;;", starts.join("|"), command.name);
        for below in command.commands {
            let _ = writeln!(out, "            /{0}/{1}) path=/{0}/{1} ;;", command.name, below.name);
        }
    }
    out.push_str("        esac\n    done\n    case \"$path $prev\" in\n");
    let top = (Vec::new(), &PROGRAM);
    let all: Vec<_> = std::iter::once(top).chain(commands()).collect();
    for (path, command) in &all {
        let at: String = path.iter().map(|w| format!("/{w}")).collect();
        for flag in command.all_flags() {
            let Some(takes) = flag.takes.filter(|t| !t.optional) else { continue };
            let short = flag.short.map(|s| format!("|\"{at} -{s}\"")).unwrap_or_default();
            let _ = writeln!(out, "        \"{at} --{}\"{short}) {}; return ;;", flag.long, bash_reply(takes.value));
        }
    }
    out.push_str("    esac\n    case \"$path\" in\n");
    for (path, command) in &all {
        let at: String = path.iter().map(|w| format!("/{w}")).collect();
        let below: Vec<&str> = command.commands.iter().map(|c| c.name).collect();
        let mut words = format!("{} {}", below.join(" "), flag_words(command)).trim().to_owned();
        let mut extra = String::new();
        for operand in command.operands {
            match operand.value {
                Value::Any => {}
                Value::Words(list) => words = format!("{} {words}", list.join(" ")),
                other => extra = format!("[[ $cur != -* ]] && {{ {}; return; }}; ", bash_reply(other)),
            }
        }
        let at = if at.is_empty() { "\"\"".to_owned() } else { at };
        let _ = writeln!(out, "        {at}) {extra}COMPREPLY=($(compgen -W \"{words}\" -- \"$cur\")) ;;");
    }
    out.push_str("    esac\n}\ncomplete -F _meshwork meshwork\n");
    out
}

fn bash_reply(value: Value) -> String {
    match value {
        Value::Any => "COMPREPLY=()".to_owned(),
        Value::File => "COMPREPLY=($(compgen -f -- \"$cur\"))".to_owned(),
        Value::Directory => "COMPREPLY=($(compgen -d -- \"$cur\"))".to_owned(),
        Value::Interface => "COMPREPLY=($(compgen -W \"$(ls /sys/class/net 2>/dev/null)\" -- \"$cur\"))".to_owned(),
        Value::Words(words) => format!("COMPREPLY=($(compgen -W \"{}\" -- \"$cur\"))", words.join(" ")),
    }
}

fn zsh() -> String {
    let mut out = String::from("#compdef meshwork\n# zsh completion for meshwork\n");
    for (path, command) in std::iter::once((Vec::new(), &PROGRAM)).chain(commands()) {
        let name: String = path.iter().map(|w| format!("_{w}")).collect();
        let _ = writeln!(out, "_meshwork{name}() {{\n{ZSH_LOCALS}    _arguments -C \\");
        for flag in command.all_flags() {
            for spec in zsh_flag(flag) {
                let _ = writeln!(out, "        {spec} \\");
            }
        }
        if command.commands.is_empty() {
            for operand in command.operands {
                let colons = if operand.optional { "::" } else { ":" };
                let help = zsh_text(operand.help);
                let _ = writeln!(out, "        '{colons}{help}:{}' \\", zsh_action(operand.value));
            }
            out.push_str("        && ret=0\n    return ret\n}\n");
            continue;
        }
        let list: Vec<String> =
            command.commands.iter().map(|c| format!("{}\\:\"{}\"", c.name, zsh_text(c.summary))).collect();
        let _ = writeln!(out, "        '1:command:(({}))' \\\n        '*::argument:->rest' && ret=0", list.join(" "));
        out.push_str("    case $state in rest) case $line[1] in\n");
        for below in command.commands {
            let _ = writeln!(out, "        {}) _meshwork{name}_{} && ret=0 ;;", patterns(below), below.name);
        }
        out.push_str("    esac ;; esac\n    return ret\n}\n");
    }
    out.push_str("_meshwork \"$@\"\n");
    out
}

/// What `_arguments -C` sets.
const ZSH_LOCALS: &str = "    local curcontext=\"$curcontext\" context state line ret=1\n    typeset -A opt_args\n";

/// The specs of one flag: its long and its short form.
fn zsh_flag(flag: &Flag) -> Vec<String> {
    let star = if flag.takes.is_some_and(|t| t.repeats) { "*" } else { "" };
    let help = zsh_text(flag.help);
    let value = flag.takes.map(|takes| {
        let colons = if takes.optional { "::" } else { ":" };
        format!("{colons}{}:{}", takes.name, zsh_action(takes.value))
    });
    let value = value.unwrap_or_default();
    let mut specs = vec![format!("'{star}--{}[{help}]{value}'", flag.long)];
    specs.extend(flag.short.map(|s| format!("'{star}-{s}[{help}]{value}'")));
    specs
}

fn zsh_action(value: Value) -> String {
    match value {
        Value::Any => String::new(),
        Value::File => "_files".to_owned(),
        Value::Directory => "_files -/".to_owned(),
        Value::Interface => "_net_interfaces".to_owned(),
        Value::Words(words) => format!("({})", words.join(" ")),
    }
}

/// Text inside a single-quoted spec: no quotes, brackets and colons that mean something.
fn zsh_text(text: &str) -> String {
    let text = text.replace('\'', "'\\''").replace('"', "");
    text.replace('[', "\\[").replace(']', "\\]").replace(':', "\\:")
}

fn fish() -> String {
    let mut out = String::from("# fish completion for meshwork\ncomplete -c meshwork -f\n");
    for flag in PROGRAM.all_flags() {
        fish_flag(&mut out, "__fish_use_subcommand", flag);
    }
    for command in PROGRAM.commands {
        let summary = fish_text(command.summary);
        let _ = writeln!(out, "complete -c meshwork -n __fish_use_subcommand -a {} -d '{summary}'", command.name);
        let seen = format!("__fish_seen_subcommand_from {}", patterns(command).replace('|', " "));
        let below: Vec<&str> = command.commands.iter().map(|c| c.name).collect();
        let here = if below.is_empty() {
            seen.clone()
        } else {
            format!("{seen}; and not __fish_seen_subcommand_from {}", below.join(" "))
        };
        fish_command(&mut out, &here, command);
        for c in command.commands {
            let summary = fish_text(c.summary);
            let _ = writeln!(out, "complete -c meshwork -n '{here}' -a {} -d '{summary}'", c.name);
            fish_command(&mut out, &format!("{seen}; and __fish_seen_subcommand_from {}", c.name), c);
        }
    }
    out
}

fn fish_command(out: &mut String, when: &str, command: &Command) {
    for flag in command.all_flags() {
        fish_flag(out, when, flag);
    }
    for operand in command.operands {
        let offer = fish_offer(operand.value);
        if !offer.is_empty() {
            let _ = writeln!(out, "complete -c meshwork -n '{when}'{offer}");
        }
    }
}

fn fish_flag(out: &mut String, when: &str, flag: &Flag) {
    let short = flag.short.map(|s| format!(" -s {s}")).unwrap_or_default();
    let value = match flag.takes {
        Some(takes) if !takes.optional => format!(" -r{}", fish_offer(takes.value)),
        Some(_) | None => String::new(),
    };
    let help = fish_text(flag.help);
    let _ = writeln!(out, "complete -c meshwork -n '{when}' -l {}{short}{value} -d '{help}'", flag.long);
}

fn fish_offer(value: Value) -> String {
    match value {
        Value::Any => String::new(),
        Value::File => " -F".to_owned(),
        Value::Directory => " -a '(__fish_complete_directories)'".to_owned(),
        Value::Interface => " -a '(ls /sys/class/net)'".to_owned(),
        Value::Words(words) => format!(" -a '{}'", words.join(" ")),
    }
}

fn fish_text(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\'', "\\'")
}
