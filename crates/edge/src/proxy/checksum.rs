//! CRC-32C (RFC 3720 12.1), bit by bit: headers are short and few carry one.

/// The polynomial, reflected.
const POLYNOMIAL: u32 = 0x82f6_3b78;

/// The checksum of some bytes.
pub(super) fn crc32c(bytes: impl Iterator<Item = u8>) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ POLYNOMIAL } else { crc >> 1 };
        }
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3720 B.4.
    #[test]
    fn the_examples_of_the_rfc_hold() {
        assert_eq!(crc32c([0_u8; 32].into_iter()), 0x8a91_36aa);
        assert_eq!(crc32c([0xff_u8; 32].into_iter()), 0x62a8_ab43);
        assert_eq!(crc32c(0..32_u8), 0x46dd_794e);
        assert_eq!(crc32c(b"123456789".iter().copied()), 0xe306_9283);
    }
}
