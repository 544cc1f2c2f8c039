//! Writes JSON into one buffer: values, and objects member by member. It knows no OCSF and checks no duplicates.

use std::io::Write as _;
use std::net::IpAddr;

/// Digits of the largest `u64`.
const DIGITS_MAX: usize = 20;

/// One object under construction; its brace is closed by who opened it.
pub(crate) struct Object<'o> {
    out: &'o mut Vec<u8>,
    empty: bool,
}

impl Object<'_> {
    /// The bytes of one object, filled by `fill`.
    pub(crate) fn build(capacity: usize, fill: impl FnOnce(&mut Object<'_>)) -> Vec<u8> {
        let mut out = Vec::with_capacity(capacity);
        write_object(&mut out, fill);
        out
    }

    /// Members without their braces, to be put into an object later.
    pub(crate) fn members(fill: impl FnOnce(&mut Object<'_>)) -> Box<[u8]> {
        let mut out = Vec::new();
        fill(&mut Object { out: &mut out, empty: true });
        out.into()
    }

    fn key(&mut self, key: &'static str) {
        if !self.empty {
            self.out.push(b',');
        }
        self.empty = false;
        self.out.push(b'"');
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    /// A string.
    pub(crate) fn text(&mut self, key: &'static str, value: &str) {
        self.key(key);
        string(self.out, value);
    }

    /// A string, where there is one.
    pub(crate) fn some_text(&mut self, key: &'static str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(key, value);
        }
    }

    /// A whole number.
    pub(crate) fn number(&mut self, key: &'static str, value: u64) {
        self.key(key);
        number(self.out, value);
    }

    /// A whole number, where there is one.
    pub(crate) fn some_number(&mut self, key: &'static str, value: Option<u64>) {
        if let Some(value) = value {
            self.number(key, value);
        }
    }

    /// An address.
    pub(crate) fn address(&mut self, key: &'static str, value: IpAddr) {
        self.key(key);
        address(self.out, value);
    }

    /// A normalised identifier and its caption: OCSF's sibling pair.
    pub(crate) fn pair(&mut self, keys: (&'static str, &'static str), value: (u64, &str)) {
        self.number(keys.0, value.0);
        self.text(keys.1, value.1);
    }

    /// True or false.
    pub(crate) fn boolean(&mut self, key: &'static str, value: bool) {
        self.key(key);
        self.out.extend_from_slice(if value { b"true" } else { b"false" });
    }

    /// A list of one object.
    pub(crate) fn list(&mut self, key: &'static str, fill: impl FnOnce(&mut Object<'_>)) {
        self.key(key);
        self.out.push(b'[');
        write_object(self.out, fill);
        self.out.push(b']');
    }

    /// Members that were encoded before; at least one.
    pub(crate) fn raw(&mut self, members: &[u8]) {
        if !self.empty {
            self.out.push(b',');
        }
        self.empty = false;
        self.out.extend_from_slice(members);
    }

    /// A value that was encoded before.
    pub(crate) fn json(&mut self, key: &'static str, value: &[u8]) {
        self.key(key);
        self.out.extend_from_slice(value);
    }

    /// A list of strings.
    pub(crate) fn texts<'t>(
        &mut self,
        key: &'static str,
        values: impl IntoIterator<Item = &'t str>,
    ) {
        self.key(key);
        strings(self.out, values);
    }

    /// An object inside.
    pub(crate) fn object(&mut self, key: &'static str, fill: impl FnOnce(&mut Object<'_>)) {
        self.key(key);
        write_object(self.out, fill);
    }
}

fn write_object(out: &mut Vec<u8>, fill: impl FnOnce(&mut Object<'_>)) {
    out.push(b'{');
    fill(&mut Object { out, empty: true });
    out.push(b'}');
}

/// A string.
pub(crate) fn string(out: &mut Vec<u8>, value: &str) {
    out.push(b'"');
    inner(out, value);
    out.push(b'"');
}

/// A part of a string. Most need no escape: those are looked at and copied.
pub(crate) fn inner(out: &mut Vec<u8>, value: &str) {
    // No early end: so the compiler looks at many bytes at once.
    if !value.bytes().fold(false, |found, byte| found | escaped(byte)) {
        out.extend_from_slice(value.as_bytes());
        return;
    }
    let mut quoted = Vec::with_capacity(2 * value.len());
    // A string into memory cannot fail; should it ever, the string is short and the event valid.
    if serde_json::to_writer(&mut quoted, value).is_ok() {
        out.extend_from_slice(quoted.get(1..quoted.len() - 1).unwrap_or_default());
    }
}

/// What RFC 8259 7 does not allow to stand for itself.
const fn escaped(byte: u8) -> bool {
    (byte < 0x20) | (byte == b'"') | (byte == b'\\')
}

/// A list of strings.
pub(crate) fn strings<'t>(out: &mut Vec<u8>, values: impl IntoIterator<Item = &'t str>) {
    out.push(b'[');
    for (index, value) in values.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        string(out, value);
    }
    out.push(b']');
}

/// A whole number.
pub(crate) fn number(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [b'0'; DIGITS_MAX];
    let mut unused = DIGITS_MAX;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
        unused -= 1;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(unused..).unwrap_or_default());
}

/// An address as a string. An IPv4 client on a dual-stack socket is an IPv4 client (RFC 4291 2.5.5.2).
pub(crate) fn address(out: &mut Vec<u8>, value: IpAddr) {
    out.push(b'"');
    match value.to_canonical() {
        IpAddr::V4(v4) => {
            for (index, octet) in v4.octets().into_iter().enumerate() {
                if index > 0 {
                    out.push(b'.');
                }
                number(out, u64::from(octet));
            }
        }
        IpAddr::V6(v6) => {
            let before = out.len();
            if write!(out, "{v6}").is_err() {
                // Into memory it cannot fail; the member stays valid JSON.
                out.truncate(before);
            }
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn strings_are_as_the_library_writes_them(value in ".{0,80}", control in 0_u8..0x21) {
            let with_control = format!("{value}{}{value}", char::from(control));
            for value in [value, with_control] {
                let mut out = Vec::new();
                string(&mut out, &value);
                prop_assert_eq!(out, serde_json::to_vec(&value).expect("json"));
            }
        }

        #[test]
        fn numbers_and_addresses_are_as_the_library_writes_them(
            value in any::<u64>(),
            shift in 0_u32..64,
            ip in any::<IpAddr>(),
        ) {
            let value = value >> shift;
            let mut out = Vec::new();
            number(&mut out, value);
            prop_assert_eq!(out, value.to_string().into_bytes());
            let mut out = Vec::new();
            address(&mut out, ip);
            prop_assert_eq!(out, format!("\"{}\"", ip.to_canonical()).into_bytes());
        }
    }

    #[test]
    fn the_edges_of_numbers() {
        for value in [0, 9, 10, u64::MAX] {
            let mut out = Vec::new();
            number(&mut out, value);
            assert_eq!(out, value.to_string().into_bytes());
        }
    }
}
