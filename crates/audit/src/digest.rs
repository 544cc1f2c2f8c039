//! Keyed digests of what passed: who holds the key can later show whether a body is the one that was received, forwarded or
//! answered; nobody else can guess it. They take bytes as they pass and keep none. They know no HTTP.

use std::fmt::Write as _;

use aws_lc_rs::hmac;

/// How much is digested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Digesting {
    /// Nothing.
    Off,
    /// Targets.
    Headers,
    /// Targets and bodies.
    #[default]
    Bodies,
}

/// Hexadecimal digits of a digest.
const DIGITS: usize = 64;

/// What is digested; part of the input, so that equal bytes in different places have different digests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The target as the client wrote it: path and query.
    Target,
    /// The body as it was received.
    Received,
    /// The body as it was forwarded.
    Forwarded,
    /// The body of the answer.
    Response,
}

impl Part {
    const fn name(self) -> &'static str {
        match self {
            Self::Target => "target",
            Self::Received => "received",
            Self::Forwarded => "forwarded",
            Self::Response => "response",
        }
    }
}

/// The key of digests, made of that of pseudonyms: destroying one destroys both.
pub(crate) struct Digests {
    key: hmac::Key,
    number: u16,
    digesting: Digesting,
}

impl Digests {
    /// Digests under the key of that number.
    pub(crate) fn new(pseudonyms: &hmac::Key, number: u16, digesting: Digesting) -> Self {
        // Another key for another purpose (NIST SP 800-108: a label, HMAC as the function).
        let derived = hmac::sign(pseudonyms, b"sallyport audit digest");
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref()), number, digesting }
    }

    /// A digest of that part; `None` where it is not wanted.
    pub(crate) fn begin(&self, part: Part) -> Option<Digest> {
        let wanted = match self.digesting {
            Digesting::Off => false,
            Digesting::Headers => part == Part::Target,
            Digesting::Bodies => true,
        };
        wanted.then(|| {
            let mut context = hmac::Context::with_key(&self.key);
            context.update(part.name().as_bytes());
            context.update(&[0]);
            Digest { context: Box::new(context), number: self.number }
        })
    }
}

/// A digest under way.
#[derive(Clone)]
pub struct Digest {
    /// Boxed: a request holds several, and is moved more than once on its way.
    context: Box<hmac::Context>,
    number: u16,
}

impl Digest {
    /// The next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.context.update(bytes);
    }

    /// `hmN:` and HMAC-SHA-256(part 0 bytes) in hexadecimal digits, where N is the number of the key.
    #[must_use]
    pub fn finish(self) -> Digested {
        let mut text = format!("hm{}:", self.number);
        for byte in self.context.sign().as_ref() {
            // Into memory it cannot fail; a short digest fits nothing.
            if write!(text, "{byte:02x}").is_err() {
                break;
            }
        }
        Digested(text)
    }

    /// That of bytes which are all there.
    #[must_use]
    pub fn of(mut self, bytes: &[u8]) -> Digested {
        self.update(bytes);
        self.finish()
    }
}

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Digest").field("number", &self.number).finish_non_exhaustive()
    }
}

/// A finished digest: it goes into an event as it is. Only this module makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digested(String);

impl Digested {
    /// One that was written before; `None` where it is none.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let (number, digits) = text.strip_prefix("hm")?.split_once(':')?;
        let is_number = number.parse::<u16>().is_ok() && number.bytes().all(|b| b.is_ascii_digit());
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let is_whole = digits.len() == DIGITS && digits.bytes().all(is_digit);
        (is_number && is_whole).then(|| Self(text.to_owned()))
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The digests of a transaction, as far as there are any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Digestion {
    /// Of the target.
    pub target: Option<Digested>,
    /// Of the body as it was received.
    pub received: Option<Digested>,
    /// Of the body as it was forwarded.
    pub forwarded: Option<Digested>,
    /// Of the body of the answer, as far as it was given out.
    pub response: Option<Digested>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digests(key: u8, number: u16, digesting: Digesting) -> Digests {
        Digests::new(&hmac::Key::new(hmac::HMAC_SHA256, &[key; 32]), number, digesting)
    }

    fn of(digests: &Digests, part: Part, pieces: &[&[u8]]) -> String {
        let mut digest = digests.begin(part).expect("wanted");
        pieces.iter().for_each(|piece| digest.update(piece));
        digest.finish().as_str().to_owned()
    }

    #[test]
    fn equal_only_for_the_same_key_part_and_bytes_however_they_are_cut() {
        let one = digests(1, 1, Digesting::Bodies);
        let digest = of(&one, Part::Received, &[b"four", b"", b"teen"]);
        assert_eq!(digest, of(&one, Part::Received, &[b"fourteen"]));
        assert_eq!(digest.len(), "hm1:".len() + 64);
        assert_ne!(digest, of(&one, Part::Forwarded, &[b"fourteen"]));
        assert_ne!(digest, of(&one, Part::Received, &[b"fourteem"]));
        assert_ne!(digest, of(&digests(2, 1, Digesting::Bodies), Part::Received, &[b"fourteen"]));
        // The rotated key names itself.
        let rotated = of(&digests(1, 7, Digesting::Bodies), Part::Received, &[b"fourteen"]);
        assert!(rotated.starts_with("hm7:"), "{rotated}");
    }

    #[test]
    fn what_was_written_is_read_and_nothing_else() {
        let text = of(&digests(1, 65_535, Digesting::Bodies), Part::Target, &[b"x"]);
        assert_eq!(Digested::read(&text).map(|read| read.0), Some(text.clone()));
        let (_, digits) = text.split_once(':').expect("two parts");
        let short = digits.get(1..).expect("digits");
        for none in [
            "".to_owned(),
            digits.to_owned(),
            format!("hm65536:{digits}"),
            format!("hm+1:{digits}"),
            format!("hm1:{short}"),
            format!("hm1:{short}G"),
        ] {
            assert_eq!(Digested::read(&none), None, "{none}");
        }
    }

    #[test]
    fn only_what_is_wanted_is_digested() {
        let parts = [Part::Target, Part::Received, Part::Forwarded, Part::Response];
        let rows = [
            (Digesting::Off, [false; 4]),
            (Digesting::Headers, [true, false, false, false]),
            (Digesting::Bodies, [true; 4]),
        ];
        for (digesting, wanted) in rows {
            let digests = digests(1, 1, digesting);
            assert_eq!(parts.map(|part| digests.begin(part).is_some()), wanted, "{digesting:?}");
        }
    }

    #[test]
    #[ignore = "a measurement: prints the cost of a digest"]
    fn the_cost_of_a_kilobyte() {
        const BODY_BYTES: usize = 1 << 20;
        const ROUNDS: u32 = 200;
        let digests = digests(1, 1, Digesting::Bodies);
        let body = vec![b'x'; BODY_BYTES];
        for size in [64, 1024, 16 * 1024, BODY_BYTES] {
            let began = std::time::Instant::now();
            let mut digested = 0;
            for _ in 0..ROUNDS {
                for piece in body.chunks(size).take(64) {
                    let digest = digests.begin(Part::Received).expect("wanted").of(piece);
                    digested += piece.len();
                    std::hint::black_box(digest);
                }
            }
            let ns = began.elapsed().as_nanos() as f64 / (digested as f64 / 1024.0);
            eprintln!("{size:>8} bytes: {ns:>8.0} ns per KB");
        }
    }
}
