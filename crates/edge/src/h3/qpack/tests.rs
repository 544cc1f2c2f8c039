//! Sections that pass, one row for each that does not, and that any bytes end without a panic.

use proptest::prelude::*;

use super::*;

const MAX: usize = 4096;

/// A section of literal fields (RFC 9204 4.5.6), no Huffman.
fn section(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut out = vec![0, 0];
    for (name, value) in fields {
        prefixed(&mut out, 0x20, 0x07, name.len());
        out.extend(name.bytes());
        prefixed(&mut out, 0, 0x7f, value.len());
        out.extend(value.bytes());
    }
    out
}

fn prefixed(out: &mut Vec<u8>, flags: u8, mask: u8, value: usize) {
    let mask_value = usize::from(mask);
    if value < mask_value {
        out.push(flags | u8::try_from(value).unwrap());
        return;
    }
    out.push(flags | mask);
    let mut rest = value - mask_value;
    while rest >= 0x80 {
        out.push(u8::try_from(rest & 0x7f).unwrap() | 0x80);
        rest >>= 7;
    }
    out.push(u8::try_from(rest).unwrap());
}

const GOOD: [(&str, &str); 4] =
    [(":method", "GET"), (":scheme", "https"), (":authority", "a"), (":path", "/")];

fn head(more: &[(&str, &str)]) -> Result<(), SectionFault> {
    inspect(&section(&[&GOOD, more].concat()), MAX, Part::Head)
}

#[test]
fn requests_pass() {
    assert_eq!(head(&[]), Ok(()));
    assert_eq!(head(&[("x-a", "1"), ("x-a", "2")]), Ok(()));
    assert_eq!(inspect(&section(&[GOOD[0], GOOD[1], GOOD[3]]), MAX, Part::Head), Ok(()));
    // GET https a /, from the static table.
    let indexed = [0, 0, 0xd1, 0xd7, 0x50, 1, b'a', 0xc1];
    assert_eq!(inspect(&indexed, MAX, Part::Head), Ok(()));
    assert_eq!(inspect(&section(&[("x", "y")]), MAX, Part::Trailers), Ok(()));
}

#[test]
fn what_two_readers_could_read_otherwise_is_refused() {
    let pseudo = Err(Bad(Malformed::PseudoField));
    for name in [":method", ":path", ":scheme", ":authority", ":status", ":protocol", ":", ":x"] {
        assert_eq!(head(&[(name, "x")]), pseudo, "{name}");
    }
    for missing in NEEDED {
        let mut fields = GOOD.to_vec();
        fields.remove(missing);
        assert_eq!(inspect(&section(&fields), MAX, Part::Head), pseudo, "{missing}");
    }
    let late = [GOOD[0], GOOD[1], ("x", "y"), GOOD[3]];
    assert_eq!(inspect(&section(&late), MAX, Part::Head), pseudo);
    assert_eq!(inspect(&section(&[(":path", "/")]), MAX, Part::Trailers), pseudo);
    for name in ["", "X", "x y", "x:y", "x\0"] {
        assert_eq!(head(&[(name, "x")]), Err(Bad(Malformed::FieldName)), "{name:?}");
    }
}

#[test]
fn the_size_is_that_of_what_is_decoded() {
    let bytes = |more: usize| head(&[("x", "a".repeat(more).as_str())]);
    let own: usize = GOOD.iter().map(|(n, v)| n.len() + v.len() + 32).sum();
    assert_eq!(bytes(MAX - own - 33), Ok(()));
    assert_eq!(bytes(MAX - own - 32), Err(Bad(Malformed::FieldBytes)));
    // One byte each of `content-security-policy: script-src ...` from the static table.
    let mut bomb = section(&GOOD);
    bomb.extend([0xff, 22].repeat(1000));
    assert_eq!(inspect(&bomb, MAX, Part::Head), Err(Bad(Malformed::FieldBytes)));
}

#[test]
fn a_coded_value_is_decoded_where_its_length_matters() {
    // `0` is coded with five bits, `&` with eight.
    let coded = |byte: u8, count: usize| {
        let mut out = section(&GOOD);
        prefixed(&mut out, 0x20, 0x07, 1);
        out.push(b'x');
        prefixed(&mut out, 0x80, 0x7f, count);
        out.extend(vec![byte; count]);
        inspect(&out, MAX, Part::Head)
    };
    let own: usize = GOOD.iter().map(|(n, v)| n.len() + v.len() + 32).sum();
    let room = MAX - own - 33;
    // As if each were of five bits it would be too much; it is not.
    assert_eq!(coded(0xf8, room), Ok(()));
    assert_eq!(coded(0xf8, room + 1), Err(Bad(Malformed::FieldBytes)));
}

#[test]
fn broken_encodings_are_left_to_the_library() {
    for bytes in [
        b"".as_slice(),
        &[0],
        &[1, 0],
        &[0, 1],
        &[0, 0, 0x80],
        &[0, 0, 0x10],
        &[0, 0, 0x00],
        &[0, 0, 0xff, 36],
        &[0, 0, 0x40],
        &[0, 0, 0x51],
        &[0, 0, 0x51, 5, b'a'],
        &[0, 0, 0x23, b'a'],
        &[0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    ] {
        assert_eq!(inspect(bytes, MAX, Part::Head), Err(Encoding), "{bytes:?}");
    }
}

proptest! {
    #[test]
    fn any_bytes_end(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        inspect(&bytes, MAX, Part::Head).ok();
        inspect(&bytes, MAX, Part::Trailers).ok();
    }
}
