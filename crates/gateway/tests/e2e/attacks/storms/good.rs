//! Good clients of a storm: one on each protocol asks one request after another and measures. None of them may fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use crate::attacks::{Stage, TAIL};
use crate::client::{Client, PROTOCOLS, request};

/// Pause between two requests of a client.
const PACE: Duration = Duration::from_millis(5);

/// What the clients of a storm measured, by protocol.
#[derive(Clone, Debug)]
pub(super) struct Figures {
    pub(super) p99_ms: [f64; 3],
    pub(super) requests: usize,
}

/// Running clients.
pub(super) struct Good {
    is_over: Arc<AtomicBool>,
    clients: Vec<JoinHandle<Vec<Duration>>>,
}

impl Good {
    pub(super) fn begin(stage: &Stage) -> Self {
        let is_over = Arc::<AtomicBool>::default();
        let clients = PROTOCOLS.map(|protocol| {
            let client = Client::new(&stage.site.authority.ca_pem(), stage.gateway.address);
            let is_over = Arc::clone(&is_over);
            tokio::spawn(async move {
                let mut took = Vec::new();
                while took.is_empty() || !is_over.load(Ordering::Relaxed) {
                    let began = Instant::now();
                    let answer = client.send(protocol, request("GET", TAIL, None, "")).await;
                    assert_eq!(answer.status, 200, "{protocol:?}");
                    took.push(began.elapsed());
                    tokio::time::sleep(PACE).await;
                }
                took
            })
        });
        Self { is_over, clients: clients.into() }
    }

    /// Ends them; one that failed fails the storm.
    pub(super) async fn end(self, storm: &str) -> Figures {
        self.is_over.store(true, Ordering::Relaxed);
        let mut figures = Figures { p99_ms: [0.0; 3], requests: 0 };
        for (client, p99) in self.clients.into_iter().zip(&mut figures.p99_ms) {
            let mut took = client.await.unwrap_or_else(|error| panic!("{storm}: {error}"));
            took.sort_unstable();
            figures.requests += took.len();
            *p99 = took[(took.len() * 99 / 100).min(took.len() - 1)].as_secs_f64() * 1000.0;
        }
        figures
    }
}
