//! A whole firmware, through OpenWrt's sysupgrade.
//!
//! Few devices have room for two firmwares. Where OpenWrt's own scripts write the one that does not run and flip a
//! variable of the boot loader, going back is to flip it again. Everywhere else nothing leads back, and a firmware
//! is installed only by those who say that they know.
//!
//! Whether the new firmware came up shows in a file that sysupgrade does not keep: while it is there, the old one runs.

use super::{Machine, Result, command, remove, replace};
use std::fs;
use std::path::Path;
use std::time::Duration;
use upgrade::{Image, Kind, State, Trial};

/// Boards whose boot loader chooses between two firmwares by a variable, 1 or 2.
///
/// Source: OpenWrt, target/linux/ipq40xx/base-files/lib/upgrade/{linksys,platform}.sh.
const SLOTS: &[(&str, &str)] = &[
    ("linksys,ea6350v3", "boot_part"),
    ("linksys,ea8300", "boot_part"),
    ("linksys,mr6350", "boot_part"),
    ("linksys,mr8300", "boot_part"),
    ("alfa-network,ap120c-ac", "active"),
];
/// Lies in the old firmware's own flash, and is not kept.
const MARK: &str = "/usr/share/meshwork/upgrading";
/// Memory that has to stay free besides the image, which lies there too.
const SPARE: u64 = 6 << 20;
const PATIENCE: Duration = Duration::from_secs(120);

/// What leads back from a new firmware, `VARIABLE VALUE`; empty where nothing does.
pub fn way_back(machine: &Machine) -> String {
    let board = machine.board();
    let Some((_, variable)) = SLOTS.iter().find(|(name, _)| *name == board) else { return String::new() };
    let said = command::run(&machine.at("/usr/sbin/fw_printenv"), &["-n", variable], PATIENCE).unwrap_or_default();
    match said.trim() {
        slot @ ("1" | "2") => format!("{variable} {slot}"),
        _ => String::new(),
    }
}

/// Whether the image fits this device: its flash, and before that its memory.
///
/// # Errors
/// It does not; with both numbers.
pub fn fits(machine: &Machine, image: &Image) -> Result<()> {
    let size = u64::from(image.size);
    let flash = flash(&fs::read_to_string(machine.at("/proc/mtd")).unwrap_or_default());
    if let Some(flash) = flash.filter(|&flash| size > flash) {
        return Err(format!("{} has {size} bytes, and the flash has room for {flash}", image.name));
    }
    let free = available(&fs::read_to_string(machine.at("/proc/meminfo")).unwrap_or_default());
    if let Some(free) = free.filter(|&free| size + SPARE > free) {
        return Err(format!(
            "{} has {size} bytes and has to lie in memory first, where {free} are free: {} are needed",
            image.name,
            size + SPARE
        ));
    }
    Ok(())
}

/// Bytes of the partition that a firmware goes into: `firmware`, or on NAND all that UBI has.
fn flash(mtd: &str) -> Option<u64> {
    let size = |wanted: &str| {
        mtd.lines().find_map(|line| {
            let (_, rest) = line.split_once(": ")?;
            let name = rest.split('"').nth(1)?;
            (name == wanted).then(|| u64::from_str_radix(rest.split(' ').next()?, 16).ok())?
        })
    };
    size("firmware").or_else(|| size("ubi"))
}

fn available(meminfo: &str) -> Option<u64> {
    let rest = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(rest.split_whitespace().next()?.parse::<u64>().ok()? << 10)
}

/// Whether the device's own check takes the image; nothing is written.
///
/// # Errors
/// It does not.
pub fn test(machine: &Machine, fetched: &Path) -> Result<()> {
    let file = fetched.to_str().ok_or("the folder's name is no text")?;
    let said = command::run(&machine.at("/sbin/sysupgrade"), &["--test", file], PATIENCE);
    said.map(|_| ()).map_err(|e| format!("this device's own check refuses the image: {e}"))
}

/// Writes the firmware. If all goes well the machine starts again, and this never returns.
///
/// # Errors
/// sysupgrade refuses; then nothing was changed.
pub fn install(machine: &Machine, fetched: &Path, trial: Trial, state: &mut State) -> Result<()> {
    let file = fetched.to_str().ok_or("the folder's name is no text")?;
    replace(&machine.at(MARK), format!("{}\n", trial.serial).as_bytes())?;
    state.begin(trial);
    machine.keep(state)?;
    let done = command::run(&machine.at("/sbin/sysupgrade"), &[file], Duration::from_secs(900));
    if done.is_err() {
        state.never_began();
        machine.keep(state)?;
        remove(&machine.at(MARK))?;
    }
    done.map(|_| ())
}

/// Whether a new firmware is on trial.
///
/// # Errors
/// A file cannot be written or removed.
pub fn recover(machine: &Machine, state: &mut State) -> Result<bool> {
    let mark = machine.at(MARK);
    let Some(trial) = state.trial.as_mut().filter(|t| t.kind == Kind::Firmware) else {
        remove(&mark)?;
        return Ok(false);
    };
    if mark.exists() {
        state.went_back("the former firmware runs");
        machine.keep(state)?;
        remove(&mark)?;
        return Ok(false);
    }
    trial.starts += 1;
    machine.keep(state)?;
    Ok(true)
}

/// The former firmware comes back at the next start, which this asks for; where nothing leads back, only the state
/// says so.
///
/// # Errors
/// A file cannot be written, or the boot loader's variable cannot be set.
pub fn go_back(machine: &Machine, state: &mut State, why: &str) -> Result<()> {
    let way = state.trial.as_ref().map(|t| t.way_back.clone()).unwrap_or_default();
    let Some((variable, slot)) = way.split_once(' ') else {
        let serial = state.trial.as_ref().map_or(0, |t| t.serial);
        state.confirm("");
        state.last = format!("serial {serial}: {why}; this device has no room for two firmwares, so it stays");
        return machine.keep(state);
    };
    command::run(&machine.at("/usr/sbin/fw_setenv"), &[variable, slot], PATIENCE)?;
    state.went_back(why);
    machine.keep(state)?;
    command::run(&machine.at("/sbin/reboot"), &[], PATIENCE).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    const C7: &str = "dev:    size   erasesize  name\nmtd0: 00020000 00010000 \"u-boot\"\nmtd1: 00fd0000 00010000 \"firmware\"\n\
                      mtd2: 00180000 00010000 \"kernel\"\n";

    #[test]
    fn the_room_for_a_firmware() {
        assert_eq!(flash(C7), Some(0xfd_0000));
        assert_eq!(flash("mtd0: 0f800000 00020000 \"ubi\"\n"), Some(0xf80_0000));
        assert_eq!((flash(""), flash("mtd0: zz 1 \"firmware\""), flash("firmware")), (None, None, None));
        assert_eq!(available("MemTotal:  1 kB\nMemAvailable:     30000 kB\n"), Some(30_720_000));
        assert_eq!(available("MemTotal: 1 kB\n"), None);
    }
}
