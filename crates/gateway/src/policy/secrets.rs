//! Every secret in force, for its version in the records: files that the configuration names, and what it holds itself.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use audit::facts::SecretInForce;
use secrecy::{ExposeSecret as _, SecretSlice};

use crate::config::settings::{Certificate, PinPlace, Settings, Sink, Store};

/// Of a secret file so much is looked at, in bytes.
const READ_BYTES_MAX: u64 = 65_536;

/// Name and content of each. A file that cannot be read has none, and is told where it is used.
#[must_use]
pub fn secrets(settings: &Settings) -> Vec<SecretInForce> {
    let mut found = Vec::new();
    let mut add = |name: String, path: &Path| {
        let mut content = Vec::new();
        let read = File::open(path).and_then(|f| f.take(READ_BYTES_MAX).read_to_end(&mut content));
        if read.is_ok() {
            found.push(SecretInForce { name, content: SecretSlice::from(content) });
        }
    };
    add("audit.pseudonym".to_owned(), &settings.audit.pseudonym.key);
    add("audit.seal".to_owned(), &settings.audit.seal.key);
    for listener in &settings.listeners {
        let address = listener.address;
        for (index, Certificate { key, .. }) in listener.certificates.iter().enumerate() {
            add(format!("listener:{address}:{index}"), key);
        }
    }
    for (name, upstream) in &settings.upstreams {
        add(format!("assertion:{name}"), &upstream.assertion_key.path);
        let tls = upstream.tls.as_ref();
        if let Some(certificate) = tls.and_then(|tls| tls.certificate.as_ref()) {
            add(format!("upstream:{name}"), &certificate.key);
        }
    }
    for (index, sink) in settings.audit.sinks.iter().enumerate() {
        if let Sink::Kafka(kafka) = sink
            && let Some(certificate) = kafka.tls.as_ref().and_then(|tls| tls.certificate.as_ref())
        {
            add(format!("sink:{index}"), &certificate.key);
        }
    }
    for (index, pin) in settings.audit.seal.pins.iter().enumerate() {
        let path = match &pin.at {
            PinPlace::File(_) => None,
            PinPlace::Http { token, .. } => token.as_ref().map(|token| &token.path),
            PinPlace::Kafka(kafka) => {
                let certificate = kafka.tls.as_ref().and_then(|tls| tls.certificate.as_ref());
                certificate.map(|certificate| &certificate.key)
            }
        };
        if let Some(path) = path {
            add(format!("pin:{index}"), path);
        }
    }
    if let Store::Redis(redis) = &settings.limits.store {
        let content = redis.url.expose_secret().as_bytes().to_vec();
        found.push(SecretInForce { name: "limits".to_owned(), content: content.into() });
    }
    found
}
