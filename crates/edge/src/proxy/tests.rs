//! Headers of both versions as proxies write them, and what is none.

use proptest::prelude::*;

use super::*;

/// Reads a stream as a socket would be read: never more than asked for. What was announced, and how many bytes went.
fn drive(stream: &[u8], piece: usize) -> Result<(Option<Announced>, usize), ProxyFault> {
    let mut seen = 0;
    loop {
        match read(&stream[..seen])? {
            Progress::Whole(announced) => return Ok((Some(announced), seen)),
            Progress::Needs(more) => {
                assert!(more > 0);
                let taken = more.min(piece).min(stream.len() - seen);
                if taken == 0 {
                    return Ok((None, seen));
                }
                seen += taken;
            }
        }
    }
}

fn v2(command: u8, family: u8, block: &[u8]) -> Vec<u8> {
    let length = u16::try_from(block.len()).unwrap().to_be_bytes();
    [&v2::SIGNATURE[..], &[command, family], &length, block].concat()
}

/// 192.0.2.7:4711 to 198.51.100.1:443.
const V4: [u8; 12] = [192, 0, 2, 7, 198, 51, 100, 1, 0x12, 0x67, 0x01, 0xbb];

fn v6(source: &str) -> Vec<u8> {
    let octets = source.parse::<std::net::Ipv6Addr>().unwrap().octets();
    [&octets[..], &[0; 15], &[1], &[0x12, 0x67, 0x01, 0xbb]].concat()
}

fn extension(kind: u8, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(value.len()).unwrap().to_be_bytes();
    [&[kind], &length[..], value].concat()
}

/// A header with its checksum as the last extension.
fn summed(extensions: &[u8], change: u32) -> Vec<u8> {
    let zero = v2(0x21, 0x11, &[&V4, extensions, &extension(3, &[0; 4])].concat());
    let sum = checksum::crc32c(zero.iter().copied()) ^ change;
    v2(0x21, 0x11, &[&V4, extensions, &extension(3, &sum.to_be_bytes())].concat())
}

fn client_of(text: &str) -> Announced {
    Announced::Client(text.parse().unwrap())
}

#[test]
fn headers_name_their_client() {
    let cases: Vec<(Vec<u8>, Announced)> = vec![
        (b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n".to_vec(), client_of("192.0.2.7:4711")),
        (b"PROXY TCP4 1.1.1.1 2.2.2.2 0 65535\r\n".to_vec(), client_of("1.1.1.1:0")),
        (b"PROXY TCP6 2001:db8::7 ::1 4711 443\r\n".to_vec(), client_of("[2001:db8::7]:4711")),
        (b"PROXY TCP6 ::ffff:192.0.2.7 ::1 1 2\r\n".to_vec(), client_of("192.0.2.7:1")),
        (v2(0x21, 0x11, &V4), client_of("192.0.2.7:4711")),
        (v2(0x21, 0x21, &v6("2001:db8::7")), client_of("[2001:db8::7]:4711")),
        (v2(0x21, 0x21, &v6("::ffff:192.0.2.7")), client_of("192.0.2.7:4711")),
        (
            v2(0x21, 0x11, &[&V4[..], &extension(0x04, &[0; 7])].concat()),
            client_of("192.0.2.7:4711"),
        ),
        (summed(&extension(0xea, b"vpce-1"), 0), client_of("192.0.2.7:4711")),
        (v2(0x20, 0x00, b""), Announced::Proxy),
        (v2(0x20, 0x11, &V4), Announced::Proxy),
        (v2(0x20, 0xff, b"anything"), Announced::Proxy),
    ];
    for (header, expected) in cases {
        for piece in [1, 3, usize::MAX] {
            // TLS follows, of which nothing is read.
            let stream = [&header[..], b"\x16\x03\x01\x02\x00"].concat();
            let told = drive(&stream, piece).unwrap();
            assert_eq!(told, (Some(expected), header.len()), "{}", header.escape_ascii());
        }
    }
}

#[test]
fn what_names_no_client_is_refused() {
    let long = format!("PROXY TCP4 {} 2.2.2.2 1 2\r\n", "1".repeat(100));
    let cases: Vec<Vec<u8>> = vec![
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03abcdefgh".to_vec(),
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        b"PROXY UNKNOWN\r\n".to_vec(),
        b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n".to_vec(),
        b"PROXY  TCP4 1.1.1.1 2.2.2.2 1 2\r\n".to_vec(),
        b"PROXY TCP4 1.1.1.1 2.2.2.2 1 2\n".to_vec(),
        b"PROXY TCP4 1.1.1.1 2.2.2.2 1 2 \r\n".to_vec(),
        b"PROXY TCP4 1.1.1.1 2.2.2.2 1 2 3\r\n".to_vec(),
        b"PROXY TCP4 1.1.1.1 2.2.2.2 1\r\n".to_vec(),
        b"PROXY TCP4 1.1.1.1\r2.2.2.2 1 2\r\n".to_vec(),
        b"PROXY TCP4 01.1.1.1 2.2.2.2 1 2\r\n".to_vec(),
        b"PROXY TCP4 1.1.1.1 2.2.2.2 01 2\r\n".to_vec(),
        b"PROXY TCP4 1.1.1.1 2.2.2.2 +1 2\r\n".to_vec(),
        b"PROXY TCP4 1.1.1.1 2.2.2.2 65536 2\r\n".to_vec(),
        b"PROXY TCP4 1.1.1.1 2.2.2.2  2\r\n".to_vec(),
        b"PROXY TCP4 ::1 ::1 1 2\r\n".to_vec(),
        b"PROXY TCP6 1.1.1.1 ::1 1 2\r\n".to_vec(),
        b"PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n".to_vec(),
        b"PROXY TCP4 0.0.0.0 2.2.2.2 1 2\r\n".to_vec(),
        b"PROXY UDP4 1.1.1.1 2.2.2.2 1 2\r\n".to_vec(),
        b"proxy TCP4 1.1.1.1 2.2.2.2 1 2\r\n".to_vec(),
        long.into_bytes(),
        // Version 1, command 2, UNSPEC, datagrams, Unix sockets.
        v2(0x11, 0x11, &V4),
        v2(0x22, 0x11, &V4),
        v2(0x21, 0x00, b""),
        v2(0x21, 0x12, &V4),
        v2(0x21, 0x22, &v6("::1")),
        v2(0x21, 0x31, &[b'/'; 216]),
        v2(0x21, 0x11, &V4[..11]),
        v2(0x21, 0x21, &v6("2001:db8::7")[..35]),
        v2(0x21, 0x21, &v6("::")),
        v2(0x21, 0x11, &[0; 12]),
        // Extensions that end too early, and wrong, short or repeated checksums.
        v2(0x21, 0x11, &[&V4[..], &[4, 0]].concat()),
        v2(0x21, 0x11, &[&V4[..], &[4, 0, 2, 0]].concat()),
        summed(b"", 1),
        v2(0x21, 0x11, &[&V4[..], &extension(3, &[0; 3])].concat()),
        summed(&extension(3, &[0; 4]), 0),
        // More than there is room for: told before it comes.
        [&v2::SIGNATURE[..], &[0x21, 0x11, 0x10, 0x01]].concat(),
        [&v2::SIGNATURE[..], &[0x20, 0x00, 0xff, 0xff]].concat(),
    ];
    for header in cases {
        for piece in [1, usize::MAX] {
            let told = drive(&header, piece);
            assert_eq!(told, Err(ProxyFault), "{}", header.escape_ascii());
        }
    }
}

#[test]
fn the_longest_headers_pass() {
    let most = "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff \
                ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n";
    assert!(drive(most.as_bytes(), 1).unwrap().0.is_some());
    let padding = extension(4, &vec![0; 4096 - V4.len() - 3]);
    assert!(drive(&v2(0x21, 0x11, &[&V4[..], &padding].concat()), 7).unwrap().0.is_some());
}

proptest! {
    #[test]
    fn pieces_make_no_difference_and_nothing_is_read_beyond(
        start in prop_oneof![
            Just(Vec::new()),
            Just(b"PROXY ".to_vec()),
            Just(b"PROXY TCP4 1.1.1.1 ".to_vec()),
            Just(v2::SIGNATURE.to_vec()),
            Just(v2(0x21, 0x11, &V4)[..16].to_vec()),
        ],
        rest in proptest::collection::vec(any::<u8>(), 0..200),
        piece in 1_usize..9,
    ) {
        let stream = [start, rest].concat();
        let whole = drive(&stream, usize::MAX);
        prop_assert_eq!(drive(&stream, piece), whole);
        if let Ok((Some(_), taken)) = whole {
            // The same header alone is whole, and one byte less is not.
            prop_assert_eq!(drive(&stream[..taken], 1), whole);
            prop_assert_eq!(drive(&stream[..taken - 1], 1), Ok((None, taken - 1)));
        }
    }

    #[test]
    fn every_address_comes_through(v4 in any::<[u8; 4]>(), v6 in any::<[u8; 16]>(), port: u16) {
        for source in [SocketAddr::new(v4.into(), port), SocketAddr::new(v6.into(), port)] {
            prop_assume!(!canonical(source).ip().is_unspecified());
            let (family, there) = if source.is_ipv4() { ("TCP4", "1.1.1.1") } else { ("TCP6", "::1") };
            let text = format!("PROXY {family} {} {there} {port} 443\r\n", source.ip());
            let expected = Ok((Some(Announced::Client(canonical(source))), text.len()));
            prop_assert_eq!(drive(text.as_bytes(), usize::MAX), expected);
        }
    }
}
