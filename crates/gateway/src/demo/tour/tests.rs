//! The table of cases is complete, the bad tokens are bad, the printed table is aligned.

use super::super::jose;
use super::table::{Row, print};
use super::tokens::Credential;
use super::{Tokens, cases};

fn tokens() -> Tokens {
    Tokens::around("aGVhZA.Ym9keQ.c2ln".to_owned(), "w.w.w".to_owned(), vec!["secret".to_owned()])
        .expect("three parts")
}

#[test]
fn every_promised_status_has_a_case() {
    let mut seen: Vec<u16> = cases::all().iter().map(|case| case.status).collect();
    seen.push(cases::flood().status);
    for status in [200, 201, 400, 401, 403, 404, 405, 413, 415, 429] {
        assert!(seen.contains(&status), "no case for {status}");
    }
}

#[test]
fn the_cases_leave_room_in_the_burst_of_one_address() {
    // A failed authentication costs the address one more.
    let spent: usize = cases::all().iter().map(|case| if case.status == 401 { 2 } else { 1 }).sum();
    assert!(spent < 30, "{spent} of 30 are spent before the flood");
}

#[test]
fn bodies_have_a_media_type_and_reads_have_neither() {
    for case in cases::all() {
        let ask = case.ask(&tokens());
        let typed = ask.fields.iter().any(|(name, _)| name == "content-type");
        assert_eq!(typed, !ask.body.is_empty(), "{}", case.name);
        assert!(!case.name.is_empty());
    }
}

#[test]
fn forged_tokens_keep_the_claims_but_not_the_signature() {
    let tokens = tokens();
    let text = |credential| {
        let value = tokens.bearer(credential).expect("a token");
        value.to_str().expect("text").trim_start_matches("Bearer ").to_owned()
    };
    assert!(tokens.bearer(Credential::None).is_none());
    let (forged, unsigned) = (text(Credential::Forged), text(Credential::Unsigned));
    assert!(forged.starts_with("aGVhZA.Ym9keQ.") && !forged.ends_with(".c2ln"));
    assert!(unsigned.ends_with(".Ym9keQ."));
    let header = jose::decode(unsigned.split('.').next().expect("a header")).expect("base64url");
    assert!(String::from_utf8(header).expect("text").contains(r#""alg":"none""#));
    assert_eq!(tokens.secrets().count(), 5);
}

#[test]
fn the_table_is_aligned_and_sums_up() {
    let mut good = Row::new("one", "h1 GET /".into(), "200 allowed".into()).got("200".into());
    good.good = true;
    let bad = Row::new("another", "h2 GET /longer".into(), "401".into()).got("200".into());
    let mut out = Vec::new();
    print(&[good, bad], &mut out).expect("written");
    let text = String::from_utf8(out).expect("text");
    let lines: Vec<&str> = text.lines().collect();
    let column = lines[0].find("expected");
    assert!(column.is_some());
    assert_eq!(column, lines[1].find("200 allowed"));
    assert_eq!(column, lines[2].find("401"));
    assert!(text.contains("WRONG") && text.ends_with("1 of 2 as expected\n"));
}
