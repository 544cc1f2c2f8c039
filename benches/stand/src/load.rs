//! The load: connections are opened before the window, then requests go in a closed loop, by a fixed pace, one per
//! connection (handshakes), or not at all (idle). The peer's CPU time is read at both ends of the window.

use std::cell::{Cell, RefCell};
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time;

use crate::tls::ClientSpec;
use crate::{Failed, local};

mod dial;
mod h1;
mod h2;
mod h3;
mod handshakes;
mod histogram;
mod idle;
mod pace;
mod plan;
mod process;
mod tally;

use pace::Pace;
use plan::Plan;
use tally::Tally;

/// What a run may take beyond its warm-up and its window.
const PATIENCE: Duration = Duration::from_secs(150);

/// One measurement.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Spec {
    target: SocketAddr,
    tls: ClientSpec,
    protocol: Protocol,
    #[serde(default)]
    mode: Mode,
    connections: usize,
    /// Requests in flight on each connection.
    #[serde(default = "one")]
    streams: usize,
    method: String,
    paths: Vec<String>,
    #[serde(default)]
    headers: Vec<(String, String)>,
    body: Option<PathBuf>,
    /// A file with one bearer token a line, used in turn.
    tokens: Option<PathBuf>,
    #[serde(default)]
    warm_ms: u64,
    #[serde(default)]
    window_ms: u64,
    /// Instead of a window: exactly so many requests, all counted.
    requests: Option<u64>,
    /// Requests per second of [`Mode::Paced`].
    rate: Option<f64>,
    /// The peer: these processes and their children.
    processes: Vec<u32>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Protocol {
    H1,
    H2,
    H3,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Mode {
    #[default]
    Closed,
    Paced,
    Handshakes,
    Idle,
}

const fn one() -> usize {
    1
}

/// What every connection shares; all of it lives on one thread.
struct Shared {
    spec: Spec,
    plan: Plan,
    tally: RefCell<Tally>,
    pace: Option<Pace>,
    stop: Cell<bool>,
}

type Worker = JoinHandle<Result<(), Failed>>;

/// Runs one measurement; prints its row.
pub(crate) fn run(spec: &str) -> Result<(), Failed> {
    let spec: Spec = serde_json::from_str(spec)?;
    let row = local::block_on(async move {
        let limit = Duration::from_millis(spec.warm_ms.saturating_add(spec.window_ms));
        time::timeout(limit.saturating_add(PATIENCE), measure(spec)).await?
    })?;
    println!("{row}");
    Ok(())
}

async fn measure(spec: Spec) -> Result<Value, Failed> {
    let body = spec.body.as_ref().map(fs::read).transpose()?.map(Bytes::from);
    let plan = Plan::new(&spec, body.unwrap_or_default())?;
    let pace = spec.rate.filter(|_| spec.mode == Mode::Paced).map(Pace::new);
    let shared =
        Rc::new(Shared { spec, plan, tally: RefCell::default(), pace, stop: Cell::new(false) });
    if shared.spec.mode == Mode::Idle {
        return idle::measure(&shared).await;
    }
    let workers = match (shared.spec.mode, shared.spec.protocol) {
        (Mode::Handshakes, _) => handshakes::start(&shared)?,
        (Mode::Closed | Mode::Paced | Mode::Idle, Protocol::H1) => h1::start(&shared).await?,
        (Mode::Closed | Mode::Paced | Mode::Idle, Protocol::H2) => h2::start(&shared).await?,
        (Mode::Closed | Mode::Paced | Mode::Idle, Protocol::H3) => h3::start(&shared).await?,
    };
    window(&shared, workers).await
}

/// The connections are open; from here on it is timed.
async fn window(shared: &Rc<Shared>, workers: Vec<Worker>) -> Result<Value, Failed> {
    let spec = &shared.spec;
    let counted = spec.requests.is_some();
    if !counted {
        time::sleep(Duration::from_millis(spec.warm_ms)).await;
    }
    let mine = process::Usage::of(&[std::process::id()])?;
    let before = process::Usage::of(&spec.processes)?;
    let began = Instant::now();
    shared.tally.borrow_mut().start();
    if counted {
        shared.plan.release();
        for worker in workers {
            worker.await??;
        }
    } else {
        time::sleep(Duration::from_millis(spec.window_ms)).await;
    }
    shared.tally.borrow_mut().stop();
    let took = began.elapsed();
    let cpu = process::Usage::of(&spec.processes)?.since(&before);
    let mine = process::Usage::of(&[std::process::id()])?.since(&mine);
    shared.stop.set(true);
    let memory = process::Memory::of(&spec.processes)?;
    let mut row = shared.tally.borrow().row(took, cpu);
    if let Some(row) = row.as_object_mut() {
        row.insert("load_cpu_us".into(), json!(mine.total_us));
        row.insert("peer_rss_kb".into(), json!(memory.rss_kb));
        row.insert("peer_pss_kb".into(), json!(memory.pss_kb));
    }
    Ok(row)
}

impl Shared {
    /// The next request, once its time has come; `None` ends the connection.
    async fn next(&self) -> Option<(plan::Request<'_>, Instant)> {
        let began = match &self.pace {
            None => None,
            Some(pace) => Some(pace.next().await),
        };
        if self.stop.get() {
            return None;
        }
        let request = self.plan.next().await?;
        Some((request, began.unwrap_or_else(Instant::now)))
    }

    /// One answer has arrived whole.
    fn answered(&self, status: u16, bytes: usize, began: Instant) {
        self.tally.borrow_mut().answered(status, bytes, began.elapsed());
    }

    /// One request has failed; during the end of a run that is no news.
    fn failed(&self, what: &(dyn std::fmt::Display + '_)) {
        self.tally.borrow_mut().failed(what.to_string());
    }
}
