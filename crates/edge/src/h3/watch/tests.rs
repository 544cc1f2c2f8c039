//! Each flood ends at its bound, once, and time gives back.

use std::time::Duration;

use super::*;

#[test]
fn frames_without_work_end_at_their_bound() {
    let now = Instant::now();
    let watch = Watch::new(&Floods::default(), now);
    assert!(watch.control(Floods::default().control.burst - 1, now));
    assert!(watch.control(1, now));
    assert_eq!(watch.violation(), None);
    assert!(!watch.control(1, now));
    assert_eq!(watch.violation(), Some((FailureKind::Http3ControlFlood, EXCESSIVE_LOAD)));
    // What comes later does not change why.
    watch.push_id();
    assert!(!watch.control(0, now));
    assert_eq!(watch.violation(), Some((FailureKind::Http3ControlFlood, EXCESSIVE_LOAD)));
}

#[test]
fn resets_end_at_their_bound() {
    let mut now = Instant::now();
    let watch = Watch::new(&Floods::default(), now);
    for _ in 0..Floods::default().resets.burst {
        watch.reset(now);
    }
    now += Duration::from_secs(1);
    for _ in 0..Floods::default().resets.per_second {
        watch.reset(now);
    }
    assert_eq!(watch.violation(), None);
    assert!(watch.control(1, now), "one budget for each");
    watch.reset(now);
    assert_eq!(watch.violation(), Some((FailureKind::Http3ResetFlood, EXCESSIVE_LOAD)));
}

#[tokio::test]
async fn whoever_waits_is_told() {
    let watch = Watch::new(&Floods::default(), Instant::now());
    let told = tokio::join!(watch.ended(), async { watch.push_id() }).0;
    assert_eq!(told, (FailureKind::Http3Protocol, ID_ERROR));
    assert_eq!(watch.ended().await, told);
}
