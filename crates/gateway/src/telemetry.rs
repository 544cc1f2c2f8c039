//! Traces and log lines. A trace is new at the gateway: what a client says about tracing is not
//! trusted. Everything written passes the masker of the audit crate.

use rustix::process::{Resource, Rlimit, setrlimit};
use std::io::{self, Write};
use std::sync::OnceLock;
use std::time::SystemTime;
use tracing_subscriber::fmt::MakeWriter;

#[cfg(feature = "otlp")]
mod otlp;

/// Where finished spans go: OTLP where it is configured, nowhere else.
#[derive(Debug, Default)]
pub struct Telemetry {
    #[cfg(feature = "otlp")]
    exporter: Option<otlp::Exporter>,
}

/// The ids of one request's span (W3C Trace Context 2.2).
#[derive(Debug, Clone, Copy)]
pub struct Trace {
    trace: u128,
    span: u64,
}

/// A finished request, as a span tells it.
#[derive(Debug)]
pub struct Finished<'a> {
    /// Its ids.
    pub trace: &'a Trace,
    /// The method.
    pub method: &'a str,
    /// The path template, where an operation was found.
    pub template: Option<&'a str>,
    /// The status that was answered.
    pub status: u16,
    /// `stage.reason`, or `allowed`.
    pub decision: &'a str,
    /// First byte in.
    pub started: SystemTime,
    /// Last byte out.
    pub ended: SystemTime,
}

/// Why traces cannot be exported.
#[derive(Debug, thiserror::Error)]
#[error("set up the OTLP exporter: {0}")]
pub struct TelemetryError(String);

impl Telemetry {
    /// Exports to an OTLP/HTTP collector (`endpoint` is its base URL), or nowhere.
    ///
    /// # Errors
    /// [`TelemetryError`] where the exporter cannot be built.
    #[cfg(feature = "otlp")]
    pub fn open(endpoint: Option<&str>) -> Result<Self, TelemetryError> {
        let exporter = endpoint.map(otlp::Exporter::open).transpose();
        Ok(Self { exporter: exporter.map_err(TelemetryError)? })
    }

    /// Exports nowhere: this build has no exporter (feature `otlp`).
    ///
    /// # Errors
    /// [`TelemetryError`] where an endpoint is given all the same.
    #[cfg(not(feature = "otlp"))]
    pub fn open(endpoint: Option<&str>) -> Result<Self, TelemetryError> {
        match endpoint {
            None => Ok(Self::default()),
            Some(_) => Err(TelemetryError("this build lacks the feature `otlp`".into())),
        }
    }

    /// New ids for one request.
    #[must_use]
    pub fn begin(&self) -> Trace {
        // The same random bits as the ids of transactions: neither is a secret.
        let (trace, span) = (uuid::Uuid::new_v4(), uuid::Uuid::new_v4());
        Trace { trace: trace.as_u128(), span: span.as_u64_pair().0 }
    }

    /// Hands over a finished request.
    pub fn end(&self, finished: &Finished<'_>) {
        #[cfg(feature = "otlp")]
        if let Some(exporter) = &self.exporter {
            exporter.export(finished);
        }
        #[cfg(not(feature = "otlp"))]
        let _ = finished;
    }

    /// Sends what waits; blocks until it is out or given up.
    pub fn flush(&self) {
        #[cfg(feature = "otlp")]
        if let Some(exporter) = &self.exporter {
            exporter.flush();
        }
    }
}

impl Trace {
    /// The trace id, as 32 hex digits.
    #[must_use]
    pub fn id(&self) -> String {
        uuid::Uuid::from_u128(self.trace).simple().to_string()
    }

    /// The value of `traceparent`: version, trace, parent, sampled.
    #[must_use]
    pub fn parent(&self) -> String {
        format!("00-{:032x}-{:016x}-01", self.trace, self.span)
    }
}

/// Log lines as JSON to standard error, masked. Called once, by `run` and `demo`.
pub fn log_to_stderr() {
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_max_level(tracing::Level::INFO)
        .with_writer(Masked)
        .finish();
    if tracing::subscriber::set_global_default(subscriber).is_err() {
        tracing::debug!("log lines already have a subscriber");
    }
    // A panic is a log line like any other: what it prints may hold what it was working on.
    std::panic::set_hook(Box::new(|panic| tracing::error!(%panic, "panicked")));
}

/// What the configuration adds to the masker of log lines; until it is read, the gateway's own rules hold alone.
static MASKER: OnceLock<audit::Masker> = OnceLock::new();

/// Log lines are masked by the rules of the configuration, too. Holds once for a process, as the section does.
pub fn mask_logs_by(masker: &audit::Masker) {
    MASKER.get_or_init(|| masker.clone());
}

fn masked(line: &str) -> String {
    let masked = MASKER.get().map_or_else(|| audit::mask(line), |masker| masker.mask(line));
    masked.into_owned()
}

/// A process that breaks leaves no image of its memory: keys and requests are in it.
pub fn leave_no_core() {
    let nothing = Rlimit { current: Some(0), maximum: Some(0) };
    if let Err(error) = setrlimit(Resource::Core, nothing) {
        tracing::warn!(%error, "core dumps could not be turned off");
    }
}

/// Standard error behind the masker.
#[derive(Debug, Clone, Copy)]
struct Masked;

impl MakeWriter<'_> for Masked {
    type Writer = MaskedLine;
    fn make_writer(&self) -> MaskedLine {
        MaskedLine(Vec::new())
    }
}

/// One line in the making; it is masked as a whole and written when it drops.
#[derive(Debug)]
struct MaskedLine(Vec<u8>);

impl Write for MaskedLine {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for MaskedLine {
    fn drop(&mut self) {
        let line = String::from_utf8_lossy(&self.0);
        // The masker leaves no control character: the line's end comes behind it, in the same write.
        let mut masked = masked(line.trim_end());
        masked.push('\n');
        // Where standard error is gone there is nobody left to tell.
        if io::stderr().write_all(masked.as_bytes()).is_err() {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trace_parent_has_the_w3c_shape() {
        let trace = Telemetry::default().begin();
        let parent = trace.parent();
        let parts: Vec<_> = parent.split('-').collect();
        assert_eq!(parts.iter().map(|p| p.len()).collect::<Vec<_>>(), [2, 32, 16, 2]);
        assert_eq!(parts[1], trace.id());
        assert_ne!(trace.id(), Telemetry::default().begin().id());
    }
}
