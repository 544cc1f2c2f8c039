//! What is packed is seen within bounds, and what goes beyond them is told from what is none.

use std::io::Write;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use proptest::prelude::*;

use super::*;

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).expect("into memory");
    encoder.finish().expect("into memory")
}

fn zlib(plain: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).expect("into memory");
    encoder.finish().expect("into memory")
}

#[test]
fn what_is_packed_is_seen_wherever_it_begins() {
    let plain = b"alice@example.org".to_vec();
    for packed in [gzip(&plain), zlib(&plain)] {
        assert_eq!(opened(&packed), Packed::Open(plain.clone()));
        let behind = [b"name=".as_slice(), &packed].concat();
        assert_eq!(opened(&behind), Packed::Open(plain.clone()));
    }
    // A second member of gzip holds as much as the first.
    let two = [gzip(b"one "), gzip(b"two")].concat();
    assert_eq!(opened(&two), Packed::Open(b"one two".to_vec()));
    assert_eq!(opened(b"nothing of the kind"), Packed::No);
    // Begins like zlib and is a word: what comes out of it is looked at, and that is all.
    assert_ne!(opened(b"x^2 is no zlib"), Packed::Closed);
}

#[test]
fn a_bomb_and_a_stump_stay_closed() {
    for bytes in [RATIO_MAX * 200, 1 << 20] {
        assert_eq!(opened(&gzip(&vec![b'a'; bytes])), Packed::Closed, "{bytes}");
        assert_eq!(opened(&zlib(&vec![b'a'; bytes])), Packed::Closed, "{bytes}");
    }
    // As much as may be: text that hardly packs.
    let words: Vec<u8> = (0_u32..6_000)
        .flat_map(|n| n.wrapping_mul(2_654_435_761).to_string().into_bytes())
        .collect();
    let fits = words.get(..UNPACKED_BYTES_MAX.min(words.len())).expect("some");
    assert_eq!(opened(&gzip(fits)), Packed::Open(fits.to_vec()));
    let packed = gzip(b"alice@example.org");
    assert_eq!(opened(packed.get(..packed.len() - 3).expect("a part")), Packed::Closed);
    // zlib that breaks off is looked at as far as it goes.
    let packed = zlib(b"alice@example.org");
    let stump = packed.get(..packed.len() - 3).expect("a part");
    assert!(matches!(opened(stump), Packed::Open(plain) if plain.starts_with(b"alice")));
}

proptest! {
    #[test]
    fn nothing_panics_and_nothing_grows_beyond_its_bounds(bytes in prop::collection::vec(any::<u8>(), 0..200), begins in 0_usize..6) {
        let marks: [&[u8]; 6] = [&[], &GZIP, &ZLIB[0], &ZLIB[1], &ZLIB[2], &ZLIB[3]];
        let all = [marks[begins], &bytes].concat();
        if let Packed::Open(plain) = opened(&all) {
            prop_assert!(plain.len() <= RATIO_MAX * all.len());
        }
    }
}
