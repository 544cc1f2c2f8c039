//! The canonical spelling of a path and the syntax of a query (RFC 3986 3.3, 3.4, 6.2.2). Pure text in, text out.

use super::Malformed;

/// The canonical path, or why there is none.
pub(super) fn canonical(path: &str) -> Result<String, Malformed> {
    if !path.starts_with('/') {
        return Err(Malformed::TargetForm);
    }
    let mut out = String::with_capacity(path.len());
    let mut decoded = Vec::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            plain(byte)?;
            out.push(char::from(byte));
            decoded.push(byte);
            continue;
        }
        let value = escape(&mut bytes).ok_or(Malformed::PathEscape)?;
        escaped(value)?;
        decoded.push(value);
        if is_unreserved(value) {
            out.push(char::from(value));
        } else {
            out.push('%');
            out.push(hex_digit(value >> 4));
            out.push(hex_digit(value & 0x0f));
        }
    }
    if std::str::from_utf8(&decoded).is_err() {
        return Err(Malformed::PathUtf8);
    }
    if escaped_twice(&out) {
        return Err(Malformed::PathEscape);
    }
    segments(&out)?;
    Ok(out)
}

/// The query as sent, when it is one.
pub(super) fn query(query: &str) -> Result<&str, Malformed> {
    let mut bytes = query.bytes();
    while let Some(byte) = bytes.next() {
        if !byte.is_ascii_graphic() || (byte == b'%' && escape(&mut bytes).is_none()) {
            return Err(Malformed::Query);
        }
    }
    Ok(query)
}

/// A byte that stands for itself: `pchar` and the slash. Whether `;` may stand there, which servers cut paths at, is
/// for the target's reader to say ([`super::Target::has_matrix`]).
fn plain(byte: u8) -> Result<(), Malformed> {
    if byte.is_ascii_control() {
        return Err(Malformed::PathControl);
    }
    let allowed = is_unreserved(byte) || b"/!$&'()*+,=:@;".contains(&byte);
    if allowed { Ok(()) } else { Err(Malformed::PathCharacter) }
}

/// What may not even be there in encoded form, because a second decoder would act on it.
fn escaped(value: u8) -> Result<(), Malformed> {
    match value {
        b'/' | b'\\' => Err(Malformed::PathSeparator),
        value if value.is_ascii_control() => Err(Malformed::PathControl),
        _ => Ok(()),
    }
}

/// An encoded percent sign before two hex digits is an escape to a second decoder. Looked for in the canonical
/// path, where digits that came encoded are plain.
fn escaped_twice(path: &str) -> bool {
    const ESCAPED: &str = "%25";
    path.match_indices(ESCAPED).any(|(at, _)| {
        let from = at + ESCAPED.len();
        path.as_bytes()
            .get(from..from + 2)
            .is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    })
}

fn segments(path: &str) -> Result<(), Malformed> {
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        if segment == "." || segment == ".." {
            return Err(Malformed::PathDots);
        }
        // A server that cuts `;` and what follows off a segment would read dots, or nothing at all.
        if segment.split_once(';').is_some_and(|(before, _)| matches!(before, "." | "..")) {
            return Err(Malformed::PathCharacter);
        }
        if segment.is_empty() && segments.peek().is_some() {
            return Err(Malformed::PathSlashes);
        }
    }
    Ok(())
}

/// The two hex digits after a percent sign.
fn escape(bytes: &mut std::str::Bytes<'_>) -> Option<u8> {
    let high = char::from(bytes.next()?).to_digit(16)?;
    let low = char::from(bytes.next()?).to_digit(16)?;
    u8::try_from(high * 16 + low).ok()
}

fn hex_digit(nibble: u8) -> char {
    char::from_digit(u32::from(nibble), 16).unwrap_or('0').to_ascii_uppercase()
}

/// RFC 3986 2.3.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}
