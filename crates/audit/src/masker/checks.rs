//! Check sums and shapes that decide whether a candidate is what its pattern says. Pure.

/// Fewest and most digits of a card number (ISO/IEC 7812-1).
const CARD_DIGITS: std::ops::RangeInclusive<usize> = 13..=19;
/// Fewest and most characters of an IBAN (ISO 13616).
const IBAN_CHARACTERS: std::ops::RangeInclusive<usize> = 15..=34;

/// A window of the digits has the issuer range, the length and the check digit of a card.
pub(super) fn card(candidate: &str) -> bool {
    let digits: Vec<u32> = candidate.chars().filter_map(|c| c.to_digit(10)).collect();
    CARD_DIGITS
        .into_iter()
        .any(|length| digits.windows(length).any(|window| issued(window) && luhn(window)))
}

fn issued(digits: &[u32]) -> bool {
    let prefix = |count: usize| digits.iter().take(count).fold(0, |all, digit| all * 10 + digit);
    let length = digits.len();
    match prefix(1) {
        4 => matches!(length, 13 | 16 | 19),
        5 => length == 16 && (51..=55).contains(&prefix(2)) || prefix(2) == 50 || prefix(2) >= 56,
        6 => true,
        2 => length == 16 && (2221..=2720).contains(&prefix(4)),
        3 => match prefix(2) {
            34 | 37 => length == 15,
            35 => length >= 16,
            30 | 36 | 38 | 39 => length >= 14,
            _ => false,
        },
        9 => length == 16 && prefix(4) == 9792,
        _ => false,
    }
}

pub(super) fn luhn(digits: &[u32]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(index, digit)| match (index % 2, digit * 2) {
            (0, _) => *digit,
            (_, doubled @ 0..=9) => doubled,
            (_, doubled) => doubled - 9,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Some prefix of the candidate passes ISO 7064 mod 97.
pub(super) fn iban(candidate: &str) -> bool {
    let compact: Vec<u32> = candidate.chars().filter_map(|c| c.to_digit(36)).collect();
    IBAN_CHARACTERS.filter_map(|length| compact.get(..length)).any(|account| mod97(account) == 1)
}

fn mod97(account: &[u32]) -> u32 {
    let (head, tail) = account.split_at(account.len().min(4));
    tail.iter().chain(head).fold(0, |rest, value| {
        if *value < 10 { (rest * 10 + value) % 97 } else { (rest * 100 + value) % 97 }
    })
}

/// Looks drawn at random: three kinds of characters, or long hexadecimal, or long and full of digits.
pub(super) fn opaque(candidate: &str) -> bool {
    let count = |is: fn(&char) -> bool| candidate.chars().filter(is).count();
    let digits = count(|c| c.is_ascii_digit());
    let lower = count(|c| c.is_ascii_lowercase());
    let upper = count(|c| c.is_ascii_uppercase());
    let hex = count(|c| c.is_ascii_hexdigit());
    let length = candidate.len();
    let mixed = digits > 0 && lower > 0 && upper > 0;
    let one_word = digits + lower + upper == length;
    mixed || (length >= 32 && digits > 0 && (hex == length || (one_word && digits >= 3)))
}

/// Has a letter: else it is a number, whatever its length.
pub(super) fn lettered(candidate: &str) -> bool {
    candidate.bytes().any(|byte| byte.is_ascii_alphabetic())
}

/// A scheme word followed by something that is no plain word.
pub(super) fn credential(candidate: &str) -> bool {
    candidate.split_whitespace().nth(1).is_some_and(|value| {
        value.len() >= 20 || value.chars().any(|c| c.is_ascii_digit() || c == '=')
    })
}

/// What stands behind the name is not what the masker put there.
pub(super) fn unmasked(named: &str) -> bool {
    let value = named.split_once(['=', ':']).map_or("", |(_, value)| value);
    !matches!(value.trim_matches(['"', '\'', '\\', ' ']), "[secret]" | "[masked]")
}
