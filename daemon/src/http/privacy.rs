//! What is not for everybody: clients, and what their owners do.

use crate::control::protocol::{EventView, Interface, LineView, Statistics};
use mesh_core::counters::Count;
use mesh_core::queue::Class;

/// An event without clients' addresses; `None` for what is about one client alone.
pub(super) fn public(mut event: EventView) -> Option<EventView> {
    if event.what == "client_roamed" {
        return None;
    }
    event.tt_address = None;
    event.old_tt_address = None;
    event.ip_address = None;
    event.tt_vid = None;
    Some(event)
}

/// What the owner and guests of this node sent and received in all; beside what guests did, the owner's follows.
pub(super) const OF_CLIENTS: [Count; 4] = [Count::Tx, Count::TxBytes, Count::Rx, Count::RxBytes];

/// Counters without those of the owner, alone or with guests: the mesh interface has no others.
pub(super) fn counters(mut all: Statistics, mesh: &str) -> Statistics {
    for count in OF_CLIENTS {
        all.counters.remove(count.name());
    }
    all.interfaces.remove(mesh);
    all
}

/// A hard interface without what left by it for the owner.
pub(super) fn interface(mut of: Interface) -> Interface {
    of.classes.remove(Class::Owner.name());
    of
}

/// The line to the Internet without what the owner has of it.
pub(super) fn line(mut line: LineView) -> LineView {
    (line.down.owner_kbits, line.up.owner_kbits) = (None, None);
    line
}

/// True if `given` is the token in `file`. Takes as long for a wrong one as for the right one.
pub(super) fn is_token(file: &std::path::Path, given: &str) -> bool {
    let Ok(text) = std::fs::read_to_string(file) else { return false };
    let token = text.lines().next().unwrap_or_default().trim();
    token.len() >= 16
        && token.len() == given.len()
        && token.bytes().zip(given.bytes()).fold(0, |different, (a, b)| different | (a ^ b)) == 0
}

/// True if a browser that calls us `host` means us: a number, this machine's own name, or one that the settings
/// name. A web site can make its own name lead here, but not one of these.
pub(super) fn is_our_name(host: &str, hosts: &[String]) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    // A link-local address comes with its interface.
    let number = host.split('%').next().unwrap_or_default();
    if number.parse::<std::net::IpAddr>().is_ok() || host == "localhost" {
        return true;
    }
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_ascii_lowercase();
    let ends = ["", ".mesh", ".lan", ".local", ".home.arpa"];
    if !machine.is_empty() && ends.iter().any(|end| host.strip_prefix(&machine) == Some(end)) {
        return true;
    }
    hosts.iter().any(|known| match known.strip_prefix('*') {
        Some(end) => host.len() > end.len() && host.ends_with(end),
        None => host == *known,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_ours() {
        let hosts = ["roof.example.org".to_owned(), "*.mesh".to_owned()];
        for host in ["127.0.0.1", "::1", "fe80::1%mesh0", "LOCALHOST", "roof.example.org", "roof.mesh", "a.b.mesh."] {
            assert!(is_our_name(host, &hosts), "{host}");
        }
        for host in ["", "evil.example", "mesh", ".mesh", "roof.example.org.evil", "1.2.3.4.evil", "localhost.evil"] {
            assert!(!is_our_name(host, &hosts), "{host}");
        }
    }

    #[test]
    fn tokens() {
        let file = std::env::temp_dir().join(format!("meshwork-token-{}", std::process::id()));
        std::fs::write(&file, "0123456789abcdef\nmore\n").unwrap();
        assert!(is_token(&file, "0123456789abcdef"));
        for wrong in ["", "0123456789abcdee", "0123456789abcdef0", "more"] {
            assert!(!is_token(&file, wrong), "{wrong}");
        }
        std::fs::write(&file, "short\n").unwrap();
        assert!(!is_token(&file, "short"), "too easy to guess");
        std::fs::remove_file(&file).unwrap();
        assert!(!is_token(&file, "0123456789abcdef"));
    }
}
