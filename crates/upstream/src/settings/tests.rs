//! Each refused setting, each beside the nearest one that is not.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::{AssertionSettings, SettingsError, TlsSettings, UpstreamSettings};
use crate::signer::Signer;

fn settings(endpoint: &str) -> UpstreamSettings {
    UpstreamSettings {
        name: "orders".to_owned(),
        endpoints: vec![endpoint.parse().unwrap()],
        tls: Some(TlsSettings { ca: PathBuf::from("ca.pem"), certificate: None, name: None }),
        insecure_plaintext: false,
        connect_timeout: Duration::from_secs(1),
        response_timeout: Duration::from_secs(15),
        connect_attempts: 2,
        assertion: AssertionSettings {
            issuer: "gateway".to_owned(),
            audience: "orders".to_owned(),
            signer: Arc::new(Signer::generate().unwrap()),
            lifetime: Duration::from_secs(30),
        },
    }
}

#[test]
fn endpoints() {
    for good in ["https://10.0.0.1:8443", "https://orders.internal", "https://[::1]:1/"] {
        assert!(settings(good).check().is_ok(), "{good}");
    }
    for bad in ["https://a/path", "https://a/?q", "https://u@a", "ftp://a", "/relative", "a.b"] {
        assert!(matches!(settings(bad).check(), Err(SettingsError::Endpoint(_))), "{bad}");
    }
    let none = UpstreamSettings { endpoints: Vec::new(), ..settings("https://a") };
    assert!(matches!(none.check(), Err(SettingsError::Endpoints)));
    let many = UpstreamSettings {
        endpoints: vec!["https://a".parse().unwrap(); 65],
        ..settings("https://a")
    };
    assert!(matches!(many.check(), Err(SettingsError::Endpoints)));
}

#[test]
fn plain_text_needs_the_word() {
    assert!(matches!(settings("http://a").check(), Err(SettingsError::Plaintext(_))));
    let said = UpstreamSettings { insecure_plaintext: true, tls: None, ..settings("http://a") };
    assert!(said.check().is_ok());
    let mixed = UpstreamSettings { insecure_plaintext: true, tls: None, ..settings("https://a") };
    assert!(matches!(mixed.check(), Err(SettingsError::TlsMissing)));
}

#[test]
fn times_and_attempts() {
    let with = |connect_ms, response_ms, connect_attempts| {
        let connect_timeout = Duration::from_millis(connect_ms);
        let response_timeout = Duration::from_millis(response_ms);
        UpstreamSettings {
            connect_timeout,
            response_timeout,
            connect_attempts,
            ..settings("https://a")
        }
        .check()
    };
    assert!(with(1, 1, 1).is_ok());
    assert!(matches!(with(0, 1, 1), Err(SettingsError::Timeouts)));
    assert!(matches!(with(2, 1, 1), Err(SettingsError::Timeouts)));
    assert!(matches!(with(1, 3_600_001, 1), Err(SettingsError::Timeouts)));
    assert!(matches!(with(1, 1, 0), Err(SettingsError::Attempts)));
    assert!(matches!(with(1, 1, 65), Err(SettingsError::Attempts)));
}

#[test]
fn assertions() {
    let with = |change: fn(&mut AssertionSettings)| {
        let mut settings = settings("https://a");
        change(&mut settings.assertion);
        settings.check()
    };
    assert!(with(|a| a.lifetime = Duration::from_secs(1)).is_ok());
    let refused: [fn(&mut AssertionSettings); 4] = [
        |a| a.lifetime = Duration::from_secs(31),
        |a| a.lifetime = Duration::from_millis(999),
        |a| a.audience.clear(),
        |a| a.issuer.clear(),
    ];
    for change in refused {
        assert!(matches!(with(change), Err(SettingsError::Assertion)));
    }
}
