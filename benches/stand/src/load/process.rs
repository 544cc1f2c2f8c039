//! What a tree of processes has used: CPU time and memory, from `/proc`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::Failed;

/// Microseconds of one clock tick of `/proc/PID/stat`: USER_HZ is 100 on every Linux that runs this.
const TICK_US: u64 = 10_000;
/// Fields of `/proc/PID/stat` after the name in parentheses, counted from 0 (proc(5)).
const PARENT: usize = 1;
const USER: usize = 11;
const SYSTEM: usize = 12;
const CHILDREN_USER: usize = 13;
const CHILDREN_SYSTEM: usize = 14;

/// CPU time up to now.
pub(super) struct Usage {
    user_ticks: u64,
    system_ticks: u64,
    /// Nanoseconds on a CPU by thread: finer than ticks, but gone with the thread.
    threads: BTreeMap<u32, u64>,
}

/// CPU time between two moments.
#[derive(Clone, Copy)]
pub(super) struct Spent {
    pub(super) total_us: u64,
    pub(super) user_us: u64,
    pub(super) system_us: u64,
}

impl Usage {
    /// Of these processes and all that descend from them, also those that have ended.
    pub(super) fn of(roots: &[u32]) -> Result<Self, Failed> {
        let mut usage = Self { user_ticks: 0, system_ticks: 0, threads: BTreeMap::new() };
        for process in tree(roots)? {
            let Some(stat) = Stat::read(process) else { continue };
            usage.user_ticks += stat.field(USER) + stat.field(CHILDREN_USER);
            usage.system_ticks += stat.field(SYSTEM) + stat.field(CHILDREN_SYSTEM);
            for thread in numbers(Path::new(&format!("/proc/{process}/task"))) {
                let path = format!("/proc/{process}/task/{thread}/schedstat");
                let text = fs::read_to_string(path).unwrap_or_default();
                let on_cpu = text.split(' ').next().and_then(|ns| ns.parse().ok());
                usage.threads.insert(thread, on_cpu.unwrap_or(0));
            }
        }
        Ok(usage)
    }

    /// By nanoseconds where every thread of then still runs, otherwise by ticks.
    pub(super) fn since(&self, then: &Self) -> Spent {
        let user_us = self.user_ticks.saturating_sub(then.user_ticks).saturating_mul(TICK_US);
        let system_us = self.system_ticks.saturating_sub(then.system_ticks).saturating_mul(TICK_US);
        let all_left = then.threads.keys().all(|thread| self.threads.contains_key(thread));
        let known: u64 = self.threads.values().sum();
        let total_us = if all_left && known > 0 {
            known.saturating_sub(then.threads.values().sum()) / 1000
        } else {
            user_us.saturating_add(system_us)
        };
        Spent { total_us, user_us, system_us }
    }
}

/// Memory now.
pub(super) struct Memory {
    /// Resident, shared pages counted in each process.
    pub(super) rss_kb: u64,
    /// Resident, shared pages divided among those that share them.
    pub(super) pss_kb: u64,
}

impl Memory {
    pub(super) fn of(roots: &[u32]) -> Result<Self, Failed> {
        let mut memory = Self { rss_kb: 0, pss_kb: 0 };
        for process in tree(roots)? {
            let path = format!("/proc/{process}/smaps_rollup");
            let text = fs::read_to_string(path).unwrap_or_default();
            let value = |name: &str| -> u64 {
                let line = text.lines().find_map(|line| line.strip_prefix(name));
                let number = line.and_then(|line| line.split_whitespace().next());
                number.and_then(|number| number.parse().ok()).unwrap_or(0)
            };
            memory.rss_kb += value("Rss:");
            memory.pss_kb += value("Pss:");
        }
        Ok(memory)
    }
}

/// The roots and everything that descends from them.
fn tree(roots: &[u32]) -> Result<BTreeSet<u32>, Failed> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for process in numbers(Path::new("/proc")) {
        if let Some(stat) = Stat::read(process) {
            let parent = u32::try_from(stat.field(PARENT))?;
            children.entry(parent).or_default().push(process);
        }
    }
    let mut found = BTreeSet::new();
    let mut open = roots.to_vec();
    while let Some(process) = open.pop() {
        if found.insert(process) {
            open.extend(children.get(&process).into_iter().flatten());
        }
    }
    Ok(found)
}

/// Entries of a folder that are numbers.
fn numbers(folder: &Path) -> Vec<u32> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

struct Stat(Vec<u64>);

impl Stat {
    fn read(process: u32) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        // The name may hold spaces and parentheses; what follows the last one does not.
        let (_, rest) = text.rsplit_once(") ")?;
        Some(Self(rest.split(' ').map(|field| field.parse().unwrap_or(0)).collect()))
    }

    fn field(&self, index: usize) -> u64 {
        self.0.get(index).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_counted() {
        let me = [std::process::id()];
        let before = Usage::of(&me).unwrap();
        let mut sum = 0_u64;
        let began = std::time::Instant::now();
        while began.elapsed() < std::time::Duration::from_millis(60) {
            sum = sum.wrapping_mul(31).wrapping_add(7);
        }
        std::hint::black_box(sum);
        let spent = Usage::of(&me).unwrap().since(&before);
        // Other tests run beside this one and the machine may be full: only the order of magnitude is certain.
        assert!(spent.total_us > 5_000, "{}", spent.total_us);
        assert!(Memory::of(&me).unwrap().rss_kb > 100);
    }
}
