//! A passage ends where it must, and tells why; what stays within its bounds passes.

use super::*;
use http_body_util::BodyExt as _;

const BOUNDS: Bounds = Bounds {
    bytes_max: 4,
    silence_max: Duration::from_secs(60),
    age_max: Duration::from_secs(60),
    websocket: false,
};

fn open(body: &'static str, lasts: Duration) -> Result<Passage, BodyError> {
    Passage::open(Body::from(Bytes::from(body)), &BOUNDS, lasts)
}

#[tokio::test]
async fn what_fits_passes_and_is_counted() {
    let passage = open("four", BOUNDS.age_max).unwrap();
    let passed = passage.passed();
    assert_eq!(passage.collect().await.unwrap().to_bytes(), "four");
    assert_eq!((passed.bytes(), passed.ended()), (4, None));
}

#[test]
fn more_than_may_pass_is_refused_where_it_is_announced() {
    assert_eq!(open("fives", BOUNDS.age_max).unwrap_err(), BodyError::TooLarge);
}

#[tokio::test]
async fn more_than_may_pass_ends_the_passage() {
    let mut passage = open("four", BOUNDS.age_max).unwrap();
    passage.left = 3;
    let passed = passage.passed();
    assert!(passage.collect().await.is_err());
    assert_eq!(passed.ended(), Some(Ended::Body(BodyError::TooLarge)));
}

#[tokio::test]
async fn an_old_passage_ends() {
    let passage = open("four", Duration::ZERO).unwrap();
    let passed = passage.passed();
    // Timers count in milliseconds.
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert!(passage.collect().await.is_err());
    assert_eq!((passed.bytes(), passed.ended()), (0, Some(Ended::Expired)));
    passed.ends(Ended::Body(BodyError::Aborted));
    assert_eq!(passed.ended(), Some(Ended::Expired), "the first reason counts");
}

#[test]
fn a_passage_ends_with_its_token_at_the_latest() {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
    let soon = now + Duration::from_secs(5);
    assert_eq!(BOUNDS.lasts(None, now), BOUNDS.age_max);
    assert_eq!(BOUNDS.lasts(Some(now + BOUNDS.age_max * 2), now), BOUNDS.age_max);
    assert_eq!(BOUNDS.lasts(Some(soon), now), Duration::from_secs(5));
    assert_eq!(BOUNDS.lasts(Some(now - Duration::from_secs(1)), now), Duration::ZERO);
}
