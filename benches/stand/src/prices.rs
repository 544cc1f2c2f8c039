//! What the cryptography that nobody can leave out costs on this core, so that goals can name it.

use std::hint::black_box;
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeySize, PublicKeyComponents};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair as _, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair,
};
use serde_json::json;

use crate::Failed;

/// What is signed: as long as the signed part of a token.
const MESSAGE: [u8; 400] = [b'm'; 400];
/// How long each is tried.
const WINDOW: Duration = Duration::from_millis(150);

/// Prints microseconds by name.
pub(crate) fn run(_spec: &str) -> Result<(), Failed> {
    let random = SystemRandom::new();
    let rsa = RsaKeyPair::generate(KeySize::Rsa2048)?;
    let mut by_rsa = vec![0; rsa.public_modulus_len()];
    rsa.sign(&RSA_PKCS1_SHA256, &random, &MESSAGE, &mut by_rsa)?;
    let parts = PublicKeyComponents::<Vec<u8>>::from(rsa.public_key());
    let rsa_public = parts.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)?;
    let ec = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
    let by_ec = ec.sign(&random, &MESSAGE)?;
    let ec_public = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, ec.public_key().as_ref())?;
    let ed = Ed25519KeyPair::generate()?;
    let rows = json!({
        "rs256_verify": microseconds(|| rsa_public.verify_sig(&MESSAGE, &by_rsa).is_ok()),
        "es256_verify": microseconds(|| ec_public.verify_sig(&MESSAGE, by_ec.as_ref()).is_ok()),
        "ed25519_sign": microseconds(|| ed.sign(&MESSAGE).as_ref().len() == 64),
        "p256_sign": microseconds(|| ec.sign(&random, &MESSAGE).is_ok()),
        "sha256_token": microseconds(|| digest(&SHA256, &MESSAGE).as_ref().len() == 32),
    });
    println!("{rows}");
    Ok(())
}

fn microseconds(mut work: impl FnMut() -> bool) -> f64 {
    let (began, mut times) = (Instant::now(), 0_u32);
    while began.elapsed() < WINDOW {
        black_box(work());
        times = times.saturating_add(1);
    }
    began.elapsed().as_secs_f64() * 1e6 / f64::from(times.max(1))
}
