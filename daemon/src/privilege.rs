//! Giving up every right that is not needed once the first sockets are open.

use caps::{CapSet, Capability, CapsHashSet};

/// Keeps CAP_NET_ADMIN and CAP_NET_RAW, so that interfaces that appear later still work, and
/// nothing else; nothing this process starts can get more. Goes on where the system refuses.
///
/// The rights of the calling thread change; threads started later inherit them.
pub fn drop_all_but_network() {
    let keep: CapsHashSet = [Capability::CAP_NET_ADMIN, Capability::CAP_NET_RAW].into_iter().collect();
    if let Err(e) = try_drop(&keep) {
        tracing::warn!(error = %e, "cannot give up rights, going on with all of them");
    }
    if let Err(e) = nix::sys::prctl::set_no_new_privs() {
        tracing::debug!(error = %e, "cannot forbid new rights");
    }
}

fn try_drop(keep: &CapsHashSet) -> Result<(), caps::errors::CapsError> {
    // The bounding set first: emptying it takes a right that goes away below. A process without
    // that right has no use for the set either, so failing here is no harm.
    for cap in caps::all() {
        if !keep.contains(&cap) {
            let _ = caps::drop(None, CapSet::Bounding, cap);
        }
    }
    let _ = caps::clear(None, CapSet::Ambient);
    let has = caps::read(None, CapSet::Permitted)?;
    let keep: CapsHashSet = keep.intersection(&has).copied().collect();
    caps::set(None, CapSet::Effective, &keep)?;
    caps::set(None, CapSet::Permitted, &keep)?;
    caps::set(None, CapSet::Inheritable, &CapsHashSet::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_network_rights_are_left() {
        // Rights belong to threads: the other tests keep theirs.
        std::thread::spawn(|| {
            let before = caps::read(None, CapSet::Permitted).unwrap();
            drop_all_but_network();
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
}
