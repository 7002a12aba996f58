//! The country that radios obey.

use super::consts::{attr, cmd};
use crate::netlink::GenericSocket;
use crate::netlink::generic::text;
use crate::netlink::message::attrs;
use std::io;

/// The country, of one radio where it keeps its own, else of all. `None` where none is known.
///
/// # Errors
/// What the kernel answers.
pub fn country(socket: &mut GenericSocket, wiphy: u32) -> io::Result<Option<String>> {
    let mut country = None;
    let message = socket.message(cmd::GET_REG).attr(attr::WIPHY, &wiphy.to_ne_bytes());
    socket.ask(message, |_, attributes| {
        let alpha2 = attrs(attributes).find(|(kind, _)| *kind == attr::REG_ALPHA2);
        country = alpha2.map(|(_, v)| text(v)).filter(|name| is_country(name));
    })?;
    Ok(country)
}

/// Says to all radios which country they are in.
///
/// # Errors
/// `InvalidInput` when the kernel knows no rules of that country, `PermissionDenied` without
/// CAP_NET_ADMIN.
pub fn set_country(socket: &mut GenericSocket, country: &str) -> io::Result<()> {
    socket.request(socket.message(cmd::REQ_SET_REG).text(attr::REG_ALPHA2, country))
}

/// Two capital letters. The kernel's own 00, 98 and 99 stand for the world, a mixture, and
/// what a driver made up.
pub fn is_country(name: &str) -> bool {
    name.len() == 2 && name.bytes().all(|b| b.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn countries_have_two_letters() {
        assert!(is_country("DE"));
        for other in ["00", "99", "de", "D", "DEU", ""] {
            assert!(!is_country(other), "{other}");
        }
    }
}
