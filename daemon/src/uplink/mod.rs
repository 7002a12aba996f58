//! Does our own way to the Internet work? A gateway whose Internet is dead should not attract
//! anybody, so it asks some targets now and then and withdraws its offer when too few answer.
//!
//! Everything leaves by the interface that leads to the Internet and never by the mesh itself:
//! otherwise a gateway would find the Internet behind the next gateway and go on for ever.
//! It needs no rights beyond those that a node keeps (CAP_NET_RAW, for ICMP and to choose the
//! interface) and starts no program.

mod probe;
pub(crate) mod route;

use config::Target;
use std::net::IpAddr;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;

/// How long a target may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// What to check, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UplinkSetup {
    /// Who is asked.
    pub targets: Vec<Target>,
    /// Time between two rounds.
    pub interval: Duration,
    /// A round is good when so many answer.
    pub needed: usize,
    /// So many rounds in a row change our mind; the very first one decides alone.
    pub rounds: u32,
    /// The interface to use, `None` to go by the default route.
    pub interface: Option<String>,
}

/// A check that runs until it is dropped.
#[derive(Debug)]
pub struct Uplink {
    changes: mpsc::Receiver<bool>,
    task: AbortHandle,
}

impl Uplink {
    /// Starts a check; `mesh` is the name of the mesh interface, which is never used. `online` is
    /// what is known already.
    ///
    /// Must be called within a tokio runtime.
    pub fn start(setup: UplinkSetup, mesh: &str, online: Option<bool>) -> Self {
        let (to, changes) = mpsc::channel(4);
        let task = tokio::spawn(watch(setup, mesh.to_owned(), Verdict::new(online), to)).abort_handle();
        Self { changes, task }
    }

    /// Ready with true when the Internet is there, with false when it is gone; each time it changes.
    pub fn poll_change(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        match self.changes.poll_recv(cx) {
            Poll::Ready(Some(online)) => Poll::Ready(online),
            // The task never ends by itself.
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }
}

impl Drop for Uplink {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn watch(setup: UplinkSetup, mesh: String, mut verdict: Verdict, to: mpsc::Sender<bool>) {
    loop {
        let began = Instant::now();
        let answered = round(&setup, &mesh).await;
        tracing::debug!(answered, of = setup.targets.len(), "Internet checked");
        if let Some(online) = verdict.take(answered >= setup.needed, setup.rounds) {
            let (of, needed) = (setup.targets.len(), setup.needed);
            if online {
                tracing::info!(answered, of, needed, "the Internet is reachable");
            } else {
                tracing::warn!(answered, of, needed, "the Internet is not reachable");
            }
            if to.send(online).await.is_err() {
                return;
            }
        }
        tokio::time::sleep_until(began + setup.interval).await;
    }
}

/// Asks all targets at once and returns how many answered; stops when enough did.
async fn round(setup: &UplinkSetup, mesh: &str) -> usize {
    let mut probes = JoinSet::new();
    for &target in &setup.targets {
        let interface = setup.interface.clone().or_else(|| route::default_interface(is_ipv6(target), mesh));
        let Some(interface) = interface else {
            tracing::debug!(%target, "no default route but through the mesh");
            continue;
        };
        probes.spawn(async move {
            match tokio::time::timeout(PATIENCE, probe::ask(target, &interface)).await {
                Ok(Ok(())) => true,
                Ok(Err(error)) => {
                    tracing::debug!(%target, interface, %error, "target not reached");
                    false
                }
                Err(_) => {
                    tracing::debug!(%target, interface, "target does not answer");
                    false
                }
            }
        });
    }
    let mut answered = 0;
    while answered < setup.needed
        && let Some(done) = probes.join_next().await
    {
        answered += usize::from(matches!(done, Ok(true)));
    }
    answered
}

fn is_ipv6(target: Target) -> bool {
    match target {
        Target::Ping(ip) => ip.is_ipv6(),
        Target::Tcp(to) | Target::Dns(to) => matches!(to.ip(), IpAddr::V6(_)),
    }
}

/// Changes its mind only after several rounds in a row, so that one lost packet moves no client.
#[derive(Debug)]
struct Verdict {
    online: Option<bool>,
    /// Rounds in a row that spoke against it.
    against: u32,
}

impl Verdict {
    fn new(online: Option<bool>) -> Self {
        Self { online, against: 0 }
    }

    /// Takes one round in; `Some` when the verdict changed.
    fn take(&mut self, good: bool, rounds: u32) -> Option<bool> {
        if self.online == Some(good) {
            self.against = 0;
            return None;
        }
        self.against += 1;
        if self.online.is_some() && self.against < rounds {
            return None;
        }
        self.against = 0;
        self.online = Some(good);
        self.online
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;

    #[test]
    fn one_bad_round_is_none() {
        let mut v = Verdict::new(None);
        assert_eq!(v.take(true, 3), Some(true), "the first one decides");
        let rounds = [false, false, true, false, false, false, false, true, true, false, true, true, true];
        let changes: Vec<_> = rounds.iter().map(|&good| v.take(good, 3)).collect();
        let mut expected = vec![None; rounds.len()];
        (expected[5], expected[12]) = (Some(false), Some(true));
        assert_eq!(changes, expected);
        assert_eq!(Verdict::new(Some(true)).take(false, 3), None, "a reload forgets nothing");
        assert_eq!(Verdict::new(Some(true)).take(false, 1), Some(false));
    }

    /// A server for TCP and one for DNS on this machine, asked over the loopback interface.
    #[tokio::test(flavor = "current_thread")]
    async fn targets_that_answer_are_counted() {
        let tcp = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let dns = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let (tcp_at, dns_at) = (tcp.local_addr().unwrap(), dns.local_addr().unwrap());
        tokio::spawn(async move {
            let mut buffer = [0; 512];
            loop {
                let Ok((n, from)) = dns.recv_from(&mut buffer).await else { return };
                // Answer flag; SERVFAIL to whoever asks a second time.
                buffer[2] |= 0x80;
                let _ = dns.send_to(&buffer[..n], from).await;
                buffer[3] = 2;
            }
        });
        let closed: SocketAddr = {
            let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            gone.local_addr().unwrap()
        };
        let setup = |targets: &[Target], needed| UplinkSetup {
            targets: targets.to_vec(),
            interval: Duration::from_secs(1),
            needed,
            rounds: 1,
            interface: Some("lo".into()),
        };
        let all = [Target::Tcp(tcp_at), Target::Dns(dns_at), Target::Tcp(closed)];
        assert_eq!(round(&setup(&all, 3), "mesh0").await, 2);
        assert_eq!(round(&setup(&all[..1], 1), "mesh0").await, 1);
        assert_eq!(round(&setup(&all[2..], 1), "mesh0").await, 0);
        let elsewhere = UplinkSetup { interface: Some("nothere0".into()), ..setup(&all, 1) };
        assert_eq!(round(&elsewhere, "mesh0").await, 0, "no such interface");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_dead_target_is_told_and_a_repaired_one_too() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let setup = UplinkSetup {
            targets: vec![Target::Tcp(at)],
            interval: Duration::from_millis(20),
            needed: 1,
            rounds: 2,
            interface: Some("lo".into()),
        };
        let mut uplink = Uplink::start(setup, "mesh0", None);
        let mut next = async || {
            let change = std::future::poll_fn(|cx| uplink.poll_change(cx));
            tokio::time::timeout(Duration::from_secs(20), change).await.unwrap()
        };
        assert!(next().await);
        drop(listener);
        assert!(!next().await);
        let _listener = tokio::net::TcpListener::bind(at).await.unwrap();
        assert!(next().await);
    }
}
