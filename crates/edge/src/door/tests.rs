//! Who may enter, by a clock of the test: how many, how fast, and who is forgotten.

use std::num::NonZeroU32;

use super::*;
use crate::settings::ConnectionRate;

fn limits(open: u32, per_second: u32, burst: u32) -> Limits {
    let number = |value| NonZeroU32::new(value).unwrap();
    let address_connections_rate = ConnectionRate {
        count: number(per_second),
        per: Duration::from_secs(1),
        burst: number(burst),
    };
    Limits { address_connections_max: open, address_connections_rate, ..Limits::default() }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[tokio::test]
async fn an_address_has_so_many_open_and_no_more() {
    let door = Door::new(&limits(2, 1000, 1000));
    let now = Instant::now();
    let first = door.enter(ip("192.0.2.1"), now).unwrap();
    let _second = door.enter(ip("::ffff:192.0.2.1"), now).unwrap();
    assert_eq!(door.would_admit(ip("192.0.2.1"), now), Err(FailureKind::AddressConnections));
    let third = door.enter(ip("192.0.2.1"), now);
    assert_eq!(third.err(), Some(FailureKind::AddressConnections));
    assert!(door.enter(ip("192.0.2.2"), now).is_ok());
    drop(first);
    assert!(door.enter(ip("192.0.2.1"), now).is_ok());
}

#[tokio::test]
async fn a_slash_64_is_one_address() {
    let door = Door::new(&limits(1, 1000, 1000));
    let now = Instant::now();
    let _held = door.enter(ip("2001:db8::1"), now).unwrap();
    assert!(door.enter(ip("2001:db8::ffff:1"), now).is_err());
    assert!(door.enter(ip("2001:db8:0:1::1"), now).is_ok());
    // No IPv4 address is the /64 of an IPv6 one.
    assert!(door.enter(ip("0.0.0.1"), now).is_ok());
}

#[tokio::test]
async fn an_address_enters_at_its_rate() {
    let door = Door::new(&limits(100, 10, 3));
    let start = Instant::now();
    let enter = |milliseconds| {
        door.enter(ip("192.0.2.1"), start + Duration::from_millis(milliseconds)).map(drop)
    };
    assert!((0..3).all(|_| enter(0).is_ok()));
    assert_eq!(enter(0), Err(FailureKind::AddressRate));
    assert_eq!(enter(99), Err(FailureKind::AddressRate));
    // What was refused cost nothing.
    assert_eq!(enter(100), Ok(()));
    assert_eq!(enter(100), Err(FailureKind::AddressRate));
    assert!(door.would_admit(ip("192.0.2.1"), start).is_err());
    assert!((0..3).all(|_| enter(10_000).is_ok()));
    assert!(enter(10_000).is_err());
}

#[tokio::test]
async fn asking_costs_nothing() {
    let door = Door::new(&limits(100, 10, 1));
    let now = Instant::now();
    assert!((0..10).all(|_| door.would_admit(ip("192.0.2.1"), now).is_ok()));
    assert!(door.book().visitors.is_empty());
    assert!(door.enter(ip("192.0.2.1"), now).is_ok());
}

#[tokio::test]
async fn who_spent_most_is_remembered_longest() {
    let door = Door::with_room(&limits(100, 1, 10), 8, 6);
    let now = Instant::now();
    let greedy = ip("192.0.2.1");
    while door.enter(greedy, now).is_ok() {}
    let holder = ip("192.0.2.2");
    let held = door.enter(holder, now).unwrap();
    for low in 0..100_u8 {
        drop(door.enter([198, 51, 100, low].into(), now).unwrap());
        assert!(door.book().visitors.len() <= 8 + 2);
    }
    assert_eq!(door.enter(greedy, now).err(), Some(FailureKind::AddressRate));
    assert_eq!(door.book().visitors[&holder.into()].open, 1);
    // When all tokens are back, nobody is remembered who has nothing open.
    let later = now + Duration::from_secs(60);
    for low in 0..8_u8 {
        drop(door.enter([203, 0, 113, low].into(), later).unwrap());
    }
    assert!(!door.book().visitors.contains_key(&greedy.into()));
    drop(held);
    let book = door.book();
    let absent = book.visitors.values().filter(|account| account.open == 0).count();
    assert_eq!(book.absent, absent);
}
