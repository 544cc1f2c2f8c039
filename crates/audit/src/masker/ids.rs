//! National ids that have letters or marks in them, and what makes each a real one. Those of nine and more digits alone are
//! numbers whatever their check says: a check sum of one digit lets a tenth of all numbers through. Pure.

use super::checks::luhn;

/// Whether what a pattern found is a real one.
type Check = fn(&str) -> bool;

/// Pattern and check of each; all become `[id]`.
pub(super) const IDS: &[(&str, Check)] = &[
    // United States: social security number.
    (r"\b[0-9]{3}[ -][0-9]{2}[ -][0-9]{4}\b", ssn),
    // Brazil: CPF and CNPJ as they are written.
    (r"[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}", any),
    (r"[0-9]{2}\.[0-9]{3}\.[0-9]{3}/[0-9]{4}-[0-9]{2}", any),
    // Spain: DNI and NIE.
    (r"(?i)\b(?:[0-9]{8}|[XYZ][ -]?[0-9]{7})[ -]?[A-HJ-NP-TV-Z]\b", dni),
    // Finland: HETU.
    (r"(?i)\b[0-9]{6}[-+A-FU-Y][0-9]{3}[0-9A-FHJ-NPR-Y]\b", hetu),
    // Italy: codice fiscale.
    (
        r"(?i)\b[A-Z]{6}[0-9LMNP-V]{2}[ABCDEHLMPRST][0-9LMNP-V]{2}[A-Z][0-9LMNP-V]{3}[A-Z]\b",
        codice_fiscale,
    ),
    // United Kingdom: national insurance number.
    (r"(?i)\b[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-D]\b", any),
    // Sweden: personnummer; Denmark: CPR.
    (r"\b[0-9]{6}[-+][0-9]{4}\b", nordic),
    // France: NIR of Corsica; those of digits alone are numbers.
    (r"(?i)\b[12] ?[0-9]{2} ?[0-9]{2} ?2[AB] ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}\b", nir),
    // Belgium: national number.
    (r"\b[0-9]{2}\.[0-9]{2}\.[0-9]{2}-[0-9]{3}\.[0-9]{2}\b", belgian),
    // Switzerland: AHV number (an EAN-13).
    (r"\b756[ .][0-9]{4}[ .][0-9]{4}[ .][0-9]{2}\b", ahv),
    // India: PAN.
    (r"\b[A-Z]{3}[PCHFATBLJG][A-Z][0-9]{4}[A-Z]\b", any),
    // Mexico: CURP.
    (r"(?i)\b[A-Z]{4}[0-9]{6}[HMX][A-Z]{5}[0-9A-Z][0-9]\b", any),
];

fn any(_: &str) -> bool {
    true
}

fn digits(text: &str) -> Vec<u32> {
    text.chars().filter_map(|c| c.to_digit(10)).collect()
}

fn number(digits: &[u32]) -> u64 {
    digits.iter().fold(0, |all, digit| all * 10 + u64::from(*digit))
}

/// Area 000, 666 and 9xx, group 00 and serial 0000 were never given out (SSA).
fn ssn(text: &str) -> bool {
    let digits = digits(text);
    let part = |range: std::ops::Range<usize>| number(digits.get(range).unwrap_or_default());
    let area = part(0..3);
    area != 0 && area != 666 && area < 900 && part(3..5) != 0 && part(5..9) != 0
}

/// The letter is the number modulo 23; X, Y, Z in front are 0, 1, 2.
fn dni(text: &str) -> bool {
    const LETTERS: &[u8] = b"TRWAGMYFPDXBNJZSQVHLCKE";
    let upper = text.to_ascii_uppercase();
    let front = upper.bytes().next().filter(|b| (b'X'..=b'Z').contains(b)).map(|b| b - b'X');
    let mut all: Vec<u32> = front.map(u32::from).into_iter().collect();
    all.extend(digits(&upper));
    let expected = usize::try_from(number(&all) % 23).ok().and_then(|rest| LETTERS.get(rest));
    upper.as_bytes().last() == expected
}

/// The last character is the number of the nine digits modulo 31.
fn hetu(text: &str) -> bool {
    const CHARACTERS: &[u8] = b"0123456789ABCDEFHJKLMNPRSTUVWXY";
    let upper = text.to_ascii_uppercase();
    let Some((rest, last)) = upper.split_at_checked(upper.len().saturating_sub(1)) else {
        return false;
    };
    let day = rest.get(..6).map(digits).unwrap_or_default();
    let own = rest.get(7..).map(digits).unwrap_or_default();
    let all = number(&day) * 1000 + number(&own);
    let expected = usize::try_from(all % 31).ok().and_then(|rest| CHARACTERS.get(rest));
    last.as_bytes().first() == expected
}

/// The last letter is the sum of the others' values modulo 26; odd places have values of their own.
fn codice_fiscale(text: &str) -> bool {
    const ODD: [u32; 26] = [
        1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24,
        23,
    ];
    let upper = text.to_ascii_uppercase();
    let values: Vec<u32> = upper
        .bytes()
        .map(|byte| u32::from(if byte.is_ascii_digit() { byte - b'0' } else { byte - b'A' }))
        .collect();
    let Some((last, rest)) = values.split_last() else { return false };
    let value = |(index, value): (usize, &u32)| match index % 2 {
        0 => usize::try_from(*value).ok().and_then(|v| ODD.get(v)).copied().unwrap_or_default(),
        _ => *value,
    };
    rest.iter().enumerate().map(value).sum::<u32>() % 26 == *last
}

/// A check digit as Sweden has it, or a date as Denmark begins with.
fn nordic(text: &str) -> bool {
    let digits = digits(text);
    let part = |from: usize| number(digits.get(from..from + 2).unwrap_or_default());
    let is_day = |day: u64, month: u64| (1..=31).contains(&day) && (1..=12).contains(&month);
    luhn(&digits) || is_day(part(0), part(2)) || is_day(part(4), part(2))
}

/// The last two digits are 97 minus the rest modulo 97; 2A counts as 19, 2B as 18.
fn nir(text: &str) -> bool {
    let plain: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let plain = plain.to_ascii_uppercase().replace("2A", "19").replace("2B", "18");
    let digits = digits(&plain);
    let key = number(digits.get(13..).unwrap_or_default());
    97 - number(digits.get(..13).unwrap_or_default()) % 97 == key
}

/// The last two digits are 97 minus the nine before modulo 97, with a 2 before them since 2000.
fn belgian(text: &str) -> bool {
    let digits = digits(text);
    let nine = number(digits.get(..9).unwrap_or_default());
    let key = number(digits.get(9..).unwrap_or_default());
    97 - nine % 97 == key || 97 - (2_000_000_000 + nine) % 97 == key
}

fn ahv(text: &str) -> bool {
    let weighted = |(index, digit): (usize, &u32)| if index % 2 == 0 { *digit } else { 3 * *digit };
    digits(text).iter().enumerate().map(weighted).sum::<u32>().is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use crate::masker::mask;

    /// An id, and one of the same look that is none.
    const ROWS: &[(&str, &str)] = &[
        ("078-05-1120", "666-05-1120"),
        ("078 05 1120", "000 05 1120"),
        ("12345678Z", "12345678A"),
        ("X1234567L", "X1234567A"),
        ("131052-308T", "131052-308U"),
        ("RSSMRA85T10A562S", "RSSMRA85T10A562T"),
        ("811218-9876", "819918-9877"),
        ("1 84 12 2A 451 089 33", "1 84 12 2A 451 089 34"),
        ("85.07.30-033.28", "85.07.30-033.29"),
        ("756.9217.0769.85", "756.9217.0769.86"),
    ];

    #[test]
    fn an_id_goes_and_what_fails_its_check_is_none() {
        for (id, near) in ROWS {
            let masked = mask(id);
            assert!(masked.contains("[id]"), "{id} became {masked}");
            assert!(!mask(near).contains("[id]"), "{near} became {}", mask(near));
        }
        for id in [
            "AB123456C",
            "529.982.247-25",
            "11.222.333/0001-81",
            "ABCPE1234F",
            "GODE561231HDFRRN09",
        ] {
            assert!(mask(id).contains('['), "{id}");
        }
    }
}
