//! The IP addresses of all interfaces.

use crate::doctor::facts::Address;
use crate::netlink::RouteSocket;
use crate::netlink::message::{Message, attrs, u32_at};
use std::io;
use std::net::IpAddr;

/// All of them.
///
/// # Errors
/// What the kernel answers.
pub(super) fn read() -> io::Result<Vec<Address>> {
    let mut all = Vec::new();
    let request = Message::new(RTM_GETADDR, NLM_F_DUMP).raw(&[0; IFADDRMSG_LEN]);
    RouteSocket::open()?.exchange(request, |kind, body| {
        if kind == RTM_NEWADDR {
            all.extend(address(body));
        }
    })?;
    Ok(all)
}

/// Source: linux/if_addr.h, rtnetlink(7).
fn address(body: &[u8]) -> Option<Address> {
    let (prefix, ifindex) = (*body.get(1)?, u32_at(body, 4)?);
    let (mut local, mut remote) = (None, None);
    for (kind, value) in attrs(body.get(IFADDRMSG_LEN..)?) {
        let ip = || {
            let v4 = <[u8; 4]>::try_from(value).map(IpAddr::from);
            v4.or_else(|_| <[u8; 16]>::try_from(value).map(IpAddr::from)).ok()
        };
        match kind {
            IFA_LOCAL => local = ip(),
            IFA_ADDRESS => remote = ip(),
            _ => {}
        }
    }
    // IPv6 has only the second one; of a point-to-point link that is the other side.
    Some(Address { ifindex, ip: local.or(remote)?, prefix })
}

const RTM_NEWADDR: u16 = 20;
const RTM_GETADDR: u16 = 22;
const NLM_F_DUMP: u16 = 0x300;
/// `struct ifaddrmsg`: family, prefix length (at 1), flags, scope, interface (at 4).
const IFADDRMSG_LEN: usize = 8;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read() {
        let mut header = vec![2, 24, 0, 0];
        header.extend(7u32.to_ne_bytes());
        let message =
            Message::new(RTM_NEWADDR, 0).raw(&header).attr(IFA_ADDRESS, &[10, 0, 0, 2]).attr(IFA_LOCAL, &[10, 0, 0, 1]);
        let body = message.finish(0).split_off(crate::netlink::message::HEADER_LEN);
        assert_eq!(address(&body), Some(Address { ifindex: 7, ip: IpAddr::from([10, 0, 0, 1]), prefix: 24 }));
        assert_eq!(address(&body[..7]), None);
    }

    #[test]
    fn the_kernel_answers() {
        read().unwrap();
    }
}
