//! Decodes the Huffman code of header strings (RFC 7541 5.2). Pure; strict about padding.

use std::sync::LazyLock;

use super::tables::CODE_BITS;

/// Bits of the longest code.
const BITS_MAX: usize = 30;
/// The end of a string, which may not be written (RFC 7541 5.2).
const END: usize = 256;

/// A canonical code: symbols in the order of their codes, and for each length where its codes begin.
struct Code {
    symbols: Vec<usize>,
    lengths: [Length; BITS_MAX + 1],
}

#[derive(Clone, Copy, Default)]
struct Length {
    first_code: u64,
    count: u64,
    first_symbol: usize,
}

static CODE: LazyLock<Code> = LazyLock::new(|| {
    let mut symbols: Vec<usize> = (0..CODE_BITS.len()).collect();
    symbols.sort_by_key(|symbol| CODE_BITS.get(*symbol));
    let mut lengths = [Length::default(); BITS_MAX + 1];
    let (mut code, mut first_symbol) = (0, 0);
    for (bits, length) in lengths.iter_mut().enumerate() {
        let count = CODE_BITS.iter().filter(|own| usize::from(**own) == bits && bits > 0).count();
        *length =
            Length { first_code: code, count: u64::try_from(count).unwrap_or(0), first_symbol };
        code = code.saturating_add(length.count) << 1;
        first_symbol = first_symbol.saturating_add(count);
    }
    Code { symbols, lengths }
});

/// The decoded bytes, at most `bytes_max`; `None` where the code is broken or there are more.
pub(super) fn decode(coded: &[u8], bytes_max: usize) -> Option<Vec<u8>> {
    let code = &*CODE;
    let mut out = Vec::with_capacity(coded.len());
    let (mut value, mut bits) = (0_u64, 0_usize);
    for byte in coded {
        for shift in (0..8).rev() {
            value = (value << 1) | u64::from((byte >> shift) & 1);
            bits = bits.saturating_add(1);
            let length = code.lengths.get(bits)?;
            let Some(offset) = value.checked_sub(length.first_code).filter(|o| *o < length.count)
            else {
                continue;
            };
            let index = length.first_symbol.saturating_add(usize::try_from(offset).ok()?);
            let symbol = *code.symbols.get(index)?;
            if symbol == END || out.len() >= bytes_max {
                return None;
            }
            out.push(u8::try_from(symbol).ok()?);
            (value, bits) = (0, 0);
        }
    }
    // Padding: fewer than eight bits, all ones.
    (bits < 8 && value == (1 << bits) - 1).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_rfc_decode() {
        // RFC 7541 C.4.1, C.4.3.
        let coded = [0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff];
        assert_eq!(decode(&coded, 100).unwrap(), b"www.example.com");
        let coded = [0x25, 0xa8, 0x49, 0xe9, 0x5b, 0xb8, 0xe8, 0xb4, 0xbf];
        assert_eq!(decode(&coded, 100).unwrap(), b"custom-value");
        assert_eq!(decode(&coded, 12).unwrap(), b"custom-value");
        assert_eq!(decode(&coded, 11), None);
        assert_eq!(decode(&[], 0).unwrap(), b"");
    }

    #[test]
    fn broken_codes_are_none() {
        // The end of the string, written.
        assert_eq!(decode(&[0xff, 0xff, 0xff, 0xff], 100), None);
        // Padding of zeros, and of eight bits.
        assert_eq!(decode(&[0x00, 0x00], 100), None);
        assert_eq!(decode(&[0x07, 0xff], 100), None);
        assert_eq!(decode(&[0x07], 100).unwrap(), b"0");
    }
}
