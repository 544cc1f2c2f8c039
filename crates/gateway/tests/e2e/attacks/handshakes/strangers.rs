//! TLS as others speak it: tlslite for what comes behind a finished handshake, and the scanner sslscan. What is not installed
//! fails the test.

use std::net::SocketAddr;
use std::process::Command;

use super::Stage;
use crate::parts::process::wait_until;
use crate::parts::{INSTALL, cache};
use crate::site::{Gateway, LIMIT, Site};
use crate::world::{World, reason, usual, world};

/// What a program said. It succeeded.
fn said(command: &mut Command) -> String {
    let output =
        command.output().unwrap_or_else(|error| panic!("{command:?} ({error}): {INSTALL}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}\n{error}: {INSTALL}");
    text
}

/// A gateway whose listener takes TLS 1.2 as well.
fn elder() -> (World, Gateway) {
    let world = world(&usual());
    world.site.amend("tls: { certificates", "tls: { min_version: \"1.2\", certificates");
    let gateway = world.site.start();
    (world, gateway)
}

/// How many connections are on record for having broken TLS behind their handshakes, and in the metric.
fn breaches(site: &Site, gateway: &Gateway) -> (usize, f64) {
    let events = site.events();
    let broken = events.iter().filter(|event| reason(event) == "http.tls_broken");
    let filed = broken.inspect(|event| assert_eq!(event["class_uid"], 4002)).count();
    (filed, gateway.metric(&["connections_broken_total", "reason=\"tls_broken\""]))
}

#[test]
fn tlslite_is_served_and_told_off() {
    let stage = Stage::new(Vec::new());
    let (elder, old) = elder();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/strangers/tls.py");
    let mut command = Command::new(cache().join("python/bin/python"));
    command.args(["-I", script]).arg(stage.gateway.address.port().to_string());
    let told = said(command.arg(old.address.port().to_string()));
    assert_eq!(
        told.lines().collect::<Vec<_>>(),
        [
            "nothing: HTTP/1.1 200 OK",
            "a key update: HTTP/1.1 200 OK",
            "32 key updates: HTTP/1.1 200 OK",
            "an empty handshake record: HTTP/1.1 200 OK",
            "a warning: HTTP/1.1 200 OK",
            "a fatal alert: closed",
            // From here on, each is a breach.
            "200 key updates: closed",
            "a hello again: alert unexpected_message",
            "a request for a hello: alert unexpected_message",
            "a change of ciphers: alert unexpected_message",
            "a record too long: alert record_overflow",
            "half a message, then data: closed",
            "a record of a kind that is none: alert decode_error",
            "a touched record: alert bad_record_mac",
            "200 empty records: closed",
            // And these are handshakes.
            "a bad Finished: alert decrypt_error",
            "a ticket: HTTP/1.1 200 OK",
            "a bad binder: alert decrypt_error",
            "TLS 1.2: alert protocol_version",
            "TLS 1.2 where it is configured: HTTP/1.1 404 Not Found",
            "a hello again in TLS 1.2: alert no_renegotiation",
        ]
    );
    let mut found = (0, 0.0);
    wait_until("an event of each breach", LIMIT, || {
        found = breaches(&stage.site, &stage.gateway);
        found.0 >= 9 && found.1 >= 9.0
    });
    assert_eq!(found, (9, 9.0), "one event of each breach");
    for gateway in [&stage.gateway, &old] {
        assert!(!gateway.log().contains("panicked"), "{}", gateway.log());
    }
    drop(elder);
}

/// The report of sslscan.
fn scan(address: SocketAddr) -> String {
    let mut command = Command::new("sslscan");
    command.args(["--no-colour", "--show-cipher-ids", "--xml=-"]);
    said(command.arg(format!("localhost:{}", address.port())))
}

/// The protocols that are on.
fn versions(report: &str) -> Vec<String> {
    let lines =
        report.lines().filter(|line| line.contains("<protocol ") && line.contains("enabled=\"1\""));
    lines.map(|line| attribute(line, "version")).collect()
}

fn attribute(line: &str, name: &str) -> String {
    let from =
        line.split_once(&format!(" {name}=\"")).unwrap_or_else(|| panic!("no {name}: {line}"));
    from.1.split('"').next().unwrap_or_default().to_owned()
}

/// The cipher suites of a version.
fn suites(report: &str, version: &str) -> Vec<String> {
    let lines = report.lines().filter(|line| line.contains("<cipher "));
    let of_version = lines.filter(|line| attribute(line, "sslversion") == version);
    of_version.map(|line| attribute(line, "cipher")).collect()
}

#[test]
fn sslscan_finds_no_weakness() {
    const MODERN: [&str; 3] =
        ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"];
    let stage = Stage::new(Vec::new());
    let report = scan(stage.gateway.address);
    assert_eq!(versions(&report), ["1.3"], "{report}");
    let mut found = suites(&report, "TLSv1.3");
    found.sort();
    assert_eq!(found, MODERN, "{report}");
    let (_elder, old) = elder();
    let older = scan(old.address);
    assert_eq!(versions(&older), ["1.2", "1.3"], "{older}");
    let found = suites(&older, "TLSv1.2");
    assert!(!found.is_empty(), "{older}");
    for suite in found {
        let is_aead = suite.contains("-GCM-") || suite.ends_with("-CHACHA20-POLY1305");
        assert!(suite.starts_with("ECDHE-") && is_aead, "{suite}");
    }
    for report in [report, older] {
        for word in ["heartbleed sslversion=\"TLSv1.3\" vulnerable=\"0\"", "<self-signed>false<"] {
            assert!(report.contains(word), "{word}: {report}");
        }
        for word in [
            "vulnerable=\"1\"",
            "<renegotiation supported=\"1\"",
            "compression supported=\"1\"",
            "strength=\"weak\"",
            "strength=\"null\"",
        ] {
            assert!(!report.contains(word), "{word}: {report}");
        }
    }
}
