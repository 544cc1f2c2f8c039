//! Lists of addresses as clients and proxies write them, and whom they name.

use http::HeaderValue;
use proptest::prelude::*;

use super::*;

fn rules(from: AddressSource) -> ClientAddress {
    let trusted_proxies = ["10.0.0.0/8", "2001:db8:aaaa::/48"].map(|net| net.parse().unwrap());
    ClientAddress { trusted_proxies: trusted_proxies.into(), from, insecure_direct: false }
}

/// What some lines of a field come to, as text.
fn told(from: AddressSource, lines: &[&str]) -> Result<String, Malformed> {
    let name = match from {
        AddressSource::Forwarded => header::FORWARDED,
        AddressSource::XForwardedFor | AddressSource::ProxyProtocol => X_FORWARDED_FOR,
    };
    let mut headers = HeaderMap::new();
    for line in lines {
        headers.append(&name, HeaderValue::from_bytes(line.as_bytes()).unwrap());
    }
    client(&headers, &rules(from)).map(|client| match client.port {
        Some(port) => SocketAddr::new(client.address, port).to_string(),
        None => client.address.to_string(),
    })
}

fn expect(from: AddressSource, cases: &[(&[&str], Result<&str, Malformed>)]) {
    for (lines, expected) in cases {
        assert_eq!(told(from, lines), expected.map(str::to_owned), "{lines:?}");
    }
}

const MISSING: Result<&str, Malformed> = Err(Malformed::ClientAddressMissing);
const SYNTAX: Result<&str, Malformed> = Err(Malformed::ClientAddressSyntax);

#[test]
fn x_forwarded_for_is_read_from_the_right() {
    let many = vec!["10.0.0.1"; HOPS_MAX].join(",");
    let too_many = vec!["10.0.0.1"; HOPS_MAX + 1].join(",");
    expect(
        AddressSource::XForwardedFor,
        &[
            (&["192.0.2.7"], Ok("192.0.2.7")),
            (&["192.0.2.7:4711"], Ok("192.0.2.7:4711")),
            (&["2001:db8::7"], Ok("2001:db8::7")),
            (&["[2001:db8::7]"], Ok("2001:db8::7")),
            (&["[2001:db8::7]:4711"], Ok("[2001:db8::7]:4711")),
            (&["::ffff:192.0.2.7"], Ok("192.0.2.7")),
            // Spoofed entries to the left, whatever they are.
            (&["198.51.100.9, 192.0.2.7"], Ok("192.0.2.7")),
            (&["127.0.0.1,\t192.0.2.7 "], Ok("192.0.2.7")),
            (&["spoofed, 192.0.2.7"], Ok("192.0.2.7")),
            (&[", , 192.0.2.7"], Ok("192.0.2.7")),
            (&["\u{fc}\"', 192.0.2.7"], Ok("192.0.2.7")),
            // Trusted proxies to the right.
            (&["198.51.100.9, 192.0.2.7, 10.1.2.3, 2001:db8:aaaa::1"], Ok("192.0.2.7")),
            (&["10.3.3.3, 10.1.2.3"], Ok("10.3.3.3")),
            // Lines are one list.
            (&["198.51.100.9", "192.0.2.7", "10.1.2.3"], Ok("192.0.2.7")),
            (&[many.as_str()], Ok("10.0.0.1")),
            (&[too_many.as_str()], SYNTAX),
            (&[many.as_str(), "192.0.2.7"], SYNTAX),
            (&[], MISSING),
            (&[""], SYNTAX),
            (&["192.0.2.7,"], SYNTAX),
            (&["192.0.2.7", ""], SYNTAX),
            (&["192.0.2.7, unknown"], SYNTAX),
            (&["192.0.2.7, 10.1.2.3, x, 10.1.2.4"], SYNTAX),
            (&["192.0.2.7 198.51.100.9"], SYNTAX),
            (&["192.0.2"], SYNTAX),
            (&["192.0.2.07"], SYNTAX),
            (&["0.0.0.0"], SYNTAX),
            (&["::"], SYNTAX),
            (&["[192.0.2.7]"], SYNTAX),
            (&["192.0.2.7:"], SYNTAX),
            (&["192.0.2.7:70000"], SYNTAX),
            (&["192.0.2.7:+1"], SYNTAX),
            (&["[2001:db8::7"], SYNTAX),
            (&["[2001:db8::7]4711"], SYNTAX),
            (&["fe80::1%eth0"], SYNTAX),
            (&["\"192.0.2.7\""], SYNTAX),
            (&["for=192.0.2.7"], SYNTAX),
        ],
    );
}

#[test]
fn forwarded_is_read_to_the_letter() {
    expect(
        AddressSource::Forwarded,
        &[
            (&["for=192.0.2.7"], Ok("192.0.2.7")),
            (&["For=192.0.2.7;proto=https;by=10.0.0.1"], Ok("192.0.2.7")),
            (&["proto=https;FOR=\"192.0.2.7:4711\""], Ok("192.0.2.7:4711")),
            (&["for=\"[2001:db8::7]\""], Ok("2001:db8::7")),
            (&["for=\"[2001:db8::7]:4711\""], Ok("[2001:db8::7]:4711")),
            (&["for=\"[2001:db8::7]:_port.-1\""], Ok("2001:db8::7")),
            (&["for=\"192.0.2\\.7\""], Ok("192.0.2.7")),
            (&[";for=192.0.2.7;;"], Ok("192.0.2.7")),
            (&["for=198.51.100.9, for=192.0.2.7 ,\tfor=10.0.0.1"], Ok("192.0.2.7")),
            (&["for=198.51.100.9", "for=192.0.2.7"], Ok("192.0.2.7")),
            (&["for=_hidden, for=192.0.2.7"], Ok("192.0.2.7")),
            (&["for=unknown;host=\"a, for=1.1.1.1\", for=192.0.2.7"], Ok("192.0.2.7")),
            (&["proto=http,,for=192.0.2.7"], Ok("192.0.2.7")),
            (&[], MISSING),
            (&[""], SYNTAX),
            (&["for=unknown"], SYNTAX),
            (&["for=_hidden"], SYNTAX),
            (&["for=192.0.2.7, for=_hidden"], SYNTAX),
            (&["for=192.0.2.7, proto=https"], SYNTAX),
            (&["for=192.0.2.7,"], SYNTAX),
            (&["for=192.0.2.7;for=198.51.100.9"], SYNTAX),
            (&["for=192.0.2.7; proto=https"], SYNTAX),
            (&["for = 192.0.2.7"], SYNTAX),
            (&["for="], SYNTAX),
            (&["for=\"\""], SYNTAX),
            (&["for"], SYNTAX),
            (&["192.0.2.7"], SYNTAX),
            (&["for=[2001:db8::7]"], SYNTAX),
            (&["for=\"2001:db8::7\""], SYNTAX),
            (&["for=192.0.2.7:4711"], SYNTAX),
            (&["for=\"192.0.2.7"], SYNTAX),
            (&["for=\"192.0.2.7\"x"], SYNTAX),
            (&["for=\"[2001:db8::7]:_\""], SYNTAX),
            (&["for=\"192.0.2.7:123456\""], SYNTAX),
            // A text left open takes what the proxy appends with it.
            (&["for=198.51.100.9;x=\", for=192.0.2.7"], SYNTAX),
            (&["for=198.51.100.9;x=\", for=\"[2001:db8::7]\""], SYNTAX),
            (&["for=198.51.100.9;x=\"\\, for=192.0.2.7"], SYNTAX),
            // The same before a line of the proxy's own.
            (&["for=198.51.100.9;x=\"", "for=192.0.2.7"], SYNTAX),
        ],
    );
}

#[test]
fn the_other_field_counts_for_nothing() {
    let mut headers = HeaderMap::new();
    headers.insert(header::FORWARDED, HeaderValue::from_static("for=192.0.2.7"));
    let told = client(&headers, &rules(AddressSource::XForwardedFor));
    assert_eq!(told, Err(Malformed::ClientAddressMissing));
    assert!(client(&headers, &rules(AddressSource::Forwarded)).is_ok());
    let told = client(&headers, &rules(AddressSource::ProxyProtocol));
    assert_eq!(told, Err(Malformed::ClientAddressMissing));
}

proptest! {
    /// Whatever a client says, what the proxy appends is the client's address, or nothing is.
    #[test]
    fn no_prefix_changes_who_is_believed(
        spoofed in "[ -~\t]{0,60}",
        written in prop_oneof![Just("192.0.2.7"), Just("\"192.0.2.7:1\""), Just("\"[2001:db8::7]\"")],
    ) {
        let expected = ["192.0.2.7", "192.0.2.7:1", "2001:db8::7"].map(str::to_owned);
        let bare = written.trim_matches('"');
        let line = format!("{spoofed},{bare}");
        let told_x = told(AddressSource::XForwardedFor, &[&line]);
        let too_many = line.matches(',').count() >= HOPS_MAX;
        prop_assert_eq!(told_x.is_ok_and(|told| expected.contains(&told)), !too_many);
        for lines in [
            vec![format!("{spoofed}, for={written}")],
            vec![spoofed.clone(), format!("for={written}")],
        ] {
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            if let Ok(told) = told(AddressSource::Forwarded, &lines) {
                prop_assert!(expected.contains(&told), "{lines:?}: {told}");
            }
        }
    }
}
