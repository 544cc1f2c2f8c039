//! References to characters in HTML: those by number, and the names of the marks that attacks are made of. It knows no
//! other encoding.

/// Bytes of one reference at most, zeros before a number included.
const BYTES_MAX: usize = 16;

/// Names (WHATWG HTML 13.5) and what they stand for.
const NAMES: [(&str, char); 46] = [
    ("lt", '<'),
    ("LT", '<'),
    ("gt", '>'),
    ("GT", '>'),
    ("amp", '&'),
    ("AMP", '&'),
    ("quot", '"'),
    ("QUOT", '"'),
    ("apos", '\''),
    ("nbsp", ' '),
    ("Tab", '\t'),
    ("NewLine", '\n'),
    ("colon", ':'),
    ("semi", ';'),
    ("lpar", '('),
    ("rpar", ')'),
    ("lsqb", '['),
    ("lbrack", '['),
    ("rsqb", ']'),
    ("rbrack", ']'),
    ("lcub", '{'),
    ("lbrace", '{'),
    ("rcub", '}'),
    ("rbrace", '}'),
    ("sol", '/'),
    ("bsol", '\\'),
    ("period", '.'),
    ("comma", ','),
    ("dollar", '$'),
    ("percnt", '%'),
    ("num", '#'),
    ("excl", '!'),
    ("equals", '='),
    ("plus", '+'),
    ("ast", '*'),
    ("midast", '*'),
    ("grave", '`'),
    ("DiacriticalGrave", '`'),
    ("lowbar", '_'),
    ("UnderBar", '_'),
    ("verbar", '|'),
    ("vert", '|'),
    ("VerticalLine", '|'),
    ("commat", '@'),
    ("quest", '?'),
    ("Hat", '^'),
];

/// The character at the start, and how many bytes its reference takes.
pub(super) fn take(rest: &[u8]) -> Option<(char, usize)> {
    if rest.get(1) == Some(&b'#') {
        return number(rest);
    }
    let name = rest.get(1..)?.iter().take(BYTES_MAX + 1).position(|byte| *byte == b';')?;
    let text = rest.get(1..=name)?;
    let found = NAMES.iter().find(|(own, _)| own.as_bytes() == text);
    found.map(|(_, c)| (*c, name + 2))
}

/// `&#60;` and `&#x3c;`; browsers do without the semicolon.
fn number(rest: &[u8]) -> Option<(char, usize)> {
    let is_hex = rest.get(2).is_some_and(|x| x.eq_ignore_ascii_case(&b'x'));
    let (from, radix) = if is_hex { (3, 16) } else { (2, 10) };
    let digits = rest.get(from..)?.iter().take(BYTES_MAX);
    let (mut value, mut count) = (0_u32, 0);
    for digit in digits.map_while(|byte| char::from(*byte).to_digit(radix)) {
        value = value.checked_mul(radix)?.checked_add(digit)?;
        count += 1;
    }
    let end = from + count;
    let semicolon = usize::from(rest.get(end) == Some(&b';'));
    (count > 0).then_some((char::from_u32(value)?, end + semicolon))
}
