//! What came back within the window.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::histogram::Histogram;
use super::process::Spent;

/// Different failures that are told; more are only counted.
const TOLD_MAX: usize = 5;

#[derive(Default)]
pub(super) struct Tally {
    recording: bool,
    statuses: BTreeMap<u16, u64>,
    bytes: u64,
    latencies: Histogram,
    failed: u64,
    told: BTreeMap<String, u64>,
    /// Requests sent again because an idle connection was closed under them (RFC 9112 9.3.1).
    pub(super) retried: u64,
    /// Connections opened within the window.
    pub(super) opened: u64,
    /// Of these, with a resumed session.
    pub(super) resumed: u64,
}

impl Tally {
    pub(super) fn start(&mut self) {
        *self = Self { recording: true, ..Self::default() };
    }

    pub(super) fn stop(&mut self) {
        self.recording = false;
    }

    pub(super) fn answered(&mut self, status: u16, bytes: usize, latency: Duration) {
        if !self.recording {
            return;
        }
        let count = self.statuses.entry(status).or_default();
        *count = count.saturating_add(1);
        self.bytes = self.bytes.saturating_add(u64::try_from(bytes).unwrap_or(0));
        self.latencies.add(latency);
    }

    pub(super) fn failed(&mut self, what: String) {
        if !self.recording {
            return;
        }
        self.failed = self.failed.saturating_add(1);
        if self.told.len() < TOLD_MAX || self.told.contains_key(&what) {
            let count = self.told.entry(what).or_default();
            *count = count.saturating_add(1);
        }
    }

    pub(super) fn connected(&mut self, resumed: bool) {
        if self.recording {
            self.opened = self.opened.saturating_add(1);
            self.resumed = self.resumed.saturating_add(u64::from(resumed));
        }
    }

    pub(super) fn row(&self, window: Duration, cpu: Spent) -> Value {
        let requests: u64 = self.statuses.values().sum();
        json!({
            "window_ms": u64::try_from(window.as_millis()).unwrap_or(u64::MAX),
            "requests": requests,
            "statuses": self.statuses,
            "failed": self.failed,
            "failures": self.told,
            "retried": self.retried,
            "opened": self.opened,
            "resumed": self.resumed,
            "bytes": self.bytes,
            "cpu_us": cpu.total_us,
            "user_us": cpu.user_us,
            "system_us": cpu.system_us,
            "latency_us": {
                "mean": self.latencies.mean_us(),
                "p50": self.latencies.quantile_us(500),
                "p99": self.latencies.quantile_us(990),
                "p999": self.latencies.quantile_us(999),
                "max": self.latencies.max_us(),
            },
        })
    }
}
