//! Tickets: each configuration has keys of its own, which rotate.

use super::*;

/// Six hours each, and accepted for as long again.
const LIFETIME_S: u32 = 12 * 60 * 60;

#[test]
fn tickets_rotate_and_fit_one_configuration() {
    let made = || over_tcp(ALL, TlsVersion::V1_3, Certificates::new(Vec::new()), None).unwrap();
    let (ours, other) = (made(), made());
    assert!(ours.ticketer.enabled());
    assert_eq!(ours.ticketer.lifetime(), LIFETIME_S, "none is good for ever");
    let ticket = ours.ticketer.encrypt(b"a session").unwrap();
    assert_eq!(ours.ticketer.decrypt(&ticket).as_deref(), Some(b"a session".as_slice()));
    assert_eq!(other.ticketer.decrypt(&ticket), None);
    assert_eq!((ours.max_early_data_size, other.max_early_data_size), (0, 0));
}

const ALL: Versions = Versions { h1: true, h2: true, h3: true };
