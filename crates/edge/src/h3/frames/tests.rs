//! Frames in one piece, byte by byte and at random.

use proptest::prelude::*;

use super::*;

const HEADERS: u8 = 0x01;
/// A type no RFC names.
const UNKNOWN: u8 = 0x21;

/// What comes out, whatever the size of the pieces.
fn walk(mut frames: Frames, input: &[u8], piece: usize) -> Result<Vec<u8>, FrameFault> {
    let mut out = VecDeque::new();
    for chunk in input.chunks(piece) {
        frames.push(Bytes::copy_from_slice(chunk), &mut out)?;
    }
    frames.end()?;
    Ok(out.iter().flatten().copied().collect())
}

fn both(input: &[u8]) -> Result<Vec<u8>, FrameFault> {
    let whole = walk(Frames::of_request(100), input, usize::MAX);
    assert_eq!(whole, walk(Frames::of_request(100), input, 1));
    whole
}

#[test]
fn a_request_passes_unchanged() {
    let input = [HEADERS, 2, 7, 7, 0, 3, 1, 2, 3];
    assert_eq!(both(&input).unwrap(), input);
}

#[test]
fn an_empty_data_frame_is_left_out() {
    assert_eq!(both(&[HEADERS, 1, 7, 0, 0, 0, 1, 9]).unwrap(), [HEADERS, 1, 7, 0, 1, 9]);
}

#[test]
fn a_stream_that_ends_within_a_frame_is_refused() {
    assert_eq!(both(&[HEADERS, 1, 7, 0, 4]), Err(FrameFault::Truncated));
    assert_eq!(both(&[HEADERS, 1, 7, 0, 4, 1, 2, 3]), Err(FrameFault::Truncated));
    assert_eq!(both(&[HEADERS, 1, 7, 0]), Err(FrameFault::Truncated));
    assert!(both(&[HEADERS, 1, 7, 0, 4, 1, 2, 3, 4]).is_ok());
}

#[test]
fn only_data_may_be_long() {
    // 0x40.. is a two-byte length: 100 passes, 101 does not.
    assert_eq!(both(&[UNKNOWN, 0x40, 101]), Err(FrameFault::TooLong));
    assert_eq!(both(&[UNKNOWN, 0x40, 100]), Err(FrameFault::Truncated));
    assert_eq!(both(&[HEADERS, 0x40, 100]), Err(FrameFault::Truncated));
    // Four bytes: 1 GiB of data.
    assert_eq!(both(&[0, 0xbf, 0xff, 0xff, 0xff]), Err(FrameFault::Truncated));
}

#[test]
fn a_request_that_may_not_pass_is_replaced() {
    // 1 GiB of headers, and a section without any pseudo-header field.
    for (input, why) in [
        ([HEADERS, 0xbf, 0xff, 0xff, 0xff].as_slice(), Malformed::FieldBytes),
        (&[HEADERS, 2, 0, 0, 0, 1, 9], Malformed::PseudoField),
    ] {
        let mut frames = Frames::of_request(100);
        let mut out = VecDeque::new();
        frames.push(Bytes::copy_from_slice(input), &mut out).unwrap();
        assert_eq!(frames.verdict(), Some(why));
        assert_eq!(out.iter().flatten().copied().collect::<Vec<u8>>(), STAND_IN);
        assert_eq!(both(input).unwrap(), STAND_IN);
    }
    let (head, section) = STAND_IN.split_at(2);
    assert_eq!(head, [HEADERS, u8::try_from(section.len()).unwrap()]);
    assert_eq!(qpack::inspect(section, 1000, Part::Head), Ok(()));
    let broken_trailers = [STAND_IN, &[HEADERS, 4, 0, 0, 0xd1, 0xd1]].concat();
    let walked = walk(Frames::of_request(1000), &broken_trailers, 1);
    assert_eq!(walked, Err(FrameFault::Trailers));
}

#[test]
fn frames_without_data_are_counted() {
    let unknown = [0x21, 0];
    assert!(both(&unknown.repeat(BARREN_FRAMES_MAX)).is_ok());
    assert_eq!(both(&unknown.repeat(BARREN_FRAMES_MAX + 1)), Err(FrameFault::TooMany));
}

#[test]
fn a_client_stream_is_framed_only_when_it_is_the_control_stream() {
    let control = [0, 4, 0x40, 101];
    assert_eq!(walk(Frames::of_client_stream(100), &control, 1), Err(FrameFault::TooLong));
    let qpack = [2, 4, 0x40, 101];
    assert_eq!(walk(Frames::of_client_stream(100), &qpack, 1).unwrap(), qpack);
}

proptest! {
    #[test]
    fn pieces_make_no_difference(input in proptest::collection::vec(any::<u8>(), 0..300), piece in 1_usize..20) {
        let whole = walk(Frames::of_request(64), &input, usize::MAX);
        prop_assert_eq!(&whole, &walk(Frames::of_request(64), &input, piece));
        if let Ok(out) = whole {
            prop_assert!(out.len() <= input.len() + STAND_IN.len());
        }
    }
}

/// A control stream with its type and empty SETTINGS in front: how many frames it counts.
fn control(frames: &[u8]) -> Result<u32, FrameFault> {
    let input = [&[0, 4, 0], frames].concat();
    let mut counts = Vec::new();
    for piece in [usize::MAX, 1] {
        let mut follow = Frames::of_client_stream(100);
        let mut out = VecDeque::new();
        for chunk in input.chunks(piece) {
            follow.push(Bytes::copy_from_slice(chunk), &mut out)?;
        }
        follow.end()?;
        assert_eq!(out.iter().flatten().copied().collect::<Vec<_>>(), input);
        counts.push(follow.take_control_frames());
        assert_eq!(follow.take_control_frames(), 0, "each is counted once");
    }
    assert_eq!(counts[0], counts[1]);
    Ok(counts[0])
}

#[test]
fn frames_of_a_control_stream_are_counted() {
    assert_eq!(control(&[]), Ok(1));
    assert_eq!(control(&[UNKNOWN, 0, UNKNOWN, 2, 9, 9, 7, 1, 0]), Ok(4));
}

#[test]
fn push_ids_may_not_fall() {
    assert_eq!(control(&[0x0d, 1, 5, 0x0d, 1, 5, 0x0d, 2, 0x40, 6]), Ok(4));
    assert_eq!(control(&[0x0d, 1, 5, 0x0d, 1, 4]), Err(FrameFault::PushId));
    assert_eq!(control(&[0x03, 1, 0]), Err(FrameFault::PushId));
    // What is no push id is the library's to refuse.
    assert_eq!(control(&[0x0d, 2, 5, 5, 0x0d, 0]), Ok(3));
}

proptest! {
    #[test]
    fn a_control_stream_is_the_same_in_all_pieces(
        frames in proptest::collection::vec((0_u8..64, proptest::collection::vec(any::<u8>(), 0..10)), 0..20),
        piece in 1_usize..8,
    ) {
        let mut input = vec![0];
        for (kind, payload) in &frames {
            input.push(*kind);
            input.push(u8::try_from(payload.len()).unwrap());
            input.extend(payload);
        }
        let walk = |piece: usize| {
            let mut follow = Frames::of_client_stream(100);
            let mut out = VecDeque::new();
            let mut fate = Ok(());
            for chunk in input.chunks(piece) {
                fate = fate.and_then(|()| follow.push(Bytes::copy_from_slice(chunk), &mut out));
            }
            let passed: Vec<u8> = out.iter().flatten().copied().collect();
            (fate, follow.take_control_frames(), passed)
        };
        let (fate, count, passed) = walk(usize::MAX);
        prop_assert_eq!(walk(piece), (fate, count, passed.clone()));
        if fate.is_ok() {
            prop_assert_eq!(count, u32::try_from(frames.len()).unwrap());
            prop_assert_eq!(passed, input);
        }
    }
}
