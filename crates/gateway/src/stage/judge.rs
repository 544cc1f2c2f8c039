//! What a service answers, held against the document where the configuration asks for it. A body that is looked at is
//! read whole, within the limit; all others pass as they come. It knows no callers.

use super::{Answer, Answered};
use crate::record::Record;
use crate::refusal::Refusal;
use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http_body::Body as _;
use http_body_util::BodyExt as _;
use std::sync::Arc;
use upstream::UpstreamBody;
use validate::{AnswerPlan, AnswerSchema, Contract, Mode, Place, Violation};

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
        Ok(AnswerPlan::Passes) => return Ok(answer),
        Ok(AnswerPlan::Whole(schema)) => look(&mut answer, &contract, schema).await?,
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
