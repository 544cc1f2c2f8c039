//! What is printed is complete, and the shell reads it.

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::super::authority::Authority;
use super::super::documents::Documents;
use super::super::issuer::Issuer;
use super::{Addresses, print};

async fn printed() -> String {
    let authority = Authority::new(crate::clock::now()).expect("an authority");
    let issuer =
        Issuer::start(&authority, "https://orders.example", crate::clock::now).await.expect("one");
    let documents = Documents {
        configuration: PathBuf::from("/tmp/demo/gateway.yaml"),
        ca: PathBuf::from("/tmp/demo/tls/ca.pem"),
        events: PathBuf::from("/tmp/demo/audit/events"),
    };
    let at = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let addresses = Addresses { public: at(8443), status: at(9901), identity: at(9902) };
    let mut out = Vec::new();
    print(&mut out, &issuer, &documents, &addresses).expect("written");
    String::from_utf8(out).expect("text")
}

#[tokio::test]
async fn every_promised_line_is_there() {
    let text = printed().await;
    for part in [
        "https://localhost:8443",
        "http://127.0.0.1:9901/readyz",
        "--cacert /tmp/demo/tls/ca.pem",
        "grant_type=client_credentials",
        "# allowed",
        "# no token",
        "# wrong scope",
        "# unknown field",
        "# SQL injection",
        "# flood",
        "tail -n +1 -F /tmp/demo/audit/events/audit-events.jsonl",
    ] {
        assert!(text.contains(part), "{part} is missing");
    }
}

#[tokio::test]
async fn the_shell_can_read_the_lines() {
    let text = printed().await;
    let (_, script) = text.split_once("# Paste this first").expect("a script");
    let (script, _) = script.split_once("Press Ctrl-C").expect("an end");
    let mut shell = Command::new("sh").arg("-n").stdin(Stdio::piped()).spawn().expect("a shell");
    let mut input = shell.stdin.take().expect("its input");
    input.write_all(format!("# {script}").as_bytes()).expect("written");
    drop(input);
    assert!(shell.wait().expect("its end").success());
}
