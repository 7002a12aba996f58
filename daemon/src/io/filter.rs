//! The classic BPF programs that decide in the kernel which frames reach us.
//!
//! Packet sockets are bound to ethertype 0x4305 already; the filter makes that hold from the
//! first moment, keeps out frames that other stations or we ourselves sent past us, and splits
//! routing messages from payload, so that a flood of payload cannot crowd routing out of the
//! receive buffer.
//!
//! A frame with an outer VLAN tag reaches a bound socket without the tag: the kernel takes it off
//! and marks the frame as "for another host", although its address is ours. Of such a frame the
//! filter lets [`TAGGED_LEN`] bytes pass, so that it can be counted.

use packet::MacAddr;
use packet::consts::{ETH_LEN, ETHERTYPE, packet_type};
use socket2::SockFilter;

/// Which frames a socket takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Routing messages: OGMs of both algorithms and hellos.
    Routing,
    /// Everything else.
    Payload,
    /// Both.
    All,
}

/// What is left of a frame that had an outer VLAN tag. A whole frame is never that short.
pub const TAGGED_LEN: usize = ETH_LEN;

/// The filter of a lane on an interface with this MAC. It sees the frame from its Ethernet header
/// on.
pub fn program(lane: Lane, mac: MacAddr) -> Vec<SockFilter> {
    instructions(lane, mac).into_iter().map(|(code, jt, jf, k)| SockFilter::new(code, jt, jf, k)).collect()
}

/// Operation, steps to jump over when true, when false, operand.
type Instruction = (u16, u8, u8, u32);

fn instructions(lane: Lane, mac: MacAddr) -> Vec<Instruction> {
    let mut code = vec![load_byte(ANCILLARY + PKTTYPE), drop_if_equal(OUTGOING)];
    if lane == Lane::Routing {
        code.push(drop_if_equal(OTHERHOST));
    } else {
        let [a, b, c, d, e, f] = mac.0;
        let tagged = [
            load_byte(0),
            Step { code: JUMP_ANY_BIT, when: When::Skip(4), k: 1 },
            Step { code: LOAD_WORD, when: When::Never, k: 2 },
            drop_unless_equal(u32::from_be_bytes([c, d, e, f])),
            load_half(0),
            drop_unless_equal(u32::from(u16::from_be_bytes([a, b]))),
            Step { code: RET, when: When::Never, k: TAGGED_LEN as u32 },
        ];
        code.push(Step { code: JUMP_EQUAL, when: When::SkipOther(7), k: OTHERHOST });
        code.extend(tagged);
    }
    code.push(load_half(12));
    code.push(drop_unless_equal(u32::from(ETHERTYPE)));
    let routing = [packet_type::OGM, packet_type::ELP, packet_type::OGM2].map(u32::from);
    match lane {
        Lane::All => {}
        Lane::Payload => {
            code.push(load_byte(14));
            code.extend(routing.map(drop_if_equal));
        }
        Lane::Routing => {
            code.push(load_byte(14));
            let [first, second, last] = routing;
            code.push(skip_if_equal(first, 2));
            code.push(skip_if_equal(second, 1));
            code.push(drop_unless_equal(last));
        }
    }
    code.push(Step { code: RET, when: When::Never, k: WHOLE_FRAME });
    let drop_at = code.len();
    code.push(Step { code: RET, when: When::Never, k: 0 });
    code.iter()
        .enumerate()
        .map(|(at, step)| {
            // Programs here are far shorter than the 255 instructions a jump can span.
            let to_drop = u8::try_from(drop_at - at.min(drop_at)).unwrap_or(1).saturating_sub(1);
            let (jt, jf) = match step.when {
                When::Never => (0, 0),
                When::Equal => (to_drop, 0),
                When::Other => (0, to_drop),
                When::Skip(n) => (n, 0),
                When::SkipOther(n) => (0, n),
            };
            (step.code, jt, jf, step.k)
        })
        .collect()
}

#[derive(Clone, Copy)]
struct Step {
    code: u16,
    when: When,
    k: u32,
}

/// When a step jumps, and where to.
#[derive(Clone, Copy)]
enum When {
    Never,
    /// To the drop if equal.
    Equal,
    /// To the drop if not equal.
    Other,
    /// Over some steps if true.
    Skip(u8),
    /// Over some steps if not equal.
    SkipOther(u8),
}

const fn load_byte(at: u32) -> Step {
    Step { code: LOAD_BYTE, when: When::Never, k: at }
}

const fn load_half(at: u32) -> Step {
    Step { code: LOAD_HALF, when: When::Never, k: at }
}

const fn drop_if_equal(k: u32) -> Step {
    Step { code: JUMP_EQUAL, when: When::Equal, k }
}

const fn drop_unless_equal(k: u32) -> Step {
    Step { code: JUMP_EQUAL, when: When::Other, k }
}

const fn skip_if_equal(k: u32, steps: u8) -> Step {
    Step { code: JUMP_EQUAL, when: When::Skip(steps), k }
}

// Source: linux/filter.h, linux/bpf_common.h (the numbers), linux/if_packet.h (packet types).
const LOAD_WORD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
const LOAD_HALF: u16 = 0x28; // BPF_LD | BPF_H | BPF_ABS
const LOAD_BYTE: u16 = 0x30; // BPF_LD | BPF_B | BPF_ABS
const JUMP_EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const JUMP_ANY_BIT: u16 = 0x45; // BPF_JMP | BPF_JSET | BPF_K
const RET: u16 = 0x06; // BPF_RET | BPF_K
const ANCILLARY: u32 = 0xffff_f000; // SKF_AD_OFF
const PKTTYPE: u32 = 4; // SKF_AD_PKTTYPE
const OTHERHOST: u32 = 3; // PACKET_OTHERHOST
const OUTGOING: u32 = 4; // PACKET_OUTGOING
const WHOLE_FRAME: u32 = 0x0004_0000;

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: MacAddr = MacAddr([2, 0, 0, 0xaa, 0xbb, 0xcc]);

    fn accepts(lane: Lane, pkttype: u32, frame: &[u8]) -> bool {
        accepted(lane, pkttype, frame) == WHOLE_FRAME
    }

    /// What the kernel's interpreter does with the kinds of instruction in use: the number of
    /// bytes that pass.
    fn accepted(lane: Lane, pkttype: u32, frame: &[u8]) -> u32 {
        let code = instructions(lane, MAC);
        let (mut at, mut acc) = (0, 0);
        loop {
            let (op, jt, jf, k) = code[at];
            at += 1;
            match op {
                LOAD_BYTE if k == ANCILLARY + PKTTYPE => acc = pkttype,
                LOAD_BYTE => match frame.get(k as usize) {
                    Some(b) => acc = u32::from(*b),
                    None => return 0,
                },
                LOAD_WORD => match frame.get(k as usize..k as usize + 4) {
                    Some(b) => acc = u32::from_be_bytes([b[0], b[1], b[2], b[3]]),
                    None => return 0,
                },
                LOAD_HALF => match frame.get(k as usize..k as usize + 2) {
                    Some(b) => acc = u32::from(u16::from_be_bytes([b[0], b[1]])),
                    None => return 0,
                },
                JUMP_ANY_BIT => at += if acc & k != 0 { usize::from(jt) } else { usize::from(jf) },
                JUMP_EQUAL => at += if acc == k { usize::from(jt) } else { usize::from(jf) },
                RET => return k,
                _ => panic!("instruction {op:#x}"),
            }
        }
    }

    #[test]
    fn lanes_share_the_frames_without_overlap() {
        let frame = |ethertype: u16, kind: u8| {
            let mut f = vec![0; 12];
            f.extend(ethertype.to_be_bytes());
            f.extend([kind, 15, 0, 0]);
            f
        };
        for kind in 0..=255 {
            let routing = [0x00, 0x03, 0x04].contains(&kind);
            assert_eq!(accepts(Lane::Routing, 0, &frame(0x4305, kind)), routing, "{kind:#x}");
            assert_eq!(accepts(Lane::Payload, 1, &frame(0x4305, kind)), !routing, "{kind:#x}");
            assert!(accepts(Lane::All, 0, &frame(0x4305, kind)));
        }
        for lane in [Lane::Routing, Lane::Payload, Lane::All] {
            for kind in [0x00, 0x40] {
                assert!(!accepts(lane, OUTGOING, &frame(0x4305, kind)));
                assert!(!accepts(lane, OTHERHOST, &frame(0x4305, kind)));
                assert!(!accepts(lane, 0, &frame(0x0800, kind)));
            }
            assert!(!accepts(lane, 0, &[0; 13]));
        }
    }

    #[test]
    fn tagged_frames_for_us_leave_a_stub() {
        let to = |mac: [u8; 6]| {
            let mut f = mac.to_vec();
            f.extend([0; 6]);
            f.extend([0x43, 0x05, 0x40, 15, 0, 0]);
            f
        };
        let stub = u32::try_from(TAGGED_LEN).unwrap();
        for lane in [Lane::Payload, Lane::All] {
            assert_eq!(accepted(lane, OTHERHOST, &to(MAC.0)), stub);
            assert_eq!(accepted(lane, OTHERHOST, &to([0xff; 6])), stub);
            for other in [[2, 0, 0, 0xaa, 0xbb, 0xcd], [2, 1, 0, 0xaa, 0xbb, 0xcc], [0; 6]] {
                assert_eq!(accepted(lane, OTHERHOST, &to(other)), 0);
            }
        }
        assert_eq!(accepted(Lane::Routing, OTHERHOST, &to(MAC.0)), 0, "counted once");
    }
}
