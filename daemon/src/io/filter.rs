//! The classic BPF programs that decide in the kernel which frames reach us.
//!
//! Packet sockets are bound to ethertype 0x4305 already; the filter makes that hold from the
//! first moment, keeps out frames that other stations or we ourselves sent past us, and splits
//! routing messages from payload, so that a flood of payload cannot crowd routing out of the
//! receive buffer.

use packet::consts::{ETHERTYPE, packet_type};
use socket2::SockFilter;

/// Which frames a socket takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Routing messages: OGMs of both algorithms and hellos.
    Routing,
    /// Everything else.
    Payload,
    /// Both, for a reader that cannot see auxiliary data: frames with an outer VLAN tag stay out.
    All,
}

/// The filter of a lane. It sees the frame from its Ethernet header on.
pub fn program(lane: Lane) -> Vec<SockFilter> {
    instructions(lane).into_iter().map(|(code, jt, jf, k)| SockFilter::new(code, jt, jf, k)).collect()
}

/// Operation, steps to jump over when true, when false, operand.
type Instruction = (u16, u8, u8, u32);

fn instructions(lane: Lane) -> Vec<Instruction> {
    let mut code = vec![
        load_byte(ANCILLARY + PKTTYPE),
        drop_if_equal(OTHERHOST),
        drop_if_equal(OUTGOING),
        load_half(12),
        drop_unless_equal(u32::from(ETHERTYPE)),
    ];
    let routing = [packet_type::OGM, packet_type::ELP, packet_type::OGM2].map(u32::from);
    match lane {
        Lane::All => {
            code.push(load_byte(ANCILLARY + VLAN_TAG_PRESENT));
            code.push(drop_unless_equal(0));
        }
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
    /// Over some steps if equal.
    Skip(u8),
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
const LOAD_HALF: u16 = 0x28; // BPF_LD | BPF_H | BPF_ABS
const LOAD_BYTE: u16 = 0x30; // BPF_LD | BPF_B | BPF_ABS
const JUMP_EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const RET: u16 = 0x06; // BPF_RET | BPF_K
const ANCILLARY: u32 = 0xffff_f000; // SKF_AD_OFF
const PKTTYPE: u32 = 4; // SKF_AD_PKTTYPE
const VLAN_TAG_PRESENT: u32 = 48; // SKF_AD_VLAN_TAG_PRESENT
const OTHERHOST: u32 = 3; // PACKET_OTHERHOST
const OUTGOING: u32 = 4; // PACKET_OUTGOING
const WHOLE_FRAME: u32 = 0x0004_0000;

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel's interpreter does with the four kinds of instruction in use.
    fn accepts(lane: Lane, pkttype: u32, frame: &[u8]) -> bool {
        let code = instructions(lane);
        let (mut at, mut acc) = (0, 0);
        loop {
            let (op, jt, jf, k) = code[at];
            at += 1;
            match op {
                LOAD_BYTE if k == ANCILLARY + PKTTYPE => acc = pkttype,
                LOAD_BYTE if k == ANCILLARY + VLAN_TAG_PRESENT => acc = 0,
                LOAD_BYTE => match frame.get(k as usize) {
                    Some(b) => acc = u32::from(*b),
                    None => return false,
                },
                LOAD_HALF => match frame.get(k as usize..k as usize + 2) {
                    Some(b) => acc = u32::from(u16::from_be_bytes([b[0], b[1]])),
                    None => return false,
                },
                JUMP_EQUAL => at += if acc == k { usize::from(jt) } else { usize::from(jf) },
                RET => return k != 0,
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
}
