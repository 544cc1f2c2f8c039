//! What a service answers, held against the document where the configuration asks for it. A body that is looked at is
//! read whole, within the limit; all others pass as they come. Where members are dropped, what cannot be read does not
//! pass. It knows no callers.

use super::{Answer, Answered};
use crate::record::Record;
use crate::refusal::Refusal;
use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, ETAG};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use std::sync::Arc;
use upstream::UpstreamBody;
use validate::{AnswerPlan, AnswerSchema, Contract, Mode, Place, Violation};

/// What is said of the bytes of an answer (RFC 9530; RFC 3230; RFC 1864).
const DIGESTS: [&str; 4] = ["content-digest", "repr-digest", "digest", "content-md5"];

/// How far a body was read.
enum Read {
    Whole(Bytes),
    /// It is longer than may be read.
    Longer(Bytes),
}

/// Does the answer fit the document? Status and media type first, then the JSON of the body.
///
/// # Errors
/// [`Refusal::AnswerViolated`], [`Refusal::Upstream`].
pub async fn judge(answered: Answered, record: &mut Record) -> Result<Answer, Refusal> {
    let Answered { mut answer, contract } = answered;
    let Some((contract, mode)) = contract else { return Ok(answer) };
    let status = answer.response.status();
    let empty = answer.bodiless
        || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
        || answer.response.body().size_hint().exact() == Some(0);
    let headers = answer.response.headers();
    let violations = match contract.open_answer(status.as_u16(), headers, empty) {
        Ok(AnswerPlan::Passes) => {
            if empty && contract.drops_members() && status != StatusCode::NO_CONTENT {
                // What it says of a body may be about one that members would be dropped from.
                let headers = answer.response.headers_mut();
                headers.remove(CONTENT_LENGTH);
                forget_bytes(headers);
            }
            return Ok(answer);
        }
        Ok(AnswerPlan::Whole(schema)) if contract.drops_members() => {
            clean(&mut answer, &contract, schema, record).await?
        }
        Ok(AnswerPlan::Whole(schema)) => look(&mut answer, &contract, schema).await?,
        // What is coded cannot be told from what would be dropped.
        Err(violation) if contract.drops_members() && violation.rule == "content_encoding" => {
            return Err(Refusal::AnswerViolated(vec![violation]));
        }
        Err(violation) => vec![violation],
    };
    match mode {
        Mode::Enforce if !violations.is_empty() => return Err(Refusal::AnswerViolated(violations)),
        Mode::Enforce | Mode::Observe => {}
        Mode::Off => return Ok(answer),
    }
    for violation in violations {
        record.observed("response", violation.rule);
    }
    Ok(answer)
}

/// Reads the body, drops the members that its schema does not name, and holds what is left against it.
async fn clean(
    answer: &mut Answer,
    contract: &Arc<Contract>,
    schema: AnswerSchema,
    record: &mut Record,
) -> Result<Vec<Violation>, Refusal> {
    let refused = |violation| Refusal::AnswerViolated(vec![violation]);
    let too_large = || refused(Violation { place: Place::Size, rule: "body_bytes_max" });
    let bytes_max = contract.answer_bytes_max();
    let body = answer.response.body_mut();
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(too_large());
    }
    let Read::Whole(mut bytes) = read(body, bytes_max).await? else { return Err(too_large()) };
    let headers = answer.response.headers_mut();
    weaken(headers);
    if let Some((left, members)) = contract.drop_members(schema, &bytes).map_err(refused)? {
        record.dropped(members);
        forget_bytes(headers);
        bytes = Bytes::from(left);
        if headers.contains_key(CONTENT_LENGTH) {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
        }
    }
    let checked = contract.check_answer(schema, &bytes);
    answer.read = Some((bytes, true));
    Ok(checked.err().unwrap_or_default())
}

/// What was said of other bytes is not said of these.
fn forget_bytes(headers: &mut HeaderMap) {
    for name in DIGESTS {
        headers.remove(HeaderName::from_static(name));
    }
    weaken(headers);
}

/// An entity tag of bytes that the service did not make is a weak one (RFC 9110 7.7, 8.8.1).
fn weaken(headers: &mut HeaderMap) {
    let Some(tag) = headers.get(ETAG) else { return };
    if tag.as_bytes().starts_with(b"W/") {
        return;
    }
    match HeaderValue::from_bytes(&[b"W/", tag.as_bytes()].concat()) {
        Ok(weak) => headers.insert(ETAG, weak),
        Err(_) => headers.remove(ETAG),
    };
}

/// Reads the body and holds it against its schema; what was read stays with the answer.
async fn look(
    answer: &mut Answer,
    contract: &Arc<Contract>,
    schema: AnswerSchema,
) -> Result<Vec<Violation>, Refusal> {
    let too_large = || vec![Violation { place: Place::Size, rule: "body_bytes_max" }];
    let bytes_max = contract.answer_bytes_max();
    let body = answer.response.body_mut();
    // What says that it is too long is not read at all.
    if body.size_hint().lower() > bytes_max as u64 {
        return Ok(too_large());
    }
    Ok(match read(body, bytes_max).await? {
        Read::Longer(bytes) => {
            answer.read = Some((bytes, false));
            too_large()
        }
        Read::Whole(bytes) => {
            let checked = contract.check_answer(schema, &bytes);
            answer.read = Some((bytes, true));
            checked.err().unwrap_or_default()
        }
    })
}

/// Reads a body to its end, or to the frame that is one too many. Trailers of a body that is read are left behind.
async fn read(body: &mut UpstreamBody, bytes_max: usize) -> Result<Read, Refusal> {
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Refusal::Upstream(upstream::Fault::Protocol))?;
        let Ok(data) = frame.into_data() else { break };
        whole.extend_from_slice(&data);
        if whole.len() > bytes_max {
            return Ok(Read::Longer(whole.freeze()));
        }
    }
    Ok(Read::Whole(whole.freeze()))
}
