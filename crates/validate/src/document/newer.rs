//! What OpenAPI 3.2 adds, where it is not followed: a mistake, or a note that says what answers 415. Nothing of it is
//! ignored in silence. It reads no request.

use super::{Cursor, Library, Report, Version};

/// `$self` is what relative references are relative to.
pub(super) fn check_self(
    own: &Cursor<'_>,
    library: &Library,
    version: Version,
    report: &mut Report,
) {
    if version != Version::V32 {
        report.mistake(own, "`$self` belongs to OpenAPI 3.2");
    } else if !library.is_one_file() {
        let what = "with `$self`, references to other files would be relative to it, which is not \
                    followed: leave it out, or put all into one file";
        report.mistake(own, what);
    }
}

/// Operations of methods without a field of their own are of methods that the gateway does not take.
pub(super) fn check_path_item(item: &Cursor<'_>, version: Version, report: &mut Report) {
    let more = item.get("additionalOperations");
    if let Some(more) = more.as_ref().filter(|_| version != Version::V32) {
        report.mistake(more, "unknown member `additionalOperations`");
        return;
    }
    for (method, at) in more.iter().flat_map(Cursor::members) {
        report.mistake(&at, format!("method `{method}` is not taken by the gateway"));
    }
}

/// Whether a media type is a sequence of values (`itemSchema`), which nobody here reads; that is noted.
pub(super) fn is_sequence(content: &Cursor<'_>, version: Version, report: &mut Report) -> bool {
    let Some(item) = content.get("itemSchema") else { return false };
    if version == Version::V32 {
        let what = "a sequence of values (`itemSchema`) is not read: as a request it answers 415, \
                    as an answer it passes unread";
        report.note(&item, what);
    } else {
        report.mistake(&item, "`itemSchema` belongs to OpenAPI 3.2");
    }
    true
}

/// Parts by their position belong to media types that are not read.
pub(super) fn check_encodings(content: &Cursor<'_>, report: &mut Report) {
    for name in ["prefixEncoding", "itemEncoding"] {
        if let Some(at) = content.get(name) {
            report.mistake(&at, format!("`{name}`: parts by their position are not read"));
        }
    }
}
