//! The section `listeners` as it is written.

use super::scalars::{CertificateName, FilePath, Network, SocketAddress};
use super::{ITEMS_MAX, section};
use crate::config::reader::{Count, Flag, List, OneOf, Word};
use crate::config::settings::{AddressSource, ClientCertificateMode, RedirectTarget, TlsVersion};

/// The most certificates of a listener.
const CERTIFICATES_MAX: usize = 64;
/// HTTP/1.1, HTTP/2 and HTTP/3.
const VERSIONS_MAX: usize = 3;

section! {
    /// One public listener.
    RawListener {
        required {
            /// `address:port`; TCP, and UDP of the same port for HTTP/3.
            address: SocketAddress,
        }
        optional {
            /// Certificates and TLS versions. A listener without speaks plain HTTP: only on a loopback address, or
            /// with `insecure_plaintext`, or to redirect.
            tls: RawTls,
            /// Serves plain HTTP on an address that others than this machine may reach: whoever is on the way may read
            /// and change requests, with their tokens. Default: false.
            insecure_plaintext: Flag,
            /// `https`: answers every request for a declared host with 308 to the same path on https, and serves none.
            /// Only without `tls`. Default: none.
            redirect: OneOf<RedirectTarget>,
            /// The port of https that a redirect names. Default: the port of the listeners with TLS over TCP, where
            /// all of them have the same.
            redirect_port: Count<1, 65535>,
            /// The HTTP versions: 1, 2 and 3. Default: all of them; 3 only in a build with the
            /// feature `http3`, and not behind the PROXY protocol; without TLS only 1.
            http: List<Count<1, 3>, VERSIONS_MAX>,
            /// Who a client is where proxies are in front. Default: whoever connects.
            client_address: RawClientAddress,
            /// Certificates of clients that proxies in front pass on. Default: none, nobody may.
            forwarded_certificates: RawForwardedCertificates,
        }
    }
}

section! {
    /// Who a client is where proxies are in front: the right-most address that they tell and that
    /// is none of theirs. A request for which they tell none is refused.
    RawClientAddress {
        required {}
        optional {
            /// The networks of the proxies. Where there are any, every other peer is hung up on.
            /// Default: none.
            trusted_proxies: List<Network, ITEMS_MAX>,
            /// How they tell it: in `X-Forwarded-For` or `Forwarded` (RFC 7239) of each request,
            /// or by the PROXY protocol (version 1 or 2) before TLS, which HTTP/3 does not have.
            /// Default: x-forwarded-for.
            from: OneOf<AddressSource>,
            /// Serves peers that are no trusted proxies, too, each as a client of its own: whoever
            /// reaches the port goes around the proxies. Default: false.
            insecure_direct: Flag,
        }
    }
}

section! {
    /// Certificates of clients that proxies pass on in `Client-Cert` and `Client-Cert-Chain` (RFC 9440): taken from
    /// `client_address.trusted_proxies` only, and only from one that showed a certificate of its own (which
    /// `tls.client_certificates` asks for) with one of these names. What they pass on is verified here and then counts as
    /// the certificate of the client, in place of the proxy's; a bad one is refused. From everybody else the fields
    /// count for nothing. The files are read anew when they change.
    RawForwardedCertificates {
        required {
            /// Alternative names of those proxies, each with its kind in front: `dns:`, `uri:`, `email:` or `ip:`.
            proxies: List<CertificateName, ITEMS_MAX>,
            /// PEM file with the CA certificates that issue to clients, at most 100.
            ca: FilePath,
        }
        optional {
            /// File with the revocation lists of those CAs, as that of `tls.client_certificates`. Default: none; then
            /// nothing is ever revoked.
            crl: FilePath,
        }
    }
}

section! {
    /// TLS of a public listener.
    RawTls {
        required {
            /// Certificates, chosen by the name that the client asks for (SNI); the first one for
            /// clients that send no name.
            certificates: List<RawServerCertificate, CERTIFICATES_MAX>,
        }
        optional {
            /// The oldest TLS version that is accepted, in quotes: "1.3" or "1.2". Default: "1.3".
            min_version: OneOf<TlsVersion>,
            /// Whether clients show certificates, on all HTTP versions alike. Default: `{ mode: off }`.
            client_certificates: RawClientCertificates,
        }
    }
}

section! {
    /// Certificates of clients. All files are read anew when they change: what is different counts from the next
    /// handshake on, and open connections whose certificate is no longer good are closed.
    RawClientCertificates {
        required {
            /// `off`: nobody is asked. `optional`: who shows none gets in, who shows a bad one does not. `required`:
            /// nobody gets in without a good one. A reload changes all but whether it is `off`.
            mode: OneOf<ClientCertificateMode>,
        }
        optional {
            /// PEM file with the CA certificates that issue to clients, at most 100; needed unless `mode` is `off`.
            /// Default: none.
            ca: FilePath,
            /// File with the revocation lists of the CAs: PEM, at most 100 of them, or one in DER. Every certificate of
            /// a chain below its root needs a list of its issuer whose time is not over, else it is refused. Default:
            /// none; then nothing is ever revoked.
            crl: FilePath,
            /// Lets clients resume sessions: their certificate is judged anew, but they do not prove its key again.
            /// Default: false.
            resumption: Flag,
        }
    }
}

section! {
    /// A certificate of the gateway for its clients, and the private key.
    RawServerCertificate {
        required {
            /// PEM file with the certificate and the chain after it.
            chain: FilePath,
            /// PEM file with the private key.
            key: FilePath,
        }
        optional {
            /// File with an OCSP response (DER) to staple to handshakes; whoever fetches it keeps it current.
            /// Default: none.
            ocsp: FilePath,
        }
    }
}

section! {
    /// A certificate and its private key.
    RawCertificate {
        required {
            /// PEM file with the certificate and the chain after it.
            chain: FilePath,
            /// PEM file with the private key.
            key: FilePath,
        }
        optional {}
    }
}

impl Word for AddressSource {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("x-forwarded-for", Self::XForwardedFor),
        ("forwarded", Self::Forwarded),
        ("proxy-protocol", Self::ProxyProtocol),
    ];
}

impl Word for RedirectTarget {
    const WORDS: &'static [(&'static str, Self)] = &[("https", Self::Https)];
}

impl Word for ClientCertificateMode {
    const WORDS: &'static [(&'static str, Self)] =
        &[("off", Self::Off), ("optional", Self::Optional), ("required", Self::Required)];
}

impl Word for TlsVersion {
    const WORDS: &'static [(&'static str, Self)] = &[("1.3", Self::V1_3), ("1.2", Self::V1_2)];
}
