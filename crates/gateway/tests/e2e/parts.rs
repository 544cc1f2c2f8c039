//! The real parts around the gateway: Redis, Kafka, an OpenID Provider, an mTLS service, a certificate authority. Each is
//! a child process on ports from the kernel that ends with its value, and with the test process. A part that is not
//! installed fails the test with the command that installs it; none is ever skipped. They do not know the gateway.

pub(crate) mod authority;
pub(crate) mod collector;
pub(crate) mod echo;
pub(crate) mod idp;
pub(crate) mod kafka;
pub(crate) mod nginx;
pub(crate) mod opensearch;
pub(crate) mod process;
pub(crate) mod redis;

mod tests;

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// What installs a missing part; every message about one names it.
pub(crate) const INSTALL: &str = "run ./scripts/test, or scripts/parts/install alone";

/// How long one HTTP exchange of a test client may take.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(30);

/// The folder outside the clone into which `scripts/parts/install` puts jars and npm packages.
pub(crate) fn cache() -> PathBuf {
    let folder = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    folder("SALLYPORT_CACHE")
        .or_else(|| folder("XDG_CACHE_HOME"))
        .map(PathBuf::from)
        .or_else(|| folder("HOME").map(|home| PathBuf::from(home).join(".cache")))
        .expect("SALLYPORT_CACHE, XDG_CACHE_HOME or HOME is set")
        .join("sallyport")
}

/// A loopback port that is free now, for TCP and for UDP (HTTP/3), and was not handed out before by this process.
pub(crate) fn free_port() -> u16 {
    static TAKEN: Mutex<Vec<u16>> = Mutex::new(Vec::new());
    let mut taken = TAKEN.lock().unwrap();
    loop {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("a bound socket has an address").port();
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, port));
        if udp.is_ok() && !taken.contains(&port) {
            taken.push(port);
            return port;
        }
    }
}

/// Whether something accepts connections there.
pub(crate) fn accepts(address: SocketAddr) -> bool {
    TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok()
}

/// An HTTPS client that trusts one authority and nothing else, with a client certificate if one is given.
pub(crate) fn https_client(ca_pem: &str, identity: Option<&authority::Issued>) -> reqwest::Client {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(ca_pem.as_bytes()) {
        roots.add(certificate.expect("a PEM certificate")).expect("a CA certificate");
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has TLS 1.2 and 1.3")
        .with_root_certificates(roots);
    let mut config = match identity {
        Some(issued) => {
            let chain = CertificateDer::pem_slice_iter(issued.chain_pem.as_bytes())
                .collect::<Result<Vec<_>, _>>()
                .expect("a PEM chain");
            let key = PrivateKeyDer::from_pem_slice(issued.key_pem.as_bytes()).expect("a PEM key");
            builder.with_client_auth_cert(chain, key).expect("the key fits the certificate")
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    reqwest::Client::builder()
        .tls_backend_preconfigured(config)
        .timeout(CLIENT_TIMEOUT)
        .no_proxy()
        .build()
        .expect("a client from checked settings")
}
