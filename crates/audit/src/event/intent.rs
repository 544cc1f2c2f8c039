//! What a spool keeps of a transaction that was let in, until its outcome is there: as much as its event needs should the
//! process die in between. Pure; it knows neither frames nor files.
//!
//! Version 3, numbers little-endian: `version u8 | flags u8 | method u8 | unused u64 | start u64 (ms since 1970) |
//! client: address 16, port u16 | local: address 16, port u16`, then texts, each `length u16 | bytes`: log name, HTTP version,
//! user agent, trace id, TLS version, cipher, server name, client certificate (not in version 1), digests of
//! target, received and forwarded body (not in version 2), operation (`api`, `path`, `unmapped`: JSON), caller (`actor`,
//! `unmapped`: JSON), observed findings to the end. Addresses are IPv6, IPv4 ones mapped (RFC 4291 2.5.5.2). What is not
//! there has the length 0xffff, and of a group (TLS, operation, caller) nothing is there where its first text is not.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use super::caller::CallerJson;
use super::known::{Known, KnownTls};
use super::operation::OperationJson;
use crate::digest::{Digested, Digestion};
use crate::facts::Method;

/// The version written.
const VERSION: u8 = 3;
/// The first one, which a spool may still hold: it tells of no client certificate. The second tells of no digests.
const VERSION_FIRST: u8 = 1;
/// Bytes that once held a number of the transaction: its event has the place in the log instead.
const UNUSED_BYTES: usize = 8;
/// In the flags: the client's port is known.
const PORT: u8 = 1;
/// The length of a text that is not there.
const ABSENT: u16 = u16::MAX;
/// All methods; their place here is their number in an intent.
const METHODS: [Method; 10] = [
    Method::Get,
    Method::Head,
    Method::Post,
    Method::Put,
    Method::Patch,
    Method::Delete,
    Method::Options,
    Method::Trace,
    Method::Connect,
    Method::Other,
];

/// Why an intent says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum IntentFault {
    /// A version that this program does not know.
    #[error("an intent has version {0}, this program reads {VERSION}")]
    Version(u8),
    /// It is no intent.
    #[error("an intent cannot be read")]
    Malformed,
}

/// Appends the intent of a transaction that is let in. Its uid is the frame's.
pub(crate) fn encode(known: &Known<'_>, digests: &Digestion, out: &mut Vec<u8>) {
    let flags = if known.client.1.is_some() { PORT } else { 0 };
    let method = METHODS.iter().position(|method| *method == known.method).unwrap_or_default();
    out.extend_from_slice(&[VERSION, flags, method as u8]);
    out.extend_from_slice(&[0; UNUSED_BYTES]);
    out.extend_from_slice(&known.start.to_le_bytes());
    let local = (known.local.ip(), Some(known.local.port()));
    for (address, port) in [known.client, local] {
        out.extend_from_slice(&mapped(address).octets());
        out.extend_from_slice(&port.unwrap_or_default().to_le_bytes());
    }
    for text in [Some(known.log), Some(known.http_version), known.user_agent, known.trace] {
        bytes(out, text.map(str::as_bytes));
    }
    let tls = known.tls.as_ref();
    let texts = [
        tls.map(|tls| tls.version),
        tls.and_then(|tls| tls.cipher),
        tls.and_then(|tls| tls.sni),
        tls.and_then(|tls| tls.client_certificate),
    ];
    for text in texts {
        bytes(out, text.map(str::as_bytes));
    }
    for digest in [&digests.target, &digests.received, &digests.forwarded] {
        bytes(out, digest.as_ref().map(|digest| digest.as_str().as_bytes()));
    }
    let operation = known.operation.map(|json| [json.api, json.path, json.unmapped]);
    let operation = operation.map_or([None; 3], |texts| texts.map(Some));
    let caller = known.caller.map_or([None; 2], |json| [json.actor, json.unmapped].map(Some));
    for json in operation.into_iter().chain(caller) {
        bytes(out, json);
    }
    for text in &known.observed {
        bytes(out, Some(text.as_bytes()));
    }
}

fn mapped(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    }
}

fn bytes(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    // Every text is clipped far below: one that does not fit is not there rather than half there.
    let fits = |bytes: &[u8]| u16::try_from(bytes.len()).ok().filter(|length| *length != ABSENT);
    match bytes.and_then(|bytes| fits(bytes).map(|length| (length, bytes))) {
        Some((length, bytes)) => {
            out.extend_from_slice(&length.to_le_bytes());
            out.extend_from_slice(bytes);
        }
        None => out.extend_from_slice(&ABSENT.to_le_bytes()),
    }
}

/// Reads an intent. `uid` is its frame's, as a text.
///
/// # Errors
/// An [`IntentFault`].
pub(crate) fn decode<'a>(
    uid: &'a str,
    body: &'a [u8],
) -> Result<(Known<'a>, Digestion), IntentFault> {
    match body.split_first() {
        Some((version @ VERSION_FIRST..=VERSION, rest)) => {
            Rest(rest).known(uid, *version).ok_or(IntentFault::Malformed)
        }
        Some((version, _)) => Err(IntentFault::Version(*version)),
        None => Err(IntentFault::Malformed),
    }
}

/// What is still to be read.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn known(mut self, uid: &'a str, version: u8) -> Option<(Known<'a>, Digestion)> {
        let [flags, method] = self.array()?;
        let method = *METHODS.get(usize::from(method))?;
        let (_unused, start) = (self.array::<UNUSED_BYTES>()?, self.number()?);
        let (client, port) = self.place()?;
        let (local, local_port) = self.place()?;
        let (log, http_version) = (self.text()??, self.text()??);
        let (user_agent, trace) = (self.text()?, self.text()?);
        let (tls_version, cipher, sni) = (self.text()?, self.text()?, self.text()?);
        let client_certificate = if version > VERSION_FIRST { self.text()? } else { None };
        let digests = if version == VERSION { self.digests()? } else { Digestion::default() };
        let (api, path, operation) = (self.bytes()?, self.bytes()?, self.bytes()?);
        let (actor, caller) = (self.bytes()?, self.bytes()?);
        let mut observed = Vec::new();
        while !self.0.is_empty() {
            observed.push(self.text()??);
        }
        let operation = match (api, path, operation) {
            (Some(api), Some(path), Some(unmapped)) => Some(OperationJson { api, path, unmapped }),
            _ => None,
        };
        let known = Known {
            uid,
            log,
            start,
            client: (client, (flags & PORT != 0).then_some(port)),
            local: SocketAddr::new(local, local_port),
            method,
            http_version,
            user_agent,
            trace,
            tls: tls_version.map(|version| KnownTls { version, cipher, sni, client_certificate }),
            operation,
            caller: actor.zip(caller).map(|(actor, unmapped)| CallerJson { actor, unmapped }),
            observed,
            // Without it there is no intent.
            intended: true,
        };
        Some((known, digests))
    }

    fn digests(&mut self) -> Option<Digestion> {
        let mut digest = || match self.text()? {
            None => Some(None),
            Some(text) => Digested::read(text).map(Some),
        };
        let (target, received, forwarded) = (digest()?, digest()?, digest()?);
        Some(Digestion { target, received, forwarded, response: None })
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn number(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn place(&mut self) -> Option<(IpAddr, u16)> {
        let address = Ipv6Addr::from(self.array::<16>()?);
        Some((IpAddr::V6(address).to_canonical(), self.array().map(u16::from_le_bytes)?))
    }

    /// `None`: it ends too early; `Some(None)`: not there.
    fn bytes(&mut self) -> Option<Option<&'a [u8]>> {
        match self.array().map(u16::from_le_bytes)? {
            ABSENT => Some(None),
            length => self.take(usize::from(length)).map(Some),
        }
    }

    fn text(&mut self) -> Option<Option<&'a str>> {
        match self.bytes()? {
            None => Some(None),
            Some(bytes) => std::str::from_utf8(bytes).ok().map(Some),
        }
    }
}

#[cfg(test)]
mod tests;
