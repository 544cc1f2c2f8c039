//! The first facts of a record: who connected, and how.

use std::sync::Arc;
use std::time::SystemTime;

use audit::facts::{Method, Opening, TlsFacts};
use edge::Exchange;
use http::header::USER_AGENT;

use super::protocol;
use crate::telemetry::Trace;

/// What is known of a request when its record begins.
pub(super) fn opening(exchange: &Exchange, time: SystemTime, trace: &Trace) -> Opening {
    let connection = &exchange.connection;
    let agent = exchange.head.headers.get(USER_AGENT);
    let mut tls = connection.tls().map(tls_facts);
    if let Some(tls) = tls.as_mut().filter(|_| connection.passes_on_certificates()) {
        // That of the handshake is the proxy's.
        tls.client_certificate = None;
    }
    Opening {
        time,
        client_address: exchange.client_address(),
        client_port: exchange.client_port(),
        local: connection.local(),
        http_version: protocol(exchange.head.version),
        method: Method::from_name(exchange.head.method.as_str()),
        tls,
        user_agent: agent.map(|value| String::from_utf8_lossy(value.as_bytes()).into()),
        trace_id: Some(trace.id()),
    }
}

pub(super) fn tls_facts(tls: &edge::TlsFacts) -> TlsFacts {
    TlsFacts {
        version: match tls.version {
            edge::TlsVersion::V1_2 => "TLSv1.2",
            edge::TlsVersion::V1_3 => "TLSv1.3",
        },
        cipher: tls.cipher_suite,
        sni: tls.sni.clone(),
        client_certificate: tls
            .client_certificate
            .as_ref()
            .map(|certificate| Arc::clone(certificate.thumbprint())),
    }
}
