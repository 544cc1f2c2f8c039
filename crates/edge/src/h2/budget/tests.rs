//! Each flood ends at its bound, and what an honest client sends does not.

use std::time::Duration;

use super::*;

const PING: u8 = 0x6;

fn floods() -> Floods {
    Floods::default()
}

fn head(kind: u8, length: u32, flags: u8) -> Head {
    Head { length, kind, flags, stream: 1 }
}

/// How many of these frames pass, and what ends them.
fn flood(frame: Head) -> (u32, FailureKind) {
    let now = Instant::now();
    let mut budget = Budget::new(&floods(), now);
    let mut passed = 0;
    loop {
        match budget.spend(frame, now) {
            Ok(()) if passed < 100_000 => passed += 1,
            Ok(()) => panic!("no end"),
            Err(kind) => return (passed, kind),
        }
    }
}

#[test]
fn floods_end() {
    let control = FailureKind::Http2ControlFlood;
    assert_eq!(flood(head(PING, 8, 0)), (floods().control.burst, control));
    assert_eq!(flood(head(0x4, 0, 0)), (floods().control.burst, control));
    assert_eq!(flood(head(0x2, 5, 0)), (floods().control.burst, control));
    assert_eq!(flood(head(0x77, 1, 0)), (floods().control.burst, control));
    assert_eq!(flood(head(DATA, 0, 0)), (floods().control.burst, control));
    assert_eq!(
        flood(head(RST_STREAM, 4, 0)),
        (floods().resets.burst, FailureKind::Http2ResetFlood)
    );
    let window = FailureKind::Http2WindowFlood;
    assert_eq!(flood(head(WINDOW_UPDATE, 4, 0)), (floods().window_updates.burst, window));
    let continuation = FailureKind::Http2ContinuationFlood;
    assert_eq!(flood(head(CONTINUATION, 9, 0)), (floods().continuations_max, continuation));
}

#[test]
fn work_is_not_a_flood() {
    let now = Instant::now();
    let mut budget = Budget::new(&floods(), now);
    for _ in 0..100_000 {
        assert_eq!(budget.spend(head(HEADERS, 50, END_HEADERS), now), Ok(()));
        assert_eq!(budget.spend(head(DATA, 1, 0), now), Ok(()));
        assert_eq!(budget.spend(head(DATA, 0, END_STREAM), now), Ok(()));
        budget.sent_data();
        assert_eq!(budget.spend(head(WINDOW_UPDATE, 4, 0), now), Ok(()));
        assert_eq!(budget.spend(head(WINDOW_UPDATE, 4, 0), now), Ok(()));
    }
}

#[test]
fn time_gives_back() {
    let mut now = Instant::now();
    let mut budget = Budget::new(&floods(), now);
    while budget.spend(head(RST_STREAM, 4, 0), now).is_ok() {}
    now += Duration::from_secs(2);
    let back = 2 * floods().resets.per_second;
    for _ in 0..back {
        assert_eq!(budget.spend(head(RST_STREAM, 4, 0), now), Ok(()));
    }
    assert!(budget.spend(head(RST_STREAM, 4, 0), now).is_err());
    now += Duration::from_secs(1_000_000);
    for _ in 0..floods().resets.burst {
        assert_eq!(budget.spend(head(RST_STREAM, 4, 0), now), Ok(()));
    }
    assert!(budget.spend(head(RST_STREAM, 4, 0), now).is_err());
}

#[test]
fn a_header_block_is_open_until_its_last_byte() {
    let now = Instant::now();
    let mut budget = Budget::new(&floods(), now);
    let (mut within, between) = (Follow::after(0), Follow::after(0));
    within.next(&[0]);
    assert!(!budget.is_in_head(&within));
    budget.spend(head(HEADERS, 50, 0), now).unwrap();
    assert!(budget.is_in_head(&between));
    budget.spend(head(CONTINUATION, 50, END_HEADERS), now).unwrap();
    assert!(budget.is_in_head(&within));
    assert!(!budget.is_in_head(&between));
    budget.spend(head(DATA, 50, 0), now).unwrap();
    assert!(!budget.is_in_head(&within));
}
