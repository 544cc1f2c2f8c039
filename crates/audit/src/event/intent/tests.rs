//! Round trip, every way to end too early, versions; and what the next start makes of it.

use std::net::IpAddr;

use proptest::prelude::*;

use super::*;
use crate::event::Transaction;
use crate::event::tests::{checked, digests, encoder, opening, transaction};
use crate::facts::{Opening, TlsFacts};

/// A text, or none.
fn some() -> impl Strategy<Value = Option<String>> {
    proptest::option::of(".{0,40}")
}

/// One that may be long.
fn json() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..400)
}

/// An IPv4 address is one, mapped or not: an event says so, too.
fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        start in any::<u64>(),
        client in any::<(IpAddr, Option<u16>)>(),
        local in any::<(IpAddr, u16)>(),
        method in prop::sample::select(&METHODS[..]),
        texts in (".{0,40}", ".{0,10}", some(), some(), some()),
        tls in proptest::option::of((".{0,10}", some(), some(), some())),
        operation in proptest::option::of((json(), json(), json())),
        caller in proptest::option::of((json(), json())),
        observed in proptest::collection::vec(".{0,20}", 0..17),
        with_digests in any::<bool>(),
    ) {
        let known = Known {
            uid: "uid",
            log: &texts.0,
            start,
            client: (canonical(client.0), client.1),
            local: SocketAddr::new(canonical(local.0), local.1),
            method,
            http_version: &texts.1,
            user_agent: texts.2.as_deref(),
            trace: texts.3.as_deref(),
            tls: tls.as_ref().map(|(version, cipher, sni, client_certificate)| KnownTls {
                version,
                cipher: cipher.as_deref(),
                sni: sni.as_deref(),
                client_certificate: client_certificate.as_deref(),
            }),
            operation: operation
                .as_ref()
                .map(|(api, path, unmapped)| OperationJson { api, path, unmapped }),
            caller: caller.as_ref().map(|(actor, unmapped)| CallerJson { actor, unmapped }),
            observed: observed.iter().map(String::as_str).collect(),
            intended: true,
        };
        let mut bytes = Vec::new();
        let digests = Digestion { response: None, ..digests() };
        let digests = if with_digests { digests } else { Digestion::default() };
        encode(&known, &digests, &mut bytes);
        prop_assert_eq!(decode("uid", &bytes), Ok((known, digests)));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut versioned = bytes.clone();
        versioned.insert(0, VERSION);
        let (mut first, mut second) = (versioned.clone(), versioned.clone());
        (first[0], second[0]) = (VERSION_FIRST, VERSION_FIRST + 1);
        for bytes in [bytes, versioned, second, first] {
            if let Err(fault) = decode("uid", &bytes) {
                let named = bytes.first().filter(|version| !(VERSION_FIRST..=VERSION).contains(*version));
                let expected = named.map_or(IntentFault::Malformed, |v| IntentFault::Version(*v));
                prop_assert_eq!(fault, expected);
            }
        }
    }
}

#[test]
fn one_that_ends_too_early_is_refused() {
    let encoder = encoder();
    let transaction = transaction(&encoder, opening());
    let observed = transaction.observed.iter().map(|text| 2 + text.len()).sum::<usize>();
    let whole = encoder.intent(&transaction);
    assert!(decode("uid", &whole).is_ok());
    for end in 1..whole.len() {
        // The list of findings ends with the intent: without it there is still one.
        let fine = end == whole.len() - observed;
        assert_eq!(decode("uid", &whole[..end]).is_ok(), fine, "{end} of {}", whole.len());
    }
}

#[test]
fn another_version_is_refused_by_its_name() {
    let encoder = encoder();
    let mut intent = encoder.intent(&transaction(&encoder, opening()));
    intent[0] = 9;
    let fault = decode("uid", &intent).expect_err("refused");
    assert_eq!(fault, IntentFault::Version(9));
    assert_eq!(fault.to_string(), "an intent has version 9, this program reads 3");
    intent[0] = VERSION;
    assert!(decode("uid", &intent).is_ok());
}

#[test]
fn the_versions_before_tell_all_but_the_client_certificate_and_the_digests() {
    let encoder = encoder();
    let mut plain = opening();
    if let Some(tls) = &mut plain.tls {
        tls.client_certificate = None;
    }
    let of = |opening| {
        let digests = Digestion::default();
        encoder.intent(&Transaction { digests, ..transaction(&encoder, opening) })
    };
    let (plain, full) = (of(plain), of(opening()));
    let at = (0..plain.len()).find(|at| plain[*at] != full[*at]).expect("a difference");
    assert_eq!(plain[at..at + 2], [0xff, 0xff], "no certificate");
    // The second version has no place for the three digests behind it, the first has none for the certificate either.
    let now = decode("uid", &plain).expect("an intent");
    let mut second = plain.clone();
    second.drain(at + 2..at + 8);
    second[0] = VERSION_FIRST + 1;
    assert_eq!(decode("uid", &second).as_ref(), Ok(&now));
    let mut first = plain.clone();
    first.drain(at..at + 8);
    first[0] = VERSION_FIRST;
    assert_eq!(decode("uid", &first).as_ref(), Ok(&now));
}

#[test]
fn its_event_is_the_one_that_the_transaction_itself_would_give() {
    let plain = Opening { tls: None, user_agent: None, trace_id: None, ..opening() };
    let quic = TlsFacts { version: "TLSv1.3", cipher: None, sni: None, client_certificate: None };
    let quic = Opening { tls: Some(quic), client_port: None, ..opening() };
    for opening in [opening(), plain, quic] {
        let encoder = encoder();
        let transaction = transaction(&encoder, opening);
        let intent = encoder.intent(&transaction);
        assert!(intent.len() < 860, "{} bytes are not compact", intent.len());
        let (known, digests) = decode(&transaction.uid, &intent).expect("an intent");
        let event = encoder.unknown(&known, digests.clone());
        assert_eq!(event, encoder.unknown(&transaction.known(&encoder.log), digests.clone()));
        let event = checked("api_activity", event.as_bytes());
        assert_eq!(event["status_detail"], "audit.outcome_unknown");
        assert_eq!(event["actor"]["session"]["issuer"], "https://idp.example.com/realms/shop");
        assert_eq!(event["unmapped"]["observed"][0], "validate.response");
        for (part, digest) in [
            ("digest_target", digests.target),
            ("digest_received", digests.received),
            ("digest_forwarded", digests.forwarded),
        ] {
            assert_eq!(event["unmapped"][part], digest.expect("a digest").as_str());
        }
        assert!(event["unmapped"].get("digest_response").is_none(), "nothing was answered");
    }
}
