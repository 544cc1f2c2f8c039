//! gRPC and WebSocket as others speak them: grpcio, and websockets at both ends. What is not installed fails the test.

pub(crate) mod schemathesis;

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;

use crate::issuer::Issuer;
use crate::parts::authority::Usage;
use crate::parts::process::Process;
use crate::parts::{INSTALL, accepts, cache, free_port};
use crate::site::{LIMIT, Site};
use crate::streams;
use crate::world::usual;

fn python(script: &str) -> Command {
    let mut command = Command::new(cache().join("python/bin/python"));
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/strangers");
    command.arg("-I").arg(format!("{folder}/{script}"));
    command
}

/// What a script said, line by line.
fn told(command: &mut Command) -> Vec<String> {
    let output = command.output().unwrap_or_else(|error| panic!("no python ({error}): {INSTALL}"));
    let said = String::from_utf8_lossy(&output.stdout);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{error}");
    said.lines().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn grpcio_calls_streams_and_hears_refusals() {
    let place = streams::place("h2").await;
    let mut command = python("grpc_client.py");
    command.arg(place.gateway.address.port().to_string()).arg(place.site.path("ca.pem"));
    command.arg(place.token());
    let said = tokio::task::spawn_blocking(move || told(&mut command)).await.unwrap();
    assert_eq!(
        said,
        [
            "one: hello",
            "many: [1, 1, 100000]",
            // Each message has five bytes before it.
            "trailer: 100017",
            "no token: UNAUTHENTICATED: A valid credential is needed",
            "undeclared: UNIMPLEMENTED: Nothing is declared here",
        ]
    );
}

#[test]
fn websockets_talk_through_the_gateway() {
    let site = Site::new();
    let issuer = Issuer::new(&site);
    let address: SocketAddr = (Ipv4Addr::LOCALHOST, free_port()).into();
    let server = site.authority.issue("talk", &["orders.internal"], &[], Usage::Server);
    let (chain, key) = server.write(site.folder.path(), "talk");
    let mut command = python("websocket.py");
    command.args(["serve", &address.port().to_string()]).arg(chain).arg(key);
    command.arg(site.path("ca.pem"));
    let mut service = Process::start("websocket.py", &mut command, &site.path("service.log"));
    service.wait_until_ready(LIMIT, || accepts(address));
    site.configure(&Issuer::configuration(), address, &usual());
    site.amend("apis:\n  - openapi: orders.openapi.yaml\n", crate::websocket::API);
    let gateway = site.start();
    gateway.await_all_up();
    let mut command = python("websocket.py");
    command.args(["ask", &gateway.address.port().to_string()]).arg(site.path("ca.pem"));
    command.arg(issuer.token("shop", ""));
    let said = told(&mut command);
    assert_eq!(
        said,
        [
            "protocol: chat",
            "same: True",
            "same: True",
            "same: True",
            "ping: answered",
            "closed: 1000 bye",
            "no token: 401",
            "not opened here: 400",
        ],
        "{}",
        service.output()
    );
}
