//! Heads are found wherever the pieces are cut.

use proptest::prelude::*;

use super::*;

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

fn heads(follow: &mut Follow, mut bytes: &[u8]) -> Vec<Head> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let (taken, head) = follow.next(bytes);
        assert!(taken > 0);
        bytes = &bytes[taken..];
        found.extend(head);
    }
    found
}

#[test]
fn a_reserved_bit_means_nothing() {
    let bytes = frame(RST_STREAM, 0, 0x8000_0003, &[0; 4]);
    let found = heads(&mut Follow::after(0), &bytes);
    assert_eq!(found, [Head { length: 4, kind: RST_STREAM, flags: 0, stream: 3 }]);
}

proptest! {
    #[test]
    fn pieces_change_nothing(
        frames in proptest::collection::vec((any::<u8>(), any::<u8>(), 0_u32..9, 0_usize..50), 0..8),
        preface in 0_usize..30,
        piece in 1_usize..20,
    ) {
        let mut bytes = vec![b'p'; preface];
        let mut expected = Vec::new();
        for (kind, flags, stream, length) in frames {
            bytes.extend(frame(kind, flags, stream, &vec![0xff; length]));
            let length = u32::try_from(length).unwrap();
            expected.push(Head { length, kind, flags, stream });
        }
        let mut follow = Follow::after(u64::try_from(preface).unwrap());
        let found: Vec<_> =
            bytes.chunks(piece).flat_map(|piece| heads(&mut follow, piece)).collect();
        prop_assert_eq!(found, expected);
        prop_assert!(follow.is_between());
    }
}
