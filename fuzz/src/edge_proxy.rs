//! What proxies say about clients: a PROXY header, and lists of addresses of which a client may have written any part but
//! the last.

use std::net::IpAddr;

use edge::fuzzing;

/// The first byte is the size of the pieces; the others are a connection.
pub fn edge_proxy(data: &[u8]) {
    let Some((piece, bytes)) = data.split_first() else { return };
    let whole = fuzzing::proxy(bytes, usize::MAX);
    assert_eq!(fuzzing::proxy(bytes, usize::from(*piece)), whole);
    let Some((taken, Some(client))) = whole else { return };
    // Nothing behind the header was read, and nothing of it matters.
    assert_eq!(fuzzing::proxy(&bytes[..taken], 1), whole);
    assert!(!client.ip().is_unspecified());
    assert_eq!(client.ip(), client.ip().to_canonical());
}

/// The bytes are what a client says, in lines; a trusted proxy appends the client's address.
pub fn edge_forwarded(data: &[u8]) {
    let client: IpAddr = "192.0.2.7".parse().expect("an address");
    for (is_rfc, own) in
        [(true, b"for=192.0.2.7".as_slice()), (true, b"for=\"192.0.2.7:1\""), (false, b"192.0.2.7")]
    {
        let mut lines: Vec<&[u8]> = data.split(|byte| *byte == b'\n').collect();
        let alone = fuzzing::forwarded(&lines, is_rfc);
        assert!(alone.is_none_or(|address| !address.is_unspecified()));
        let last = lines.pop().unwrap_or_default();
        let appended = [last, b", ", own].concat();
        lines.push(&appended);
        let told = fuzzing::forwarded(&lines, is_rfc);
        assert!(told.is_none_or(|told| told == client), "the client chose {told:?}");
        lines.pop();
        lines.extend([last, own]);
        let told = fuzzing::forwarded(&lines, is_rfc);
        assert!(told.is_none_or(|told| told == client), "the client chose {told:?}");
    }
}
