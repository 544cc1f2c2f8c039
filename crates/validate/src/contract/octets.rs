//! Bodies and parts that are held to their size and to what their first bytes say they are. It reads no texts.

use bytes::Bytes;

use super::Findings;
use crate::violation::Place;

/// A body of bytes.
#[derive(Debug, Default)]
pub(crate) struct Octets {
    /// Bytes at least.
    pub(crate) least: u64,
    /// Bytes at most; the limit of all bodies where the document says none.
    pub(crate) most: Option<u64>,
}

impl Octets {
    pub(crate) fn check(&self, essence: &str, body: &Bytes, found: &mut Findings) {
        for rule in self.broken(body.len()).into_iter().chain(misfit(essence, body)) {
            found.refuse(Place::body(), rule);
        }
    }

    fn broken(&self, length: usize) -> Option<&'static str> {
        let length = length as u64;
        if length < self.least {
            Some("minLength")
        } else if self.most.is_some_and(|most| length > most) {
            Some("maxLength")
        } else {
            None
        }
    }
}

/// What bytes begin with, at which position, and the media types whose name they bear out.
type Magic = (usize, &'static [u8], &'static [&'static str]);

/// Documents that are ZIP archives inside.
const ZIPPED: [&str; 8] = [
    "application/zip",
    "application/x-zip-compressed",
    "application/java-archive",
    "application/epub+zip",
    "application/vnd.android.package-archive",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation",
];
const OLD_OFFICE: [&str; 3] =
    ["application/msword", "application/vnd.ms-excel", "application/vnd.ms-powerpoint"];

const MAGICS: [Magic; 27] = [
    (0, b"\x89PNG\r\n\x1a\n", &["image/png"]),
    (0, b"\xFF\xD8\xFF", &["image/jpeg", "image/jpg"]),
    (0, b"GIF87a", &["image/gif"]),
    (0, b"GIF89a", &["image/gif"]),
    (8, b"WEBP", &["image/webp"]),
    (8, b"WAVE", &["audio/wav", "audio/x-wav", "audio/wave"]),
    (8, b"AVI ", &["video/x-msvideo", "video/avi"]),
    (0, b"II*\0", &["image/tiff"]),
    (0, b"MM\0*", &["image/tiff"]),
    (0, b"BM", &["image/bmp"]),
    (0, b"\0\0\x01\0", &["image/x-icon", "image/vnd.microsoft.icon"]),
    (4, b"ftyp", &["video/mp4", "audio/mp4", "image/avif", "image/heic", "video/quicktime"]),
    (0, b"\x1A\x45\xDF\xA3", &["video/webm", "audio/webm", "video/x-matroska"]),
    (0, b"OggS", &["audio/ogg", "video/ogg", "application/ogg"]),
    (0, b"ID3", &["audio/mpeg", "audio/mp3"]),
    (0, b"fLaC", &["audio/flac"]),
    (0, b"%PDF-", &["application/pdf"]),
    (0, b"PK\x03\x04", &ZIPPED),
    (0, b"PK\x05\x06", &ZIPPED),
    (0, b"\x1F\x8B", &["application/gzip", "application/x-gzip"]),
    (0, b"(\xB5/\xFD", &["application/zstd"]),
    (0, b"7z\xBC\xAF\x27\x1C", &["application/x-7z-compressed"]),
    (0, b"Rar!\x1A\x07", &["application/vnd.rar", "application/x-rar-compressed"]),
    (0, b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1", &OLD_OFFICE),
    (0, b"\0asm", &["application/wasm"]),
    (0, b"\x7FELF", &["application/x-executable", "application/x-elf"]),
    (0, b"MZ", &["application/vnd.microsoft.portable-executable", "application/x-msdownload"]),
];

/// The rule that content breaks against the media type it is said to have.
pub(crate) fn misfit(essence: &str, content: &[u8]) -> Option<&'static str> {
    if essence == "application/octet-stream" || content.is_empty() {
        return None;
    }
    let begins =
        |magic: &&Magic| content.get(magic.0..).is_some_and(|content| content.starts_with(magic.1));
    let mut known = MAGICS.iter().filter(|magic| magic.2.contains(&essence)).peekable();
    if known.peek().is_some() {
        return known.all(|magic| !begins(&magic)).then_some("file_type");
    }
    if is_text(essence) {
        let is_text = std::str::from_utf8(content).is_ok_and(|text| !text.contains('\0'));
        return (!is_text).then_some("file_type");
    }
    // A type that this knows nothing of is not one of those that it knows. Two bytes are not enough to tell.
    let is_other = MAGICS.iter().filter(|magic| magic.1.len() > 2).any(|magic| begins(&magic));
    is_other.then_some("file_type")
}

/// Whether content of this type is text in UTF-8.
fn is_text(essence: &str) -> bool {
    essence.starts_with("text/")
        || ["application/json", "application/xml", "application/yaml", "image/svg+xml"]
            .contains(&essence)
        || essence.ends_with("+json")
        || essence.ends_with("+xml")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_what_it_says() {
        for (essence, content) in [
            ("image/png", &b"\x89PNG\r\n\x1a\n\0\0"[..]),
            ("image/webp", b"RIFF\0\0\0\0WEBPVP8 "),
            ("application/pdf", b"%PDF-1.7"),
            ("text/csv", "a,\u{e9}\n".as_bytes()),
            ("application/octet-stream", b"MZ\x90"),
            ("application/x-own", b"anything"),
            (
                "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
                b"PK\x03\x04..",
            ),
            ("image/png", b""),
        ] {
            assert_eq!(misfit(essence, content), None, "{essence}");
        }
        for (essence, content) in [
            ("image/png", &b"\x89PNG\r\n\x1a"[..]),
            ("image/png", b"<svg onload=alert(1)>"),
            ("image/jpeg", b"\x89PNG\r\n\x1a\n\0\0"),
            ("application/pdf", b" %PDF-1.7"),
            ("text/plain", b"a\0b"),
            ("text/csv", b"\xFF\xFE"),
            ("application/x-own", b"\x7FELF\x02"),
            ("application/x-own", b"%PDF-1.4"),
            ("image/svg+xml", b"\x89PNG\r\n\x1a\n\0\0"),
        ] {
            assert_eq!(misfit(essence, content), Some("file_type"), "{essence}");
        }
    }

    #[test]
    fn sizes_are_bytes() {
        let octets = Octets { least: 2, most: Some(3) };
        for (length, rule) in [(1, Some("minLength")), (2, None), (3, None), (4, Some("maxLength"))]
        {
            assert_eq!(octets.broken(length), rule);
        }
    }
}
