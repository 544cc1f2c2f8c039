//! The section `upstreams` as it is written.

use super::scalars::{FilePath, Host, Length, Text, WebUrl};
use super::{RawCertificate, RawSecret, section};
use crate::config::reader::{Count, Flag, List, OneOf, Word};

/// The most endpoints of an upstream.
const ENDPOINTS_MAX: usize = 256;

section! {
    /// A service behind the gateway.
    RawUpstream {
        required {
            /// Its endpoints: `https://host:port`, used in turn.
            endpoints: List<WebUrl, ENDPOINTS_MAX>,
            /// How the gateway tells the service who is calling.
            identity: RawIdentity,
        }
        optional {
            /// TLS to the service; needed for `https:` endpoints.
            tls: RawUpstreamTls,
            /// Lets endpoints be `http:`: whoever sits on that network reads and changes
            /// requests. Default: false.
            insecure_plaintext: Flag,
            /// How long things may take.
            timeout: RawTimeout,
            /// What is tried again.
            retry: RawRetry,
        }
    }
}

section! {
    /// TLS to a service.
    RawUpstreamTls {
        required {
            /// PEM file with the CA certificates of the service. The CAs of the platform are
            /// never used.
            ca: FilePath,
        }
        optional {
            /// The gateway's own client certificate. Default: none.
            certificate: RawCertificate,
            /// The server name to verify and to send. Default: the host of the endpoint.
            name: Host,
        }
    }
}

section! {
    /// The assertion that is signed for every request.
    RawIdentity {
        required {
            /// Secret file with a private key (PKCS#8 PEM, Ed25519 or P-256). Make one with
            /// `openssl genpkey -algorithm ed25519`.
            key: RawSecret,
        }
        optional {
            /// The kind of assertion. Default: jwt.
            assertion: OneOf<Assertion>,
            /// What the assertion names in `aud`. Default: the name of the upstream.
            audience: Text,
        }
    }
}

section! {
    /// How long things may take.
    RawTimeout {
        required {}
        optional {
            /// Until a connection stands: 10ms to 1m. Default: 1s.
            connect: Length<10, 60_000>,
            /// Until the head of the response is there: 10ms to 10m. Default: 15s.
            response: Length<10, 600_000>,
        }
    }
}

section! {
    /// What is tried again.
    RawRetry {
        required {}
        optional {
            /// Attempts in all, over the endpoints: 1 to 5. Default: 2.
            attempts: Count<1, 5>,
            /// What is tried again: failed connections. Default: `[connect]`.
            on: List<OneOf<RetryOn>, 1>,
        }
    }
}

/// The kinds of assertion.
#[derive(Debug, Clone, Copy)]
pub(in crate::config) enum Assertion {
    /// A signed JWT.
    Jwt,
}

impl Word for Assertion {
    const WORDS: &'static [(&'static str, Self)] = &[("jwt", Self::Jwt)];
}

/// What may be tried again.
#[derive(Debug, Clone, Copy)]
pub(in crate::config) enum RetryOn {
    /// A connection that did not come to stand.
    Connect,
}

impl Word for RetryOn {
    const WORDS: &'static [(&'static str, Self)] = &[("connect", Self::Connect)];
}
