//! The stages that adapt a leaf crate to the pipeline: they translate, they do not decide.

use crate::clock;
use crate::passage::{Bounds, Passage};
use crate::pipeline::Permit;
use crate::policy::Policy;
use crate::record::{Intent, Record, RecordedBody};
use crate::refusal::Refusal;
use crate::reply::{self, REQUEST_ID, Reply};
use crate::routes::Found;
use audit::facts::{Decision, StreamKind};
use authn::Principal;
use bytes::Bytes;
use edge::{ClientCertificate, Exchange};
use http::header::{
    CONNECTION, CONTENT_TYPE, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue, SERVER,
    STRICT_TRANSPORT_SECURITY, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{Method, Response, StatusCode};
use http_body::Body as _;
use ratelimit::{Admitted, Granted, Refusal as LimitRefusal};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use upstream::{Caller, ClientScheme, Outgoing, OutgoingBody, Passing, UpstreamBody};
use validate::{Attack, Clean, Contract, Mode, Payload, RequestView};

mod judge;

pub use judge::judge;

/// What came back from a service; only [`forward`] makes one, and [`judge`] makes an [`Answer`] of it.
#[derive(Debug)]
pub struct Answered {
    answer: Answer,
    /// What it is held against, if anything.
    contract: Option<(Arc<Contract>, Mode)>,
}

/// An answer that was judged; only [`release`] lets it out.
#[derive(Debug)]
pub struct Answer {
    response: Response<UpstreamBody>,
    granted: Granted,
    bodiless: bool,
    scheme: ClientScheme,
    /// How long what passes unread may last.
    lasts: Option<Duration>,
    /// What was read of the body, and whether that is all of it.
    read: Option<(Bytes, bool)>,
}

/// May this address ask now? Where no trusted proxy said whose request it is, nobody is charged for it.
///
/// # Errors
/// [`Refusal::AddressLimited`], [`Refusal::Malformed`].
pub fn admit_address(
    policy: &Policy,
    exchange: &Exchange,
    now: SystemTime,
) -> Result<Admitted, Refusal> {
    let client = exchange.client().map_err(Refusal::Malformed)?;
    policy.limits.admit_address(client, now).map_err(Refusal::AddressLimited)
}

/// Has this worker time for it?
///
/// # Errors
/// [`Refusal::Overloaded`].
pub fn shed(exchange: &Exchange) -> Result<(), Refusal> {
    if exchange.is_surplus() { Err(Refusal::Overloaded) } else { Ok(()) }
}

/// Where its listener sends clients to https, a request goes no further than to a declared host.
///
/// # Errors
/// There, always: [`Refusal::Redirected`], [`Refusal::Malformed`], [`Refusal::HostUndeclared`].
pub fn redirect(policy: &Policy, exchange: &Exchange) -> Result<(), Refusal> {
    let Some(port) = exchange.connection.redirects_to() else { return Ok(()) };
    let target = exchange.target().map_err(Refusal::Malformed)?;
    let is_declared = policy.routes.answers_for(target.host());
    Err(if is_declared { Refusal::Redirected(port) } else { Refusal::HostUndeclared })
}

/// Which certificate does the client have, if any? A bad one that a proxy passes on costs the address a second request.
///
/// # Errors
/// [`Refusal::Malformed`].
pub fn certificate(
    policy: &Policy,
    exchange: &Exchange,
    record: &mut Record,
    now: SystemTime,
) -> Result<Option<Arc<ClientCertificate>>, Refusal> {
    let shown = exchange.client_certificate().map_err(|malformed| {
        policy.limits.charge_address(exchange.client_address(), now);
        Refusal::Malformed(malformed)
    })?;
    if exchange.connection.passes_on_certificates()
        && let Some(certificate) = &shown
    {
        record.knows_certificate(certificate);
    }
    Ok(shown)
}

/// Who asks? A bad credential costs the address a second request.
///
/// # Errors
/// [`Refusal::Credential`].
pub async fn identify(
    policy: &Policy,
    found: &Found,
    exchange: &Exchange,
    certificate: Option<Arc<ClientCertificate>>,
    now: SystemTime,
) -> Result<Principal, Refusal> {
    let sent = authn::Sent {
        headers: &exchange.head.headers,
        certificate: certificate.as_ref().map(|certificate| &**certificate.thumbprint()),
    };
    let identified = authn::identify(&found.demand, sent, now).await;
    identified.map_err(|denied| {
        if !matches!(denied, authn::Denied::Unavailable { .. }) {
            policy.limits.charge_address(exchange.client_address(), now);
        }
        Refusal::Credential(denied)
    })
}

/// May this client ask now? Callers without a name are counted by address.
///
/// # Errors
/// [`Refusal::ClientLimited`], [`Refusal::LimitsUnavailable`].
pub async fn admit_client(
    policy: &Policy,
    principal: &Principal,
    exchange: &Exchange,
    now: SystemTime,
) -> Result<Granted, Refusal> {
    let address = address_key(exchange.client_address());
    let key = match (principal.issuer(), principal.client().or_else(|| principal.subject())) {
        (Some(issuer), Some(client)) => [issuer, principal.tenant().unwrap_or_default(), client],
        _ => ["anonymous", "", &address],
    };
    let granted = policy.limits.admit_client(&key, principal.tier(), now).await;
    granted.map_err(|refusal| match refusal {
        LimitRefusal::Limited(limited) => Refusal::ClientLimited(limited),
        LimitRefusal::Unavailable => Refusal::LimitsUnavailable,
    })
}

fn address_key(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => (v6.to_bits() >> 64).to_string(),
    }
}

/// Does the request fit its contract? Parameters and media type first, then the body is read.
///
/// # Errors
/// [`Refusal::ContractViolated`], [`Refusal::Body`].
pub async fn check(
    found: &Found,
    exchange: &mut Exchange,
    record: &mut Record,
) -> Result<Payload, Refusal> {
    let has_body = has_body(found, exchange).await.map_err(Refusal::Body)?;
    // Whether its path may hold `;` was asked where the operation was found.
    let target = exchange.matrix_target().map_err(Refusal::Malformed)?;
    let parameters: Vec<_> = found.path_parameters(target.path()).collect();
    let view = RequestView {
        path_parameters: &parameters,
        query: target.query(),
        headers: &exchange.head.headers,
        has_body,
    };
    let opened =
        found.contract.open(&view, found.contract_mode).map_err(Refusal::ContractViolated)?;
    if let Some(bounds) = &found.stream {
        if exchange.asks_websocket() && !bounds.websocket {
            return Err(Refusal::UpgradeUndeclared);
        }
        let payload = opened.unread();
        payload.amend(&mut exchange.head.headers);
        return Ok(payload);
    }
    if exchange.asks_websocket() {
        return Err(Refusal::UpgradeUndeclared);
    }
    let body = exchange.body.read_whole(opened.body_bytes_max()).await.map_err(Refusal::Body)?;
    record.receives(&body);
    let payload = opened.finish(body).map_err(Refusal::ContractViolated)?;
    payload.amend(&mut exchange.head.headers);
    Ok(payload)
}

/// Whether there is a body. One that passes unread is not waited for: its sender may want to hear something first.
async fn has_body(found: &Found, exchange: &mut Exchange) -> Result<bool, edge::BodyError> {
    if exchange.asks_websocket() {
        // What comes after the handshake is no body of it.
        return Ok(false);
    }
    if exchange.head.headers.contains_key(EXPECT) && !exchange.body.is_end_stream() {
        // To look for it would give leave to send it (RFC 9110 10.1.1), before it is known whether it is wanted. Whoever
        // asks for leave has one.
        return Ok(true);
    }
    let method = &exchange.head.method;
    let expected = method == Method::POST || method == Method::PUT || method == Method::PATCH;
    if found.stream.is_some() && expected {
        return Ok(!exchange.body.is_end_stream());
    }
    exchange.body.has_bytes().await
}

/// Is what fits the contract free of attacks? What `observe` and exceptions let pass is noted, and what `strip` took out.
///
/// # Errors
/// [`Refusal::Attack`].
pub fn inspect(
    found: &Found,
    exchange: &Exchange,
    payload: Payload,
    record: &mut Record,
) -> Result<Clean, Refusal> {
    for violation in payload.observed() {
        record.observed("schema", violation.rule);
    }
    let clean = match found.filter.inspect(&found.operation, payload) {
        Ok(clean) => clean,
        Err(attack) => mend(found, exchange, attack, record)?,
    };
    for used in clean.excepted() {
        record.excepted(&found.api, used);
    }
    for rule in clean.observed() {
        record.observed("filter", rule);
    }
    Ok(clean)
}

/// What covers a request by a digest or a signature of the client (RFC 9530, RFC 3230, RFC 1864): it is not changed.
const SIGNED: [&str; 4] = ["content-digest", "repr-digest", "digest", "content-md5"];
/// How the fields of signatures begin: `Signature` and `Signature-Input` (RFC 9421), and the ways before it.
const SIGNATURE: &str = "signature";

/// Whether the client says by a digest or a signature which bytes it sent.
fn is_signed(headers: &HeaderMap) -> bool {
    let signs = |name: &str| SIGNED.contains(&name) || name.starts_with(SIGNATURE);
    headers.keys().any(|name| signs(name.as_str()))
}

/// Holds what is left without the hostile texts against contract and filter, like a request of its own.
fn mend(
    found: &Found,
    exchange: &Exchange,
    mut attack: Attack,
    record: &mut Record,
) -> Result<Clean, Refusal> {
    let headers = &exchange.head.headers;
    let Some(cure) = attack.cure.take().filter(|_| !is_signed(headers)) else {
        return Err(Refusal::Attack(attack));
    };
    let target = exchange.matrix_target().map_err(Refusal::Malformed)?;
    let parameters: Vec<_> = found.path_parameters(target.path()).collect();
    let view = RequestView {
        path_parameters: &parameters,
        query: cure.query.as_deref(),
        headers,
        has_body: !cure.body.is_empty(),
    };
    // What was changed here must fit, even where what came need not.
    let opened = found.contract.open(&view, Mode::Enforce);
    let payload = opened.and_then(|opened| opened.finish(cure.body));
    let clean =
        payload.ok().and_then(|payload| found.filter.inspect(&found.operation, payload).ok());
    let clean = clean.ok_or_else(|| Refusal::Attack(attack.clone()))?;
    record.observed("stripped", attack.rule);
    Ok(clean)
}

/// Sends an admitted request to its service, signed and over mutual TLS.
///
/// # Errors
/// [`Refusal::Upstream`].
pub async fn forward(
    exchange: &mut Exchange,
    permit: Permit,
    _intent: Intent,
    record: &mut Record,
) -> Result<Answered, Refusal> {
    let Permit { found, admitted: _, principal, granted, authorized: _, clean } = permit;
    let (query, body) = clean.into_parts();
    let began = clock::now();
    let lasts = found.stream.map(|bounds| bounds.lasts(principal.expires_at(), began));
    let body = match found.stream.zip(lasts) {
        Some((bounds, lasts)) => {
            let asks_websocket = exchange.asks_websocket();
            let is_whole = exchange.body.size_hint().exact().is_some();
            let body = pass(exchange, &bounds, lasts, record)?;
            if !is_whole && !asks_websocket {
                record.opens(record.stream_kind()).await?; // its end is as open as its answer's
            }
            if asks_websocket { OutgoingBody::WebSocket(body) } else { OutgoingBody::Passing(body) }
        }
        None if body.is_empty() => OutgoingBody::Empty,
        None => OutgoingBody::Whole(body),
    };
    let target = exchange.matrix_target().map_err(Refusal::Malformed)?;
    let trace_parent = record.trace_parent();
    let scheme =
        if exchange.connection.tls().is_some() { ClientScheme::Https } else { ClientScheme::Http };
    let outgoing = Outgoing {
        method: exchange.head.method.clone(),
        path: target.path(),
        query: query.as_deref(),
        headers: &exchange.head.headers,
        pass: &found.pass,
        body,
        caller: caller(&principal),
        transaction: record.transaction(),
        client_address: exchange.client_address(),
        host: target.host(),
        scheme,
        trace_parent: Some(&trace_parent),
        silence_max: found.stream.map(|bounds| bounds.silence_max),
    };
    let bodiless = exchange.head.method == Method::HEAD;
    let response = found.upstream.forward(outgoing, began).await;
    record.forwarded(clock::now().duration_since(began).unwrap_or_default());
    // What the client did is not the service's fault.
    let response = response.map_err(|fault| match record.ended() {
        Some(ended) => Refusal::from(ended),
        None => Refusal::Upstream(fault),
    })?;
    // What passes unread is not read on its way back either.
    let judged = found.answers != Mode::Off && found.stream.is_none();
    let contract = judged.then(|| (found.contract.clone(), found.answers));
    let answer = Answer { response, granted, bodiless, scheme, lasts, read: None };
    Ok(Answered { answer, contract })
}

/// Lets the body pass unread, as the configuration has it.
fn pass(
    exchange: &mut Exchange,
    bounds: &Bounds,
    lasts: Duration,
    record: &mut Record,
) -> Result<Passing, Refusal> {
    let body = std::mem::replace(&mut exchange.body, edge::Body::empty());
    let passage = Passage::open(body, bounds, lasts).map_err(Refusal::Body)?;
    let passage = passage.digested_by(record.passage_digests());
    record.passes(passage.passed());
    Ok(Box::pin(passage))
}

fn caller(principal: &Principal) -> Caller<'_> {
    Caller {
        issuer: principal.issuer(),
        subject: principal.subject(),
        client: principal.client(),
        tenant: principal.tenant(),
        scopes: principal.scopes(),
    }
}

/// The only way out: header hygiene, then the outcome on record before the last byte.
pub async fn release(answer: Answer, mut record: Record) -> Reply {
    let Answer { response, granted, bodiless, scheme, lasts, read } = answer;
    let (mut head, body) = response.into_parts();
    head.version = http::Version::HTTP_11;
    head.extensions.clear();
    strip(&mut head.headers);
    if scheme == ClientScheme::Http {
        // RFC 6797 7.2: only said where nobody can have changed it.
        head.headers.remove(STRICT_TRANSPORT_SECURITY);
    }
    reply::insert(&mut head.headers, REQUEST_ID, record.transaction());
    reply::rate_limit(&granted, &mut head.headers);
    record.answers(head.status.as_u16());
    let empty = bodiless
        || head.status == StatusCode::NO_CONTENT
        || head.status == StatusCode::NOT_MODIFIED
        || body.size_hint().exact() == Some(0);
    if !empty
        && let Some(kind) = streams(&head, lasts.is_some(), body.size_hint().exact(), &record)
        && let Err(refusal) = record.opens(kind).await
    {
        return record.refuse(&refusal).await;
    }
    let whole = match read {
        Some((bytes, true)) => bytes,
        Some((bytes, false)) => {
            let body = RecordedBody::upstream(body, record, lasts).after(bytes);
            return Response::from_parts(head, body);
        }
        None if !empty => {
            return Response::from_parts(head, RecordedBody::upstream(body, record, lasts));
        }
        None => Bytes::new(),
    };
    record.says(&whole);
    if record.close(Decision::Allowed).await.is_err() {
        return reply::whole(reply::problem(&Refusal::Unrecordable, record.transaction()));
    }
    Response::from_parts(head, RecordedBody::whole(whole))
}

/// What kind of stream an answer begins, if it is one: a WebSocket, events, or what passes unread and has no length.
fn streams(
    head: &http::response::Parts,
    passes: bool,
    length: Option<u64>,
    record: &Record,
) -> Option<StreamKind> {
    let media_type = head.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    let begins =
        |kind: &[u8]| media_type.get(..kind.len()).is_some_and(|m| m.eq_ignore_ascii_case(kind));
    match length {
        _ if head.status == StatusCode::SWITCHING_PROTOCOLS => Some(StreamKind::WebSocket),
        None if begins(b"text/event-stream") => Some(StreamKind::Events),
        None if passes => Some(record.stream_kind()),
        None | Some(_) => None,
    }
}

/// Takes out what belongs to the connection behind the gateway (RFC 9110 7.6.1) and what tells of
/// the software there.
fn strip(headers: &mut HeaderMap) {
    let nominated: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    let fixed = [CONNECTION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, SERVER, HOST];
    let named =
        ["keep-alive", "proxy-connection", "proxy-authenticate", "x-powered-by", "via", "alt-svc"];
    for name in nominated.iter().chain(&fixed) {
        headers.remove(name);
    }
    for name in named {
        headers.remove(name);
    }
}
