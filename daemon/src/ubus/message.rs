//! Messages: `u8 version, u8 type, u16 seq, u32 peer`, then one attribute that holds the others.

use super::blob::{Attr, Blob, attrs, kind};

/// Types of messages.
pub(super) mod message_type {
    pub(in crate::ubus) const HELLO: u8 = 0;
    pub(in crate::ubus) const STATUS: u8 = 1;
    pub(in crate::ubus) const DATA: u8 = 2;
    pub(in crate::ubus) const INVOKE: u8 = 5;
    pub(in crate::ubus) const ADD_OBJECT: u8 = 6;
    pub(in crate::ubus) const NOTIFY: u8 = 10;
}

/// Numbers of attributes.
pub(super) mod attr {
    pub(in crate::ubus) const STATUS: u8 = 1;
    pub(in crate::ubus) const OBJPATH: u8 = 2;
    pub(in crate::ubus) const OBJID: u8 = 3;
    pub(in crate::ubus) const METHOD: u8 = 4;
    pub(in crate::ubus) const SIGNATURE: u8 = 6;
    pub(in crate::ubus) const DATA: u8 = 7;
    pub(in crate::ubus) const ACTIVE: u8 = 9;
    pub(in crate::ubus) const NO_REPLY: u8 = 10;
}

/// What a call came to.
pub(super) mod status {
    pub(in crate::ubus) const OK: u32 = 0;
    pub(in crate::ubus) const INVALID_ARGUMENT: u32 = 2;
    pub(in crate::ubus) const METHOD_NOT_FOUND: u32 = 3;
    pub(in crate::ubus) const PERMISSION_DENIED: u32 = 6;
    pub(in crate::ubus) const UNKNOWN_ERROR: u32 = 9;
}

/// Version, type, number and peer, and the head of the attribute around all others.
const HEAD: usize = 12;
/// Most bytes of a message that is read. Calls are short; whoever sends more is no ubusd.
const LONGEST: usize = 64 * 1024;

/// Methods of a node, and whether they take a part of a list.
pub(super) const METHODS: &[(&str, bool)] = &[
    ("status", false),
    ("neighbors", true),
    ("originators", true),
    ("clients", true),
    ("gateways", true),
    ("share", false),
    ("reload", false),
];

/// Arguments of methods that answer with a list.
pub(super) const PAGE: [&str; 2] = ["offset", "limit"];

/// A message that was received.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) kind: u8,
    pub(super) seq: u16,
    pub(super) peer: u32,
    body: Vec<u8>,
}

impl Message {
    /// Takes the first whole message out of `inbox`; `None` while it is not all there.
    ///
    /// # Errors
    /// What is there cannot be a message.
    pub(super) fn take(inbox: &mut Vec<u8>) -> Result<Option<Self>, &'static str> {
        let Some(head) = inbox.first_chunk::<HEAD>() else { return Ok(None) };
        let [version, kind, s0, s1, p0, p1, p2, p3, _, l0, l1, l2] = *head;
        let length = usize::try_from(u32::from_be_bytes([0, l0, l1, l2])).unwrap_or(usize::MAX);
        if version != 0 || !(4..=LONGEST).contains(&length) {
            return Err("what came is no message of ubus");
        }
        let Some(body) = inbox.get(HEAD..HEAD - 4 + length) else { return Ok(None) };
        let (seq, peer) = (u16::from_be_bytes([s0, s1]), u32::from_be_bytes([p0, p1, p2, p3]));
        let message = Self { kind, seq, peer, body: body.to_vec() };
        inbox.drain(..HEAD - 4 + length);
        Ok(Some(message))
    }

    /// An attribute.
    pub(super) fn attr(&self, id: u8) -> Option<Attr<'_>> {
        attrs(&self.body).find(|a| a.id == id)
    }
}

/// A message to send.
pub(super) fn message(kind: u8, seq: u16, peer: u32, fill: impl FnOnce(&mut Blob)) -> Vec<u8> {
    let mut blob = Blob::default();
    let mut head = vec![0, kind];
    head.extend(seq.to_be_bytes());
    head.extend(peer.to_be_bytes());
    blob.bytes(&head);
    let whole = blob.open(0);
    fill(&mut blob);
    blob.end(whole);
    blob.into_bytes()
}

/// Publishes an object with these methods.
pub(super) fn add_object(seq: u16, path: &str, methods: &[(&str, &[&str])], kind_of_arguments: u8) -> Vec<u8> {
    message(message_type::ADD_OBJECT, seq, 0, |m| {
        m.text(attr::OBJPATH, path);
        let signature = m.open(attr::SIGNATURE);
        for (method, arguments) in methods {
            let open = m.open_named(kind::TABLE, method);
            for name in *arguments {
                m.put_named(kind::INT32, name, &u32::from(kind_of_arguments).to_be_bytes());
            }
            m.end(open);
        }
        m.end(signature);
    })
}

/// The end of a call.
pub(super) fn status_of(call: &Message, object: u32, code: u32) -> Vec<u8> {
    message(message_type::STATUS, call.seq, call.peer, |m| {
        m.put(attr::STATUS, &code.to_be_bytes());
        m.put(attr::OBJID, &object.to_be_bytes());
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        hex.as_bytes().chunks(2).map(|two| u8::from_str_radix(str::from_utf8(two).unwrap(), 16).unwrap()).collect()
    }

    /// A frame that the real ubusd took.
    #[test]
    fn the_golden_frame() {
        let golden = "000600010000000000000048020000096d6573680000000006000038820000100006737461747573000000008200002400096e65\
                      696768626f72730085000014000669666e616d650000000000000003";
        let ours = add_object(1, "mesh", &[("status", &[]), ("neighbors", &["ifname"])], kind::STRING);
        assert_eq!(ours, bytes(golden));
    }

    #[test]
    fn messages_are_taken_one_by_one() {
        let first = message(message_type::INVOKE, 7, 9, |m| {
            m.put(attr::OBJID, &5u32.to_be_bytes());
            m.text(attr::METHOD, "status");
        });
        let mut inbox = Vec::new();
        for byte in &first[..first.len() - 1] {
            inbox.push(*byte);
            assert_eq!(Message::take(&mut inbox), Ok(None));
        }
        inbox.push(first[first.len() - 1]);
        inbox.extend(&first[..3]);
        let message = Message::take(&mut inbox).unwrap().unwrap();
        assert_eq!((message.kind, message.seq, message.peer), (message_type::INVOKE, 7, 9));
        assert_eq!(message.attr(attr::METHOD).unwrap().text(), Some("status"));
        assert_eq!(message.attr(attr::OBJID).unwrap().number(), Some(5));
        assert_eq!(message.attr(attr::DATA), None);
        assert_eq!(inbox, &first[..3]);
    }

    #[test]
    fn what_cannot_be_a_message_is_refused() {
        for head in ["010000000000000000000004", "000000000000000000000003", "000000000000000000ffffff"] {
            assert!(Message::take(&mut bytes(head)).is_err(), "{head}");
        }
    }
}
