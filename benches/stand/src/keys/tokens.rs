//! The stand's issuer: one key per algorithm, a key set, and files with one token a line (RFC 9068). It knows no server.

use std::fs;
use std::path::Path;
use std::thread;

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeySize, PublicKeyComponents};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Failed;

/// Seconds a token is valid: longer than any run, within what a strict profile accepts when `max_lifetime` says so.
const LIFETIME_SECONDS: u64 = 12 * 3600;
/// Characters of a line of PEM (RFC 7468 2).
const PEM_LINE_CHARS: usize = 64;

#[derive(Debug, Deserialize)]
pub(super) struct Spec {
    issuer: String,
    audience: String,
    scope: String,
    /// Tokens in each of the long files.
    many: usize,
}

enum Key {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
}

/// Writes `jwks.json`, `ALG.pub.pem`, and the files `ALG.one`, `ALG.many`, `ALG.tight`, `ALG.forged`.
pub(super) fn write(directory: &Path, spec: &Spec, now_seconds: u64) -> Result<(), Failed> {
    let keys = [
        ("rs256", Key::Rsa(RsaKeyPair::generate(KeySize::Rsa2048)?)),
        ("es256", Key::Ec(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?)),
    ];
    let mut set = Vec::new();
    for (name, key) in &keys {
        set.push(key.jwk(name)?);
        fs::write(directory.join(format!("{name}.pub.pem")), key.pem()?)?;
        let token =
            |client: &str, tier: &str| key.token(name, &spec.claims(client, tier, now_seconds));
        let one = token("client-one", "wide")?;
        fs::write(directory.join(format!("{name}.one")), format!("{one}\n"))?;
        let tight = token("client-tight", "tight")?;
        fs::write(directory.join(format!("{name}.tight")), format!("{tight}\n"))?;
        fs::write(directory.join(format!("{name}.forged")), forge(&one)?)?;
        let make = |index: usize| token(&format!("client-{index}"), "wide");
        fs::write(directory.join(format!("{name}.many")), side_by_side(spec.many, &make)?)?;
    }
    fs::write(directory.join("jwks.json"), json!({ "keys": set }).to_string())?;
    Ok(())
}

/// On all cores: an RSA signature takes a millisecond.
fn side_by_side(
    count: usize,
    make: &(impl Fn(usize) -> Result<String, Failed> + Sync),
) -> Result<String, Failed> {
    let threads = thread::available_parallelism()?.get();
    thread::scope(|scope| {
        let part =
            |from: usize| (from..count).step_by(threads).map(make).collect::<Result<Vec<_>, _>>();
        let running: Vec<_> = (0..threads).map(|from| scope.spawn(move || part(from))).collect();
        let mut lines = String::new();
        for handle in running {
            for token in handle.join().map_err(|_| "a signing thread ended early")?? {
                lines.push_str(&token);
                lines.push('\n');
            }
        }
        Ok(lines)
    })
}

/// The same token with a signature of zeros of the same length.
fn forge(token: &str) -> Result<String, Failed> {
    let (signed, signature) = token.rsplit_once('.').ok_or("a token has three parts")?;
    let zeros = vec![0_u8; URL_SAFE_NO_PAD.decode(signature)?.len()];
    Ok(format!("{signed}.{}\n", URL_SAFE_NO_PAD.encode(zeros)))
}

impl Spec {
    fn claims(&self, client: &str, tier: &str, now_seconds: u64) -> Value {
        json!({
            "iss": self.issuer,
            "aud": self.audience,
            "sub": client,
            "client_id": client,
            "iat": now_seconds,
            "exp": now_seconds.saturating_add(LIFETIME_SECONDS),
            "jti": format!("{client}-{now_seconds}"),
            "scope": self.scope,
            "tenant": "stand",
            "sla_tier": tier,
        })
    }
}

impl Key {
    fn algorithm(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "RS256",
            Self::Ec(_) => "ES256",
        }
    }

    fn token(&self, kid: &str, claims: &Value) -> Result<String, Failed> {
        let header = json!({ "alg": self.algorithm(), "kid": kid, "typ": "at+jwt" });
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", encode(&header), encode(claims));
        let random = SystemRandom::new();
        let signature = match self {
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, signed.as_bytes(), &mut signature)?;
                signature
            }
            Self::Ec(pair) => pair.sign(&random, signed.as_bytes())?.as_ref().to_vec(),
        };
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    fn jwk(&self, kid: &str) -> Result<Value, Failed> {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let algorithm = self.algorithm();
        match self {
            Self::Rsa(pair) => {
                let public = PublicKeyComponents::<Vec<u8>>::from(pair.public_key());
                let (n, e) = (encode(&public.n), encode(&public.e));
                Ok(
                    json!({ "kty": "RSA", "n": n, "e": e, "use": "sig", "alg": algorithm, "kid": kid }),
                )
            }
            Self::Ec(pair) => {
                // SEC 1 2.3.3: one byte, then the two coordinates.
                let point = pair.public_key().as_ref().get(1..).ok_or("an empty point")?;
                let (x, y) = point.split_at(point.len() / 2);
                let (x, y) = (encode(x), encode(y));
                Ok(json!({
                    "kty": "EC", "crv": "P-256", "x": x, "y": y,
                    "use": "sig", "alg": algorithm, "kid": kid,
                }))
            }
        }
    }

    fn pem(&self) -> Result<String, Failed> {
        let der: PublicKeyX509Der<'_> = match self {
            Self::Rsa(pair) => pair.public_key().as_der()?,
            Self::Ec(pair) => pair.public_key().as_der()?,
        };
        let mut pem = String::from("-----BEGIN PUBLIC KEY-----\n");
        let text = STANDARD.encode(der.as_ref());
        for line in text.as_bytes().chunks(PEM_LINE_CHARS) {
            pem.push_str(std::str::from_utf8(line)?);
            pem.push('\n');
        }
        pem.push_str("-----END PUBLIC KEY-----\n");
        Ok(pem)
    }
}
