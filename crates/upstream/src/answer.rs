//! What the head of an answer may not be, where the engine that read it takes more than one reading allows. It knows no
//! bodies.

use http::{Response, StatusCode, header};

use crate::fault::Fault;

/// The first status that is none (RFC 9110 15).
const STATUS_END: u16 = 600;

/// Refuses an answer that nobody should hear.
pub(crate) fn check<B>(response: &Response<B>) -> Result<(), Fault> {
    // Nobody asked for another protocol, and what follows would pass unchecked.
    let is_switch = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    let is_status = response.status().as_u16() < STATUS_END;
    // The engine reads to the end of the connection where the last coding is another one (RFC 9112 6.3).
    let mut codings = response.headers().get_all(header::TRANSFER_ENCODING).iter();
    let is_framed = match (codings.next(), codings.next()) {
        (None, _) => true,
        (Some(coding), None) => {
            // Beside a length it is as good as forged (RFC 9112 6.3).
            let is_alone = !response.headers().contains_key(header::CONTENT_LENGTH);
            is_alone && coding.as_bytes().eq_ignore_ascii_case(b"chunked")
        }
        (Some(_), Some(_)) => false,
    };
    if is_switch || !is_status || !is_framed { Err(Fault::Protocol) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(status: u16, codings: &[&str]) -> Result<(), Fault> {
        let mut response = Response::builder().status(status);
        for coding in codings {
            response = response.header("transfer-encoding", *coding);
        }
        check(&response.body(()).unwrap())
    }

    #[test]
    fn statuses_are_those_of_http() {
        for status in [200, 204, 404, 599] {
            assert!(judged(status, &[]).is_ok(), "{status}");
        }
        for status in [101, 600, 999] {
            assert!(judged(status, &[]).is_err(), "{status}");
        }
    }

    #[test]
    fn chunked_is_the_only_coding() {
        assert!(judged(200, &["chunked"]).is_ok());
        assert!(judged(200, &["Chunked"]).is_ok());
        for codings in [
            &["identity"][..],
            &["gzip, chunked"],
            &["chunked, identity"],
            &["chunked", "chunked"],
            &[""],
        ] {
            assert!(judged(200, codings).is_err(), "{codings:?}");
        }
        let both = Response::builder().header("transfer-encoding", "chunked");
        assert!(check(&both.header("content-length", "2").body(()).unwrap()).is_err());
    }
}
