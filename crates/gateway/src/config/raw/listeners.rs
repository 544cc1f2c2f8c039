//! The section `listeners` as it is written.

use super::scalars::{FilePath, SocketAddress};
use super::section;
use crate::config::reader::{Count, List, OneOf, Word};
use crate::config::settings::TlsVersion;

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
            /// Certificates and TLS versions. There is no listener without TLS.
            tls: RawTls,
        }
        optional {
            /// The HTTP versions: 1, 2 and 3. Default: `[1, 2]`. 3 needs a build with the feature
            /// `http3`.
            http: List<Count<1, 3>, VERSIONS_MAX>,
        }
    }
}

section! {
    /// TLS of a public listener.
    RawTls {
        required {
            /// Certificates, chosen by the name that the client asks for (SNI); the first one for
            /// clients that send no name.
            certificates: List<RawCertificate, CERTIFICATES_MAX>,
        }
        optional {
            /// The oldest TLS version that is accepted, in quotes: "1.3" or "1.2". Default: "1.3".
            min_version: OneOf<TlsVersion>,
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

impl Word for TlsVersion {
    const WORDS: &'static [(&'static str, Self)] = &[("1.3", Self::V1_3), ("1.2", Self::V1_2)];
}
