//! Content type of a request, and the bodies a document declares. It knows the
//! header fields, not the bytes.

use http::HeaderMap;
use http::header::CONTENT_TYPE;

use super::form::Form;
use super::multipart::Multipart;
use super::octets::Octets;
use super::xml::Xml;
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
    Form(Form),
    Multipart(Multipart),
    Xml(Xml),
    Octets(Octets),
}

impl BodyKind {
    /// The schema of its values.
    pub(crate) fn schema(&self) -> Option<&Schema> {
        match self {
            Self::Json(schema) => Some(schema),
            Self::Text(schema) => schema.as_ref(),
            Self::Form(form) => Some(&form.schema),
            Self::Multipart(multipart) => Some(&multipart.schema),
            Self::Xml(xml) => Some(&xml.schema),
            Self::Octets(_) => None,
        }
    }
}

/// What a request says its body is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ContentType {
    /// Type and subtype in lower case.
    pub(crate) essence: String,
    /// What separates the parts of a multipart body.
    pub(crate) boundary: Option<String>,
}

/// Why a content type is not taken: the name of the rule.
pub(crate) type Refused = &'static str;

/// What the body is; `None` where the request has no content type.
///
/// Refused: two fields, a malformed one, a charset other than UTF-8, parameters of a multipart body beyond its boundary.
pub(crate) fn content_type(headers: &HeaderMap) -> Result<Option<ContentType>, Refused> {
    let mut fields = headers.get_all(CONTENT_TYPE).iter();
    let Some(field) = fields.next() else { return Ok(None) };
    if fields.next().is_some() {
        return Err("repeated");
    }
    parse(field.to_str().map_err(|_| "malformed")?).map(Some)
}

/// The same of its text (RFC 9110 8.3.1).
pub(crate) fn parse(text: &str) -> Result<ContentType, Refused> {
    let mut parts = text.split(';');
    let essence = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
    let (kind, subtype) = essence.split_once('/').ok_or("malformed")?;
    if !is_token(kind) || !is_token(subtype) {
        return Err("malformed");
    }
    let is_multipart = kind == "multipart";
    let (mut charset_seen, mut boundary) = (false, None);
    for parameter in parts {
        let (name, value) = parameter.trim().split_once('=').ok_or("malformed")?;
        let quoted = value.strip_prefix('"').and_then(|v| v.strip_suffix('"'));
        let plain = quoted.unwrap_or(value);
        if !is_token(name) || plain.contains(['"', '\\', ',']) {
            return Err("malformed");
        }
        if name.eq_ignore_ascii_case("charset") {
            if charset_seen || !plain.eq_ignore_ascii_case("utf-8") {
                return Err("charset");
            }
            charset_seen = true;
        } else if name.eq_ignore_ascii_case("boundary") && is_multipart {
            let good = is_boundary(plain) && (quoted.is_some() || is_token(plain));
            if boundary.is_some() || !good {
                return Err("boundary");
            }
            boundary = Some(plain.to_owned());
        } else if is_multipart {
            // Some readers take `boundary*` or the last of two for the boundary.
            return Err("boundary");
        }
    }
    Ok(ContentType { essence, boundary })
}

/// RFC 2046 5.1.1, without the space.
fn is_boundary(text: &str) -> bool {
    let mark = |b: u8| b"'()+_,-./:=?".contains(&b);
    (1..=70).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || mark(b))
}

pub(crate) fn is_json(essence: &str) -> bool {
    essence == "application/json" || essence.ends_with("+json")
}

impl DeclaredBody {
    /// The declared body for a content type: the exact name first, then a range.
    pub(crate) fn find(&self, essence: &str) -> Option<usize> {
        // A range of which JSON is read takes nothing else.
        let other = |kind: &BodyKind| matches!(kind, BodyKind::Json(_)) && !is_json(essence);
        let fits = |media: &Media| is_within(essence, &media.name) && !other(&media.kind);
        self.media.iter().position(fits)
    }
}

/// Whether a media type is this one, or within this range.
pub(crate) fn is_within(essence: &str, name: &str) -> bool {
    match name.strip_suffix("/*") {
        Some("*") => true,
        Some(kind) => essence.split_once('/').is_some_and(|(own, _)| own == kind),
        None => essence == name,
    }
}

/// RFC 9110 5.6.2.
pub(crate) fn is_token(text: &str) -> bool {
    let mark = |b: u8| b"!#$%&'*+-.^_`|~".contains(&b);
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || mark(b))
}
