//! Tokens verify with an independent implementation; every refusal has its near miss.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderValue, header};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::Value;

use super::{BACKOFFICE, Client, Desk, READER, Refused, STANDARD, WRITER};
use base64::Engine as _;

const AUDIENCE: &str = "https://orders.example";
const NOW: u64 = 1_800_000_000;

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(NOW)
}

fn desk() -> Desk {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 8443));
    Desk::new(address, AUDIENCE, now).expect("keys")
}

fn client<'a>(desk: &'a Desk, id: &str) -> &'a Client {
    desk.clients.iter().find(|client| client.id == id).expect("a registered client")
}

fn basic(id: &str, secret: &str) -> HeaderMap {
    let credential = STANDARD.encode(format!("{id}:{secret}"));
    let value = HeaderValue::from_str(&format!("Basic {credential}")).expect("a header value");
    HeaderMap::from_iter([(header::AUTHORIZATION, value)])
}

fn ask(desk: &Desk, id: &str, form: &str) -> Result<Value, Refused> {
    desk.token(&basic(id, client(desk, id).secret()), form.as_bytes())
}

fn claims(desk: &Desk, answer: &Value) -> Value {
    let token = answer["access_token"].as_str().expect("a token");
    let jwk = serde_json::from_value(desk.key.jwk()).expect("a JWK");
    let key = DecodingKey::from_jwk(&jwk).expect("a key");
    let mut validation = Validation::new(Algorithm::ES256);
    validation.set_audience(&[AUDIENCE]);
    validation.set_issuer(&[&desk.url]);
    validation.validate_exp = false;
    let header = jsonwebtoken::decode_header(token).expect("a header");
    assert_eq!(header.typ.as_deref(), Some("at+jwt"));
    assert_eq!(header.kid.as_deref(), desk.key.jwk()["kid"].as_str());
    jsonwebtoken::decode::<Value>(token, &key, &validation).expect("a valid token").claims
}

#[test]
fn a_token_verifies_and_says_what_rfc_9068_demands() {
    let desk = desk();
    let answer = ask(&desk, WRITER, "grant_type=client_credentials").expect("a token");
    let claims = claims(&desk, &answer);
    assert_eq!(claims["sub"], WRITER);
    assert_eq!(claims["client_id"], WRITER);
    assert_eq!(claims["scope"], "read:orders write:orders");
    assert_eq!(claims["tenant"], "shop");
    assert_eq!(claims["tier"], "bronze");
    assert_eq!(claims["iat"], NOW);
    assert_eq!(claims["exp"], NOW + 300);
    assert!(claims["jti"].as_str().is_some_and(|id| !id.is_empty()));
    assert_eq!(answer["expires_in"], 300);
}

#[test]
fn a_scope_the_client_may_not_have_is_refused_and_a_part_of_its_scopes_is_granted() {
    let desk = desk();
    let form = "grant_type=client_credentials&scope=";
    assert_eq!(ask(&desk, READER, &format!("{form}write:orders")), Err(Refused::Scope));
    assert_eq!(ask(&desk, READER, &format!("{form}read:orders+x")), Err(Refused::Scope));
    let answer = ask(&desk, BACKOFFICE, &format!("{form}read%3Aorders")).expect("a token");
    assert_eq!(claims(&desk, &answer)["scope"], "read:orders");
}

#[test]
fn a_wrong_secret_is_refused_by_header_and_by_form() {
    let desk = desk();
    let right = client(&desk, READER).secret().to_owned();
    let near = format!("{right}x");
    let grant = b"grant_type=client_credentials";
    assert_eq!(desk.token(&basic(READER, &near), grant), Err(Refused::Client));
    assert_eq!(desk.token(&basic("nobody", &right), grant), Err(Refused::Client));
    assert_eq!(desk.token(&HeaderMap::new(), grant), Err(Refused::Client));
    let form = |secret: &str| {
        format!("grant_type=client_credentials&client_id={READER}&client_secret={secret}")
    };
    assert_eq!(desk.token(&HeaderMap::new(), form(&near).as_bytes()), Err(Refused::Client));
    assert!(desk.token(&HeaderMap::new(), form(&right).as_bytes()).is_ok());
    let both = desk.token(&basic(READER, &right), form(&right).as_bytes());
    assert_eq!(both, Err(Refused::Request));
}

#[test]
fn other_grants_other_targets_and_repeated_parameters_are_refused() {
    let desk = desk();
    let ask = |form: &str| ask(&desk, READER, form);
    assert_eq!(ask("grant_type=password"), Err(Refused::Grant));
    assert_eq!(ask("scope=read:orders"), Err(Refused::Request));
    let twice = "grant_type=client_credentials&grant_type=client_credentials";
    assert_eq!(ask(twice), Err(Refused::Request));
    let target = "grant_type=client_credentials&resource=https://";
    assert_eq!(ask(&format!("{target}other.example")), Err(Refused::Target));
    assert!(ask(&format!("{target}orders.example")).is_ok());
}

#[test]
fn a_refusal_is_never_cached_and_challenges() {
    let answer = desk().token_answer(&HeaderMap::new(), b"grant_type=client_credentials");
    assert_eq!(answer.status(), 401);
    assert_eq!(answer.headers()["cache-control"], "no-store");
    assert!(answer.headers().contains_key("www-authenticate"));
}

#[test]
fn secrets_differ_from_client_to_client_and_from_start_to_start() {
    let (one, other) = (desk(), desk());
    let mut secrets: Vec<&str> =
        one.clients.iter().chain(&other.clients).map(Client::secret).collect();
    secrets.sort_unstable();
    secrets.dedup();
    assert_eq!(secrets.len(), 6);
}
