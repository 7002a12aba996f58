//! `throughput`: how much gets through to another node.

use super::echo::Target;
use super::{Out, Quiet};
use crate::args::{Args, UsageError};
use crate::control::protocol::{MAX_TEST_MSECS, Mac, ThroughputView};
use crate::control::{Ask, Client};
use serde_json::json;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// Runs a test and prints its course and its result.
///
/// # Errors
/// The host cannot be found, the node does not answer; [`Quiet`] if the test could not be run.
pub(super) async fn run(args: &Args, out: Out<'_>) -> anyhow::Result<()> {
    let test_msecs = length(args)?;
    let json = args.has("json");
    let mut client = Client::connect(&super::socket(args)).await?;
    let target = Target::find(&mut client, args).await?;
    if target.own {
        anyhow::bail!("{} is this node itself, or one of its own clients", target.typed);
    }
    let (mut int, mut term) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    client.tell(Ask::Throughput { address: Mac(target.orig), test_msecs }).await?;
    let mut course: Vec<ThroughputView> = Vec::new();
    let end = loop {
        let answer = tokio::select! {
            answer = client.next() => answer?,
            _ = int.recv() => { client.interrupt().await?; continue; }
            _ = term.recv() => { client.interrupt().await?; continue; }
        };
        let Some(view) = answer.throughput else { anyhow::bail!("the node sent another answer") };
        if view.result.is_some() {
            break view;
        }
        if !json {
            writeln!(out, "{}", progress(course.last(), &view))?;
            out.flush()?;
        }
        course.push(view);
    };
    let worked = matches!(end.result.as_deref(), Some("complete" | "cancelled"));
    if json {
        let steps: Vec<_> =
            course.iter().map(|v| json!({"elapsed_msecs": v.elapsed_msecs, "bytes": v.bytes})).collect();
        let summary = json!({
            "format": crate::control::FORMAT, "host": target.typed, "orig_address": target.orig.to_string(),
            "result": end.result, "code": end.code, "elapsed_msecs": end.elapsed_msecs, "bytes": end.bytes,
            "bits_per_second": bits_per_second(end.bytes, end.elapsed_msecs), "repeated": end.repeated,
            "progress": steps,
        });
        writeln!(out, "{summary}")?;
    } else {
        out.write_all(text(&target.typed, &end).as_bytes())?;
    }
    if worked { Ok(()) } else { Err(Quiet.into()) }
}

fn length(args: &Args) -> Result<u64, UsageError> {
    let bare = args.value("time").and_then(|text| text.parse::<u64>().ok());
    let length = match bare {
        Some(msecs) if matches!(args.called.as_str(), "throughputmeter" | "tp") => Duration::from_millis(msecs),
        _ => args.seconds("time")?.unwrap_or_default(),
    };
    u64::try_from(length.as_millis())
        .ok()
        .filter(|ms| (1..=MAX_TEST_MSECS).contains(ms))
        .ok_or_else(|| UsageError::new("--time: allowed: from 1ms to 1h"))
}

fn bits_per_second(bytes: u64, msecs: u64) -> u64 {
    bytes.saturating_mul(8000).checked_div(msecs).unwrap_or(0)
}

/// The last second of a test that runs.
fn progress(before: Option<&ThroughputView>, now: &ThroughputView) -> String {
    let (msecs, bytes) = before.map_or((0, 0), |b| (b.elapsed_msecs, b.bytes));
    let rate = bits_per_second(now.bytes.saturating_sub(bytes), now.elapsed_msecs.saturating_sub(msecs));
    format!("{:>4} s: {}", now.elapsed_msecs / 1000, mbit(rate))
}

fn mbit(bits: u64) -> String {
    let hundredths = (bits + 5_000) / 10_000;
    format!("{}.{:02} Mbit/s", hundredths / 100, hundredths % 100)
}

/// The result; its first three lines are batctl's.
fn text(typed: &str, end: &ThroughputView) -> String {
    match end.result.as_deref() {
        Some("complete" | "cancelled") => {}
        Some("unreachable") => {
            return format!(
                "{typed} is not reachable: no way leads there, or the node there answers no throughput tests\n"
            );
        }
        Some("already_ongoing") => {
            return format!("a test between this node and {typed} runs already; try again when it is over\n");
        }
        Some("too_many_sessions") => {
            return "this node takes part in five tests already; try again when one is over\n".to_owned();
        }
        Some("cannot_send") => {
            return "this node has no hard interface that is up; \"meshwork interfaces\" says why\n".to_owned();
        }
        other => return format!("the test failed: {}\n", other.unwrap_or("no reason is known")),
    }
    let bits = bits_per_second(end.bytes, end.elapsed_msecs);
    let hundredths = bits.saturating_mul(100) / 8 / (1 << 20);
    let mut out = String::new();
    if end.result.as_deref() == Some("cancelled") {
        out.push_str("Stopped before its time was over.\n");
    }
    out.push_str(&format!("Test duration {}ms.\nSent {} Bytes.\n", end.elapsed_msecs, end.bytes));
    out.push_str(&format!(
        "Throughput: {}.{:02} MB/s ({}.{:02} Mbps)\n",
        hundredths / 100,
        hundredths % 100,
        bits / 1_000_000,
        bits / 10_000 % 100
    ));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use packet::MacAddr;

    fn view(elapsed_msecs: u64, bytes: u64, result: Option<&str>) -> ThroughputView {
        let orig_address = Mac(MacAddr([2, 0, 0, 0, 0, 1]));
        ThroughputView { orig_address, elapsed_msecs, bytes, repeated: 0, result: result.map(Into::into), code: None }
    }

    #[test]
    fn the_result_reads_like_batctls() {
        assert_eq!(
            text("roof", &view(10_000, 12_500_000, Some("complete"))),
            "Test duration 10000ms.\nSent 12500000 Bytes.\nThroughput: 1.19 MB/s (10.00 Mbps)\n"
        );
        assert!(text("roof", &view(10, 0, Some("cancelled"))).starts_with("Stopped before"));
        assert!(text("roof", &view(0, 0, Some("unreachable"))).starts_with("roof is not reachable"));
    }

    #[test]
    fn progress_is_that_of_the_last_second() {
        assert_eq!(progress(None, &view(1000, 125_000, None)), "   1 s: 1.00 Mbit/s");
        assert_eq!(progress(Some(&view(1000, 125_000, None)), &view(2000, 187_500, None)), "   2 s: 0.50 Mbit/s");
    }
}
