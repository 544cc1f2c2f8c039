//! Bodies in every framing, whole and in pieces, with what may not be in a chunked one.

use proptest::prelude::*;

use super::*;

/// How many bytes belong to the body, and whether it is over.
fn follow(framing: Framing, bytes: &[u8]) -> Result<(usize, bool), ChunkFault> {
    let mut follow = Follow::new(framing);
    let taken = follow.take(bytes)?;
    Ok((taken, follow.is_over()))
}

#[test]
fn a_length_is_counted() {
    assert_eq!(follow(Framing::Length(0), b"GET"), Ok((0, true)));
    assert_eq!(follow(Framing::Length(3), b"abcGET"), Ok((3, true)));
    assert_eq!(follow(Framing::Length(7), b"abcGET"), Ok((6, false)));
}

#[test]
fn chunks_are_followed_to_the_end_of_the_trailers() {
    for (body, taken) in [
        (b"0\r\n\r\nGET".as_slice(), 5),
        (b"3\r\nabc\r\n0\r\n\r\nGET", 13),
        (b"0000000A\r\n0123456789\r\n0\r\n\r\n", 27),
        (b"a\r\n0123456789\r\n00\r\nx: y\r\nz:\r\n\r\nGET", 31),
    ] {
        assert_eq!(follow(Framing::Chunked, body), Ok((taken, true)), "{body:?}");
    }
    assert_eq!(follow(Framing::Chunked, b"3\r\nabc\r\n"), Ok((8, false)));
}

#[test]
fn what_other_parsers_read_otherwise_is_refused() {
    for body in [
        b"\r\n".as_slice(),
        b"x\r\n",
        b"+3\r\nabc\r\n",
        b"-3\r\nabc\r\n",
        b"0x3\r\nabc\r\n",
        b" 3\r\nabc\r\n",
        b"3 \r\nabc\r\n",
        b"3;a=b\r\nabc\r\n",
        b"3;\r\nabc\r\n",
        b"3\t;a=\"x\r\n",
        b"2;\nxx\r\n",
        b"3\nabc\r\n",
        b"3\rabc\r\n",
        b"3\r\nabcd\r\n",
        b"3\r\nabc\n",
        b"3\r\nabc0\r\n",
        b"100000003\r\nabc\r\n",
        b"00000\r\nX: y\n\r\n",
        b"0\r\nx : y\r\n\r\n",
        b"0\r\nno colon\r\n\r\n",
        b"0\r\nx: \0\r\n\r\n",
        b"0\r\nContent-Length: 5\r\n\r\n",
        b"0\r\ntransfer-encoding: chunked\r\n\r\n",
        b"0\r\nhost: a\r\n\r\n",
        b"0\r\nauthorization: a\r\n\r\n",
    ] {
        assert_eq!(follow(Framing::Chunked, body), Err(ChunkFault), "{:?}", body.escape_ascii());
    }
    let many = |count| format!("0\r\n{}\r\n", "x: y\r\n".repeat(count));
    assert!(follow(Framing::Chunked, many(TRAILERS_MAX).as_bytes()).is_ok());
    assert!(follow(Framing::Chunked, many(TRAILERS_MAX + 1).as_bytes()).is_err());
    let long = |bytes| format!("0\r\nx: {}\r\n\r\n", "a".repeat(bytes));
    assert!(follow(Framing::Chunked, long(TRAILER_BYTES_MAX - 7).as_bytes()).is_ok());
    assert!(follow(Framing::Chunked, long(TRAILER_BYTES_MAX).as_bytes()).is_err());
}

proptest! {
    /// A body that was written by the rules is followed to its end, in whatever pieces it comes.
    #[test]
    fn pieces_change_nothing(
        chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..40), 0..6),
        cut in any::<proptest::sample::Index>(),
        next in "[A-Z]{0,5}",
    ) {
        let mut body = Vec::new();
        for chunk in &chunks {
            body.extend(format!("{:X}\r\n", chunk.len()).into_bytes());
            body.extend(chunk);
            body.extend(b"\r\n");
        }
        body.extend(b"0\r\n\r\n");
        let length = body.len();
        body.extend(next.bytes());
        let cut = cut.index(body.len());
        let mut follow = Follow::new(Framing::Chunked);
        let first = follow.take(&body[..cut]).unwrap();
        let second = follow.take(&body[first..]).unwrap();
        prop_assert_eq!(first + second, length);
        prop_assert!(follow.is_over());
    }

    #[test]
    fn any_bytes_end_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok((taken, _)) = follow(Framing::Chunked, &bytes) {
            prop_assert!(taken <= bytes.len());
        }
    }
}
