//! Spans to an OTLP/HTTP collector. The ids are made by the gateway (the same ones stand in the
//! audit event and in `traceparent`), so finished spans go straight to the batch processor.

use super::Finished;
use opentelemetry::trace::{
    SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{
    BatchSpanProcessor, SpanData, SpanEvents, SpanLinks, SpanProcessor,
};
use std::time::Duration;

/// How long one export may take.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(5);

/// The way to the collector: a bounded queue and a thread of its own.
#[derive(Debug)]
pub(super) struct Exporter {
    processor: BatchSpanProcessor,
}

impl Exporter {
    pub(super) fn open(endpoint: &str) -> Result<Self, String> {
        let client = blocking_client()?;
        let url = format!("{}/v1/traces", endpoint.trim_end_matches('/'));
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(url)
            .with_timeout(EXPORT_TIMEOUT)
            .with_http_client(client)
            .build()
            .map_err(|e| e.to_string())?;
        let mut processor = BatchSpanProcessor::builder(exporter).build();
        processor.set_resource(&Resource::builder().with_service_name("sallyport").build());
        Ok(Self { processor })
    }

    pub(super) fn export(&self, finished: &Finished<'_>) {
        let context = SpanContext::new(
            TraceId::from(finished.trace.trace),
            SpanId::from(finished.trace.span),
            TraceFlags::SAMPLED,
            false,
            TraceState::default(),
        );
        let name = finished.template.map_or_else(
            || finished.method.to_owned(),
            |template| format!("{} {template}", finished.method),
        );
        let mut attributes = vec![
            KeyValue::new("http.request.method", finished.method.to_owned()),
            KeyValue::new("http.response.status_code", i64::from(finished.status)),
            KeyValue::new("sallyport.decision", finished.decision.to_owned()),
        ];
        if let Some(template) = finished.template {
            attributes.push(KeyValue::new("http.route", template.to_owned()));
        }
        // OpenTelemetry: only 5xx is an error of the server.
        let failed = finished.status >= 500;
        self.processor.on_end(SpanData {
            span_context: context,
            parent_span_id: SpanId::INVALID,
            parent_span_is_remote: false,
            span_kind: SpanKind::Server,
            name: name.into(),
            start_time: finished.started,
            end_time: finished.ended,
            attributes,
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: if failed { Status::error("") } else { Status::Unset },
            instrumentation_scope: InstrumentationScope::builder("sallyport").build(),
        });
    }

    pub(super) fn flush(&self) {
        if let Err(error) = self.processor.force_flush() {
            tracing::warn!(%error, "traces were not exported");
        }
    }
}

/// A blocking client for the exporter's own thread. Such a client brings a small runtime, which
/// must not be built on a thread of ours that already drives one.
fn blocking_client() -> Result<reqwest::blocking::Client, String> {
    let build = || {
        let tls = tls_config()?;
        reqwest::blocking::Client::builder()
            .tls_backend_preconfigured(tls)
            .timeout(EXPORT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|e| e.to_string())
    };
    std::thread::spawn(build).join().map_err(|_| "the client could not be built".to_owned())?
}

fn tls_config() -> Result<rustls::ClientConfig, String> {
    let mut roots = rustls::RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}
