//! Compressed bodies: each coding beside what is broken, too large, or followed by something.

use std::io::Write as _;

use proptest::prelude::*;

use super::*;

const ALL: Codings = Codings { gzip: true, br: true, zstd: true };
const LIMIT: usize = 1024 * 1024;

fn within(body_bytes_max: usize) -> Limits {
    Limits { body_bytes_max, ..Limits::default() }
}

fn gzip(plain: &[u8]) -> Bytes {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap().into()
}

fn zstd(plain: &[u8]) -> Bytes {
    let level = ruzstd::encoding::CompressionLevel::Fastest;
    ruzstd::encoding::compress_to_vec(plain, level).into()
}

/// `hello` by the reference encoder.
const BR_HELLO: &[u8] = b"\x0b\x02\x80hello\x03";

fn named(names: &[&str], allowed: Codings) -> Result<Option<Coding>, &'static str> {
    let mut headers = HeaderMap::new();
    for name in names {
        headers.append(CONTENT_ENCODING, name.parse().unwrap());
    }
    Coding::of(&headers, allowed)
}

#[test]
fn only_what_is_named_is_decoded() {
    assert_eq!(named(&[], ALL), Ok(None));
    assert_eq!(named(&["identity"], Codings::default()), Ok(None));
    assert_eq!(named(&["GZip"], ALL), Ok(Some(Coding::Gzip)));
    assert_eq!(named(&["br"], ALL), Ok(Some(Coding::Br)));
    assert_eq!(named(&["zstd"], ALL), Ok(Some(Coding::Zstd)));
    for (names, allowed) in [
        (&["gzip"][..], Codings::default()),
        (&["br"], Codings { gzip: true, ..Codings::default() }),
        (&["deflate"], ALL),
        (&["gzip, gzip"], ALL),
        (&["gzip", "br"], ALL),
        (&["identity", "gzip"], ALL),
        (&[""], ALL),
    ] {
        assert_eq!(named(names, allowed), Err("content_encoding"), "{names:?}");
    }
}

#[test]
fn each_coding_is_decoded_to_its_end() {
    let plain = br#"{"name":"a"}"#.as_slice();
    for (coding, body, plain) in [
        (Coding::Gzip, gzip(plain), plain),
        (Coding::Zstd, zstd(plain), plain),
        (Coding::Br, Bytes::from_static(BR_HELLO), b"hello"),
    ] {
        assert_eq!(coding.decode(&body, &within(LIMIT)).as_deref(), Ok(plain), "{coding:?}");
        let cut = body.slice(..body.len() - 1);
        assert_eq!(coding.decode(&cut, &within(LIMIT)), Err(Undecoded::Broken), "{coding:?} cut");
        let more = Bytes::from([&body[..], b"\0"].concat());
        assert_eq!(
            coding.decode(&more, &within(LIMIT)),
            Err(Undecoded::Broken),
            "{coding:?} and more"
        );
        let twice = Bytes::from([&body[..], &body[..]].concat());
        assert_eq!(
            coding.decode(&twice, &within(LIMIT)),
            Err(Undecoded::Broken),
            "{coding:?} twice"
        );
        assert_eq!(
            coding.decode(&Bytes::new(), &within(LIMIT)),
            Err(Undecoded::Broken),
            "{coding:?}"
        );
        let fits = coding.decode(&body, &within(plain.len()));
        assert_eq!(fits.as_deref(), Ok(plain), "{coding:?}");
        let size = Err(Undecoded::Size("body_bytes_max"));
        assert_eq!(coding.decode(&body, &within(plain.len() - 1)), size, "{coding:?}");
    }
    let mut sum = gzip(plain).to_vec();
    let at = sum.len() - 5;
    sum[at] ^= 1;
    assert_eq!(
        Coding::Gzip.decode(&sum.into(), &within(LIMIT)),
        Err(Undecoded::Broken),
        "checksum"
    );
}

#[test]
fn a_bomb_stops_at_its_ratio() {
    for (coding, bomb) in [(Coding::Gzip, gzip(&[0; LIMIT])), (Coding::Zstd, zstd(&[0; LIMIT]))] {
        let outcome = coding.decode(&bomb, &within(LIMIT));
        assert_eq!(outcome, Err(Undecoded::Size("ratio_max")), "{coding:?} {}", bomb.len());
    }
    // Small ones may repeat themselves.
    let small = gzip(&[0; RATIO_FREE_BYTES]);
    assert_eq!(
        Coding::Gzip.decode(&small, &within(LIMIT)).map(|plain| plain.len()),
        Ok(RATIO_FREE_BYTES)
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn what_was_packed_is_unpacked(plain in proptest::collection::vec(any::<u8>(), 1..2000)) {
        for (coding, body) in [(Coding::Gzip, gzip(&plain)), (Coding::Zstd, zstd(&plain))] {
            prop_assert_eq!(coding.decode(&body, &within(LIMIT)), Ok(Bytes::from(plain.clone())));
        }
    }

    #[test]
    fn any_bytes_end_without_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        at in 0_usize..64,
    ) {
        let body = Bytes::from(bytes.clone());
        for coding in [Coding::Gzip, Coding::Br, Coding::Zstd] {
            prop_assert!(coding.decode(&body, &within(4096)).map_or(0, |plain| plain.len()) <= 4096);
        }
        // What begins well is broken later.
        for (coding, whole) in [(Coding::Gzip, gzip(&bytes)), (Coding::Zstd, zstd(&bytes))] {
            let mut hurt = whole.to_vec();
            if let Some(byte) = hurt.get_mut(at) {
                *byte ^= 0x55;
            }
            prop_assert!(coding.decode(&hurt.into(), &within(4096)).map_or(0, |plain| plain.len()) <= 4096);
        }
    }
}
