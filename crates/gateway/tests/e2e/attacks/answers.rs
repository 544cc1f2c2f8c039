//! Answers of a service that are none, or that say more than a client should hear: the first become 502, the others lose
//! what belongs to the connection behind the gateway.

use std::collections::BTreeSet;

use super::{Recorder, Stage};
use crate::client::{Answer, Client, PROTOCOLS, Protocol, request};

/// Answers nobody may hear.
const BROKEN: [(&str, &[u8]); 17] = [
    ("CVE-2022-37436 bare CR in a value", b"HTTP/1.1 200 OK\r\nx-a: b\rx-injected: 1\r\ncontent-length: 2\r\n\r\n{}"),
    ("NUL in a value", b"HTTP/1.1 200 OK\r\nx-a: b\0c\r\ncontent-length: 2\r\n\r\n{}"),
    ("status 2000", b"HTTP/1.1 2000 OK\r\ncontent-length: 2\r\n\r\n{}"),
    ("status 20", b"HTTP/1.1 20 OK\r\ncontent-length: 2\r\n\r\n{}"),
    ("status 099", b"HTTP/1.1 099 OK\r\ncontent-length: 2\r\n\r\n{}"),
    ("a 101 nobody asked for", b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: foo\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"),
    ("no colon", b"HTTP/1.1 200 OK\r\nXA\r\ncontent-length: 2\r\n\r\n{}"),
    ("no name", b"HTTP/1.1 200 OK\r\n: b\r\ncontent-length: 2\r\n\r\n{}"),
    ("folded", b"HTTP/1.1 200 OK\r\nx-a: b\r\n c\r\ncontent-length: 2\r\n\r\n{}"),
    ("two lengths", b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}"),
    ("a length with a sign", b"HTTP/1.1 200 OK\r\ncontent-length: +2\r\n\r\n{}"),
    ("a length list", b"HTTP/1.1 200 OK\r\ncontent-length: 2, 3\r\n\r\n{}"),
    ("a coding nobody asked for", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked, identity\r\n\r\n2\r\n{}\r\n0\r\n\r\n"),
    ("a length beside chunks", b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"),
    ("HTTP/2.0", b"HTTP/2.0 200 OK\r\ncontent-length: 2\r\n\r\n{}"),
    ("not HTTP", b"SSH-2.0-OpenSSH_9.2\r\n\r\n"),
    ("status beyond 599", b"HTTP/1.1 999 OK\r\ncontent-length: 2\r\n\r\n{}"),
];

/// What no client hears.
const HIDDEN: &[u8] = b"HTTP/1.1 200 OK\r\nconnection: x-secret, x-other\r\nx-secret: told\r\nx-other: told\r\n\
    keep-alive: told\r\nproxy-connection: told\r\nproxy-authenticate: told\r\nte: told\r\ntrailer: told\r\n\
    upgrade: told\r\nserver: told\r\nx-powered-by: told\r\nvia: told\r\nalt-svc: told\r\nx-request-id: told\r\n\
    content-type: text/plain\r\nx-plain: kept\r\ncontent-length: 2\r\n\r\n{}";

async fn ask(stage: &Stage, protocol: Protocol, number: usize) -> Answer {
    let client = Client::new(&stage.site.authority.ca_pem(), stage.gateway.address);
    let sent = request("GET", &Recorder::answer(number), None, "");
    client.send(protocol, sent).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_answer_of_a_service_is_502() {
    let near = b"HTTP/1.1 200 Fine By Me\r\nX-A:b\r\nContent-Length: 2\r\n\r\n{}".as_slice();
    let answers = BROKEN.iter().map(|(_, answer)| *answer).chain([near]).collect();
    let stage = Stage::new(answers);
    for protocol in PROTOCOLS {
        for (number, (name, _)) in BROKEN.iter().enumerate() {
            let answer = ask(&stage, protocol, number).await;
            assert_eq!(answer.status, 502, "{protocol:?} {name}: {answer:?}");
            assert_eq!(answer.headers["content-type"], "application/problem+json", "{name}");
            assert!(!answer.headers.contains_key("x-injected"), "{name}");
        }
        let answer = ask(&stage, protocol, BROKEN.len()).await;
        assert_eq!((answer.status.as_u16(), &answer.body[..]), (200, b"{}".as_slice()));
        assert_eq!(answer.headers["x-a"], "b");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fields_of_the_connection_behind_stay_there() {
    let stage = Stage::new(vec![HIDDEN]);
    for protocol in PROTOCOLS {
        let answer = ask(&stage, protocol, 0).await;
        assert_eq!(answer.status, 200, "{protocol:?}");
        let names: BTreeSet<&str> = answer
            .headers
            .iter()
            .filter(|(_, value)| value.as_bytes() == b"told")
            .map(|(name, _)| name.as_str())
            .collect();
        assert!(names.is_empty(), "{protocol:?}: {names:?}");
        assert_eq!(answer.headers["x-plain"], "kept", "{protocol:?}");
    }
}

/// Bytes behind an answer are no answer to the next request, of whomever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_behind_an_answer_answer_nobody() {
    let stage = Stage::new(vec![
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\nx-injected: 1\r\ncontent-length: 6\r\n\r\nforged",
        b"HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\nx-injected: 1\r\ncontent-length: 6\r\n\r\nforged",
        b"HTTP/1.1 304 Not Modified\r\ncontent-length: 6\r\n\r\nHTTP/1.1 200 OK\r\nx-injected: 1\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nokay",
    ]);
    for protocol in PROTOCOLS {
        for (number, status) in [(0, 200), (1, 204), (2, 304)] {
            let answer = ask(&stage, protocol, number).await;
            assert_eq!(answer.status, status, "{protocol:?} {number}");
            for _ in 0..3 {
                let answer = ask(&stage, protocol, 3).await;
                assert_eq!(&answer.body[..], b"okay", "{protocol:?} after {number}: {answer:?}");
                assert!(!answer.headers.contains_key("x-injected"));
            }
        }
    }
}

/// A client's fault never counts against the service: after hundreds of broken requests an honest one is served.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_requests_do_not_count_against_the_service() {
    let stage = Stage::new(Vec::new());
    let broken =
        b"POST /api/open HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
        transfer-encoding: chunked\r\n\r\nxyz\r\n";
    for _ in 0..225 {
        let heard = stage.raw_h1("a broken body", broken).await;
        assert_eq!(super::wire::statuses(&heard), [400]);
    }
    stage.saw("broken bodies", &[]);
    for protocol in PROTOCOLS {
        let client = Client::new(&stage.site.authority.ca_pem(), stage.gateway.address);
        let answer = client.send(protocol, request("GET", "/api/open", None, "")).await;
        assert_eq!(answer.status, 200, "{protocol:?}");
    }
    stage.saw("honest requests", &["GET /api/open"; 3]);
}

/// HEAD hears the fields of an answer and no body, OPTIONS is an operation like any other, and neither is there undeclared.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn head_and_options_are_what_is_declared() {
    let head =
        b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 9\r\n\r\n".as_slice();
    let options = b"HTTP/1.1 204 No Content\r\n\r\n".as_slice();
    let stage = Stage::new(vec![head, options]);
    let client = Client::new(&stage.site.authority.ca_pem(), stage.gateway.address);
    let (first, second) = (Recorder::answer(0), Recorder::answer(1));
    for protocol in PROTOCOLS {
        let ask = async |method: &str, path: &str| {
            let answer = client.send(protocol, request(method, path, None, "")).await;
            let length = answer
                .headers
                .get("content-length")
                .map(|value| value.to_str().unwrap().to_owned());
            (answer.status.as_u16(), length, answer.body.len())
        };
        assert_eq!(ask("HEAD", &first).await, (200, Some("9".to_owned()), 0), "{protocol:?}");
        assert_eq!(ask("OPTIONS", &second).await, (204, None, 0), "{protocol:?}");
        let (status, _, length) = ask("HEAD", "/api/open").await;
        assert_eq!((status, length), (405, 0), "{protocol:?}");
        assert_eq!(ask("OPTIONS", "/api/open").await.0, 405, "{protocol:?}");
        // The connections are none the worse for it.
        assert_eq!(ask("GET", "/api/open").await.0, 200, "{protocol:?}");
        let seen =
            [format!("HEAD {first}"), format!("OPTIONS {second}"), "GET /api/open".to_owned()];
        let arrived: Vec<String> =
            stage.recorder.take().iter().map(super::recorder::Arrived::line).collect();
        assert_eq!(arrived, seen, "{protocol:?}");
    }
}
