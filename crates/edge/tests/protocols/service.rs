//! The service of the tests: echoes what it was given, waits when told to, breaks when told to.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use edge::{
    AddressSource, BindError, BodyError, BoxError, Certificate, ClientAddress, ClientCertificates,
    Exchange, Failure, Limits, ListenerSettings, Plaintext, Replaced, Server, Service, Settings,
    TlsVersion, Versions,
};
use http::{Response, StatusCode};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use tokio::sync::{Mutex, Notify, mpsc};
use tokio::time::timeout;

/// Long enough for a loaded machine; no test waits that long when things work.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);
/// How long `/work` keeps a worker busy.
const WORK: Duration = Duration::from_millis(20);
/// Bytes of a request body the service takes.
pub(crate) const BODY_BYTES_MAX: usize = 1024;

pub(crate) struct Echo {
    pub(crate) admits: AtomicBool,
    /// The addresses that were asked about, in order.
    pub(crate) asked: std::sync::Mutex<Vec<IpAddr>>,
    pub(crate) started: Notify,
    pub(crate) release: Notify,
    pub(crate) dropped: Notify,
    pub(crate) surplus: Notify,
    failures: mpsc::Sender<Failure>,
    filed: Mutex<mpsc::Receiver<Failure>>,
}

impl Echo {
    fn new() -> Arc<Self> {
        let (failures, filed) = mpsc::channel(64);
        Arc::new(Self {
            admits: AtomicBool::new(true),
            asked: std::sync::Mutex::default(),
            started: Notify::new(),
            release: Notify::new(),
            dropped: Notify::new(),
            surplus: Notify::new(),
            failures,
            filed: Mutex::new(filed),
        })
    }

    /// The next failure.
    pub(crate) async fn failure(&self) -> Failure {
        timeout(DEADLINE, self.filed.lock().await.recv()).await.unwrap().unwrap()
    }

    /// The next failure, however long it takes.
    pub(crate) async fn next_failure(&self) -> Option<Failure> {
        self.filed.lock().await.recv().await
    }

    /// The failure that is on record already.
    pub(crate) async fn filed(&self) -> Failure {
        self.filed.lock().await.try_recv().unwrap()
    }

    /// Asserts that nothing more was filed.
    pub(crate) async fn nothing_filed(&self) {
        let filed = self.filed.lock().await.try_recv();
        assert!(filed.is_err(), "{filed:?}");
    }
}

/// Tells when the future that holds it is dropped.
struct Witness<'a>(&'a Notify);

impl Drop for Witness<'_> {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

impl Service for Echo {
    type Body = UnsyncBoxBody<Bytes, BoxError>;

    fn admits(&self, address: IpAddr) -> bool {
        self.asked.lock().unwrap().push(address);
        self.admits.load(Ordering::SeqCst)
    }

    async fn serve(&self, mut exchange: Exchange) -> Response<Self::Body> {
        let target = match exchange.target() {
            Ok(target) => target.clone(),
            Err(malformed) => return text(malformed.status(), malformed.reason().into()),
        };
        match target.path() {
            "/client" => {
                let peer = exchange.connection.peer().ip();
                let port = exchange.client_port().is_some();
                text(200, format!("{} {port} behind {peer}", exchange.client_address()).into())
            }
            "/slow" => {
                self.started.notify_one();
                self.release.notified().await;
                text(200, "slow".into())
            }
            "/hang" => {
                let _witness = Witness(&self.dropped);
                self.started.notify_one();
                std::future::pending().await
            }
            "/who" => {
                let shown =
                    exchange.connection.tls().and_then(|tls| tls.client_certificate.as_ref());
                let thumbprint = shown.map_or("-", |certificate| certificate.thumbprint());
                text(200, thumbprint.to_owned().into())
            }
            "/redirects" => {
                let port = exchange.connection.redirects_to();
                let port = port.map_or_else(|| "nobody".to_owned(), |port| port.to_string());
                text(200, format!("to {port}").into())
            }
            "/work" if exchange.is_surplus() => {
                self.surplus.notify_one();
                text(503, "surplus".into())
            }
            "/work" => {
                // What a worker computes keeps it from all others.
                std::thread::sleep(WORK);
                text(200, "done".into())
            }
            "/break" => {
                let frames = [Ok(Frame::data(Bytes::from_static(b"half"))), Err("broken".into())];
                let body = StreamBody::new(futures_util::stream::iter(frames));
                Response::new(BodyExt::boxed_unsync(body))
            }
            path => match exchange.body.read_whole(BODY_BYTES_MAX).await {
                Ok(body) => {
                    let query = target.query().unwrap_or("-");
                    let head =
                        format!("{} {} {path} {query} ", exchange.head.method, target.host());
                    text(200, [head.as_bytes(), &body].concat().into())
                }
                Err(BodyError::TooLarge) => text(413, "too_large".into()),
                Err(error) => text(400, error.to_string().into()),
            },
        }
    }

    async fn failed(&self, failure: Failure) {
        self.failures.send(failure).await.unwrap();
    }
}

fn text(status: u16, text: Bytes) -> Response<UnsyncBoxBody<Bytes, BoxError>> {
    let body = Full::new(text).map_err(|never| match never {}).boxed_unsync();
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
}

/// A running server with its service and the certificate clients trust.
pub(crate) struct House {
    pub(crate) server: Server<Echo>,
    pub(crate) listener: ListenerSettings,
    pub(crate) echo: Arc<Echo>,
    pub(crate) root: rustls_pki_types::CertificateDer<'static>,
}

pub(crate) fn certificate(
    names: &[&str],
) -> (Certificate, rustls_pki_types::CertificateDer<'static>) {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let key = made.signing_key.serialize_pem();
    let loaded = Certificate::from_pem(made.cert.pem().as_bytes(), key.as_bytes()).unwrap();
    (loaded, made.cert.der().clone())
}

pub(crate) fn house(limits: Limits) -> House {
    house_behind(limits, ClientAddress::default())
}

/// A server whose clients come through proxies.
pub(crate) fn house_behind(limits: Limits, client_address: ClientAddress) -> House {
    house_of(limits, client_address, None, TlsVersion::V1_3)
}

/// One that asks for client certificates.
pub(crate) fn house_for(limits: Limits, clients: Option<ClientCertificates>) -> House {
    house_of(limits, ClientAddress::default(), clients, TlsVersion::V1_3)
}

pub(crate) fn house_of_tls_1_2(clients: ClientCertificates) -> House {
    house_of(Limits::default(), ClientAddress::default(), Some(clients), TlsVersion::V1_2)
}

fn house_of(
    limits: Limits,
    client_address: ClientAddress,
    client_certificates: Option<ClientCertificates>,
    min_version: TlsVersion,
) -> House {
    let (certificate, root) = certificate(&["localhost", "other.example"]);
    let h3 = cfg!(feature = "http3") && client_address.from != AddressSource::ProxyProtocol;
    let listener = ListenerSettings {
        address: "127.0.0.1:0".parse().unwrap(),
        http: Versions { h1: true, h2: true, h3 },
        forwarded_certificates: None,
        plaintext: None,
        certificates: vec![certificate],
        min_version,
        client_certificates,
        client_address,
    };
    built(limits, listener, root)
}

/// One without TLS.
pub(crate) fn house_plain(
    limits: Limits,
    client_address: ClientAddress,
    plaintext: Plaintext,
) -> House {
    let listener = ListenerSettings {
        address: "127.0.0.1:0".parse().unwrap(),
        http: Versions { h1: true, h2: false, h3: false },
        forwarded_certificates: None,
        plaintext: Some(plaintext),
        certificates: Vec::new(),
        min_version: TlsVersion::V1_3,
        client_certificates: None,
        client_address,
    };
    // Nobody is shown a certificate.
    built(limits, listener, certificate(&["localhost"]).1)
}

fn built(
    mut limits: Limits,
    listener: ListenerSettings,
    root: rustls_pki_types::CertificateDer<'static>,
) -> House {
    if limits.address_connections_rate == Limits::default().address_connections_rate {
        // All clients of a test come from one address: a rate that it did not ask for is none.
        limits.address_connections_rate.burst = std::num::NonZeroU32::MAX;
    }
    if limits.queue_max == Limits::default().queue_max {
        // Neither is a slow machine a crowd.
        limits.queue_max = Duration::from_secs(60);
    }
    let settings = Settings { listeners: vec![listener.clone()], limits, workers: None };
    let echo = Echo::new();
    let server = Server::bind(settings, Arc::clone(&echo)).unwrap();
    House { server, listener, echo, root }
}

impl House {
    pub(crate) fn address(&self) -> std::net::SocketAddr {
        self.server.addresses()[0]
    }

    /// Makes these the settings of its listener.
    pub(crate) fn change(
        &mut self,
        change: impl FnOnce(&mut ListenerSettings),
    ) -> Result<Replaced, BindError> {
        let mut listener = self.listener.clone();
        change(&mut listener);
        let replaced = self.server.replace_listeners(vec![listener.clone()], DEADLINE)?;
        self.listener = listener;
        Ok(replaced)
    }

    /// The same, where the listener stays.
    pub(crate) fn swap(&mut self, change: impl FnOnce(&mut ListenerSettings)) {
        assert_eq!(self.change(change).unwrap(), Replaced::default());
    }
}
