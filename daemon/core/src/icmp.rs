//! Mesh ping and traceroute, asked and answered. Source: "Payload plane" section 8.

use crate::border::{Echo, EchoAnswer, Event};
use crate::config::LinkId;
use crate::counters::{Count, Drop};
use crate::fib::Table;
use crate::frame::Frame;
use crate::mesh::Mesh;
use crate::time::Instant;
use alloc::vec::Vec;
use packet::MacAddr;
use packet::consts::{ETH_LEN, TTL};
use packet::eth::EthHeader;
use packet::icmp::{IcmpHeader, RecordRoute, msg_type};
use zerocopy::IntoBytes;

impl Mesh {
    /// Sends an echo request.
    pub(crate) fn send_echo(&mut self, echo: Echo) -> Result<(), Drop> {
        let mut request = IcmpHeader::echo_request(echo.dst, self.own_orig(), echo.uid, echo.seqno);
        request.ttl = echo.ttl.clamp(1, TTL);
        let mut packet = request.as_bytes().to_vec();
        if echo.record_route {
            packet.resize(IcmpHeader::RECORD_ROUTE_LEN, 0);
            let own = self.own_orig();
            if let Ok((rr, _)) = RecordRoute::parse_mut(&mut packet) {
                // The asker is the first entry of its own list, as batctl prints it.
                rr.icmp.rr_cur = 1;
                rr.slots[0] = own;
            }
        }
        if !self.originators.contains_key(&echo.dst) {
            return Err(Drop::UnknownOriginator);
        }
        if !self.send_to(echo.dst, Table::Host, &packet) {
            return Err(Drop::NoRoute);
        }
        self.counters.add(Count::IcmpTx, 1);
        Ok(())
    }

    /// A mesh ICMP message for us or passing by.
    pub(crate) fn receive_icmp(&mut self, link: LinkId, mut frame: Frame, now: Instant) -> Result<(), Drop> {
        let (eth, packet) = EthHeader::parse_mut(frame.bytes_mut()).map_err(|_| Drop::Short)?;
        let here = eth.dst;
        let long = packet.len() >= IcmpHeader::RECORD_ROUTE_LEN;
        let (header, _) = IcmpHeader::parse(packet).map_err(|_| Drop::Short)?;
        let header = *header;
        self.counters.add(Count::IcmpRx, 1);
        let echo = matches!(header.msg_type, msg_type::ECHO_REQUEST | msg_type::ECHO_REPLY);
        if echo && long {
            let (rr, _) = RecordRoute::parse_mut(packet).map_err(|_| Drop::Short)?;
            let slot = rr.slots.get_mut(usize::from(rr.icmp.rr_cur)).ok_or(Drop::RecordRouteFull)?;
            *slot = here;
            rr.icmp.rr_cur += 1;
        }
        if self.is_own(header.dst) {
            return self.icmp_for_us(link, &frame, header, now);
        }
        if header.ttl < 2 {
            return self.ttl_exceeded(&frame, header, now);
        }
        self.forward(link, frame)
    }

    fn icmp_for_us(&mut self, link: LinkId, frame: &Frame, header: IcmpHeader, now: Instant) -> Result<(), Drop> {
        match header.msg_type {
            msg_type::ECHO_REQUEST => {
                if !self.icmp_budget.take(now) {
                    return Err(Drop::RateLimit);
                }
                self.answer_icmp(frame, header, msg_type::ECHO_REPLY)
            }
            msg_type::ECHO_REPLY if self.other_answered(header.orig, header.uid) => Ok(()),
            msg_type::ECHO_REPLY if self.take_probe_answer(header.uid, header.seqno.get(), now) => Ok(()),
            msg_type::ECHO_REPLY
                if self.take_verify_echo(frame.bytes().get(ETH_LEN..).unwrap_or_default(), header.orig, now) =>
            {
                Ok(())
            }
            msg_type::ECHO_REPLY | msg_type::TTL_EXCEEDED => {
                let packet = frame.bytes().get(ETH_LEN..).unwrap_or_default();
                self.event(Event::Echo(EchoAnswer {
                    from: header.orig,
                    uid: header.uid,
                    seqno: header.seqno.get(),
                    ttl: header.ttl,
                    ttl_exceeded: header.msg_type == msg_type::TTL_EXCEEDED,
                    route: recorded(packet),
                    rtt: None,
                }));
                Ok(())
            }
            msg_type::TP => self.receive_meter(link, frame, now),
            _ => Err(Drop::Unsupported),
        }
    }

    fn ttl_exceeded(&mut self, frame: &Frame, header: IcmpHeader, now: Instant) -> Result<(), Drop> {
        if header.msg_type != msg_type::ECHO_REQUEST {
            return Err(Drop::Ttl);
        }
        if !self.icmp_budget.take(now) {
            return Err(Drop::RateLimit);
        }
        self.answer_icmp(frame, header, msg_type::TTL_EXCEEDED)
    }

    /// Sends the message back to whoever asked.
    fn answer_icmp(&mut self, frame: &Frame, asked: IcmpHeader, msg_type: u8) -> Result<(), Drop> {
        let mut packet = frame.bytes().get(ETH_LEN..).unwrap_or_default().to_vec();
        let own = self.own_orig();
        let (header, _) = IcmpHeader::parse_mut(&mut packet).map_err(|_| Drop::Short)?;
        (header.dst, header.orig) = (asked.orig, own);
        (header.msg_type, header.ttl) = (msg_type, TTL);
        if !self.send_to(asked.orig, Table::Host, &packet) {
            return Err(Drop::NoRoute);
        }
        self.counters.add(Count::IcmpTx, 1);
        Ok(())
    }
}

/// The addresses in a record route message, empty for others.
fn recorded(packet: &[u8]) -> Vec<MacAddr> {
    RecordRoute::parse(packet)
        .map(|(rr, _)| rr.slots.iter().take(usize::from(rr.icmp.rr_cur)).copied().collect())
        .unwrap_or_default()
}
