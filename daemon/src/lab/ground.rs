//! The ground the lab stands on: the rights and devices it needs, and what to do where they lack.

use anyhow::{Result, bail};
use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::{getgid, getuid};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// How the lab got the right to make namespaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rights {
    /// The process had it.
    Own,
    /// In a user namespace, where an ordinary user is root.
    UserNamespace,
}

impl Rights {
    /// For reports.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Own => "root",
            Self::UserNamespace => "user namespace",
        }
    }
}

/// Folder of sockets and logs when none is named. Call before [`prepare`], which may change who
/// we are.
pub(crate) fn usual_dir() -> PathBuf {
    if getuid().is_root() {
        return "/run/meshwork-lab".into();
    }
    match std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|dir| dir.is_absolute()) {
        Some(dir) => dir.join("meshwork-lab"),
        None => std::env::temp_dir().join(format!("meshwork-lab-{}", getuid())),
    }
}

/// Makes sure that the machine has room for so many clients. Call before [`prepare`]: the limit of
/// the neighbour table is one for all namespaces and can be read only outside.
///
/// # Errors
/// The table is too small, with what to do.
pub(crate) fn check_clients(clients: usize) -> Result<()> {
    let limit = fs::read_to_string(NEIGHBOUR_LIMIT).ok().and_then(|text| text.trim().parse().ok());
    check_neighbour_limit(clients, limit.unwrap_or(usize::MAX))
}

/// Every client asks for the address of every other; some entries are the machine's own.
fn check_neighbour_limit(clients: usize, limit: usize) -> Result<()> {
    let entries = clients * clients.saturating_sub(1) + 24;
    if entries > limit {
        bail!(
            "{clients} clients need {entries} entries in the kernel's neighbour table, which holds {limit}\n\
             Take fewer: --clients 30. Or let root enlarge it: sysctl net.ipv4.neigh.default.gc_thresh3={entries}"
        );
    }
    Ok(())
}

/// Lets the process have as many open files as it may; each node takes some.
pub(crate) fn raise_file_limit() {
    if let Ok((_, most)) = getrlimit(Resource::RLIMIT_NOFILE) {
        // Without it, large neighbourhoods fail with "too many open files", which says it all.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, most, most);
    }
}

/// Moves the process into a network namespace of its own, so that nothing it does can touch the
/// machine's network, with the right to make more of them. Call before any thread exists.
///
/// # Errors
/// What is missing and how to get it, for people.
pub(crate) fn prepare() -> Result<Rights> {
    let rights = match unshare(CloneFlags::CLONE_NEWNET) {
        Ok(()) => Rights::Own,
        Err(Errno::EPERM) => enter_user_namespace()?,
        Err(Errno::EINVAL) => bail!("this kernel has no network namespaces; it needs CONFIG_NET_NS"),
        Err(Errno::ENOSPC) => {
            bail!("the limit of network namespaces is reached\nRaise it: sysctl user.max_net_namespaces=1000")
        }
        Err(e) => bail!("cannot make a network namespace: {e}"),
    };
    check_tun()?;
    Ok(rights)
}

fn enter_user_namespace() -> Result<Rights> {
    let (uid, gid) = (getuid(), getgid());
    if let Err(e) = unshare(CloneFlags::CLONE_NEWUSER) {
        bail!("{}", why_no_user_namespace(e, |path| fs::read_to_string(path).ok()));
    }
    let write = |file: &str, text: String| fs::write(format!("/proc/self/{file}"), text);
    let mapped = write("setgroups", "deny".into())
        .and_then(|()| write("uid_map", format!("0 {uid} 1")))
        .and_then(|()| write("gid_map", format!("0 {gid} 1")));
    if let Err(e) = mapped {
        bail!("cannot become root in a user namespace: {e}\n{AS_ROOT}");
    }
    if let Err(e) = unshare(CloneFlags::CLONE_NEWNET) {
        // AppArmor lets the user namespace be made but gives no rights in it.
        bail!("{}", why_no_user_namespace(e, |path| fs::read_to_string(path).ok()));
    }
    Ok(Rights::UserNamespace)
}

/// Says why a user namespace is refused, by the settings that systems have for it.
fn why_no_user_namespace(error: Errno, read: impl Fn(&str) -> Option<String>) -> String {
    let zero = |path: &str| read(path).is_some_and(|text| text.trim() == "0");
    let not_zero = |path: &str| read(path).is_some_and(|text| text.trim() != "0");
    let (missing, cure) = if zero(CLONE_SWITCH) {
        ("this system lets only root make user namespaces", "sysctl kernel.unprivileged_userns_clone=1".to_owned())
    } else if zero(NAMESPACE_LIMIT) {
        ("this system allows no user namespaces at all", "sysctl user.max_user_namespaces=1000".to_owned())
    } else if not_zero(APPARMOR_SWITCH) {
        (
            "AppArmor gives an ordinary user no rights in user namespaces",
            "sysctl kernel.apparmor_restrict_unprivileged_userns=0".to_owned(),
        )
    } else if error == Errno::EINVAL {
        return format!("not root, and this kernel has no user namespaces (CONFIG_USER_NS)\n{AS_ROOT}");
    } else {
        return format!(
            "not allowed to make network namespaces ({error})\n{AS_ROOT}\n\
             In a container, start it with --cap-add SYS_ADMIN --cap-add NET_ADMIN --device /dev/net/tun."
        );
    };
    format!("{missing} ({error})\n{AS_ROOT} Or let root allow it: {cure}")
}

/// The TAP devices of nodes and radio come from here.
fn check_tun() -> Result<()> {
    let open = || -> io::Result<File> { OpenOptions::new().read(true).write(true).open(TUN) };
    let Err(error) = open() else { return Ok(()) };
    match error.kind() {
        io::ErrorKind::NotFound if Path::new("/dev/net").exists() || getuid().is_root() => bail!(
            "{TUN} does not exist\n\
             Load the driver: modprobe tun. In a container: --device {TUN}, or\n\
             mkdir -p /dev/net && mknod {TUN} c 10 200"
        ),
        io::ErrorKind::NotFound => bail!("{TUN} does not exist\nLet root load the driver: modprobe tun"),
        io::ErrorKind::PermissionDenied => bail!(
            "{TUN} is not open to you ({error})\n{AS_ROOT} Or let root open it to everybody, as most systems do: chmod 666 {TUN}"
        ),
        _ if error.raw_os_error() == Some(libc::ENODEV) => {
            bail!("this kernel has no TUN/TAP driver ({error})\nLoad it: modprobe tun (CONFIG_TUN)")
        }
        _ => bail!("cannot open {TUN}: {error}"),
    }
}

const AS_ROOT: &str = "Run the lab as root.";
const TUN: &str = "/dev/net/tun";
const NEIGHBOUR_LIMIT: &str = "/proc/sys/net/ipv4/neigh/default/gc_thresh3";
const CLONE_SWITCH: &str = "/proc/sys/kernel/unprivileged_userns_clone";
const NAMESPACE_LIMIT: &str = "/proc/sys/user/max_user_namespaces";
const APPARMOR_SWITCH: &str = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_clients_than_the_neighbour_table_holds_are_refused() {
        assert!(check_neighbour_limit(4, 1024).is_ok());
        assert!(check_neighbour_limit(32, 1024).is_ok());
        let error = check_neighbour_limit(50, 1024).unwrap_err().to_string();
        assert!(error.contains("gc_thresh3=2474"), "{error}");
    }

    #[test]
    fn the_setting_that_forbids_it_is_named() {
        let only =
            |path: &'static str, value: &'static str| move |asked: &str| (asked == path).then(|| value.to_owned());
        for (path, value, part) in [
            (CLONE_SWITCH, "0\n", "kernel.unprivileged_userns_clone=1"),
            (NAMESPACE_LIMIT, "0\n", "user.max_user_namespaces=1000"),
            (APPARMOR_SWITCH, "1\n", "apparmor_restrict_unprivileged_userns=0"),
            (CLONE_SWITCH, "1\n", "--cap-add"),
        ] {
            let text = why_no_user_namespace(Errno::EPERM, only(path, value));
            assert!(text.contains(part), "{text}");
            assert!(text.contains("as root"), "{text}");
        }
        assert!(why_no_user_namespace(Errno::EINVAL, |_| None).contains("CONFIG_USER_NS"));
    }
}
