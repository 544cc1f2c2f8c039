//! Known attacks, byte by byte, on a running gateway with a service behind it that writes down what arrived. A row says
//! what is sent, what the client is told, and what the service may have seen: nothing, or exactly the honest requests.
//! `docs/attacks.md` tells which class is held by which test.

mod aliases;
mod answers;
mod floods;
mod h1;
mod h2;
mod h3;
mod handshakes;
mod limits;
mod peers;
pub(crate) mod recorder;
mod rows;
mod storms;
mod wire;

use std::sync::Arc;

use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::client::tls;
use crate::issuer::Issuer;
use crate::site::{FILE_SINK, Gateway, HOST, Site, WIDE_LIMITS};
use recorder::{Arrived, Recorder};

/// What every row ends with: an honest request of its own, which shows whether both ends still agree on where it begins.
const TAIL: &str = "/api/open/tail";

/// A gateway with open operations and a closed one, in front of a recorder.
pub(crate) struct Stage {
    site: Site,
    gateway: Gateway,
    recorder: Recorder,
}

impl Stage {
    /// A running gateway; its service has these answers.
    pub(crate) fn new(answers: Vec<&'static [u8]>) -> Self {
        Self::limited(answers, "")
    }

    /// The same, with these lines of `limits` in place of the wide ones of their names.
    pub(crate) fn limited(answers: Vec<&'static [u8]>, limits: &str) -> Self {
        let site = Site::new();
        let recorder = Recorder::start(answers);
        let document = include_str!("attacks/attacks.openapi.yaml");
        std::fs::write(site.path("orders.openapi.yaml"), document).unwrap();
        Issuer::new(&site);
        let rest = format!("{}{limits}{FILE_SINK}", wide_but(limits));
        let upstream = recorder.address;
        site.configure(&Issuer::configuration(), upstream, &rest);
        // What the contract and the filter would find is not to hide what the edge lets through.
        site.amend(
            "    access:\n      - { operations: [deleteOrder], clients: [backoffice] }\n",
            "    anonymous: [root, open, put, openOne, headOne, optionsOne]\n    validate: { request: observe }\n    \
             filter: 'off'\n    pass_headers: [x-tenant]\n",
        );
        site.amend(&format!("https://{upstream}"), &format!("http://{upstream}"));
        site.amend(
            "    tls: { ca: ca.pem, certificate: { chain: client.pem, key: client.key }, name: orders.internal }\n",
            "    insecure_plaintext: true\n",
        );
        site.amend("rate: 1000/s, burst: 5000", "rate: 1000000/s, burst: 1000000");
        let gateway = site.start();
        Self { site, gateway, recorder }
    }

    /// A TLS connection that speaks a protocol.
    async fn connect(&self, alpn: &[u8]) -> TlsStream<TcpStream> {
        self.handshake(alpn).await.unwrap()
    }

    /// The same, where the gateway may not want it.
    async fn handshake(&self, alpn: &[u8]) -> std::io::Result<TlsStream<TcpStream>> {
        let config = tls(&self.site.authority.ca_pem(), alpn);
        let socket = TcpStream::connect(self.gateway.address).await?;
        socket.set_nodelay(true)?;
        let name = ServerName::try_from(HOST).unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, socket).await
    }

    /// Asserts what the service saw since the last row: request lines, in order.
    fn saw(&self, row: &str, lines: &[&str]) -> Vec<Arrived> {
        let arrived = self.recorder.take();
        let found: Vec<String> = arrived.iter().map(Arrived::line).collect();
        assert_eq!(found, lines, "{row}: what the service saw");
        arrived
    }

    /// KiB of memory that the gateway holds.
    fn resident_kib(&self) -> u64 {
        resident_kib(&format!("/proc/{}/status", self.gateway.process.id()))
    }
}

/// KiB of memory that a process holds; none where it is gone.
fn resident_kib(path: &str) -> u64 {
    let status = std::fs::read_to_string(path).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    line.map_or(0, |line| line.split_whitespace().nth(1).unwrap().parse().unwrap())
}

/// The wide limits without the lines that others take the place of.
fn wide_but(limits: &str) -> String {
    let name = |line: &str| line.split(':').next().unwrap_or_default().to_owned();
    let others: Vec<String> = limits.lines().map(name).collect();
    let kept = WIDE_LIMITS.lines().filter(|line| !others.contains(&name(line)));
    kept.map(|line| format!("{line}\n")).collect()
}
