//! The three protocols as bytes, as little of them as an attacker needs: frames and literal fields to send, statuses to
//! read. It knows no gateway.

/// The preface, and SETTINGS that allow answers no dynamic table, so that a status stands where it stands.
pub(crate) fn preface() -> Vec<u8> {
    let settings = frame(4, 0, 0, &[0, 1, 0, 0, 0, 0]);
    [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice(), &settings].concat()
}

/// An HTTP/2 frame (RFC 9113 4.1).
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let head = [length[1], length[2], length[3], kind, flags];
    [&head, stream.to_be_bytes().as_slice(), payload].concat()
}

/// The next HTTP/2 frame: kind, flags, stream, payload.
pub(crate) fn next_frame(bytes: &mut &[u8]) -> Option<(u8, u8, u32, Vec<u8>)> {
    let (head, rest) = bytes.split_first_chunk::<9>()?;
    let length = usize::try_from(u32::from_be_bytes([0, head[0], head[1], head[2]])).unwrap();
    let (payload, rest) = rest.split_at_checked(length)?;
    *bytes = rest;
    let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
    Some((head[3], head[4], stream, payload.to_vec()))
}

/// A prefixed integer (RFC 7541 5.1).
fn integer(into: &mut Vec<u8>, first: u8, bits: u32, value: usize) {
    let most = (1_usize << bits) - 1;
    if value < most {
        into.push(first | u8::try_from(value).unwrap());
        return;
    }
    into.push(first | u8::try_from(most).unwrap());
    let mut rest = value - most;
    while rest >= 0x80 {
        into.push(u8::try_from(rest & 0x7f).unwrap() | 0x80);
        rest >>= 7;
    }
    into.push(u8::try_from(rest).unwrap());
}

/// Fields, each literal and never indexed (RFC 7541 6.2.3).
pub(crate) fn hpack(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0x10);
        for text in [name, value] {
            integer(&mut block, 0, 7, text.len());
            block.extend(text.bytes());
        }
    }
    block
}

/// A QPACK field section of literal fields (RFC 9204 4.5.6).
pub(crate) fn qpack(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut section = vec![0, 0];
    for (name, value) in fields {
        integer(&mut section, 0x20, 3, name.len());
        section.extend(name.bytes());
        integer(&mut section, 0, 7, value.len());
        section.extend(value.bytes());
    }
    section
}

/// An HTTP/3 frame; the length takes four bytes (RFC 9114 7.1, RFC 9000 16).
pub(crate) fn frame3(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap() | 0x8000_0000;
    [&[kind], length.to_be_bytes().as_slice(), payload].concat()
}

/// The pseudo-header fields of a request.
pub(crate) fn pseudo<'a>(method: &'a str, path: &'a str) -> [(&'a str, &'a str); 4] {
    [(":method", method), (":scheme", "https"), (":authority", "localhost"), (":path", path)]
}

/// The status that a header block of HTTP/2 begins with.
pub(crate) fn hpack_status(block: &[u8]) -> u16 {
    // RFC 7541, appendix A: 8 to 14.
    const STATIC: [u16; 7] = [200, 204, 206, 304, 400, 404, 500];
    match block[0] {
        // The table has its size, which is said first.
        0x20 => hpack_status(&block[1..]),
        indexed @ 0x88..=0x8e => STATIC[usize::from(indexed - 0x88)],
        // A literal with the name of index 8, to be indexed or not.
        0x48 | 0x08 | 0x18 => digits(&block[1..]),
        other => panic!("no status: {other:#x}"),
    }
}

/// The status that a field section of HTTP/3 begins with.
pub(crate) fn qpack_status(section: &[u8]) -> u16 {
    // RFC 9204, appendix A.
    const STATIC: [(u8, u16); 5] = [(24, 103), (25, 200), (26, 304), (27, 404), (28, 503)];
    const LATER: [(u8, u16); 9] = [
        (63, 100),
        (64, 204),
        (65, 206),
        (66, 302),
        (67, 400),
        (68, 403),
        (69, 421),
        (70, 425),
        (71, 500),
    ];
    match section[2..] {
        [0xff, more, ..] => LATER.iter().find(|(at, _)| *at == 63 + more).unwrap().1,
        [indexed @ 0xc0..=0xff, ..] => {
            STATIC.iter().find(|(at, _)| *at == indexed & 0x3f).unwrap().1
        }
        // A literal with a name of the static table: index 24 or one of the later ones.
        [0x5f | 0x7f, _, ref value @ ..] => digits(value),
        ref other => panic!("no status: {:?}", other.escape_ascii().to_string()),
    }
}

/// Three digits, in Huffman code or not (RFC 7541, appendix B).
fn digits(value: &[u8]) -> u16 {
    let length = usize::from(value[0] & 0x7f);
    let bytes = &value[1..=length];
    if value[0] & 0x80 == 0 {
        return std::str::from_utf8(bytes).unwrap().parse().unwrap();
    }
    let bits: Vec<u8> =
        bytes.iter().flat_map(|byte| (0..8).rev().map(move |at| byte >> at & 1)).collect();
    let mut at = 0;
    let mut take = |count: usize| {
        let value =
            bits[at..at + count].iter().fold(0_u16, |value, bit| value << 1 | u16::from(*bit));
        at += count;
        value
    };
    (0..3).fold(0, |number, _| {
        // 0, 1 and 2 take five bits; the others begin with 011 and take six.
        let five = take(5);
        let digit = if five <= 2 { five } else { (five << 1 | take(1)) - 0b01_1001 + 3 };
        number * 10 + digit
    })
}

/// The statuses of HTTP/1.1 answers, one after another.
pub(crate) fn statuses(mut bytes: &[u8]) -> Vec<u16> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let text = || bytes.escape_ascii().to_string();
        let end = bytes.windows(4).position(|part| part == b"\r\n\r\n");
        let end = end.unwrap_or_else(|| panic!("half an answer: {}", text()));
        let head = std::str::from_utf8(&bytes[..end]).unwrap().to_ascii_lowercase();
        let status: u16 = head.split(' ').nth(1).unwrap().parse().unwrap();
        let field = |name: &str| {
            head.lines()
                .find_map(|line| line.strip_prefix(name))
                .map(|value| value.trim().to_owned())
        };
        bytes = &bytes[end + 4..];
        if status == 100 {
            continue;
        }
        let length = field("content-length:").map_or(0, |length| length.parse().unwrap());
        assert!(field("transfer-encoding:").is_none(), "answers here have a length: {}", text());
        bytes = bytes.get(length..).unwrap_or_else(|| panic!("half a body after {head}"));
        found.push(status);
    }
    found
}

#[test]
fn statuses_are_read_in_every_spelling() {
    assert_eq!(hpack_status(&[0x88]), 200);
    assert_eq!(hpack_status(&[0x8c, 0]), 400);
    // RFC 7541 C.6.1: 302 in Huffman code.
    assert_eq!(hpack_status(&[0x48, 0x82, 0x64, 0x02]), 302);
    assert_eq!(hpack_status(b"\x48\x03421"), 421);
    assert_eq!(qpack_status(&[0, 0, 0xd9]), 200);
    assert_eq!(qpack_status(&[0, 0, 0xff, 4]), 400);
    assert_eq!(qpack_status(b"\0\0\x5f\x09\x03431"), 431);
    assert_eq!(
        statuses(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 400 B\r\n\r\n"),
        [200, 400]
    );
}
