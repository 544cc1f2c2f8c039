//! Other doors than TLS: plain HTTP, which says everywhere that it was plain, and the redirect to https.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::Command;

use crate::client::{Client, PROTOCOLS, request};
use crate::parts::free_port;
use crate::site::{HOST, LIMIT};
use crate::world::{World, reason, service, usual, world};

/// A world with another listener before its own: where it is, and what stands in its section beside the address.
fn with_door(section: &str) -> (World, SocketAddr) {
    let world = world(&usual());
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
    let listener = format!("listeners:\n  - {{ address: '{address}'{section} }}\n");
    world.site.amend("listeners:\n", &listener);
    (world, address)
}

/// Sends bytes and reads the answers to the end of the connection.
fn say(address: SocketAddr, text: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("a listener");
    stream.set_read_timeout(Some(LIMIT)).expect("a time limit");
    stream.write_all(text.as_bytes()).expect("a sent request");
    let mut heard = String::new();
    stream.read_to_string(&mut heard).expect("a whole answer");
    heard
}

fn ask(method: &str, target: &str, host: &str, fields: &str) -> String {
    format!("{method} {target} HTTP/1.1\r\nhost: {host}\r\n{fields}connection: close\r\n\r\n")
}

/// A field of the first answer.
fn field<'a>(heard: &'a str, name: &str) -> Option<&'a str> {
    let (head, _) = heard.split_once("\r\n\r\n").expect("a head");
    let named = |line: &&str| line.to_lowercase().starts_with(&format!("{name}: "));
    head.lines().find(named).and_then(|line| line.split_once(": ")).map(|(_, value)| value)
}

/// What `gateway check` says.
fn check(world: &World) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gateway"));
    let output = command.arg("check").arg(world.site.path("gateway.yaml")).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plain_http_is_served_where_asked_for_and_called_so() {
    let (mut world, plain) = with_door("");
    world.service = service(&world.site, &["x-forwarded-proto", "forwarded"]);
    let configuration = std::fs::read_to_string(world.site.path("gateway.yaml")).unwrap();
    let endpoint = configuration.split("endpoints: [").nth(1).unwrap().split(']').next().unwrap();
    world.site.amend(endpoint, &format!("https://{}", world.service.address()));
    let (good, said) = check(&world);
    assert!(good && said.contains("listeners[0].tls: no TLS"), "{said}");
    let gateway = world.site.start();
    gateway.await_all_up();

    let bearer = format!("authorization: Bearer {}\r\n", world.token());
    let spoofed = format!("{bearer}x-forwarded-proto: https\r\nforwarded: proto=https\r\n");
    let heard = say(plain, &ask("GET", "/orders", HOST, &spoofed));
    assert!(heard.starts_with("HTTP/1.1 200 "), "{heard}");
    assert_eq!(field(&heard, "strict-transport-security"), None, "RFC 6797 7.2: {heard}");
    assert_eq!(field(&heard, "alt-svc"), None, "{heard}");
    let event = world.site.await_event_of(field(&heard, "x-request-id").expect("an id"));
    assert_eq!(event["http_request"]["url"]["scheme"], "http");
    assert_eq!(event["unmapped"]["tls_version"], serde_json::Value::Null);
    assert_eq!(event["src_endpoint"]["ip"], "127.0.0.1");
    let seen = world.service.await_seen(1);
    assert_eq!(seen[0].fields["x-forwarded-proto"], "http");
    assert!(seen[0].fields["forwarded"].ends_with(";proto=http"), "{:?}", seen[0].fields);
    assert!(!seen[0].assertion().is_empty());

    // What is refused over TLS is refused here.
    for (text, status, why) in [
        (ask("GET", "/orders", HOST, ""), "401", "token.absent"),
        (ask("GET", "/orders", "other.example", &bearer), "421", "route.host_undeclared"),
        (ask("GET", "/orders/../x", HOST, &bearer), "400", "edge.path_dots"),
        (ask("GET", "/none", HOST, &bearer), "404", "route.path_undeclared"),
    ] {
        let heard = say(plain, &text);
        assert!(heard.starts_with(&format!("HTTP/1.1 {status} ")), "{text}: {heard}");
        let event = world.site.await_event_of(field(&heard, "x-request-id").expect("an id"));
        assert_eq!(reason(&event), why);
    }

    // The listener beside it is as it always was.
    let client = Client::new(&world.site.authority.ca_pem(), gateway.address);
    let token = world.token();
    for protocol in PROTOCOLS {
        let answer = client.send(protocol, request("GET", "/orders", Some(&token), "")).await;
        assert_eq!(answer.status, 200, "{protocol:?}");
        assert_eq!(answer.headers["strict-transport-security"], "max-age=300", "{protocol:?}");
        let event = world.site.await_event_of(answer.transaction());
        assert_eq!(event["http_request"]["url"]["scheme"], "https", "{protocol:?}");
        assert_eq!(event["unmapped"]["tls_version"], "TLSv1.3", "{protocol:?}");
    }
    let seen = world.service.await_seen(1 + PROTOCOLS.len());
    assert!(seen[1..].iter().all(|seen| seen.fields["x-forwarded-proto"] == "https"));
}

/// An address that others reach must be asked for by a name that says what it is.
#[test]
fn plain_http_beyond_this_machine_must_be_asked_for() {
    let world = world(&usual());
    world.site.amend("listeners:\n", "listeners:\n  - { address: '0.0.0.0:0' }\n");
    let (good, said) = check(&world);
    assert!(!good && said.contains("listeners[0]: needs `tls`"), "{said}");
    world.site.amend("'0.0.0.0:0'", "'0.0.0.0:0', insecure_plaintext: true");
    let (good, said) = check(&world);
    assert!(good && said.contains("listeners[0].insecure_plaintext: no TLS"), "{said}");
}

#[test]
fn a_redirect_leads_to_https_on_declared_hosts_only() {
    let (world, door) = with_door(", redirect: https");
    let (good, said) = check(&world);
    assert!(good && said.contains("listeners[0].redirect"), "{said}");
    let gateway = world.site.start();
    gateway.await_all_up();
    let port = world.site.port;
    let bearer = format!("authorization: Bearer {}\r\n", world.token());
    let to = |target: &str| format!("https://{HOST}:{port}{target}");
    let body = format!("{bearer}content-type: application/json\r\ncontent-length: 2\r\n");
    for (text, status, location, why) in [
        (ask("GET", "/orders?x=%2F", HOST, &bearer), 308, to("/orders?x=%2F"), "route.redirected"),
        (ask("HEAD", "/anything", HOST, ""), 308, to("/anything"), "route.redirected"),
        (ask("POST", "/orders", HOST, &body), 308, to("/orders"), "route.redirected"),
        (ask("GET", "/%6frders", "LOCALHOST:1", ""), 308, to("/orders"), "route.redirected"),
        (ask("GET", "/orders", "evil.example", ""), 421, String::new(), "route.host_undeclared"),
        (ask("GET", "//evil.example", HOST, ""), 400, String::new(), "edge.path_slashes"),
        (ask("GET", "/\\evil.example", HOST, ""), 400, String::new(), "edge.path_character"),
        (ask("GET", "/a%0d%0ax:y", HOST, ""), 400, String::new(), "edge.path_control"),
        (ask("GET", "http://evil.example/", HOST, ""), 400, String::new(), "edge.host_mismatch"),
        (ask("CONNECT", "evil.example:443", HOST, ""), 400, String::new(), "edge.method"),
    ] {
        // A second request on the connection is not read.
        let heard = say(door, &[text.as_str(), &ask("GET", "/second", HOST, "")].concat());
        assert!(heard.starts_with(&format!("HTTP/1.1 {status} ")), "{text}: {heard}");
        assert_eq!(heard.matches("HTTP/1.1 ").count(), 1, "{text}: {heard}");
        assert_eq!(field(&heard, "location").unwrap_or_default(), location, "{text}: {heard}");
        assert_eq!(field(&heard, "connection"), Some("close"), "{text}: {heard}");
        assert_eq!(field(&heard, "strict-transport-security"), None, "{text}: {heard}");
        let event = world.site.await_event_of(field(&heard, "x-request-id").expect("an id"));
        assert_eq!(reason(&event), why, "{text}");
    }
    let counted = ["sallyport_requests_total", "decision=\"route.redirected\""];
    assert!(gateway.metric(&counted) >= 4.0);
    assert!(world.service.seen().is_empty(), "nothing of it is forwarded");
    // The body of a client that waits for leave is not asked for.
    let waits = body.replace("content-length: 2", "content-length: 2\r\nexpect: 100-continue");
    let heard = say(door, &ask("POST", "/orders", HOST, &waits));
    assert!(heard.starts_with("HTTP/1.1 308 "), "{heard}");
}
