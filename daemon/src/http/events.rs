//! Server-sent events: what happens, as it happens, and every two seconds, or when a link of this node came or went, a
//! word that there is a new picture.

use super::privacy;
use super::server::{Stream, send};
use super::site::Site;
use crate::control::{json, view};
use mesh_core::sorted::SortedMap;
use mesh_core::{Event, LinkId};
use std::io;
use std::time::Duration;
use tokio::io::AsyncReadExt;

/// Time between two looks at the links ...
const EVERY: Duration = Duration::from_secs(1);
/// ... and looks of which a reader is told the last in any case.
const TOLD: u32 = 2;

/// Sends events until the asker leaves or does not read.
pub(super) async fn stream(site: &Site, full: bool, to: &mut Stream) -> io::Result<()> {
    let Some(mut events) = site.subscribe().await else { return Ok(()) };
    // Whoever loses the connection comes back after so many milliseconds.
    send(to, b"retry: 2000\n\n").await?;
    let mut names: SortedMap<LinkId, String> = SortedMap::new();
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut byte = [0];
    let mut links: Vec<(LinkId, packet::MacAddr)> = Vec::new();
    let mut looks = 0;
    loop {
        tokio::select! {
            event = events.recv() => {
                let Some(event) = event else { return Ok(()) };
                if matches!(event, Event::Echo(_) | Event::Meter(_)) {
                    continue;
                }
                let event = view::event(&event, |id| names.get(&id).cloned());
                let Some(mut event) = (if full { Some(event) } else { privacy::public(event) }) else { continue };
                let data = String::from_utf8(json::text(&mut event)).unwrap_or_default();
                send(to, format!("event: {}\ndata: {data}\n\n", event.what).as_bytes()).await?;
            }
            _ = tick.tick() => {
                let Ok(s) = site.picture().await else { return Ok(()) };
                names = s.mesh.links.iter().map(|l| (l.id, l.name.clone())).collect();
                let heard = s.mesh.neighbors.iter().filter(|n| !n.dead && !n.quiet);
                let now: Vec<_> = heard.map(|n| (n.link, n.addr)).collect();
                looks = if links == now { looks + 1 } else { TOLD };
                links = now;
                if looks < TOLD {
                    continue;
                }
                looks = 0;
                let line = format!("event: state\ndata: {{\"uptime_msecs\":{}}}\n\n", s.mesh.uptime.as_millis());
                send(to, line.as_bytes()).await?;
            }
            said = to.read(&mut byte) => if said? == 0 { return Ok(()) },
        }
    }
}
