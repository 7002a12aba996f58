//! The program replaced by another one, and back. See [`super`] for what a power cut does at each step.

use super::{Machine, Result, beside, command, fetch, remove, say, settle};
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;
use upgrade::{Image, Kind, State, Trial};

/// Where the program lies on a router.
pub const PROGRAM: &str = "/usr/sbin/meshwork";
/// The same file in the firmware itself, under whatever was installed later.
const IN_FIRMWARE: &str = "/rom/usr/sbin/meshwork";
/// Longest time that a program may take to say its version.
const TRY: Duration = Duration::from_secs(20);

/// What was just done; a test cuts the power here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The new program lies beside the old one, whole and able to run.
    Written,
    /// The old program has its second name.
    Kept,
    /// The state says that a trial is on.
    Noted,
    /// The new program has taken the place of the old one.
    Switched,
    /// Going back: the old program is in its place again.
    Returned,
    /// Staying or gone back: the state says so.
    Decided,
}

/// Called after each step; an error stops there, as a power cut would.
pub type After<'a> = &'a mut dyn FnMut(Step) -> Result<()>;

/// Nothing happens after a step.
///
/// # Errors
/// None.
pub fn go_on(_: Step) -> Result<()> {
    Ok(())
}

struct Names {
    now: PathBuf,
    new: PathBuf,
    old: PathBuf,
    part: PathBuf,
}

fn names(machine: &Machine) -> Names {
    let now = machine.at(PROGRAM);
    Names { new: beside(&now, ".new"), old: beside(&now, ".old"), part: beside(&now, ".old.part"), now }
}

/// Whether a trial is on, after whatever a power cut left behind was put in order.
///
/// # Errors
/// A file cannot be written or removed.
pub fn recover(machine: &Machine, state: &mut State) -> Result<bool> {
    let names = names(machine);
    match state.trial.as_mut().filter(|t| t.kind == Kind::Program) {
        Some(_) if names.new.exists() => {
            state.never_began();
            machine.keep(state)?;
        }
        Some(trial) if fs::symlink_metadata(&names.old).is_ok() => {
            trial.starts += 1;
            machine.keep(state)?;
            return Ok(true);
        }
        Some(_) => {
            state.went_back("the power failed while it did");
            machine.keep(state)?;
        }
        None => {}
    }
    [&names.new, &names.part, &names.old].into_iter().try_for_each(|path| remove(path))?;
    Ok(false)
}

/// Puts a fetched program in the place of the running one. The caller has called [`recover`].
///
/// # Errors
/// It is not what was signed, does not run here, there is no room for two, or `after` stopped it. The old program is
/// then still in its place, unless `after` stopped behind [`Step::Switched`].
pub fn install(
    machine: &Machine,
    (image, version, fetched): (&Image, &str, &Path),
    trial: Trial,
    state: &mut State,
    after: After<'_>,
) -> Result<()> {
    let names = names(machine);
    fetch::check(fetched, image)?;
    write(fetched, &names.new, image)?;
    try_it(&names.new, version)?;
    after(Step::Written)?;
    keep_old(machine, &names)?;
    after(Step::Kept)?;
    state.begin(trial);
    machine.keep(state)?;
    after(Step::Noted)?;
    rename(&names.new, &names.now)?;
    after(Step::Switched)
}

/// Takes what [`install`] left behind when it failed.
///
/// # Errors
/// A file cannot be written or removed.
pub fn tidy(machine: &Machine, state: &mut State) -> Result<()> {
    recover(machine, state).map(|_| ())
}

/// The new program stays.
///
/// # Errors
/// A file cannot be written or removed.
pub fn stay(machine: &Machine, state: &mut State, why: &str, after: After<'_>) -> Result<()> {
    state.confirm(why);
    machine.keep(state)?;
    after(Step::Decided)?;
    remove(&names(machine).old)
}

/// The old program comes back.
///
/// # Errors
/// A file cannot be written or removed.
pub fn go_back(machine: &Machine, state: &mut State, why: &str, after: After<'_>) -> Result<()> {
    let names = names(machine);
    rename(&names.old, &names.now)?;
    after(Step::Returned)?;
    state.went_back(why);
    machine.keep(state)?;
    after(Step::Decided)
}

/// Flash is what matters: what was written there is read again before it counts.
fn write(fetched: &Path, to: &Path, image: &Image) -> Result<()> {
    let done = (|| {
        let mut input = File::open(fetched)?;
        let mut output = File::create(to)?;
        std::io::copy(&mut input, &mut output)?;
        output.set_permissions(Permissions::from_mode(0o755))?;
        output.sync_all()?;
        settle(to)
    })();
    done.map_err(|e| match e.kind() {
        std::io::ErrorKind::StorageFull => {
            format!(
                "there is no room for two programs: {} bytes more would have to fit beside {}",
                image.size,
                to.display()
            )
        }
        _ => say(to, &e),
    })?;
    fetch::check(to, image)
}

/// A program for another CPU, or one that is not ours, shows here and not on the mesh.
fn try_it(program: &Path, version: &str) -> Result<()> {
    let said =
        command::run(program, &["--version"], TRY).map_err(|e| format!("the new program does not run here: {e}"))?;
    let mut words = said.split_whitespace();
    match (words.next(), words.next()) {
        (Some("meshwork"), Some(found)) if found == version => Ok(()),
        (Some("meshwork"), Some(found)) => {
            Err(format!("the new program is version {found}, and the manifest says {version}"))
        }
        _ => Err("the new program does not say that it is meshwork".to_owned()),
    }
}

fn keep_old(machine: &Machine, names: &Names) -> Result<()> {
    remove(&names.part)?;
    remove(&names.old)?;
    let firmware = machine.at(IN_FIRMWARE);
    let done = (|| {
        if same(&firmware, &names.now) {
            // It lies in the read-only part of the flash: a copy would only cost room.
            symlink(&firmware, &names.part)?;
        } else if fs::hard_link(&names.now, &names.part).is_err() {
            fs::copy(&names.now, &names.part)?;
            File::open(&names.part)?.sync_all()?;
        }
        Ok(())
    })();
    done.map_err(|e: std::io::Error| {
        format!("the running program cannot be kept beside the new one: {}", say(&names.part, &e))
    })?;
    rename(&names.part, &names.old)
}

fn same(a: &Path, b: &Path) -> bool {
    let read = |path| fs::read(path).ok();
    read(a).is_some_and(|bytes| read(b) == Some(bytes))
}

fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).and_then(|()| settle(to)).map_err(|e| format!("{} to {}: {e}", from.display(), to.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use upgrade::Sha256;

    /// A machine of files with a program of two lines, gone with the test.
    struct Bench {
        machine: Machine,
        dir: PathBuf,
    }

    impl Drop for Bench {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.dir);
        }
    }

    fn script(version: &str) -> String {
        format!("#!/bin/sh\necho meshwork {version} fake\n")
    }

    impl Bench {
        fn new(name: &str) -> Self {
            let dir = std::env::temp_dir().join(format!("upgrades-{name}-{}", std::process::id()));
            let _ = fs::remove_dir_all(&dir);
            let bench = Self { machine: Machine::new(&dir), dir };
            bench.put("usr/sbin/meshwork", &script("0.1.0"));
            bench.put("fetched", &script("0.2.0"));
            bench.machine.keep(&State { serial: 16, ..State::default() }).unwrap();
            bench
        }

        fn put(&self, name: &str, text: &str) {
            let path = self.dir.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        }

        fn image(&self, text: &str) -> Image {
            let mut hash = Sha256::default();
            hash.update(text.as_bytes());
            Image {
                kind: Kind::Program,
                name: "meshwork-x".to_owned(),
                size: text.len().try_into().unwrap(),
                sha256: hash.finish(),
                fits: vec!["x".to_owned()],
            }
        }

        fn install(&self, stop: Option<Step>) -> Result<()> {
            let mut state = self.machine.state();
            let (image, fetched) = (self.image(&script("0.2.0")), self.dir.join("fetched"));
            install(&self.machine, (&image, "0.2.0", &fetched), trial(), &mut state, &mut until(stop))
        }

        fn version(&self) -> String {
            let said = command::run(&self.machine.at(PROGRAM), &["--version"], TRY).unwrap();
            said.split_whitespace().nth(1).unwrap().to_owned()
        }

        fn leftovers(&self) -> Vec<String> {
            let dir = fs::read_dir(self.dir.join("usr/sbin")).unwrap();
            let mut names: Vec<String> = dir.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
            names.retain(|n| n != "meshwork");
            names.sort();
            names
        }
    }

    fn trial() -> Trial {
        Trial {
            serial: 17,
            kind: Kind::Program,
            from: "0.1.0".to_owned(),
            had_neighbor: true,
            starts: 0,
            way_back: String::new(),
        }
    }

    fn until(stop: Option<Step>) -> impl FnMut(Step) -> Result<()> {
        move |step| if Some(step) == stop { Err("power cut".to_owned()) } else { Ok(()) }
    }

    #[test]
    fn a_program_is_replaced_and_stays() {
        let bench = Bench::new("stays");
        bench.install(None).unwrap();
        assert_eq!((bench.version(), bench.leftovers()), ("0.2.0".to_owned(), vec!["meshwork.old".to_owned()]));
        let mut state = bench.machine.state();
        assert!(recover(&bench.machine, &mut state).unwrap());
        stay(&bench.machine, &mut state, "it sees a neighbour", &mut go_on).unwrap();
        assert_eq!((bench.version().as_str(), bench.leftovers().len(), bench.machine.state().serial), ("0.2.0", 0, 17));
    }

    #[test]
    fn a_program_goes_back() {
        let bench = Bench::new("back");
        bench.install(None).unwrap();
        let mut state = bench.machine.state();
        go_back(&bench.machine, &mut state, "nobody there", &mut go_on).unwrap();
        let state = bench.machine.state();
        assert_eq!((bench.version().as_str(), bench.leftovers().len()), ("0.1.0", 0));
        assert_eq!((state.serial, state.failed, state.trial), (17, 17, None));
        assert_eq!(state.last, "serial 17 went back to 0.1.0: nobody there");
    }

    /// Power cut behind each step: the next start finds a whole program, the state that belongs to it and no litter.
    #[test]
    fn a_power_cut_at_each_step_of_an_installation() {
        use Step::{Kept, Noted, Switched, Written};
        for (step, version, on_trial) in
            [(Written, "0.1.0", false), (Kept, "0.1.0", false), (Noted, "0.1.0", false), (Switched, "0.2.0", true)]
        {
            let bench = Bench::new(&format!("cut-{step:?}"));
            bench.install(Some(step)).unwrap_err();
            assert_eq!(bench.version(), version, "{step:?}");
            let mut state = bench.machine.state();
            assert_eq!(recover(&bench.machine, &mut state).unwrap(), on_trial, "{step:?}");
            assert_eq!(bench.machine.state(), state, "{step:?}: kept as it is");
            if on_trial {
                assert_eq!((state.trial.as_ref().unwrap().starts, bench.leftovers().len()), (1, 1));
                continue;
            }
            assert_eq!((state.serial, state.trial, bench.leftovers().len()), (16, None, 0), "{step:?}");
            bench.install(None).unwrap();
            assert_eq!(bench.version(), "0.2.0", "{step:?}: and it can be tried again");
        }
    }

    #[test]
    fn a_power_cut_at_each_step_of_the_decision() {
        for (step, back, version) in
            [(Step::Decided, false, "0.2.0"), (Step::Returned, true, "0.1.0"), (Step::Decided, true, "0.1.0")]
        {
            let bench = Bench::new(&format!("decide-{step:?}-{back}"));
            bench.install(None).unwrap();
            let mut state = bench.machine.state();
            let decide = if back { go_back } else { stay };
            decide(&bench.machine, &mut state, "so", &mut until(Some(step))).unwrap_err();
            assert_eq!(bench.version(), version, "{step:?}");
            let mut state = bench.machine.state();
            assert!(!recover(&bench.machine, &mut state).unwrap(), "{step:?}");
            assert_eq!((state.serial, state.failed), (17, if back { 17 } else { 0 }), "{step:?}");
            assert_eq!((bench.version().as_str(), bench.leftovers().len()), (version, 0), "{step:?}");
        }
    }

    #[test]
    fn what_is_not_right_never_takes_the_place() {
        let bench = Bench::new("refused");
        let fetched = bench.dir.join("fetched");
        let tried = |text: &str, image: &Image, version: &str| {
            bench.put("fetched", text);
            let mut state = bench.machine.state();
            let error =
                install(&bench.machine, (image, version, &fetched), trial(), &mut state, &mut go_on).unwrap_err();
            tidy(&bench.machine, &mut state).unwrap();
            assert_eq!((bench.version().as_str(), bench.leftovers().len()), ("0.1.0", 0), "{error}");
            error
        };
        let good = script("0.2.0");
        let image = bench.image(&good);
        assert!(tried(&good.replace("fake", "fuke"), &image, "0.2.0").contains("not what was signed"));
        assert!(tried(&good[1..], &image, "0.2.0").contains("bytes, and the manifest says"));
        assert!(tried(&good, &image, "0.3.0").contains("is version 0.2.0, and the manifest says 0.3.0"));
        let alien = "\u{7f}ELF of another CPU";
        assert!(tried(alien, &bench.image(alien), "0.2.0").contains("does not run here"));
        let other = "#!/bin/sh\necho hello\n";
        assert!(tried(other, &bench.image(other), "0.2.0").contains("meshwork"));
        let crash = "#!/bin/sh\nkill -SEGV $$\n";
        assert!(tried(crash, &bench.image(crash), "0.2.0").contains("does not run here"));
    }

    #[test]
    fn a_program_of_the_firmware_is_not_copied() {
        let bench = Bench::new("rom");
        bench.put("rom/usr/sbin/meshwork", &script("0.1.0"));
        bench.install(None).unwrap();
        assert!(fs::symlink_metadata(bench.dir.join("usr/sbin/meshwork.old")).unwrap().is_symlink());
        let mut state = bench.machine.state();
        assert!(recover(&bench.machine, &mut state).unwrap());
        go_back(&bench.machine, &mut state, "so", &mut go_on).unwrap();
        assert_eq!(bench.version(), "0.1.0");
    }
}
