//! The configuration as it is written: one type per section, each field named as in the file.
//! From these declarations come the reader, the JSON Schema and the reference, so that the three
//! cannot differ. It does not know how sections depend on each other.

use super::reader::{Count, List, Named, Read, Reader};
use super::tree::Node;

mod apis;
mod audit;
mod bounds;
mod filter;
mod issuers;
mod limits;
mod listeners;
mod pins;
mod scalars;
mod upstreams;

pub(super) use apis::{RawAccess, RawApi};
pub(super) use audit::{
    Brokers, RawAudit, RawKafka, RawKafkaTls, RawMask, RawPseudonym, RawSeal, RawSink, RawSpool,
};
pub(super) use bounds::RawBounds;
pub(super) use filter::{RawClasses, RawException, RawFilter};
pub(super) use issuers::RawIssuer;
pub(super) use limits::{
    BURST_MAX, RawBody, RawConnections, RawFloods, RawHead, RawLimits, RawRedis, RawStore, RawTier,
    RawWait,
};
pub(super) use listeners::{
    RawCertificate, RawClientAddress, RawClientCertificates, RawListener, RawServerCertificate,
};
pub(super) use pins::{RawHttpPin, RawKafkaPin, RawPin};
pub(super) use scalars::{AdminText, FilePath, RateText, Size, Text, WebUrl, web_url};
pub(super) use upstreams::{RawIdentity, RawTimeout, RawUpstream, RawUpstreamTls};

use scalars::{Length, RawAdmin, SocketAddress};

/// The most public listeners.
pub(super) const LISTENERS_MAX: usize = 64;
/// The most APIs.
pub(super) const APIS_MAX: usize = 1000;
/// The most issuers.
pub(super) const ISSUERS_MAX: usize = 100;
/// The most upstreams.
pub(super) const UPSTREAMS_MAX: usize = 1000;
/// The most tiers.
pub(super) const TIERS_MAX: usize = 100;
/// The most items of any other list.
pub(super) const ITEMS_MAX: usize = 1000;

/// A section with a fixed set of names.
pub(super) trait Section {
    /// Every name it knows.
    const NAMES: &'static [&'static str];
}

/// Declares a section: the type, its reader and its schema.
macro_rules! section {
    (
        $(#[$doc:meta])*
        $name:ident {
            required { $( $(#[$rdoc:meta])* $required:ident: $rtype:ty, )* }
            optional { $( $(#[$odoc:meta])* $optional:ident: $otype:ty, )* }
        }
    ) => {
        $(#[$doc])*
        #[derive(Debug, schemars::JsonSchema)]
        #[schemars(deny_unknown_fields)]
        pub(in crate::config) struct $name {
            $(
                $(#[$rdoc])*
                pub(in crate::config) $required: $crate::config::reader::Given<$rtype>,
            )*
            $(
                $(#[$odoc])*
                #[schemars(default)]
                pub(in crate::config) $optional: $crate::config::reader::Given<$otype>,
            )*
        }

        impl $crate::config::raw::Section for $name {
            const NAMES: &'static [&'static str] =
                &[$(stringify!($required),)* $(stringify!($optional),)*];
        }

        impl $crate::config::reader::Read for $name {
            fn read(
                node: &$crate::config::tree::Node,
                reader: &mut $crate::config::reader::Reader<'_>,
            ) -> Option<Self> {
                use $crate::config::raw::Section;
                reader.only_these(node, Self::NAMES)?;
                // A member that is missing or wrong takes nothing with it: the others are read.
                Some(Self {
                    $( $required: reader.required(node, stringify!($required)), )*
                    $( $optional: reader.optional(node, stringify!($optional)), )*
                })
            }
        }
    };
}
pub(in crate::config) use section;

section! {
    /// The configuration of the gateway. Paths are relative to this file. `${NAME}` in a value
    /// reads an environment variable; `{ file: PATH }` names a file that holds a secret and that
    /// only its owner may read.
    Raw {
        required {
            /// The version of this format: 1.
            version: Count<1, 1>,
            /// The public listeners.
            listeners: List<RawListener, LISTENERS_MAX>,
            /// Who may issue tokens, by a name of your choice.
            issuers: Named<RawIssuer, ISSUERS_MAX>,
            /// What is offered: OpenAPI documents and prefixes. What none of them declares does
            /// not exist.
            apis: List<RawApi, APIS_MAX>,
            /// The services behind the gateway, by a name of your choice.
            upstreams: Named<RawUpstream, UPSTREAMS_MAX>,
        }
        optional {
            /// Health and metrics, read-only. Default: `{ address: 127.0.0.1:9901 }`.
            status: RawSurface,
            /// The public keys with which services check assertions. Default:
            /// `{ address: 127.0.0.1:9902 }`.
            identity: RawSurface,
            /// The admin surface. Default: none.
            admin: RawAdminSurface,
            /// How much anyone may spend. Default: counters in memory, 50 requests per second
            /// with bursts of 100 for each address and for each client.
            limits: RawLimits,
            /// What is recorded and where it goes. Default: spool, events and pseudonym key under
            /// `audit/` beside this file.
            audit: RawAudit,
            /// Traces. Default: none.
            telemetry: RawTelemetry,
            /// How the gateway stops.
            shutdown: RawShutdown,
            /// Threads that serve: 1 to 256. Default: one for each core this process may use.
            workers: Count<1, 256>,
        }
    }
}

section! {
    /// An inner listener, plain HTTP: keep it off public networks.
    RawSurface {
        required {
            /// `address:port`.
            address: SocketAddress,
        }
        optional {}
    }
}

section! {
    /// The admin surface.
    RawAdminSurface {
        required {
            /// A loopback `address:port` or `unix:PATH`; nothing else.
            address: RawAdmin,
        }
        optional {}
    }
}

section! {
    /// Where traces go.
    RawTelemetry {
        required {}
        optional {
            /// URL of an OTLP collector. Needs a build with the feature `otlp`. Default: none.
            otlp: WebUrl,
        }
    }
}

section! {
    /// How the gateway stops.
    RawShutdown {
        required {}
        optional {
            /// How long SIGTERM waits for requests under way: 1s to 10m. Default: 30s.
            limit: Length<1_000, 600_000>,
            /// How long a connection over HTTP/1.1 on which nothing is under way may still bring a
            /// last request meanwhile: 0s to 1m. Default: 1s.
            linger: Length<0, 60_000>,
        }
    }
}

section! {
    /// A file that holds a secret: `{ file: PATH }`. Only its owner may read it (mode 600).
    RawSecret {
        required {
            /// The path of the file.
            file: FilePath,
        }
        optional {}
    }
}

/// Reads the root of a file.
pub(super) fn read(root: &Node, reader: &mut Reader<'_>) -> Option<Raw> {
    Raw::read(root, reader)
}
