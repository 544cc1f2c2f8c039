//! The cookies of a request (RFC 6265 4.2.1), and the field written anew from those that are declared. It knows no
//! schemas.

use http::HeaderMap;
use http::header::COOKIE;

/// One cookie as it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cookie<'h> {
    pub(crate) name: &'h str,
    pub(crate) raw: &'h str,
}

/// Every cookie, of all fields (RFC 9113 8.2.3 splits them). A piece without `=` is a name without a value.
///
/// Refused: what is not ASCII, an empty name, and more than `count_max`.
pub(crate) fn all(headers: &HeaderMap, count_max: usize) -> Result<Vec<Cookie<'_>>, &'static str> {
    let mut found = Vec::new();
    for field in headers.get_all(COOKIE) {
        let text = field.to_str().map_err(|_| "cookie_syntax")?;
        for piece in text.split(';').map(str::trim).filter(|piece| !piece.is_empty()) {
            let (name, raw) = piece.split_once('=').unwrap_or((piece, ""));
            let (name, raw) = (name.trim(), raw.trim());
            if name.is_empty() {
                return Err("cookie_syntax");
            }
            if found.len() >= count_max {
                return Err("cookies_max");
            }
            found.push(Cookie { name, raw });
        }
    }
    Ok(found)
}

/// Whether every reader takes this value for what it is: no quotes, no commas, no backslashes (RFC 6265 4.1.1), which
/// some readers end or join values at. A comma is taken where a list is written with it.
pub(crate) fn is_plain(raw: &str, is_list: bool) -> bool {
    raw.bytes().all(|byte| match byte {
        b',' => is_list,
        b'"' | b'\\' | b';' => false,
        byte => byte.is_ascii_graphic(),
    })
}

/// Adds a cookie to the field being written.
pub(crate) fn append(field: &mut String, cookie: Cookie<'_>) {
    if !field.is_empty() {
        field.push_str("; ");
    }
    field.push_str(cookie.name);
    field.push('=');
    field.push_str(cookie.raw);
}
