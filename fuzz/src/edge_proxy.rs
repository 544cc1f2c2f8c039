//! What proxies say about clients: a PROXY header, lists of addresses of which a client may have written any part but the
//! last, and certificates.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
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

/// The bytes are lines of fields, the first one of the leaf, and then one certificate.
pub fn edge_client_cert(data: &[u8]) {
    let mut lines = data.split(|byte| *byte == b'\n');
    let leaf: Vec<&[u8]> = lines.next().into_iter().collect();
    let chain: Vec<&[u8]> = lines.collect();
    let item = |der: &[u8]| format!(":{}:", STANDARD.encode(der)).into_bytes();
    if let Some(read) = fuzzing::client_cert(&leaf, &chain) {
        // There is one spelling, and what was read is read again.
        assert_eq!(item(&read[0]), leaf[0].trim_ascii());
        let between: Vec<Vec<u8>> = read[1..].iter().map(|der| item(der)).collect();
        let between: Vec<&[u8]> = between.iter().map(Vec::as_slice).collect();
        assert_eq!(fuzzing::client_cert(&[&item(&read[0])], &between), Some(read));
    }
    assert_eq!(fuzzing::client_cert(&[&leaf[..], &leaf[..]].concat(), &chain), None, "repeated");
    let alone = fuzzing::client_cert(&[&item(data)], &[]);
    assert!(alone.is_none_or(|read| read == [data]));
}
