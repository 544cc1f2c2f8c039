//! Connections in: TLS, HTTP/1.1, HTTP/2 and HTTP/3, limits, time-outs, drain. Every request becomes an [`Exchange`]
//! with one canonical [`Target`] and goes to a [`Service`]; what never becomes one is reported as a [`Failure`]. This
//! crate knows no policy: no routes, no identities, no upstreams.

mod admission;
mod answer;
mod body;
mod bucket;
mod certificate;
mod clock;
mod connection;
mod crowd;
mod door;
mod engine;
mod exchange;
mod forwarded;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod h1;
mod h2;
#[cfg(feature = "http3")]
mod h3;
mod handshake;
mod leave;
mod listener;
mod presented;
mod proxy;
mod server;
mod service;
mod session;
mod settings;
mod sockets;
mod stream;
mod target;
mod tcp;
mod term;
mod tls;
mod trust;
mod vouched;
mod warrant;
mod workers;

pub use body::{Body, BodyError};
pub use certificate::{Certificate, CertificateError};
pub use connection::{Connection, TlsFacts};
pub use exchange::Exchange;
pub use presented::ClientCertificate;
pub use server::{BindError, Drained, Replaced, Server};
pub use service::{BoxError, Failure, FailureKind, Service};
pub use settings::{
    AddressSource, Allowance, BodyPace, ClientAddress, ConnectionRate, Floods, Limits,
    ListenerSettings, Plaintext, Settings, TlsVersion, Versions,
};
pub use sockets::Passed;
pub use target::{Malformed, Target};
pub use trust::{ClientCertificateMode, ClientCertificates, ClientCertificatesError};
pub use vouched::ForwardedCertificates;

/// The example of the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
