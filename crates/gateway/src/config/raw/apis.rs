//! The section `apis` as it is written.

use super::bounds::RawBounds;
use super::filter::RawFilter;
use super::scalars::{
    FilePath, HeaderText, Host, Length, MethodText, Network, Prefix, Scope, Size, Text,
};
use super::{ISSUERS_MAX, ITEMS_MAX, section};
use crate::config::reader::{Flag, List, OneOf, Word};
use crate::config::settings::{
    Answers, AuditMode, Coding, Enforcement, JsonBodies, Undeclared, UndeclaredMembers,
};

/// GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS.
const METHODS_MAX: usize = 7;

/// gzip, br, zstd.
const CODINGS_MAX: usize = 3;

/// Bytes of a request body that passes unread: the least and the most that can be asked for.
const STREAM_BYTES_MIN: u64 = 1 << 20;
const STREAM_BYTES_MAX: u64 = 1 << 40;

section! {
    /// One API: an OpenAPI document (`openapi`) or everything under a prefix (`prefix`).
    RawApi {
        required {
            /// The name of the service that answers, from `upstreams`.
            upstream: Text,
            /// What tokens must name in `aud`.
            audience: Text,
        }
        optional {
            /// An OpenAPI 3.0, 3.1 or 3.2 document: routes, scopes and schemas come from it.
            openapi: FilePath,
            /// Instead of a document: everything under this path, without a contract. Begins and
            /// ends with `/`.
            prefix: Prefix,
            /// The methods under `prefix`; needed there, and only there.
            methods: List<MethodText, METHODS_MAX>,
            /// The hosts it answers on. Default: the names in the certificates of the listeners,
            /// without wildcards.
            hosts: List<Host, ITEMS_MAX>,
            /// Whose tokens it accepts, names from `issuers`. Default: the only one there is.
            issuers: List<Text, ISSUERS_MAX>,
            /// What happens to requests that do not fit the document.
            validate: RawValidate,
            /// How large a request may be where its document says nothing smaller. Default: see
            /// each.
            bounds: RawBounds,
            /// What happens to requests that look like an attack. Default: enforce.
            filter: RawFilter,
            /// `required`: no record, no service. `best_effort`: pass, count, report the gap.
            /// Default: required.
            audit: OneOf<AuditMode>,
            /// Request headers that reach the service beyond those the document declares and the
            /// standard set. Default: none.
            pass_headers: List<HeaderText, ITEMS_MAX>,
            /// Operations (by operationId) that may be called without a token. Default: none. Not
            /// with `prefix`.
            anonymous: List<Text, ITEMS_MAX>,
            /// Who may call what, beyond the scopes of the document. Every rule that is about an
            /// operation must be met. Default: none.
            access: List<RawAccess, ITEMS_MAX>,
            /// Operations whose bodies pass as they come, unread: uploads, server-sent events,
            /// gRPC. Default: none.
            stream: RawStream,
        }
    }
}

section! {
    /// What passes unread: nobody looks for attacks there, size and time are bounded.
    RawStream {
        required {}
        optional {
            /// The operations (by operationId). Needed with `openapi`; not with `prefix`, where
            /// it is about everything. Default: none.
            operations: List<Text, ITEMS_MAX>,
            /// Bytes of a request body at most: 1MiB to 1TiB. Default: 1GiB.
            size: Size<STREAM_BYTES_MIN, STREAM_BYTES_MAX>,
            /// How long either side may say nothing: 1s to 1h. Default: 1m.
            idle: Length<1_000, 3_600_000>,
            /// How long an exchange may last: 1s to 24h; the end of the caller's token ends it
            /// earlier. Default: 1h.
            age: Length<1_000, 86_400_000>,
            /// Lets a GET among the operations open a WebSocket, over HTTP/1.1 and HTTP/2.
            /// Default: false.
            websocket: Flag,
        }
    }
}

section! {
    /// What happens to messages that do not fit the document.
    RawValidate {
        required {}
        optional {
            /// `enforce` refuses, `observe` lets through and records. Default: enforce.
            request: OneOf<Enforcement>,
            /// What happens to answers whose status, media type or JSON the operation does not
            /// declare: `off`, `observe` records them, `enforce` answers 502 in their place. JSON
            /// is read whole for that, up to `bounds.max_body`. Default: off.
            response: OneOf<Answers>,
            /// What happens to members of JSON answers that the schema does not name, where
            /// `response` looks at answers: `pass`, or `drop` takes them out on the way, and
            /// answers 502 in place of JSON that cannot be read. Default: pass.
            undeclared_members: OneOf<UndeclaredMembers>,
            /// Cookies that an operation does not declare: `drop` keeps them outside, `refuse`
            /// refuses the request. With `cookie` under `pass_headers` they go inside. Default:
            /// drop.
            undeclared_cookies: OneOf<Undeclared>,
            /// Request headers that an operation does not declare, beyond the standard set, those
            /// that clients send by themselves and `pass_headers`: `drop` or `refuse`. Default:
            /// drop.
            undeclared_headers: OneOf<Undeclared>,
            /// How bodies of JSON reach the service: `as_sent` byte for byte, `rewritten` from the
            /// values that were checked, so that no reader can take them in another way. Default:
            /// as_sent.
            json: OneOf<JsonBodies>,
            /// Content codings of request bodies that are decoded, checked and forwarded decoded:
            /// gzip, br, zstd. A body in any other coding answers 415. Default: none.
            decode: List<OneOf<Coding>, CODINGS_MAX>,
        }
    }
}

section! {
    /// One access rule; it asks for something: scopes, clients or networks.
    RawAccess {
        required {}
        optional {
            /// The operations (by operationId) it is about. Default: all. Not with `prefix`.
            operations: List<Text, ITEMS_MAX>,
            /// Scopes the caller needs, all of them.
            scopes: List<Scope, ITEMS_MAX>,
            /// Clients that may call.
            clients: List<Text, ITEMS_MAX>,
            /// Networks callers may come from, such as 10.0.0.0/8.
            networks: List<Network, ITEMS_MAX>,
        }
    }
}

impl Word for Enforcement {
    const WORDS: &'static [(&'static str, Self)] =
        &[("enforce", Self::Enforce), ("observe", Self::Observe)];
}

impl Word for Answers {
    const WORDS: &'static [(&'static str, Self)] =
        &[("off", Self::Off), ("observe", Self::Observe), ("enforce", Self::Enforce)];
}

impl Word for UndeclaredMembers {
    const WORDS: &'static [(&'static str, Self)] = &[("pass", Self::Pass), ("drop", Self::Drop)];
}

impl Word for Undeclared {
    const WORDS: &'static [(&'static str, Self)] =
        &[("drop", Self::Drop), ("refuse", Self::Refuse)];
}

impl Word for JsonBodies {
    const WORDS: &'static [(&'static str, Self)] =
        &[("as_sent", Self::AsSent), ("rewritten", Self::Rewritten)];
}

impl Word for Coding {
    const WORDS: &'static [(&'static str, Self)] =
        &[("gzip", Self::Gzip), ("br", Self::Br), ("zstd", Self::Zstd)];
}

impl Word for AuditMode {
    const WORDS: &'static [(&'static str, Self)] =
        &[("required", Self::Required), ("best_effort", Self::BestEffort)];
}
