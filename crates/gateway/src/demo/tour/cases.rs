//! The cases of the tour, as a table. The order matters once: what spends the limits comes last.

use bytes::Bytes;
use http::Method;

use super::super::client::Protocol;
use super::tokens::Credential;

/// The decision of a request that was let through.
const ALLOWED: &str = "allowed";
/// JSON, as the contract declares it.
const JSON: Option<&str> = Some("application/json");
/// Bytes of the body that is too large: above 1 MiB.
const TOO_LARGE: usize = 1_500_000;

/// A request body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Body {
    /// None.
    Empty,
    /// This text.
    Text(&'static str),
    /// A JSON document of one long member.
    TooLarge,
}

impl Body {
    /// The bytes to send.
    pub(super) fn bytes(self) -> Bytes {
        match self {
            Self::Empty => Bytes::new(),
            Self::Text(text) => Bytes::from_static(text.as_bytes()),
            Self::TooLarge => {
                let note = "a".repeat(TOO_LARGE);
                Bytes::from(format!(r#"{{"item":"tea","quantity":1,"note":"{note}"}}"#))
            }
        }
    }
}

/// One request and what must come of it.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    /// What it shows.
    pub(super) name: &'static str,
    /// The HTTP version it is sent over.
    pub(super) protocol: Protocol,
    /// Its credential.
    pub(super) credential: Credential,
    /// Its method.
    pub(super) method: Method,
    /// Its path and query.
    pub(super) target: &'static str,
    /// Its media type, if it has a body.
    pub(super) media_type: Option<&'static str>,
    /// Its body.
    pub(super) body: Body,
    /// The status that is expected.
    pub(super) status: u16,
    /// How the decision in the event is expected to begin (`stage.reason`, or `allowed`).
    pub(super) decision: &'static str,
}

/// The request of the flood; the status and decision of at least one of many.
pub(super) fn flood() -> Case {
    Case {
        status: 429,
        decision: "ratelimit.",
        ..get("flood", Protocol::H2, Credential::Writer, "/orders?limit=1")
    }
}

/// Every case but the flood.
pub(super) fn all() -> Vec<Case> {
    [allowed(), identity(), contract(), attacks()].concat()
}

fn allowed() -> Vec<Case> {
    vec![
        get("read over HTTP/1.1", Protocol::H1, Credential::Reader, "/orders"),
        get("read over HTTP/2", Protocol::H2, Credential::Reader, "/orders?status=open&limit=5"),
        #[cfg(feature = "http3")]
        get("read over HTTP/3", Protocol::H3, Credential::Reader, "/orders"),
        Case {
            name: "place an order",
            ..post(r#"{"item":"tea","quantity":2,"note":"before noon, please"}"#)
        },
    ]
}

fn identity() -> Vec<Case> {
    let refused = |name, credential, decision| Case {
        status: 401,
        decision,
        ..get(name, Protocol::H1, credential, "/orders")
    };
    vec![
        refused("no token", Credential::None, "token.absent"),
        refused("forged token", Credential::Forged, "token.signature"),
        refused("unsigned token", Credential::Unsigned, "token."),
        Case {
            name: "wrong scope",
            credential: Credential::Reader,
            status: 403,
            decision: "scope.",
            ..post(r#"{"item":"tea","quantity":1}"#)
        },
        Case {
            name: "cancelling takes admin:orders",
            method: Method::DELETE,
            status: 403,
            decision: "scope.",
            ..get(
                "",
                Protocol::H2,
                Credential::Writer,
                "/orders/0190a6e0-0000-7000-8000-000000000000",
            )
        },
    ]
}

fn contract() -> Vec<Case> {
    let read = |name, target, status, decision| Case {
        status,
        decision,
        ..get(name, Protocol::H2, Credential::Writer, target)
    };
    let refused = |name, status, text| Case { name, status, decision: "schema.", ..post(text) };
    vec![
        read("undeclared path", "/invoices", 404, "route.path_undeclared"),
        Case {
            method: Method::PUT,
            ..read("undeclared method", "/orders", 405, "route.method_undeclared")
        },
        read("undeclared query parameter", "/orders?debug=1", 400, "schema."),
        refused("unknown field", 400, r#"{"item":"tea","quantity":1,"price":0}"#),
        refused("member twice", 400, r#"{"item":"tea","quantity":1,"quantity":9}"#),
        Case { body: Body::TooLarge, ..refused("too large", 413, "") },
        Case {
            media_type: Some("text/csv"),
            ..refused("wrong media type", 415, "item,quantity\ntea,1\n")
        },
    ]
}

fn attacks() -> Vec<Case> {
    vec![
        Case {
            name: "SQL injection",
            status: 403,
            decision: "filter.",
            ..post(r#"{"item":"tea","quantity":1,"note":"x' OR '1'='1' --"}"#)
        },
        Case {
            name: "an apostrophe is no attack",
            ..post(r#"{"item":"tea","quantity":1,"note":"for Mr O'Brien"}"#)
        },
    ]
}

/// A read that is allowed.
fn get(
    name: &'static str,
    protocol: Protocol,
    credential: Credential,
    target: &'static str,
) -> Case {
    Case {
        name,
        protocol,
        credential,
        method: Method::GET,
        target,
        media_type: None,
        body: Body::Empty,
        status: 200,
        decision: ALLOWED,
    }
}

/// An order that is accepted.
fn post(text: &'static str) -> Case {
    Case {
        name: "",
        protocol: Protocol::H2,
        credential: Credential::Writer,
        method: Method::POST,
        target: "/orders",
        media_type: JSON,
        body: Body::Text(text),
        status: 201,
        decision: ALLOWED,
    }
}
