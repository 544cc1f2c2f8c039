//! Bodies from memory: the size bound, its near miss, and the end.

use super::*;

#[tokio::test]
async fn a_body_up_to_the_limit_is_read() {
    let mut body = Body::from(Bytes::from_static(b"12345"));
    assert_eq!(HttpBody::size_hint(&body).exact(), Some(5));
    assert_eq!(body.read_whole(5).await, Ok(Bytes::from_static(b"12345")));
    assert_eq!(body.read_whole(5).await, Ok(Bytes::new()));
}

#[tokio::test]
async fn a_larger_body_is_refused_unread() {
    let mut body = Body::from(Bytes::from_static(b"123456"));
    assert_eq!(body.read_whole(5).await, Err(BodyError::TooLarge));
    assert_eq!(body.read_whole(6).await, Ok(Bytes::from_static(b"123456")));
}

#[tokio::test]
async fn an_empty_body_has_ended() {
    let mut body = Body::empty();
    assert!(body.is_end_stream());
    assert_eq!(body.read_whole(0).await, Ok(Bytes::new()));
    assert!(Body::from(Bytes::new()).is_end_stream());
}

#[test]
fn a_body_can_cross_threads() {
    fn shared<T: Send + Sync + Unpin>() {}
    shared::<Body>();
}

#[tokio::test]
async fn looking_whether_there_are_bytes_loses_none() {
    let mut body = Body::from(Bytes::from_static(b"abc"));
    assert_eq!(body.has_bytes().await, Ok(true));
    assert_eq!(body.read_whole(3).await.unwrap(), "abc");
    assert_eq!(body.has_bytes().await, Ok(false));
    assert_eq!(Body::empty().has_bytes().await, Ok(false));
}
