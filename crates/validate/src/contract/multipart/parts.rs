//! The bytes of a multipart body as its parts (RFC 2046 5.1, RFC 7578 4), in the one way that every reader agrees on. It
//! knows no fields.

use memchr::memmem;

use crate::contract::media::is_token;
use crate::contract::wire::Rule;
use crate::limits::Limits;

/// Bytes of a file name: what file systems take.
const FILE_NAME_BYTES_MAX: usize = 255;

/// One part.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part<'b> {
    pub(super) name: &'b str,
    pub(super) file_name: Option<&'b str>,
    pub(super) content_type: Option<&'b str>,
    /// Other header fields, their names in lower case.
    pub(super) headers: Vec<(String, &'b str)>,
    pub(super) content: &'b [u8],
}

/// Splits a body. Refused: anything before the first boundary and after the last, a boundary that does not stand alone
/// on its line, lines that end otherwise than with CRLF, and what some readers of headers take in another way.
pub(super) fn split<'b>(
    body: &'b [u8],
    boundary: &str,
    limits: &Limits,
) -> Result<Vec<Part<'b>>, Rule> {
    let dashed = format!("--{boundary}");
    let finder = memmem::Finder::new(&dashed);
    let mut parts = Vec::new();
    let mut rest = body.strip_prefix(dashed.as_bytes()).ok_or("multipart_syntax")?;
    loop {
        // Whether this was the last one.
        if let Some(end) = rest.strip_prefix(b"--") {
            let is_over = end.is_empty() || end == b"\r\n";
            return if is_over { Ok(parts) } else { Err("multipart_syntax") };
        }
        rest = rest.strip_prefix(b"\r\n").ok_or("multipart_syntax")?;
        // Every place where the boundary stands separates parts, or the body is read in two ways.
        let next = finder.find(rest).ok_or("multipart_syntax")?;
        let own = rest.get(..next).unwrap_or_default();
        let own = own.strip_suffix(b"\r\n").ok_or("multipart_syntax")?;
        if parts.len() >= limits.parts_max {
            return Err("parts_max");
        }
        parts.push(part(own, limits)?);
        rest = rest.get(next + dashed.len()..).unwrap_or_default();
    }
}

fn part<'b>(own: &'b [u8], limits: &Limits) -> Result<Part<'b>, Rule> {
    const END: &[u8] = b"\r\n\r\n";
    let window = own.get(..limits.part_header_bytes_max + END.len()).unwrap_or(own);
    let end = match memmem::find(window, END) {
        Some(end) => end,
        None if own.len() > window.len() => return Err("part_header_bytes_max"),
        None => return Err("multipart_syntax"),
    };
    let head = std::str::from_utf8(own.get(..end).unwrap_or_default()).map_err(|_| "utf8")?;
    let content = own.get(end + END.len()..).unwrap_or_default();
    let mut disposition = None;
    let mut part =
        Part { name: "", file_name: None, content_type: None, headers: Vec::new(), content };
    for line in head.split("\r\n") {
        // A folded line has no name at its beginning.
        let (name, value) = line.split_once(':').ok_or("part_header")?;
        let value = value.trim_matches([' ', '\t']);
        if !is_token(name) || value.chars().any(|c| c.is_control() && c != '\t') {
            return Err("part_header");
        }
        let name = name.to_ascii_lowercase();
        let repeated = match name.as_str() {
            "content-disposition" => disposition.replace(value).is_some(),
            "content-type" => part.content_type.replace(value).is_some(),
            _ => part.headers.iter().any(|(own, _)| *own == name),
        };
        if repeated {
            return Err("part_header");
        }
        if !matches!(name.as_str(), "content-disposition" | "content-type") {
            part.headers.push((name, value));
        }
    }
    let (name, file_name) = read_disposition(disposition.ok_or("part_header")?)?;
    Ok(Part { name, file_name, ..part })
}

/// `form-data; name="..."; filename="..."`, and nothing else: `filename*` is not for forms (RFC 7578 4.2).
fn read_disposition(text: &str) -> Result<(&str, Option<&str>), Rule> {
    let mut rest = text.strip_prefix("form-data").ok_or("part_header")?;
    let (mut name, mut file_name) = (None, None);
    while !rest.is_empty() {
        let inner = rest.strip_prefix(';').ok_or("part_header")?.trim_start_matches(' ');
        let (key, after) = inner.split_once('=').ok_or("part_header")?;
        let (value, left) = parameter(after)?;
        let slot = match key {
            "name" => &mut name,
            "filename" => &mut file_name,
            _ => return Err("part_header"),
        };
        if slot.replace(value).is_some() {
            return Err("part_header");
        }
        rest = left;
    }
    let name = name.filter(|name| !name.is_empty()).ok_or("part_header")?;
    if file_name.is_some_and(|file_name| !is_file_name(file_name)) {
        return Err("file_name");
    }
    Ok((name, file_name))
}

/// A quoted text without escapes, which readers take in different ways, or a token.
fn parameter(text: &str) -> Result<(&str, &str), Rule> {
    if let Some(quoted) = text.strip_prefix('"') {
        let (value, rest) = quoted.split_once('"').ok_or("part_header")?;
        let escaped = value.contains('\\');
        return if escaped { Err("part_header") } else { Ok((value, rest)) };
    }
    let (value, rest) =
        text.split_at_checked(text.find(';').unwrap_or(text.len())).ok_or("part_header")?;
    if is_token(value) { Ok((value, rest)) } else { Err("part_header") }
}

/// A name within a folder, not a way to another one.
fn is_file_name(name: &str) -> bool {
    name.len() <= FILE_NAME_BYTES_MAX
        && !matches!(name, "." | "..")
        && !name.contains(['/', '\\', ':'])
        && !name.chars().any(char::is_control)
}
