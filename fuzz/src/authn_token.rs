//! Access tokens. The input is first the credential itself, which can never be accepted; then its first line is a JOSE
//! header and the rest are claims, which this target signs, so that the checks behind the signature are reached.
use std::fs;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use authn::{Demand, Denied, Issuer, IssuerSettings, KeySource, Principal, identify};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue};
use tokio::runtime::{Builder, Runtime};

const ISSUER: &str = "https://idp.example.com";
const AUDIENCE: &str = "https://api.example.com";
/// Seconds since 1970 at which every input is judged.
const NOW: u64 = 1_700_000_000;

struct World {
    demand: Demand,
    pair: Ed25519KeyPair,
    /// Its clock stands still, so that waiting for keys takes no time.
    runtime: Runtime,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("a key");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("jwks.json");
    let x = URL_SAFE_NO_PAD.encode(pair.public_key());
    let key =
        serde_json::json!({ "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": "k", "x": x });
    fs::write(&file, serde_json::json!({ "keys": [key] }).to_string()).expect("a written file");
    let mut settings = IssuerSettings::new("fuzz", ISSUER);
    settings.keys = KeySource::File(file);
    // The time of the keys is the real clock's, the time of the tokens is ours.
    settings.keys_age_max = Duration::from_secs(100 * 365 * 86_400);
    let issuer: Arc<Issuer> = Issuer::open(settings).expect("an issuer");
    let audience = AUDIENCE.to_owned();
    let demand = Demand::Bearer { issuers: vec![issuer], audience, anonymous_too: false };
    let runtime =
        Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
    World { demand, pair, runtime }
});

/// The bytes are a credential; where they hold a line end, also a JOSE header and claims.
pub fn authn_token(data: &[u8]) {
    if let Some(answer) = ask(data) {
        assert!(answer.is_err(), "an unsigned token was accepted");
    }
    let mut parts = data.splitn(2, |byte| *byte == b'\n');
    let (Some(header), Some(claims)) = (parts.next(), parts.next()) else { return };
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = URL_SAFE_NO_PAD.encode(WORLD.pair.sign(signed.as_bytes()));
    if let Some(Ok(_)) = ask(format!("{signed}.{signature}").as_bytes()) {
        expect_proper(claims);
    }
}

/// What RFC 9068 asks of accepted claims, by another reader of JSON.
fn expect_proper(claims: &[u8]) {
    let claims: serde_json::Value = serde_json::from_slice(claims).expect("claims are JSON");
    assert_eq!(claims["iss"], ISSUER);
    let ours = |value: &serde_json::Value| value == AUDIENCE;
    let audience = &claims["aud"];
    assert!(ours(audience) || audience.as_array().is_some_and(|all| all.iter().any(ours)));
    assert!(claims["exp"].as_f64().is_some_and(|exp| exp + 60.0 > NOW as f64));
    for name in ["sub", "client_id", "jti"] {
        assert!(claims[name].as_str().is_some_and(|text| !text.is_empty()), "{name} is missing");
    }
}

/// The answer to a credential; `None` where it cannot stand in a header at all.
fn ask(token: &[u8]) -> Option<Result<Principal, Denied>> {
    let value = HeaderValue::from_bytes(&[b"Bearer ", token].concat()).ok()?;
    let headers = HeaderMap::from_iter([(http::header::AUTHORIZATION, value)]);
    let now: SystemTime = UNIX_EPOCH + Duration::from_secs(NOW);
    Some(WORLD.runtime.block_on(identify(&WORLD.demand, &headers, now)))
}
