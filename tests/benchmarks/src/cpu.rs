//! How long processes ran, from the scheduler's own accounts: nanoseconds, not clock ticks.

use std::fs;
use std::path::Path;

/// Run time in nanoseconds of all threads of the given processes, and of the kernel's soft
/// interrupt threads; processes that are gone count as 0.
///
/// Packet work in a soft interrupt is charged to whichever task it interrupted, so only sums over
/// everything that takes part mean something.
pub(crate) fn run_time_ns(processes: &[u32], soft_interrupts: &[u32]) -> u64 {
    processes.iter().chain(soft_interrupts).map(|pid| process_ns(*pid)).sum()
}

/// Process ids of the kernel's soft interrupt threads, one per CPU.
pub(crate) fn soft_interrupt_threads() -> Vec<u32> {
    let Ok(all) = fs::read_dir("/proc") else { return Vec::new() };
    all.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid| fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.starts_with("ksoftirqd/")))
        .collect()
}

/// Resident memory of a process in bytes, if it is there.
pub(crate) fn resident_bytes(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

fn process_ns(pid: u32) -> u64 {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { return 0 };
    tasks.filter_map(|task| thread_ns(&task.ok()?.path())).sum()
}

fn thread_ns(task: &Path) -> Option<u64> {
    fs::read_to_string(task.join("schedstat")).ok()?.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_run_time_grows_with_work() {
        let me = [std::process::id()];
        let before = run_time_ns(&me, &[]);
        let start = std::time::Instant::now();
        while start.elapsed().as_millis() < 50 {
            std::hint::black_box(0);
        }
        assert!(run_time_ns(&me, &[]) > before, "no schedstat");
        assert!(resident_bytes(me[0]).is_some_and(|bytes| bytes > 100_000));
        assert_eq!(resident_bytes(u32::MAX), None);
    }
}
