//! `import-uci`: takes the batman-adv configuration of an OpenWrt router over, and gives it back.

use super::Out;
use crate::args::Args;
use anyhow::Context as _;
use config::uci::import::{Edit, give_back, take_over};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Says what would change; with `--write` it changes it.
///
/// # Errors
/// The file cannot be read or written.
pub(super) fn run(args: &Args, out: Out<'_>) -> anyhow::Result<()> {
    let file = Path::new(args.value_or_default("uci-dir")).join("network");
    let text = std::fs::read_to_string(&file).with_context(|| format!("{}", file.display()))?;
    let (new, edits) = if args.has("undo") { give_back(&text) } else { take_over(&text) };
    let backup = PathBuf::from(format!("{}.before-meshwork", file.display()));
    let write = args.has("write") && !edits.is_empty();
    if write {
        // What the first import found stays: a second one would write its own work over it.
        if !args.has("undo") && !backup.exists() {
            replace(&backup, &text)?;
        }
        replace(&file, &new)?;
    }
    if args.has("json") {
        let edits: Vec<_> = edits
            .iter()
            .map(|e| serde_json::json!({"line": e.line, "option": e.option, "before": e.before, "after": e.after}))
            .collect();
        let answer = serde_json::json!({"file": file.display().to_string(), "written": write, "changes": edits});
        return Ok(writeln!(out, "{answer}")?);
    }
    edits.iter().try_for_each(|edit| line(edit, &file, out))?;
    match (edits.is_empty(), write) {
        (true, _) if args.has("undo") => writeln!(out, "{}: nothing here is Meshwork's", file.display())?,
        (true, _) => writeln!(out, "{}: no batman-adv interface, nothing to take over", file.display())?,
        (false, false) => writeln!(out, "Nothing is changed yet. Do it with --write; undo it with --undo --write.")?,
        (false, true) => {
            writeln!(out, "Written. It holds after: /etc/init.d/meshwork enable && /etc/init.d/network restart")?;
            if !args.has("undo") {
                writeln!(out, "The file as it was: {}", backup.display())?;
            }
        }
    }
    Ok(())
}

fn line(edit: &Edit, file: &Path, out: Out<'_>) -> anyhow::Result<()> {
    let before = if edit.before.is_empty() { "not set" } else { &edit.before };
    Ok(writeln!(out, "{}:{}: {}: {before} -> {}", file.display(), edit.line, edit.option, edit.after)?)
}

/// Writes a file whole or not at all: a router may lose its power at any moment.
fn replace(path: &Path, text: &str) -> anyhow::Result<()> {
    let part = PathBuf::from(format!("{}.part", path.display()));
    let done = (|| {
        let mut file = std::fs::File::create(&part)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        if let Ok(old) = std::fs::metadata(path) {
            file.set_permissions(old.permissions())?;
        }
        std::fs::rename(&part, path)
    })();
    done.with_context(|| format!("{}", path.display()))
}

#[cfg(test)]
mod tests {
    use crate::args::{self, Parsed};
    use std::ffi::OsString;
    use std::path::PathBuf;

    fn run(line: &str) -> String {
        let words = std::iter::once("meshwork").chain(line.split_whitespace()).map(OsString::from);
        let Ok(Parsed::Run(args)) = args::parse(words) else { panic!("{line}") };
        let mut out = Vec::new();
        super::run(&args, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn said_first_then_done_then_undone() {
        let dir = std::env::temp_dir().join(format!("meshwork-import-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let file = dir.join("network");
        let theirs = "config interface 'bat0'\n\toption proto 'batadv'\n\toption routing_algo 'BATMAN_V'\n";
        std::fs::write(&file, theirs).unwrap();
        let now = || std::fs::read_to_string(&file).unwrap();
        let command = format!("import-uci --uci-dir {}", dir.display());

        let said = run(&command);
        assert!(said.contains("network:2: network.bat0.proto: batadv -> meshwork\nNothing is changed yet."), "{said}");
        assert_eq!(now(), theirs);
        let said = run(&format!("{command} --write --json"));
        let answer: serde_json::Value = serde_json::from_str(&said).unwrap();
        assert_eq!((&answer["written"], answer["changes"].as_array().unwrap().len()), (&true.into(), 1));
        assert_eq!(now(), theirs.replace("batadv", "meshwork"));
        assert!(run(&command).contains("nothing to take over"));
        run(&format!("{command} --undo --write"));
        assert_eq!(now(), theirs);
        let backup = std::fs::read_to_string(PathBuf::from(format!("{}.before-meshwork", file.display()))).unwrap();
        assert_eq!(backup, theirs);
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
