//! One public key, parsed once, bound to one algorithm. It knows no JSON and no tokens.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey,
    RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, RsaPublicKeyComponents,
};

use crate::{Algorithm, TokenFault};

/// Smallest RSA modulus, in bits (RFC 7518 3.3).
const RSA_BITS_MIN: usize = 2048;
/// Largest RSA modulus, in bits: what aws-lc-rs verifies, and a bound on the work of one check.
const RSA_BITS_MAX: usize = 8192;
/// The only public exponent, 65537.
const RSA_EXPONENT: [u8; 3] = [1, 0, 1];
/// First byte of an uncompressed point (SEC 1 2.3.3).
const UNCOMPRESSED: u8 = 4;
/// Bytes of an Ed25519 public key (RFC 8032 5.1.5).
const ED25519_BYTES: usize = 32;

/// Why key material is not a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyFault {
    /// Modulus out of 2048..=8192 bits, or even.
    RsaModulus,
    /// Exponent other than 65537.
    RsaExponent,
    /// A coordinate of the wrong length, or a point not on the curve.
    Point,
    /// An Ed25519 key of the wrong length, not canonical, or of small order.
    Ed25519,
    /// The algorithm does not belong to this kind of key.
    Kind,
}

/// A parsed public key and the one algorithm it verifies.
pub(crate) struct Key {
    algorithm: Algorithm,
    signature_bytes: usize,
    public: ParsedPublicKey,
}

impl Key {
    /// An RSA key from big-endian modulus and exponent; leading zero bytes are ignored.
    pub(crate) fn rsa(algorithm: Algorithm, n: &[u8], e: &[u8]) -> Result<Self, KeyFault> {
        let parameters = match algorithm {
            Algorithm::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
            Algorithm::Ps256 => &RSA_PSS_2048_8192_SHA256,
            Algorithm::Es256 | Algorithm::Es384 | Algorithm::EdDsa => return Err(KeyFault::Kind),
        };
        let (n, e) = (without_leading_zeros(n), without_leading_zeros(e));
        let (Some(first), Some(last)) = (n.first(), n.last()) else {
            return Err(KeyFault::RsaModulus);
        };
        let bits = n.len().saturating_mul(8).saturating_sub(first.leading_zeros() as usize);
        if !(RSA_BITS_MIN..=RSA_BITS_MAX).contains(&bits) || last & 1 == 0 {
            return Err(KeyFault::RsaModulus);
        }
        if e != RSA_EXPONENT {
            return Err(KeyFault::RsaExponent);
        }
        let public = RsaPublicKeyComponents { n, e }
            .to_parsed_public_key(parameters)
            .map_err(|_| KeyFault::RsaModulus)?;
        Ok(Self { algorithm, signature_bytes: n.len(), public })
    }

    /// An elliptic-curve key from its two coordinates, each exactly as long as the field.
    pub(crate) fn ec(algorithm: Algorithm, x: &[u8], y: &[u8]) -> Result<Self, KeyFault> {
        let (parameters, field_bytes) = match algorithm {
            Algorithm::Es256 => (&ECDSA_P256_SHA256_FIXED, 32_usize),
            Algorithm::Es384 => (&ECDSA_P384_SHA384_FIXED, 48),
            Algorithm::Rs256 | Algorithm::Ps256 | Algorithm::EdDsa => return Err(KeyFault::Kind),
        };
        if x.len() != field_bytes || y.len() != field_bytes {
            return Err(KeyFault::Point);
        }
        let point = [&[UNCOMPRESSED], x, y].concat();
        let public = ParsedPublicKey::new(parameters, point).map_err(|_| KeyFault::Point)?;
        Ok(Self { algorithm, signature_bytes: field_bytes.saturating_mul(2), public })
    }

    /// An Ed25519 key (RFC 8037 2).
    pub(crate) fn ed25519(x: &[u8]) -> Result<Self, KeyFault> {
        if x.len() != ED25519_BYTES || weak_ed25519(x) {
            return Err(KeyFault::Ed25519);
        }
        let public = ParsedPublicKey::new(&ED25519, x).map_err(|_| KeyFault::Ed25519)?;
        Ok(Self { algorithm: Algorithm::EdDsa, signature_bytes: 64, public })
    }

    /// The one algorithm of this key.
    pub(crate) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Whether two entries of a key set are the same key for the same algorithm.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.algorithm == other.algorithm && self.public.as_ref() == other.public.as_ref()
    }

    /// Checks a signature of exactly the key's length.
    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), TokenFault> {
        if signature.len() != self.signature_bytes {
            return Err(TokenFault::Signature);
        }
        self.public.verify_sig(message, signature).map_err(|_| TokenFault::Signature)
    }
}

fn without_leading_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

/// Whether an encoded point is one of small order, for which signatures can be made without a
/// private key, or is not canonical (y at or above 2^255 - 19, RFC 8032 5.1.3).
fn weak_ed25519(encoded: &[u8]) -> bool {
    // Little-endian y of the two pairs of points of order 8; y = 0 has order 4, 1 order 1, -1 order 2.
    const ORDER_8_A: &str = "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05";
    const ORDER_8_B: &str = "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a";
    let mut y = encoded.to_vec();
    let (Some(first), Some(last)) = (y.first().copied(), y.last_mut()) else { return true };
    *last &= 0x7f; // the sign of x says nothing about the order
    let top = *last;
    let middle = y.get(1..31).unwrap_or_default();
    let small = first <= 1 && top == 0 && middle.iter().all(|byte| *byte == 0);
    let at_least_minus_one = first >= 0xec && top == 0x7f && middle.iter().all(|b| *b == 0xff);
    let hex: String = y.iter().map(|byte| format!("{byte:02x}")).collect();
    small || at_least_minus_one || hex == ORDER_8_A || hex == ORDER_8_B
}

#[cfg(test)]
mod tests;
