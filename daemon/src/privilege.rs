//! Giving up every right that is not needed once the first sockets are open.

use caps::{CapSet, Capability, CapsHashSet};
use nix::unistd::{Gid, Uid, User, setgroups, setresgid, setresuid};
use std::os::unix::fs::chown;
use std::path::Path;

/// Keeps CAP_NET_ADMIN and CAP_NET_RAW, so that interfaces that appear later still work, and
/// nothing else; nothing this process starts can get more. Goes on where the system refuses.
///
/// With a `user`, root becomes that one, and the folder `owned` goes along with what is in it, so that it can still
/// be written. Who is not root stays who it is; so does root where there is no such user, and the log says so.
///
/// The rights of the calling thread change; threads started later inherit them.
pub fn drop_all_but_network(user: Option<&str>, owned: Option<&Path>) {
    let keep: CapsHashSet = [Capability::CAP_NET_ADMIN, Capability::CAP_NET_RAW].into_iter().collect();
    // The bounding set first: emptying it takes a right that goes away below. A process without
    // that right has no use for the set either, so failing here is no harm.
    for cap in caps::all() {
        if !keep.contains(&cap) {
            let _ = caps::drop(None, CapSet::Bounding, cap);
        }
    }
    if let Some(user) = user.filter(|_| nix::unistd::geteuid().is_root()) {
        become_user(user, owned);
    }
    if let Err(e) = try_drop(&keep) {
        tracing::warn!(error = %e, "cannot give up rights, going on with all of them");
    }
    if let Err(e) = nix::sys::prctl::set_no_new_privs() {
        tracing::debug!(error = %e, "cannot forbid new rights");
    }
}

/// Gives up every right of the calling thread, for good. Not before root has become somebody else: the system wants all
/// threads to change together, and ends the process when one may not.
pub fn drop_all() {
    if let Err(e) = try_drop(&CapsHashSet::new()) {
        tracing::warn!(error = %e, "cannot give up rights, going on with all of them");
    }
    if let Err(e) = nix::sys::prctl::set_no_new_privs() {
        tracing::debug!(error = %e, "cannot forbid new rights");
    }
}

fn become_user(name: &str, owned: Option<&Path>) {
    let whole = match User::from_name(name) {
        Ok(Some(found)) => try_become(&found, owned).map_err(|e| e.to_string()),
        Ok(None) => Err("there is no such user".to_owned()),
        Err(e) => Err(e.to_string()),
    };
    match whole {
        Ok(()) => tracing::info!(user = name, "no longer root"),
        Err(error) => tracing::warn!(user = name, error, "cannot become this user, going on as root"),
    }
}

fn try_become(user: &User, owned: Option<&Path>) -> nix::Result<()> {
    if let Some(dir) = owned {
        hand_over(dir, user.uid, user.gid);
    }
    nix::sys::prctl::set_keepcaps(true)?;
    setgroups(&[user.gid])?;
    setresgid(user.gid, user.gid, user.gid)?;
    setresuid(user.uid, user.uid, user.uid)
}

/// A file that cannot be handed over shows when it is written, with the reason.
fn hand_over(dir: &Path, uid: Uid, gid: Gid) {
    let inside = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    for path in inside.filter(|path| path.is_file()).chain([dir.to_owned()]) {
        let _ = chown(path, Some(uid.as_raw()), Some(gid.as_raw()));
    }
}

fn try_drop(keep: &CapsHashSet) -> Result<(), caps::errors::CapsError> {
    let _ = caps::clear(None, CapSet::Ambient);
    let has = caps::read(None, CapSet::Permitted)?;
    let keep: CapsHashSet = keep.intersection(&has).copied().collect();
    caps::set(None, CapSet::Effective, &keep)?;
    caps::set(None, CapSet::Permitted, &keep)?;
    if nix::unistd::geteuid().is_root() {
        return caps::set(None, CapSet::Inheritable, &CapsHashSet::new());
    }
    // What root starts has what the bounding set leaves. Others pass on what they have (to wpa_supplicant) only so.
    caps::set(None, CapSet::Inheritable, &keep)?;
    caps::set(None, CapSet::Ambient, &keep)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_network_rights_are_left() {
        // Rights belong to threads: the other tests keep theirs.
        std::thread::spawn(|| {
            let before = caps::read(None, CapSet::Permitted).unwrap();
            drop_all_but_network(None, None);
            let after = caps::read(None, CapSet::Permitted).unwrap();
            let network = [Capability::CAP_NET_ADMIN, Capability::CAP_NET_RAW];
            let expected: CapsHashSet = network.into_iter().filter(|c| before.contains(c)).collect();
            assert_eq!(after, expected);
            assert_eq!(caps::read(None, CapSet::Effective).unwrap(), expected);
            assert!(caps::read(None, CapSet::Inheritable).unwrap().is_empty());
        })
        .join()
        .unwrap();
    }

    #[test]
    fn nobody_in_particular_is_no_reason_to_stop() {
        let before = nix::unistd::geteuid();
        become_user("nobody-of-this-name", None);
        assert_eq!(nix::unistd::geteuid(), before);
    }
}
