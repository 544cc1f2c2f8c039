//! The strict reading of an HTTP/1 request head, line by line as it comes in (RFC 9112 2 to 6). It takes less than the
//! engine behind it, so that what the engine would mend, merge or answer by itself is never shown to it. Sans-IO.

use http::Uri;

use super::follow::Framing;
use crate::settings::Limits;
use crate::target::{Malformed, content_length};

/// Bytes of a request line beside its target: the longest method, two spaces, the version.
const LINE_OVERHEAD_BYTES: usize = 64;
/// Letters of the longest method that is looked at.
const METHOD_BYTES_MAX: usize = 32;

/// How far the reading of one head is.
#[derive(Debug)]
pub(crate) struct HeadReader {
    line_bytes_max: usize,
    head_bytes_max: usize,
    fields_max: usize,
    /// Where the line begins that is not complete yet.
    at: usize,
    lines: usize,
    is_http_10: bool,
    length: Option<u64>,
    is_chunked: bool,
}

impl HeadReader {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            line_bytes_max: limits.target_bytes_max.saturating_add(LINE_OVERHEAD_BYTES),
            head_bytes_max: limits.engine_head_bytes(),
            fields_max: limits.header_count_max,
            at: 0,
            lines: 0,
            is_http_10: false,
            length: None,
            is_chunked: false,
        }
    }

    /// Forgets the head that was read.
    pub(super) fn renew(&mut self) {
        self.at = 0;
        self.lines = 0;
        self.is_http_10 = false;
        self.length = None;
        self.is_chunked = false;
    }

    /// Reads on. `bytes` begin with the head, whatever was given before. The length of the head and the framing of its
    /// body once it is complete.
    pub(crate) fn advance(&mut self, bytes: &[u8]) -> Result<Option<(usize, Framing)>, Malformed> {
        loop {
            let rest = bytes.get(self.at..).unwrap_or_default();
            let Some(length) = memchr::memchr(b'\n', rest) else {
                self.fits(bytes.len(), rest.len())?;
                return Ok(None);
            };
            let line = rest.get(..length).unwrap_or_default();
            self.at = self.at.saturating_add(length).saturating_add(1);
            self.fits(self.at, length)?;
            let line = line.strip_suffix(b"\r").ok_or(Malformed::LineEnding)?;
            if memchr::memchr(b'\r', line).is_some() {
                return Err(Malformed::LineEnding);
            }
            let number = self.lines;
            self.lines = number.saturating_add(1);
            if number == 0 {
                self.request_line(line)?;
            } else if line.is_empty() {
                return Ok(Some((self.at, self.framing()?)));
            } else if number > self.fields_max {
                return Err(Malformed::FieldCount);
            } else {
                self.field(line)?;
            }
        }
    }

    fn fits(&self, head_bytes: usize, line_bytes: usize) -> Result<(), Malformed> {
        if self.lines == 0 && line_bytes > self.line_bytes_max {
            Err(Malformed::TargetTooLong)
        } else if head_bytes > self.head_bytes_max {
            Err(Malformed::FieldBytes)
        } else {
            Ok(())
        }
    }

    /// `method SP target SP version`, one space each (RFC 9112 3).
    fn request_line(&mut self, line: &[u8]) -> Result<(), Malformed> {
        let mut parts = line.split(|byte| *byte == b' ');
        let (Some(method), Some(target), Some(version), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Malformed::RequestLine);
        };
        let is_method = (1..=METHOD_BYTES_MAX).contains(&method.len());
        if !(is_method && method.iter().all(|byte| is_token(*byte))) {
            return Err(Malformed::RequestLine);
        }
        self.is_http_10 = match version {
            b"HTTP/1.1" => false,
            b"HTTP/1.0" => true,
            [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
                if major.is_ascii_digit() && minor.is_ascii_digit() =>
            {
                return Err(Malformed::Version);
            }
            _ => return Err(Malformed::RequestLine),
        };
        target_form(target)
    }

    /// `name ":" OWS value OWS`: no fold, no space before the colon (RFC 9112 5).
    fn field(&mut self, line: &[u8]) -> Result<(), Malformed> {
        let colon = memchr::memchr(b':', line).ok_or(Malformed::FieldSyntax)?;
        let (name, value) = line.split_at_checked(colon).ok_or(Malformed::FieldSyntax)?;
        if name.is_empty() || !name.iter().all(|byte| is_token(*byte)) {
            return Err(Malformed::FieldSyntax);
        }
        let value = without_space(value.get(1..).unwrap_or_default());
        if value.iter().any(|byte| *byte != b'\t' && byte.is_ascii_control()) {
            return Err(Malformed::FieldValue);
        }
        if name.eq_ignore_ascii_case(b"content-length") {
            let length = content_length(value).ok_or(Malformed::ContentLength)?;
            if self.length.replace(length).is_some() {
                return Err(Malformed::FieldRepeated);
            }
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            let is_known = value.eq_ignore_ascii_case(b"chunked");
            if !is_known || std::mem::replace(&mut self.is_chunked, true) {
                return Err(Malformed::TransferEncoding);
            }
        }
        Ok(())
    }

    /// One reading of where the body ends, or none (RFC 9112 6.3).
    fn framing(&self) -> Result<Framing, Malformed> {
        match (self.is_chunked, self.length) {
            (true, None) if !self.is_http_10 => Ok(Framing::Chunked),
            (true, _) => Err(Malformed::TransferEncoding),
            (false, length) => Ok(Framing::Length(length.unwrap_or(0))),
        }
    }
}

/// What the engine can parse, and no fragment, which it would drop in silence. What is left of a target's rules is the
/// matter of [`crate::Target`].
fn target_form(target: &[u8]) -> Result<(), Malformed> {
    if target.contains(&b'#') {
        return Err(Malformed::PathCharacter);
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:@/?".contains(&byte);
    if target.starts_with(b"/") && target.iter().all(|byte| plain(*byte)) {
        return Ok(());
    }
    if !target.iter().all(u8::is_ascii_graphic) || Uri::try_from(target).is_err() {
        return Err(Malformed::TargetForm);
    }
    Ok(())
}

/// Without the optional space around it, which is spaces and tabs only (RFC 9110 5.6.3).
fn without_space(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// `tchar` (RFC 9110 5.6.2).
pub(super) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests;
