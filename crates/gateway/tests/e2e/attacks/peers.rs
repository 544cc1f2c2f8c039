//! Clients that nobody here wrote: h2spec, a suite of conformance for HTTP/2, and aioquic, a client of HTTP/3. What is not
//! installed fails the test.

use std::process::{Command, Output};

use super::{Recorder, Stage};
use crate::parts::{INSTALL, cache};

/// Bytes of the answer that aioquic reads.
const ANSWER_BYTES: usize = 2 * 1024 * 1024;

fn run(part: &str, command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| panic!("{part} does not run ({error}): {INSTALL}"))
}

/// Every case of h2spec, those of its strict mode included.
#[test]
fn h2spec_passes_in_full() {
    let stage = Stage::new(Vec::new());
    let port = stage.gateway.address.port().to_string();
    let mut command = Command::new(cache().join("go/bin/h2spec"));
    command.args(["--host", "localhost", "--port", &port, "--tls", "--insecure", "--strict"]);
    // An operation that reads its body: an early answer may come before the fault in a body that nobody wants.
    command.args(["--path", "/api/open"]);
    // Seconds until a case counts as failed.
    command.args(["--timeout", "20"]);
    let output = run("h2spec", &mut command);
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{report}");
    assert!(report.contains("146 tests, 146 passed, 0 skipped, 0 failed"), "{report}");
}

/// Honest and broken requests by an independent implementation of QUIC, QPACK and HTTP/3.
#[test]
fn aioquic_is_served_and_refused() {
    let body = ".".repeat(ANSWER_BYTES);
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {ANSWER_BYTES}\r\n\r\n{body}");
    let stage = Stage::new(vec![answer.leak().as_bytes()]);
    let mut command = Command::new(cache().join("python/bin/python"));
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/attacks/aioquic.py");
    command.args(["-I", script]).arg(stage.gateway.address.port().to_string());
    command.arg(stage.site.path("ca.pem")).arg(Recorder::answer(0));
    let output = run("aioquic", &mut command);
    let said = String::from_utf8_lossy(&output.stdout);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{error}");
    let lines: Vec<&str> = said.lines().collect();
    let expected = [
        "GET: 200, 16 bytes",
        "POST: 200, 16 bytes",
        "POST of 512 KiB: 200, 16 bytes",
        "an answer of 2 MiB: 200, 2097152 bytes",
        "ten at once: 200, 160 bytes",
        "closed: 401",
        "undeclared: 404",
        "dots in the path: 400",
        "upper case in a name: 400",
        "an odd name: 400",
        "transfer-encoding: 400",
        "two paths: 400",
        "no path: 400",
        "NUL in a value: reset",
        "length and body differ: 400",
        "a body that is too large: 413",
        "GET afterwards: 200, 16 bytes",
    ];
    assert_eq!(lines, expected, "{error}");
    let arrived = stage.recorder.take();
    assert_eq!(arrived.len(), 15, "the honest ones");
    assert!(arrived.iter().any(|request| request.body.len() == 512 * 1024));
}
