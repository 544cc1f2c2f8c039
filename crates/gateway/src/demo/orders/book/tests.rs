//! The bound, the tenants and the life of one order.

use bytes::Bytes;
use http::Response;
use serde_json::Value;

use super::{Book, BookError, ORDERS_MAX};

const TEA: &[u8] = br#"{"item":"tea","quantity":2}"#;

fn value(answer: &Response<Bytes>) -> Value {
    serde_json::from_slice(answer.body()).expect("JSON")
}

#[test]
fn an_order_is_placed_found_listed_and_cancelled() {
    let mut book = Book::default();
    let placed = book.place("shop", "writer", TEA).expect("placed");
    assert_eq!(placed.status(), 201);
    let id = value(&placed)["id"].as_str().expect("an id").to_owned();
    assert_eq!(placed.headers()["location"], format!("/orders/{id}").as_str());
    assert_eq!(value(&book.find("shop", &id).expect("found"))["placed_by"], "writer");
    let count = |query| value(&book.list("shop", query))["orders"].as_array().map(Vec::len);
    assert_eq!(count(None), Some(1));
    assert_eq!(count(Some("status=open&limit=5")), Some(1));
    assert_eq!(count(Some("status=shipped")), Some(0));
    assert_eq!(book.cancel("shop", &id).expect("cancelled").status(), 204);
    assert_eq!(book.cancel("shop", &id).err(), Some(BookError::Unknown));
}

#[test]
fn another_tenant_sees_nothing() {
    let mut book = Book::default();
    let placed = book.place("shop", "writer", TEA).expect("placed");
    let id = value(&placed)["id"].as_str().expect("an id").to_owned();
    assert_eq!(book.find("other", &id).err(), Some(BookError::Unknown));
    assert_eq!(book.cancel("other", &id).err(), Some(BookError::Unknown));
    assert_eq!(value(&book.list("other", None))["orders"], serde_json::json!([]));
    assert!(book.find("shop", &id).is_ok());
}

#[test]
fn the_book_is_bounded_and_a_cancelled_order_makes_room() {
    let mut book = Book::default();
    let mut last = String::new();
    for _ in 0..ORDERS_MAX {
        let placed = book.place("shop", "writer", TEA).expect("placed");
        last = value(&placed)["id"].as_str().expect("an id").to_owned();
    }
    assert_eq!(book.place("shop", "writer", TEA).err(), Some(BookError::Full));
    book.cancel("shop", &last).expect("cancelled");
    assert!(book.place("shop", "writer", TEA).is_ok());
}

#[test]
fn what_is_no_order_is_refused() {
    let mut book = Book::default();
    for body in [&b"{}"[..], b"[]", b"", br#"{"item":"tea","quantity":2,"price":1}"#] {
        assert_eq!(book.place("shop", "writer", body).err(), Some(BookError::Malformed));
    }
}
