//! Content type and content coding of a request, and the bodies a document declares. It knows the
//! header fields, not the bytes.

use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};

use crate::schema::Schema;

/// The body an operation takes.
#[derive(Debug)]
pub(crate) struct DeclaredBody {
    pub(crate) required: bool,
    pub(crate) media: Vec<Media>,
}

/// One media type of it.
#[derive(Debug)]
pub(crate) struct Media {
    /// Type and subtype in lower case; a range has `*`.
    pub(crate) name: String,
    pub(crate) kind: BodyKind,
}

/// How the bytes are read.
#[derive(Debug)]
pub(crate) enum BodyKind {
    Json(Schema),
    Text(Option<Schema>),
    Octets,
}

/// Why a content type is not taken: the name of the rule.
pub(crate) type Refused = &'static str;

/// Type and subtype in lower case; `None` where the request has no content type.
///
/// Refused: two fields, a malformed one, a charset other than UTF-8.
pub(crate) fn content_type(headers: &HeaderMap) -> Result<Option<String>, Refused> {
    let mut fields = headers.get_all(CONTENT_TYPE).iter();
    let Some(field) = fields.next() else { return Ok(None) };
    if fields.next().is_some() {
        return Err("repeated");
    }
    let text = field.to_str().map_err(|_| "malformed")?;
    let mut parts = text.split(';');
    let essence = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
    let (kind, subtype) = essence.split_once('/').ok_or("malformed")?;
    if !is_token(kind) || !is_token(subtype) {
        return Err("malformed");
    }
    let mut charset_seen = false;
    for parameter in parts {
        let (name, value) = parameter.trim().split_once('=').ok_or("malformed")?;
        let value = value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).unwrap_or(value);
        if !is_token(name) || value.contains(['"', '\\', ',']) {
            return Err("malformed");
        }
        if name.eq_ignore_ascii_case("charset") {
            if charset_seen || !value.eq_ignore_ascii_case("utf-8") {
                return Err("charset");
            }
            charset_seen = true;
        }
    }
    Ok(Some(essence))
}

/// Whether the body is sent as it is.
pub(crate) fn is_identity(headers: &HeaderMap) -> bool {
    headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .all(|field| field.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity"))
}

pub(crate) fn is_json(essence: &str) -> bool {
    essence == "application/json" || essence.ends_with("+json")
}

impl DeclaredBody {
    /// The declared body for a content type: the exact name first, then a range.
    pub(crate) fn find(&self, essence: &str) -> Option<usize> {
        self.media.iter().position(|media| match media.name.as_str() {
            "*/*" => is_json(essence),
            "application/*" => is_json(essence) && essence.starts_with("application/"),
            name => name == essence,
        })
    }
}

/// RFC 9110 5.6.2.
fn is_token(text: &str) -> bool {
    let mark = |b: u8| b"!#$%&'*+-.^_`|~".contains(&b);
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || mark(b))
}
