//! Attacks over HTTP/1.1. Each row is sent on a connection of its own with an honest request behind it: whether that is
//! answered, and what the service saw, tells whether both ends agreed on where the row ended.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::rows::{self, Fate, HIDDEN, Row};
use super::wire::{frame, hpack, preface, pseudo, statuses};
use super::{Stage, TAIL};
use crate::client::{Client, PROTOCOLS, request};
use crate::site::LIMIT;

impl Stage {
    /// Sends bytes and reads to the end of the connection.
    pub(super) async fn raw_h1(&self, name: &str, sent: &[u8]) -> Vec<u8> {
        let stream = self.connect(b"http/1.1").await;
        let (mut read, mut write) = tokio::io::split(stream);
        // A gateway that has heard enough may hang up before all of it is sent.
        let send = async {
            write.write_all(sent).await.ok();
            write.flush().await.ok();
            std::future::pending::<()>().await;
        };
        let hear = async {
            let mut heard = Vec::new();
            // A reset after the end of the answer is an end, too.
            read.read_to_end(&mut heard).await.ok();
            heard
        };
        let heard = timeout(LIMIT, async {
            tokio::select! {
                heard = hear => heard,
                () = send => unreachable!("it waits for ever"),
            }
        });
        heard.await.unwrap_or_else(|_| panic!("{name}: the connection does not end"))
    }

    async fn judge(&self, row: &Row) {
        let name = row.name;
        let tail = format!("GET {TAIL} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        let sent = [row.sent.as_slice(), tail.as_bytes()].concat();
        let heard = statuses(&self.raw_h1(name, &sent).await);
        let in_step = match row.fate {
            Fate::Refused(status) => {
                assert_eq!(heard, [status], "{name}");
                false
            }
            Fate::Answered(status) => {
                assert!(heard == [status] || heard == [status, 200], "{name}: {heard:?}");
                heard.len() == 2
            }
            Fate::Passes(count) => {
                // A request behind the row that is not to be served is refused in its turn.
                let honest = heard.iter().filter(|status| **status == 200).count();
                assert_eq!(honest, count + 1, "{name}: {heard:?}");
                assert!(
                    heard.iter().all(|status| [200, 400, 401].contains(status)),
                    "{name}: {heard:?}"
                );
                true
            }
        };
        let tail = format!("GET {TAIL}");
        let tail = in_step.then_some(tail.as_str());
        let lines: Vec<&str> = row.seen.iter().copied().chain(tail).collect();
        let arrived = self.saw(name, &lines);
        for request in arrived {
            assert_eq!(request.field("transfer-encoding"), None, "{name}: one framing goes inside");
            assert_eq!(request.field("upgrade"), None, "{name}: no tunnel goes inside");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn framing_has_one_reading() {
    let stage = Stage::new(Vec::new());
    for row in rows::framing().iter().chain(&rows::chunks()) {
        stage.judge(row).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heads_have_one_reading() {
    let stage = Stage::new(Vec::new());
    for row in rows::heads().iter().chain(&rows::lines()) {
        stage.judge(row).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_ends_stay_in_step() {
    let stage = Stage::new(Vec::new());
    for row in &rows::desync() {
        stage.judge(row).await;
    }
}

/// CVE-2026-42926: a body that looks like frames, chunks or requests is a body, and the very bytes arrive.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_arrives_as_it_was_sent() {
    let stage = Stage::new(Vec::new());
    let client = Client::new(&stage.site.authority.ca_pem(), stage.gateway.address);
    let frames = [preface(), frame(1, 5, 1, &hpack(&pseudo("GET", "/admin/s")))].concat();
    let bodies: [&[u8]; 4] =
        [&frames, b"0\r\n\r\nGET /admin/s HTTP/1.1\r\n\r\n", HIDDEN.as_bytes(), &[0xff; 70_000]];
    for protocol in PROTOCOLS {
        for body in bodies {
            let mut sent = request("POST", "/api/open", None, "{}");
            *sent.body_mut() = body.to_vec().into();
            assert_eq!(client.send(protocol, sent).await.status, 200, "{protocol:?}");
            let arrived = stage.saw("a body", &["POST /api/open"]);
            assert!(arrived[0].body == body, "{protocol:?}: other bytes");
            assert_eq!(arrived[0].field("content-length"), Some(&*body.len().to_string()));
        }
    }
}
