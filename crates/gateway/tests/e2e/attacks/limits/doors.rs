//! Limits of connections: how many, how fast, for how many requests and for how long.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::{Outcomes, Sent, TAIL, Told, hold};
use crate::attacks::Stage;
use crate::attacks::h2::outcomes;
use crate::attacks::h3::Quic;
use crate::attacks::wire::{frame, preface, statuses};
use crate::client::{PROTOCOLS, Protocol};
use crate::site::LIMIT;

pub(super) const NAMES: [&str; 6] = [
    "connections in all",
    "connections of an address",
    "new connections of an address",
    "requests at the same time",
    "requests on a connection",
    "age of a connection",
];

/// As many connections as those limits allow.
const CONNECTIONS: usize = 4;
/// As many requests as those limits allow.
const REQUESTS: usize = 3;

impl Stage {
    /// Whether a new connection is let in; where it is, it is kept.
    pub(super) async fn enters(&self, protocol: Protocol, kept: &mut Vec<Kept>) -> bool {
        let entered = match protocol {
            Protocol::H3 => self.enters_quic().await.map(Kept::Quic),
            Protocol::H1 => self.try_connect(b"http/1.1").await.map(Kept::Tcp),
            Protocol::H2 => self.try_connect(b"h2").await.map(Kept::Tcp),
        };
        let is_in = entered.is_some();
        kept.extend(entered);
        is_in
    }

    /// An address is proved by the handshake at the latest: who is not wanted then hears it behind it, and no stream is opened.
    async fn enters_quic(&self) -> Option<Quic> {
        let quic = self.try_quic().await?;
        quic.connection.accept_uni().await.ok()?;
        Some(quic)
    }

    async fn try_connect(
        &self,
        alpn: &[u8],
    ) -> Option<Box<tokio_rustls::client::TlsStream<tokio::net::TcpStream>>> {
        let mut stream = self.handshake(alpn).await.ok()?;
        // TLS 1.3 lets a client believe that it is through before it heard from the server's application.
        stream.flush().await.ok()?;
        Some(Box::new(stream))
    }
}

/// A connection that is kept open.
pub(super) enum Kept {
    Tcp(
        #[expect(dead_code, reason = "open as long as it lives")]
        Box<tokio_rustls::client::TlsStream<tokio::net::TcpStream>>,
    ),
    Quic(Quic),
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Self::Quic(quic) = self {
            quic.connection.close(0x100_u32.into(), b"");
        }
    }
}

/// Lets connections in until one is not.
async fn crowd(stage: &Stage, protocol: Protocol, kept: &mut Vec<Kept>) -> Told {
    for _ in 0..=CONNECTIONS {
        if !stage.enters(protocol, kept).await {
            // Room for whoever asks afterwards.
            kept.clear();
            return Told::HungUp;
        }
    }
    panic!("{protocol:?}: {} were let in", kept.len())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_of_connections() {
    let wide = "new_per_address: { rate: 10000/s, burst: 10000 }";
    for (name, limits) in [
        (NAMES[0], format!("  connections: {{ max: {CONNECTIONS}, {wide} }}\n")),
        (NAMES[1], format!("  connections: {{ max_per_address: {CONNECTIONS}, {wide} }}\n")),
    ] {
        for protocol in PROTOCOLS {
            let stage = Stage::limited(Vec::new(), &limits);
            let (mut kept, mut near) = (Vec::new(), Vec::new());
            let over = crowd(&stage, protocol, &mut kept);
            hold(&stage, name, protocol, over, async {
                let is_in = stage.enters(protocol, &mut near).await;
                near.clear();
                is_in
            })
            .await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_of_new_connections() {
    let limits =
        format!("  connections: {{ new_per_address: {{ rate: 1/s, burst: {CONNECTIONS} }} }}\n");
    for protocol in PROTOCOLS {
        let stage = Stage::limited(Vec::new(), &limits);
        let (mut kept, mut near) = (Vec::new(), Vec::new());
        let over = crowd(&stage, protocol, &mut kept);
        hold(&stage, NAMES[2], protocol, over, async { stage.enters(protocol, &mut near).await })
            .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_of_streams() {
    let limits = format!("  connections: {{ max_streams: {REQUESTS} }}\n  wait: {{ body: 2s }}\n");
    let stage = Stage::limited(Vec::new(), &limits);
    let open = |count: u32| {
        // Requests whose bodies do not end; the client knows of the settings it was told.
        let acknowledged = frame(4, 1, 0, b"");
        let posts = (0..count)
            .flat_map(|number| Sent::post(Vec::new(), b"{", false).h2(2 * number + 1))
            .collect::<Vec<u8>>();
        [preface(), acknowledged, posts].concat()
    };
    let enough = |all: &Outcomes| all.streams.len() == REQUESTS;
    let (over, near) = (open(4), open(3));
    let over = async {
        let heard = stage.exchange_h2(NAMES[3], &over, |all| all.streams.contains_key(&7)).await;
        match outcomes(&heard).streams.get(&7) {
            Some(super::Outcome2::Reset) => Told::Reset,
            other => panic!("the fourth request: {other:?}"),
        }
    };
    hold(&stage, NAMES[3], Protocol::H2, over, async {
        let heard = stage.exchange_h2(NAMES[3], &near, enough).await;
        outcomes(&heard).told() == [408; REQUESTS]
    })
    .await;
}

/// Asks one after another until the gateway ends it: how many were served, and how it ended.
async fn ask_on_one(stage: &Stage, name: &str, protocol: Protocol, most: usize) -> (usize, Told) {
    match protocol {
        Protocol::H1 => {
            let one = format!("GET {TAIL} HTTP/1.1\r\nhost: localhost\r\n\r\n");
            let mut stream = stage.connect(b"http/1.1").await;
            stream.write_all(one.repeat(most).as_bytes()).await.unwrap();
            let mut heard = Vec::new();
            timeout(LIMIT, async {
                while !(heard.ends_with(b".") && statuses(&heard).len() == most) {
                    if stream.read_buf(&mut heard).await.unwrap_or(0) == 0 {
                        return;
                    }
                }
            })
            .await
            .unwrap();
            let told = if String::from_utf8_lossy(&heard).contains("connection: close") {
                Told::Closed
            } else {
                Told::Status(200)
            };
            (statuses(&heard).len(), told)
        }
        Protocol::H2 => {
            let requests: Vec<u8> = (0..most)
                .flat_map(|number| Sent::get(TAIL).h2(2 * u32::try_from(number).unwrap() + 1))
                .collect();
            let enough = |all: &Outcomes| {
                all.goodbye.is_some() && all.told().len() >= REQUESTS || all.told().len() == most
            };
            let sent = [preface(), requests].concat();
            let all = outcomes(&stage.exchange_h2(name, &sent, enough).await);
            let told = if all.goodbye.is_some() { Told::Goodbye } else { Told::Status(200) };
            (all.told().len(), told)
        }
        Protocol::H3 => {
            let quic = stage.quic().await;
            let mut served = 0;
            for _ in 0..most {
                if quic.told(name, &Sent::get(TAIL).h3(), true).await != Told::Status(200) {
                    break;
                }
                served += 1;
            }
            let told = if most > REQUESTS { quic.goodbye().await } else { Told::Status(200) };
            quic.connection.close(0x100_u32.into(), b"");
            (served, told)
        }
    }
}

impl Quic {
    /// Waits for a GOAWAY on the control stream of the gateway (RFC 9114 5.2), or the end.
    async fn goodbye(&self) -> Told {
        const GOAWAY: u8 = 7;
        let heard = async {
            while let Ok(mut stream) = self.connection.accept_uni().await {
                let mut heard = Vec::new();
                let mut room = [0; 256];
                while let Ok(Some(count)) = stream.read(&mut room).await {
                    heard.extend(&room[..count]);
                    // The type of the stream, SETTINGS with their length, and what comes then.
                    if heard.first() != Some(&0) {
                        break;
                    }
                    let settings = heard.get(2).map_or(0, |length| usize::from(*length));
                    if heard.get(3 + settings) == Some(&GOAWAY) {
                        return Told::Goodbye;
                    }
                }
            }
            Told::Closed
        };
        timeout(LIMIT, heard).await.expect("neither GOAWAY nor an end")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_of_requests_on_a_connection() {
    let limits = format!("  connections: {{ max_requests: {REQUESTS} }}\n");
    let stage = Stage::limited(Vec::new(), &limits);
    for protocol in PROTOCOLS {
        let over = async {
            let (served, told) = ask_on_one(&stage, NAMES[4], protocol, REQUESTS + 2).await;
            assert_eq!(served, REQUESTS, "{protocol:?}");
            told
        };
        let near =
            async { ask_on_one(&stage, NAMES[4], protocol, REQUESTS - 1).await.0 == REQUESTS - 1 };
        hold(&stage, NAMES[4], protocol, over, near).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_of_age() {
    let stage = Stage::limited(Vec::new(), "  connections: { max_age: 2s }\n");
    for protocol in PROTOCOLS {
        let over = async {
            match protocol {
                Protocol::H1 => {
                    assert!(stage.raw_h1(NAMES[5], b"").await.is_empty(), "nothing was asked");
                    Told::Closed
                }
                Protocol::H2 => {
                    let enough = |all: &Outcomes| all.goodbye.is_some();
                    let heard = stage.exchange_h2(NAMES[5], &preface(), enough).await;
                    outcomes(&heard).goodbye.map_or(Told::Closed, |_| Told::Goodbye)
                }
                Protocol::H3 => stage.quic().await.goodbye().await,
            }
        };
        hold(&stage, NAMES[5], protocol, over, stage.is_served(protocol)).await;
    }
}
