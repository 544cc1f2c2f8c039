//! Storms: each attack goes on for a bounded time while good clients on every protocol measure. No good request fails, the
//! gateway's memory grows by little and comes back, floods are ended and not only survived. Figures are printed, not judged.
//! Short in the ordinary tests, long in the soak.

mod calls;
mod good;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::parts::process::wait_until;
use crate::site::LIMIT;
use crate::world::reason;

use super::Stage;
use calls::{ATTACKS, Attack};
use good::{Figures, Good};

/// What a storm may cost, in KiB of resident memory.
const GROWN_KIB_MAX: u64 = 16 * 1024;
/// What may stay of it once it is over: freed pages go back to the system a little later.
const STAYS_KIB_MAX: u64 = 8 * 1024;
/// How often memory is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// Attackers at the same time.
const ATTACKERS: usize = 4;

/// The most memory that the gateway held while this lived.
struct Memory {
    most_kib: Arc<AtomicU64>,
    is_over: Arc<AtomicBool>,
}

impl Memory {
    fn watch(stage: &Stage) -> Self {
        let memory = Self { most_kib: Arc::default(), is_over: Arc::default() };
        let (most, is_over) = (Arc::clone(&memory.most_kib), Arc::clone(&memory.is_over));
        let path = format!("/proc/{}/status", stage.gateway.process.id());
        std::thread::spawn(move || {
            while !is_over.load(Ordering::Relaxed) {
                most.fetch_max(super::resident_kib(&path), Ordering::Relaxed);
                std::thread::park_timeout(LOOK);
            }
        });
        memory
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

/// What one storm came to.
struct Storm {
    name: &'static str,
    figures: Figures,
    grown_kib: u64,
    ended: u64,
}

impl Storm {
    fn line(&self, none: &Figures) -> String {
        let Self { name, figures, grown_kib, ended } = self;
        let times = |now: f64, before: f64| now / before.max(0.001);
        let cells: Vec<String> = (0..3)
            .map(|at| {
                let (now, before) = (figures.p99_ms[at], none.p99_ms[at]);
                format!("{now:.1} ({:.1} x)", times(now, before))
            })
            .collect();
        let (requests, mib) = (figures.requests, *grown_kib as f64 / 1024.0);
        format!("| {name} | {} | {requests} | {mib:.1} | {ended} |", cells.join(" | "))
    }
}

/// One attack for so long, beside good clients.
async fn storm(stage: &Stage, attack: &Attack, time: Duration) -> Storm {
    let (before, counted) = (stage.resident_kib(), broken(stage));
    let memory = Memory::watch(stage);
    let good = Good::begin(stage);
    let until = Instant::now() + time;
    let mut ended = 0;
    let attackers = if attack.is_flood { ATTACKERS } else { 1 };
    let all = (0..attackers).map(|_| (attack.call)(stage, until));
    for one in futures_util::future::join_all(all).await {
        ended += one;
    }
    let figures = good.end(attack.name).await;
    let grown_kib = memory.most_kib.load(Ordering::Relaxed).saturating_sub(before);
    drop(memory);
    assert!(grown_kib <= GROWN_KIB_MAX, "{}: memory grew by {grown_kib} KiB", attack.name);
    if attack.is_flood {
        assert!(ended > 0, "{}: survived, not ended", attack.name);
        wait_until(&format!("{}: all ends are counted", attack.name), LIMIT, || {
            broken(stage) >= counted + ended
        });
    }
    Storm { name: attack.name, figures, grown_kib, ended }
}

/// Connections that the gateway has ended for what came on them.
fn broken(stage: &Stage) -> u64 {
    stage.gateway.metric(&["connections_broken_total"]) as u64
}

/// All of them, each for so long.
async fn storms(time: Duration) {
    let stage = Stage::new(Vec::new());
    // Everything is there once before it is measured: pools, sessions, tables, pages of the allocator.
    let warm = Good::begin(&stage);
    for attack in &ATTACKS {
        (attack.call)(&stage, Instant::now() + WARM).await;
    }
    warm.end("warm").await;
    let good = Good::begin(&stage);
    tokio::time::sleep(time).await;
    let none = good.end("none").await;
    let before = stage.resident_kib();
    let quiet = Storm { name: "none", figures: none.clone(), grown_kib: 0, ended: 0 };
    let mut lines = vec![
        "| attack | h1 p99 ms | h2 p99 ms | h3 p99 ms | good requests | MiB more | ended |"
            .to_owned(),
        "|---|---|---|---|---|---|---|".to_owned(),
        quiet.line(&none),
    ];
    for attack in &ATTACKS {
        let told = storm(&stage, attack, time).await;
        lines.push(told.line(&none));
        stage.recorder.take();
    }
    report(&lines.join("\n"));
    comes_back(&stage, before + STAYS_KIB_MAX).await;
    let floods = stage.site.events().iter().filter(|event| reason(event).contains("flood")).count();
    assert!(floods > 0, "floods are on record");
}

/// Memory is as it was before the attacks. Clients go on meanwhile: the allocator gives freed pages back while it works,
/// not while it rests.
async fn comes_back(stage: &Stage, kib_max: u64) {
    let deadline = Instant::now() + LIMIT;
    while stage.resident_kib() > kib_max {
        assert!(Instant::now() < deadline, "{} KiB are not {kib_max} KiB", stage.resident_kib());
        let good = Good::begin(stage);
        tokio::time::sleep(REST).await;
        good.end("after all").await;
    }
}

/// Time of good clients between two looks at memory.
const REST: Duration = Duration::from_secs(1);
/// How long each attack is tried before anything is measured.
const WARM: Duration = Duration::from_millis(300);

#[expect(clippy::print_stdout, reason = "the figures of a campaign, for whoever looks")]
fn report(figures: &str) {
    println!("{figures}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn storms_pass_good_clients_by() {
    storms(Duration::from_secs(1)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "soak"]
async fn soak_storms() {
    storms(Duration::from_secs(15)).await;
}

/// CVE-2023-44487: the end comes within 250 requests that were taken back, on both protocols that have it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rapid_resets_end_within_250() {
    let stage = Stage::new(Vec::new());
    assert!(calls::rapid_resets_h2(&stage, 250).await, "HTTP/2 goes on");
    assert!(calls::rapid_resets_h3(&stage, 250).await, "HTTP/3 goes on");
    // A client that takes back as many as a page has is served, also where they come in one packet.
    assert!(!calls::rapid_resets_h2(&stage, 100).await, "HTTP/2 ended a near miss");
    assert!(!calls::rapid_resets_h3(&stage, 100).await, "HTTP/3 ended a near miss");
}
