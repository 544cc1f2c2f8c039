//! Tests of key material and signature checks.

use super::{Key, KeyFault, weak_ed25519};
use crate::{Algorithm, TokenFault, testing::Signer};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;

fn decoded(jwk: &Value, name: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap()
}

fn key(signer: &Signer) -> Key {
    let jwk = signer.jwk();
    match signer.algorithm {
        Algorithm::Rs256 | Algorithm::Ps256 => {
            Key::rsa(signer.algorithm, &decoded(&jwk, "n"), &decoded(&jwk, "e")).unwrap()
        }
        Algorithm::Es256 | Algorithm::Es384 => {
            Key::ec(signer.algorithm, &decoded(&jwk, "x"), &decoded(&jwk, "y")).unwrap()
        }
        Algorithm::EdDsa => Key::ed25519(&decoded(&jwk, "x")).unwrap(),
    }
}

#[test]
fn every_algorithm_verifies_its_own_signature_only() {
    for algorithm in Algorithm::ALL {
        let signer = Signer::new(algorithm);
        let key = key(&signer);
        let signature = signer.sign_bytes(b"message");
        assert_eq!(key.verify(b"message", &signature), Ok(()), "{algorithm}");
        assert_eq!(key.verify(b"messagf", &signature), Err(TokenFault::Signature));
        for length in [0, signature.len() - 1] {
            assert_eq!(key.verify(b"message", &signature[..length]), Err(TokenFault::Signature));
        }
        let longer = [&signature[..], &[0]].concat();
        assert_eq!(key.verify(b"message", &longer), Err(TokenFault::Signature));
    }
}

#[test]
fn pkcs1_and_pss_are_not_interchangeable() {
    // The tests' RSA pair is shared, so that only the padding differs here.
    let (pkcs1, pss) = (Signer::new(Algorithm::Rs256), Signer::new(Algorithm::Ps256));
    assert!(key(&pkcs1).verify(b"m", &pss.sign_bytes(b"m")).is_err());
    assert!(key(&pss).verify(b"m", &pkcs1.sign_bytes(b"m")).is_err());
}

#[test]
fn ecdsa_numbers_out_of_range_are_refused() {
    const ORDER: [u64; 4] =
        [0xffff_ffff_0000_0000, u64::MAX, 0xbce6_faad_a717_9e84, 0xf3b9_cac2_fc63_2551];
    let order: Vec<u8> = ORDER.into_iter().flat_map(u64::to_be_bytes).collect();
    let signer = Signer::new(Algorithm::Es256);
    let key = key(&signer);
    let good = signer.sign_bytes(b"m");
    let (r, s) = good.split_at(32);
    let zero = [0; 32];
    for (r, s) in [(&zero[..], s), (r, &zero[..]), (&zero, &zero), (&order, s), (r, &order)] {
        assert!(key.verify(b"m", &[r, s].concat()).is_err());
    }
    assert!(key.verify(b"m", &good).is_ok());
}

#[test]
fn ed25519_s_at_or_above_the_order_is_refused() {
    // Little-endian group order; adding it to S gives the malleable twin (RFC 8032 5.1.7).
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let signer = Signer::new(Algorithm::EdDsa);
    let mut twin = signer.sign_bytes(b"m");
    let mut carry = 0_u16;
    for (byte, add) in twin[32..].iter_mut().zip(ORDER) {
        carry += u16::from(*byte) + u16::from(add);
        *byte = carry.to_le_bytes()[0];
        carry >>= 8;
    }
    assert!(key(&signer).verify(b"m", &twin).is_err());
}

#[test]
fn rsa_sizes_and_exponent() {
    let n = |bytes: usize| [&[0xc1][..], &vec![0x55; bytes - 2], &[0x01]].concat();
    let e = [1, 0, 1];
    for bytes in [256, 512, 1024] {
        assert!(Key::rsa(Algorithm::Rs256, &n(bytes), &e).is_ok(), "{bytes}");
    }
    let padded = [&[0, 0][..], &n(256)].concat();
    assert!(Key::rsa(Algorithm::Rs256, &padded, &[0, 1, 0, 1]).is_ok());
    let mut short = n(256);
    short[0] = 0x41; // 2047 bits
    let mut even = n(256);
    even[255] = 2;
    for modulus in [short, even, n(128), n(1025), vec![], vec![0; 256]] {
        assert_eq!(Key::rsa(Algorithm::Rs256, &modulus, &e).err(), Some(KeyFault::RsaModulus));
    }
    for exponent in [&[3][..], &[1], &[1, 0, 3], &[], &[1, 0, 1, 0]] {
        assert_eq!(
            Key::rsa(Algorithm::Rs256, &n(256), exponent).err(),
            Some(KeyFault::RsaExponent)
        );
    }
    assert_eq!(Key::rsa(Algorithm::Es256, &n(256), &e).err(), Some(KeyFault::Kind));
}

#[test]
fn points_must_lie_on_the_curve() {
    let jwk = Signer::new(Algorithm::Es256).jwk();
    let (x, mut y) = (decoded(&jwk, "x"), decoded(&jwk, "y"));
    assert!(Key::ec(Algorithm::Es256, &x, &y).is_ok());
    assert_eq!(Key::ec(Algorithm::Es384, &x, &y).err(), Some(KeyFault::Point));
    y[31] ^= 1;
    assert_eq!(Key::ec(Algorithm::Es256, &x, &y).err(), Some(KeyFault::Point));
    assert_eq!(Key::ec(Algorithm::Es256, &x[1..], &y).err(), Some(KeyFault::Point));
    assert_eq!(Key::ec(Algorithm::Es256, &[0; 32], &[0; 32]).err(), Some(KeyFault::Point));
}

#[test]
fn weak_ed25519_points_are_refused() {
    let little_endian = |first: u8, middle: u8, last: u8| {
        let mut point = [middle; 32];
        (point[0], point[31]) = (first, last);
        point
    };
    let weak = [
        little_endian(0, 0, 0),
        little_endian(1, 0, 0),
        little_endian(1, 0, 0x80),
        little_endian(0xec, 0xff, 0x7f),
        little_endian(0xed, 0xff, 0x7f),
        little_endian(0xee, 0xff, 0xff),
    ];
    for point in weak {
        assert_eq!(Key::ed25519(&point).err(), Some(KeyFault::Ed25519), "{point:?}");
    }
    assert!(!weak_ed25519(&little_endian(2, 0, 0)));
    assert!(!weak_ed25519(&little_endian(0xeb, 0xff, 0x7f)));
    assert_eq!(Key::ed25519(&[7; 31]).err(), Some(KeyFault::Ed25519));
}
