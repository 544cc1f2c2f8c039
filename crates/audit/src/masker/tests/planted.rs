//! Secrets to plant: kinds, encodings, and the generator that draws them. One list for the masker's own figures and for the end
//! to end tests of the gateway, which include this file by its path. It knows neither.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};

/// A small generator (SplitMix64): the same secrets for the same seed, everywhere.
pub(crate) struct Draw(pub(crate) u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, count: usize) -> usize {
        (self.next() % count as u64) as usize
    }

    fn from(&mut self, alphabet: &str, count: usize) -> String {
        let all: Vec<char> = alphabet.chars().collect();
        (0..count).map(|_| all[self.below(all.len())]).collect()
    }

    fn digits(&mut self, count: usize) -> String {
        self.from("0123456789", count)
    }

    fn mixed(&mut self, count: usize) -> String {
        // Of each kind one at least, as a key has.
        let rest =
            self.from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", count - 3);
        format!("{}{}{}{rest}", self.from("ABC", 1), self.from("abc", 1), self.digits(1))
    }
}

fn luhn_digit(digits: &str) -> u32 {
    let sum: u32 = digits
        .chars()
        .rev()
        .enumerate()
        .map(|(index, c)| {
            let digit = c.to_digit(10).unwrap_or_default();
            let doubled = if index % 2 == 0 { digit * 2 } else { digit };
            doubled / 10 + doubled % 10
        })
        .sum();
    (10 - sum % 10) % 10
}

fn with_luhn(digits: String) -> String {
    let check = luhn_digit(&digits);
    format!("{digits}{check}")
}

fn iban(country: &str, account: &str) -> String {
    let all = format!("{account}{country}00");
    let rest = all.chars().filter_map(|c| c.to_digit(36)).fold(0, |rest, value| {
        if value < 10 { (rest * 10 + value) % 97 } else { (rest * 100 + value) % 97 }
    });
    format!("{country}{:02}{account}", 98 - rest)
}

/// A secret: all of its text, and the part of it that was drawn.
pub(crate) struct Secret {
    pub(crate) text: String,
    pub(crate) core: String,
}

fn whole(text: String) -> Secret {
    Secret { core: text.clone(), text }
}

fn within(before: &str, core: String, after: &str) -> Secret {
    Secret { text: format!("{before}{core}{after}"), core }
}

/// A name and how one is drawn.
pub(crate) type Kind = (&'static str, fn(&mut Draw) -> Secret);

/// Every kind.
pub(crate) const KINDS: [Kind; 29] = [
    ("card, Visa", |d| whole(with_luhn(format!("4{}", d.digits(14))))),
    ("card, Mastercard", |d| whole(with_luhn(format!("5{}{}", 1 + d.below(5), d.digits(13))))),
    ("card, Amex", |d| whole(with_luhn(format!("37{}", d.digits(12))))),
    ("IBAN, DE", |d| whole(iban("DE", &d.digits(18)))),
    ("IBAN, GB", |d| whole(iban("GB", &format!("WEST{}", d.digits(14))))),
    ("SSN, US", |d| {
        whole(format!("{}-{}-{}", 100 + d.below(500), 10 + d.below(89), 1000 + d.below(8999)))
    }),
    ("CPF, BR", |d| {
        whole(format!("{}.{}.{}-{}", d.digits(3), d.digits(3), d.digits(3), d.digits(2)))
    }),
    ("PESEL, PL", |d| whole(d.digits(11))),
    ("Aadhaar, IN", |d| whole(format!("{} {} {}", 2000 + d.below(7999), d.digits(4), d.digits(4)))),
    ("DNI, ES", |d| {
        let number = 10_000_000 + d.below(89_999_999);
        let letter = "TRWAGMYFPDXBNJZSQVHLCKE".chars().nth(number % 23).unwrap_or('T');
        whole(format!("{number}{letter}"))
    }),
    ("NINO, GB", |d| whole(format!("AB{}C", d.digits(6)))),
    ("PAN, IN", |d| {
        let (area, name, last) = (d.from("ABCXYZ", 3), d.from("KLM", 1), d.from("ABC", 1));
        whole(format!("{area}P{name}{}{last}", d.digits(4)))
    }),
    ("e-mail", |d| {
        let (first, last) = (d.from("abcdefgh", 5), d.from("ijklmnop", 6));
        whole(format!("{first}.{last}@mail{}.example", d.digits(2)))
    }),
    ("phone, E.164", |d| whole(format!("+49 17{} {}", d.below(9), d.digits(7)))),
    ("phone, US", |d| whole(format!("({}) 555-{}", 200 + d.below(700), d.digits(4)))),
    ("JWT", |d| whole(format!("eyJhbGciOiJFUzI1NiJ9.eyJ{}.{}", d.mixed(30), d.mixed(40)))),
    ("bearer", |d| within("Bearer ", d.mixed(32), "")),
    ("basic", |d| within("Basic ", STANDARD.encode(format!("u:{}", d.mixed(12))), "")),
    ("AWS key", |d| within("AKIA", d.from("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16), "")),
    ("GitHub token", |d| within("ghp_", d.mixed(36), "")),
    ("GitLab token", |d| within("glpat-", d.mixed(20), "")),
    ("Slack token", |d| within("xoxb-", d.mixed(24), "")),
    ("Google key", |d| within("AIza", d.mixed(35), "")),
    ("Vault token", |d| within("hvs.", d.mixed(24), "")),
    ("Stripe key", |d| within("sk_live_", d.mixed(24), "")),
    ("hex key", |d| whole(d.from("0123456789abcdef", 40))),
    ("PEM", |d| within("-----BEGIN PRIVATE KEY-----", d.mixed(40), "-----END PRIVATE KEY-----")),
    ("password by name", |d| within("password=", d.from("abcdefghij", 12), "")),
    ("URL with a password", |d| within("https://app:", d.from("abcdefghij", 12), "@db.example/")),
];

fn each(text: &str, write: impl Fn(char) -> String) -> String {
    text.chars().map(write).collect()
}

fn percent(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

fn shifted(text: &str, zero: u32) -> String {
    each(text, |c| match c.to_digit(10) {
        Some(digit) => char::from_u32(zero + digit).unwrap_or(c).to_string(),
        None => c.to_string(),
    })
}

fn hex(bytes: &[u8], after: &str) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}{after}")).collect()
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(text.as_bytes()).expect("into memory");
    encoder.finish().expect("into memory")
}

pub(crate) fn zlib(text: &str) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(text.as_bytes()).expect("into memory");
    encoder.finish().expect("into memory")
}

fn json_string(text: &str) -> String {
    serde_json::json!(text).to_string()
}

/// A name and how a text is written in it.
pub(crate) type Coding = (&'static str, fn(&str) -> String);

/// Encodings of which nothing may be left: half of a coded secret is still too much.
const CODED: [Coding; 23] = [
    ("plain", str::to_owned),
    ("percent", percent),
    ("percent twice", |t| percent(&percent(t))),
    ("percent, marks only", |t| {
        each(t, |c| if c.is_ascii_alphanumeric() { c.to_string() } else { percent(&c.to_string()) })
    }),
    ("base64", |t| STANDARD.encode(t)),
    ("base64url", |t| URL_SAFE_NO_PAD.encode(t)),
    ("base64 at an offset", |t| STANDARD.encode(format!("x{t}"))),
    ("base64 twice", |t| STANDARD.encode(STANDARD.encode(t))),
    ("hexadecimal", |t| hex(t.as_bytes(), "")),
    ("hexadecimal, spaced", |t| hex(t.as_bytes(), " ")),
    ("\\u escapes", |t| each(t, |c| format!("\\u{:04x}", u32::from(c)))),
    ("\\x escapes", |t| t.bytes().map(|byte| format!("\\x{byte:02x}")).collect()),
    ("entities", |t| each(t, |c| format!("&#{};", u32::from(c)))),
    ("entities, hexadecimal", |t| each(t, |c| format!("&#x{:x};", u32::from(c)))),
    ("full width", |t| {
        each(t, |c| {
            let wide = ('!'..='~').contains(&c).then(|| char::from_u32(u32::from(c) + 0xfee0));
            wide.flatten().unwrap_or(c).to_string()
        })
    }),
    ("Arabic digits", |t| shifted(t, 0x660)),
    ("mathematical digits", |t| shifted(t, 0x1d7ce)),
    ("zero-width between", |t| each(t, |c| format!("{c}\u{200b}"))),
    ("Devanagari digits", |t| shifted(t, 0x966)),
    ("gzip in base64", |t| STANDARD.encode(gzip(t))),
    ("zlib in base64", |t| STANDARD.encode(zlib(t))),
    ("gzip in hexadecimal, spaced", |t| hex(&gzip(t), " ")),
    ("gzip, percent", |t| gzip(t).iter().map(|byte| format!("%{byte:02X}")).collect()),
];

/// Texts around a secret: they may stay, the secret may not.
const AROUND: [Coding; 2] = [
    ("JSON in a string", |t| json_string(&format!("{{\"note\":{}}}", json_string(t)))),
    ("in a text", |t| format!("the caller sent {t} twice")),
];

/// How many encodings there are.
pub(crate) const CODINGS: usize = CODED.len() + AROUND.len();

/// A secret in one of the encodings.
pub(crate) struct Coded {
    /// The name of the encoding.
    pub(crate) coding: &'static str,
    /// What is sent.
    pub(crate) text: String,
    /// What may not be left of it.
    pub(crate) core: String,
}

/// The secret in the encoding of that number.
pub(crate) fn coded(secret: &Secret, number: usize) -> Coded {
    let number = number % CODINGS;
    match CODED.get(number) {
        Some((coding, code)) => {
            let text = code(&secret.text);
            Coded { coding, core: text.clone(), text }
        }
        None => {
            let (coding, code) = AROUND[number - CODED.len()];
            Coded { coding, text: code(&secret.text), core: secret.core.clone() }
        }
    }
}
