//! Clients on every protocol that ask all the time, things that are allowed and things that are not, and write down what
//! they were told. They judge nothing.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::client::{Client, PROTOCOLS, Protocol, request};
use crate::parts::process::wait_until;
use crate::site::{Gateway, LIMIT, Site};

/// Clients per protocol.
const CLIENTS: usize = 2;
/// Pause of a client between two requests: it bounds how many events a campaign leaves.
const PACE: Duration = Duration::from_millis(20);

const ORDER: &str = r#"{"item":"pencil","quantity":3,"note":"for O'Brien"}"#;
const INJECTION: &str = r#"{"item":"pencil","quantity":3,"note":"1' OR '1'='1' --"}"#;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    Read,
    Write,
    NoToken,
    NoSuchPath,
    Injection,
    /// By a client that may ask twice an hour.
    TooOften,
}

const ASKS: [Ask; 8] = [
    Ask::Read,
    Ask::NoToken,
    Ask::Write,
    Ask::Read,
    Ask::Injection,
    Ask::Write,
    Ask::NoSuchPath,
    Ask::TooOften,
];

/// What the clients carry.
#[derive(Debug, Clone)]
pub(super) struct Tokens {
    pub(super) shop: String,
    pub(super) slow: String,
}

impl Ask {
    pub(super) fn request(self, tokens: &Tokens) -> Request<Bytes> {
        let shop = Some(tokens.shop.as_str());
        match self {
            Self::Read => request("GET", "/orders?limit=5", shop, ""),
            Self::Write => request("POST", "/orders", shop, ORDER),
            Self::NoToken => request("GET", "/orders", None, ""),
            Self::NoSuchPath => request("GET", "/nothing", shop, ""),
            Self::Injection => request("POST", "/orders", shop, INJECTION),
            Self::TooOften => request("GET", "/orders", Some(&tokens.slow), ""),
        }
    }

    /// Whether this is what a gateway answers that lacks nothing.
    pub(super) fn is_usual(self, status: u16) -> bool {
        match self {
            Self::Read | Self::Write => status == 200,
            Self::NoToken => status == 401,
            Self::NoSuchPath => status == 404,
            Self::Injection => status == 403,
            Self::TooOften => matches!(status, 200 | 429),
        }
    }
}

/// One request and what came of it.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub(super) ask: Ask,
    pub(super) protocol: Protocol,
    /// Rounds of the campaign in which it began and ended.
    pub(super) rounds: (usize, usize),
    /// Transaction and status of a whole answer.
    pub(super) answer: Result<(String, u16), String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    Open,
    /// The gateway is away: nobody asks, and who waits gives up.
    Shut,
    /// The campaign is over.
    Over,
}

/// The clients.
pub(super) struct Crowd {
    door: watch::Sender<Door>,
    round: Arc<AtomicUsize>,
    told: Arc<Mutex<Vec<Told>>>,
    clients: Vec<JoinHandle<()>>,
}

impl Crowd {
    /// Lets them loose on a gateway.
    pub(super) fn begin(site: &Site, gateway: &Gateway, tokens: &Tokens) -> Self {
        let (door, _) = watch::channel(Door::Open);
        let mut crowd =
            Self { door, round: Arc::default(), told: Arc::default(), clients: Vec::new() };
        for (index, protocol) in PROTOCOLS.into_iter().cycle().take(3 * CLIENTS).enumerate() {
            let one = One {
                client: Client::new(&site.authority.ca_pem(), gateway.address),
                protocol,
                tokens: tokens.clone(),
                door: crowd.door.subscribe(),
                round: Arc::clone(&crowd.round),
                told: Arc::clone(&crowd.told),
            };
            crowd.clients.push(tokio::spawn(one.run(index)));
        }
        crowd
    }

    /// Nobody asks until the door opens again.
    pub(super) fn shut(&self) {
        self.door.send_replace(Door::Shut);
    }

    pub(super) fn open(&self) {
        self.door.send_replace(Door::Open);
    }

    /// What is asked from now on belongs to this round.
    pub(super) fn enter(&self, round: usize) {
        self.round.store(round, Ordering::SeqCst);
    }

    /// Whole answers so far on one protocol.
    fn answered(&self, protocol: Protocol) -> usize {
        let told = self.told.lock().expect("a list");
        told.iter().filter(|told| told.protocol == protocol && told.answer.is_ok()).count()
    }

    /// Waits for so many more whole answers, on one protocol.
    pub(super) fn await_answers(&self, protocol: Protocol, count: usize) {
        let wanted = self.answered(protocol) + count;
        wait_until("answers", LIMIT, || self.answered(protocol) >= wanted);
    }

    /// Ends it, once everybody has the answer to the last request; what everybody was told.
    pub(super) async fn end(self) -> Vec<Told> {
        self.door.send_replace(Door::Over);
        for client in self.clients {
            client.await.expect("a client that ran to its end");
        }
        Arc::try_unwrap(self.told).expect("nobody is left").into_inner().expect("a list")
    }
}

/// One of them.
struct One {
    client: Client,
    protocol: Protocol,
    tokens: Tokens,
    door: watch::Receiver<Door>,
    round: Arc<AtomicUsize>,
    told: Arc<Mutex<Vec<Told>>>,
}

impl One {
    async fn run(mut self, first: usize) {
        for ask in ASKS.into_iter().cycle().skip(first) {
            let door = *self.door.wait_for(|door| *door != Door::Shut).await.expect("a campaign");
            if door == Door::Over {
                return;
            }
            let began = self.round.load(Ordering::SeqCst);
            let answer = tokio::select! {
                biased;
                answer = self.client.try_send(self.protocol, ask.request(&self.tokens)) => answer,
                _ = self.door.wait_for(|door| *door == Door::Shut) => Err("the door was shut".into()),
            };
            let rounds = (began, self.round.load(Ordering::SeqCst));
            let answer = answer.map(|a| (a.transaction().to_owned(), a.status.as_u16()));
            let told = Told { ask, protocol: self.protocol, rounds, answer };
            self.told.lock().expect("a list").push(told);
            tokio::time::sleep(PACE).await;
        }
    }
}
