//! The readers before the protocol engines: whatever the bytes, the pieces they come in make no difference, and nothing is
//! shown to an engine that was not sent.

use edge::fuzzing;

/// The first byte is the size of the pieces; the others are a connection.
fn parted(data: &[u8]) -> Option<(usize, &[u8])> {
    let (piece, bytes) = data.split_first()?;
    Some((usize::from(*piece).max(1), bytes))
}

/// Head and body of an HTTP/1 request.
pub fn edge_h1(data: &[u8]) {
    let Some((piece, bytes)) = parted(data) else { return };
    let whole = fuzzing::h1(bytes, usize::MAX);
    assert_eq!(fuzzing::h1(bytes, piece), whole);
    let Some((taken, is_complete)) = whole else { return };
    assert!(taken <= bytes.len());
    if is_complete {
        // What follows a request belongs to the next one.
        assert_eq!(fuzzing::h1(&bytes[..taken], usize::MAX), Some((taken, true)));
    }
}

/// Frame heads of an HTTP/2 connection.
pub fn edge_h2(data: &[u8]) {
    let Some((piece, bytes)) = parted(data) else { return };
    assert_eq!(fuzzing::h2(bytes, piece), fuzzing::h2(bytes, usize::MAX));
}

/// Frames and field sections of an HTTP/3 request stream.
pub fn edge_h3(data: &[u8]) {
    let Some((piece, bytes)) = parted(data) else { return };
    let whole = fuzzing::h3(bytes, usize::MAX);
    assert_eq!(fuzzing::h3(bytes, piece), whole);
    // What passed once, or stands in for what did not, passes again.
    if let Some(shown) = whole {
        assert_eq!(fuzzing::h3(&shown, usize::MAX).as_ref(), Some(&shown));
    }
}
