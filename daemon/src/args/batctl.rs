//! The command line of batctl, turned into ours: `meshwork batctl o`, or the program called by the name `batctl`.
//! Source: batctl, `main.c` and the commands in `cmd/`.

use super::UsageError;
use std::ffi::OsString;
use std::path::Path;

/// The name that the program may be called by.
const NAME: &str = "batctl";

/// batctl's settings, long name and short, and where ours is.
pub const SETTINGS: [(&str, &str, &str); 16] = [
    ("aggregation", "ag", "aggregation in [mesh]"),
    ("ap_isolation", "ap", "ap_isolation in [mesh]"),
    ("bonding", "b", "bonding in [mesh]"),
    ("bridge_loop_avoidance", "bl", "bridge_loop_avoidance in [mesh]"),
    ("distributed_arp_table", "dat", "distributed_arp_table in [mesh]"),
    ("fragmentation", "f", "fragmentation in [mesh]"),
    ("gw_mode", "gw", "mode in [gateway]"),
    ("hop_penalty", "hp", "hop_penalty in [mesh] and [[link]]"),
    ("interface", "if", "[[link]]"),
    ("multicast_fanout", "mo", "multicast_fanout in [mesh]"),
    ("multicast_forceflood", "mff", "multicast_forceflood in [mesh]"),
    ("multicast_mode", "mm", "multicast_forceflood in [mesh]"),
    ("orig_interval", "it", "orig_interval in [mesh]"),
    ("routing_algo", "ra", "algorithm in [mesh]"),
    ("elp_interval", "et", "elp_interval in [mesh]"),
    ("isolation_mark", "mark", "isolated_clients in [mesh]"),
];

/// Commands that have another name here. All others have the same.
const RENAMED: [(&str, &str); 4] =
    [("claimtable", "claims"), ("cl", "claims"), ("hardif_json", "hardifs_json"), ("translocal", "tl")];

/// Our command line for one of batctl; any other comes back as it is.
///
/// # Errors
/// An option without its value, or a command of batctl that there is nothing for here.
pub fn translate(words: Vec<OsString>) -> Result<Vec<OsString>, UsageError> {
    let word = |i: usize| words.get(i).and_then(|w: &OsString| w.to_str());
    let called = words.first().map(Path::new).and_then(Path::file_name).is_some_and(|name| name == NAME);
    let first = match (called, word(1)) {
        (true, _) => 1,
        (false, Some(NAME)) => 2,
        _ => return Ok(words),
    };
    let mut mesh = None;
    let mut at = first;
    let command = loop {
        match word(at) {
            Some(option @ ("-m" | "meshif" | "hardif" | "vlan" | "vid")) => {
                let value = word(at + 1).ok_or_else(|| UsageError::new(format!("{option} needs a value")))?;
                if matches!(option, "-m" | "meshif") {
                    mesh = Some(value.to_owned());
                }
                at += 2;
            }
            Some("-v" | "--version") => break "version",
            None | Some("-h" | "--help") => break "",
            Some(command) => break command,
        }
    };
    let mut out: Vec<OsString> = vec!["meshwork".into()];
    if command.is_empty() {
        out.extend([NAME.into(), "--help".into()]);
        return Ok(out);
    }
    if matches!(command, "bisect_iv" | "loglevel" | "ll" | "throughput_override" | "to" | "vlan_json" | "vj") {
        return Err(UsageError::new(format!("there is no {command} here; \"meshwork help\" lists what there is")));
    }
    let setting = SETTINGS.iter().find(|(long, short, _)| *long == command || *short == command);
    if let Some((long, ..)) = setting {
        out.extend([NAME.into(), (*long).into()]);
    } else {
        let ours = RENAMED.iter().find(|(theirs, _)| *theirs == command).map_or(command, |(_, ours)| ours);
        out.push(ours.into());
    }
    if command == "version" {
        return Ok(out);
    }
    if let Some(mesh) = mesh {
        out.extend(["--mesh".into(), mesh.into()]);
    }
    let clients = matches!(command, "tl" | "tg" | "translocal" | "transglobal");
    for word in words.into_iter().skip(at + 1) {
        // Here -m is the mesh interface.
        out.push(if clients && word == "-m" { "--multicast".into() } else { word });
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours(line: &str) -> String {
        let words = translate(line.split_whitespace().map(OsString::from).collect());
        words.map_or_else(|e| e.to_string(), |words| words.join(std::ffi::OsStr::new(" ")).into_string().unwrap())
    }

    #[test]
    fn lines_of_batctl() {
        for (theirs, here) in [
            ("meshwork o -n", "meshwork o -n"),
            ("/usr/sbin/meshwork run -i eth0", "/usr/sbin/meshwork run -i eth0"),
            ("batctl o -n", "meshwork o -n"),
            ("/usr/sbin/batctl meshif bat0 nj", "meshwork nj --mesh bat0"),
            ("meshwork batctl -m bat1 tg -m", "meshwork tg --mesh bat1 --multicast"),
            ("batctl cl", "meshwork claims"),
            ("batctl dat", "meshwork batctl distributed_arp_table"),
            ("batctl meshif bat0 gw_mode client", "meshwork batctl gw_mode --mesh bat0 client"),
            ("batctl hardif eth0 hop_penalty", "meshwork batctl hop_penalty"),
            ("batctl -v", "meshwork version"),
            ("batctl", "meshwork batctl --help"),
            ("batctl ping -c 3 roof", "meshwork ping -c 3 roof"),
            ("batctl meshif", "meshif needs a value"),
        ] {
            assert_eq!(ours(theirs), here, "{theirs}");
        }
        assert!(ours("batctl bisect_iv").contains("there is no bisect_iv"));
    }
}
