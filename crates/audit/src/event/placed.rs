//! The place of an event in its log, as the first two members of its metadata: `log_name` is the origin of the log, `sequence` the
//! index in it. Whoever reads a record from the spool writes it in, so all receivers have the same bytes, and a missing
//! event shows by a plain query. It knows no other member of an event.

use serde_json::Value;

use crate::json;

/// What every event begins with.
const HEAD: &[u8] = br#"{"metadata":{"#;
const LOG: &[u8] = br#""log_name":""#;
const SEQUENCE: &[u8] = br#"","sequence":"#;
const UID: &[u8] = br#","uid":""#;
/// `metadata.sequence` is an OCSF `integer_t`: 32 bits where consumers store it so. Behind this many events it begins anew;
/// who reads them in order knows the whole index.
pub const SEQUENCES: u64 = 1 << 31;
/// Longest uid looked for, bytes.
const UID_BYTES_MAX: usize = 64;

/// Where an event says that it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventPlace<'e> {
    /// Origin of its log.
    pub log: &'e str,
    /// Its index there, modulo [`SEQUENCES`].
    pub sequence: u64,
    /// `metadata.uid`.
    pub uid: &'e str,
}

impl<'e> EventPlace<'e> {
    /// Reads it from the exact bytes of an event; `None` where they do not begin as ours do.
    #[must_use]
    pub fn read(event: &'e [u8]) -> Option<Self> {
        let rest = event.strip_prefix(HEAD)?.strip_prefix(LOG)?;
        let (log, rest) = until_quote(rest, super::LOG_BYTES_MAX)?;
        let rest = rest.strip_prefix(SEQUENCE.get(1..)?)?;
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (number, rest) = rest.split_at_checked(digits)?;
        let number = std::str::from_utf8(number).ok()?;
        let sequence: u64 = number.parse().ok()?;
        let plain = number == "0" || !number.starts_with('0');
        let (uid, _) = until_quote(rest.strip_prefix(UID)?, UID_BYTES_MAX)?;
        (plain && sequence < SEQUENCES).then_some(Self { log, sequence, uid })
    }
}

/// A text without escapes, and what is behind its quote.
fn until_quote(bytes: &[u8], bytes_max: usize) -> Option<(&str, &[u8])> {
    let end = bytes.iter().take(bytes_max + 1).position(|byte| *byte == b'"')?;
    let (text, rest) = bytes.split_at_checked(end)?;
    let text = std::str::from_utf8(text).ok().filter(|text| !text.contains('\\'))?;
    Some((text, rest.get(1..)?))
}

/// The event with its place. What does not begin as our events do is left as it is.
pub(super) fn with_place(body: &[u8], log: &str, index: u64) -> Vec<u8> {
    let Some(rest) = body.strip_prefix(HEAD) else { return body.to_vec() };
    let mut out = Vec::with_capacity(body.len() + log.len() + 48);
    out.extend_from_slice(HEAD);
    out.extend_from_slice(LOG);
    json::inner(&mut out, log);
    out.extend_from_slice(SEQUENCE);
    json::number(&mut out, index % SEQUENCES);
    out.push(b',');
    out.extend_from_slice(rest);
    out
}

/// An event of a former format, in which the log was named by the event itself: as ours begin. `None` where it is no event.
pub(crate) fn rewritten(event: &[u8]) -> Option<Vec<u8>> {
    let mut event: Value = serde_json::from_slice(event).ok()?;
    let mut metadata = event.as_object_mut()?.remove("metadata")?;
    let members = metadata.as_object_mut()?;
    let uid = members.remove("uid")?;
    let begun_in = members.remove("log_name");
    members.remove("sequence");
    if let (Some(log), Some(unmapped)) = (begun_in, event.get_mut("unmapped")) {
        unmapped.as_object_mut()?.insert("begun_in".to_owned(), log);
    }
    let (metadata, event) = (metadata.to_string(), event.to_string());
    let (metadata, event) = (metadata.strip_prefix('{')?, event.strip_prefix('{')?);
    Some(format!(r#"{{"metadata":{{"uid":{uid},{metadata},{event}"#).into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const EVENT: &str = r#"{"metadata":{"uid":"u-1","version":"1.8.0"},"class_uid":6003}"#;

    #[test]
    fn a_place_is_written_and_read() {
        for index in [0, 7, SEQUENCES - 1, SEQUENCES, SEQUENCES + 3] {
            let placed = with_place(EVENT.as_bytes(), "a/audit/b/c", index);
            let place = EventPlace::read(&placed).expect("a place");
            let expected =
                EventPlace { log: "a/audit/b/c", sequence: index % SEQUENCES, uid: "u-1" };
            assert_eq!(place, expected);
            let value: Value = serde_json::from_slice(&placed).expect("json");
            assert_eq!(value["metadata"]["sequence"], index % SEQUENCES);
            assert_eq!(value["metadata"]["log_name"], "a/audit/b/c");
        }
        assert_eq!(with_place(b"{}", "a/b", 1), b"{}");
    }

    #[test]
    fn what_begins_otherwise_has_no_place() {
        let good = with_place(EVENT.as_bytes(), "a/b", 7);
        let good = String::from_utf8(good).expect("text");
        for (from, to) in [
            (r#"{"metadata""#, r#"{ "metadata""#),
            ("a/b", r"a\/b"),
            (":7", ":07"),
            (":7", ":-7"),
            (":7", ":2147483648"),
            (":7", ":99999999999999999999"),
            ("uid", "uld"),
        ] {
            let bad = good.replacen(from, to, 1);
            assert_eq!(EventPlace::read(bad.as_bytes()), None, "{bad}");
        }
        assert!(EventPlace::read(good.replacen(":7", ":2147483647", 1).as_bytes()).is_some());
    }

    #[test]
    fn an_event_of_before_is_rewritten() {
        let old = br#"{"class_uid":6003,"metadata":{"version":"1.8.0","uid":"u-1","sequence":3,"log_name":"e/b"},"unmapped":{}}"#;
        let new = rewritten(old).expect("an event");
        let placed = with_place(&new, "a/b", 1);
        assert_eq!(EventPlace::read(&placed).expect("a place").uid, "u-1");
        let value: Value = serde_json::from_slice(&placed).expect("json");
        assert_eq!(value["unmapped"]["begun_in"], "e/b");
        assert_eq!(value["metadata"]["version"], "1.8.0");
        assert_eq!(rewritten(b"{"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_have_a_place_or_none(rest in proptest::collection::vec(any::<u8>(), 0..80)) {
            for head in [HEAD, &[HEAD, LOG].concat(), &[HEAD, LOG, b"x", SEQUENCE].concat()] {
                if let Some(place) = EventPlace::read(&[head, &rest].concat()) {
                    prop_assert!(place.sequence < SEQUENCES);
                }
            }
        }
    }
}
