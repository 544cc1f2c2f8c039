//! The patterns, in the order in which they apply, and what each finding becomes.

use std::sync::LazyLock;

use regex::{Regex, RegexSet};

use super::checks;
use super::ids::IDS;

/// Pattern, label, and the check that a match has to pass.
type Source = (&'static str, &'static str, fn(&str) -> bool);

/// Rules over the whole text: named and shaped credentials, addresses.
const SHAPED: &[Source] = &[
    (r"-----BEGIN [A-Z0-9 ]{1,40}-----(?s:.*?)(?:-----END [A-Z0-9 ]{1,40}-----|\z)", "[pem]", any),
    (r"eyJ[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*){0,4}", "[token]", any),
    // gzip in base64 or hexadecimal: nobody knows what is in it.
    (r"H4sI[A-Za-z0-9+/=_-]{8,}|(?i:1f8b08[0-9a-f]{12,})", "[packed]", any),
    (NAMED, "[secret]", checks::unmasked),
    (MARKED_UP, "[secret]", any),
    (
        r"(?i)\b(?:bearer|basic|dpop|negotiate|digest)\s{1,4}[A-Za-z0-9._~+/=-]{6,}",
        "[secret]",
        checks::credential,
    ),
    (r"(?i)\b[a-z][a-z0-9+.-]{1,20}://[^\s/@:]{0,64}:[^\s/@]{1,128}@", "[secret]", any),
    (VENDORS, "[secret]", any),
    (r"[\p{L}\p{N}.!#$%&'*+/=?^_`{|}~-]+@[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)+", "[email]", any),
    (
        concat!(
            r"(?i)[a-z0-9._+-]+ ?[\[({<] ?(?:at|@) ?[\])}>] ?[a-z0-9-]+",
            r"(?:(?: ?[\[({<] ?(?:dot|\.) ?[\])}>] ?|\.)[a-z0-9-]+)+"
        ),
        "[email]",
        any,
    ),
];

/// Names of secrets.
macro_rules! names {
    () => {
        concat!(
            r"(?i)(?:authorization|password|passwd|passphrase|passcode|pwd|secret|token|api[-_ ]?key|",
            r"access[-_ ]?key|private[-_ ]?key|account[-_ ]?key|signature|cookie|session(?:[-_]?id)?|sessid|",
            r"credential|\botp|\bpin|\bcvv2?|\bcvc|\bssn|\bsig)s?"
        )
    };
}

/// A name that is one of a secret.
const NAME: &str = concat!(names!(), "$");

/// A value behind a name that says what it is: in a query, in a header, in JSON, also inside a string.
const NAMED: &str = concat!(
    names!(),
    r#"\\{0,4}["']?\s{0,4}[=:]\s{0,4}\\{0,4}"#,
    r#"(?:"[^"]*"?|'[^']*'?|(?:(?:bearer|basic|dpop)\s{1,4})?[^\s"'&;,]+)"#
);

/// The same as markup.
const MARKED_UP: &str = concat!(
    r"(?i)<(?:[a-z0-9_-]{1,20}:)?[a-z0-9_-]{0,20}(?:password|passwd|passphrase|pwd|secret|token|api[-_]?key|",
    r"credential|cookie|otp|pin|cvv|ssn)s?(?:\s[^<>]{0,200})?>[^<]+"
);

/// Keys that say whose they are.
const VENDORS: &str = concat!(
    r"\b(?:sk|pk|rk)_(?:live|test)_[A-Za-z0-9]{8,}|\bwhsec_[A-Za-z0-9+/=]{16,}|gh[pousr]_[A-Za-z0-9]{20,}|",
    r"github_pat_[A-Za-z0-9_]{20,}|\b(?:AKIA|ASIA|ABIA|ACCA|AGPA|AIDA|AROA|ANPA)[0-9A-Z]{16}|",
    r"xox[abeoprs]-[A-Za-z0-9-]{10,}|xapp-[A-Za-z0-9-]{10,}|AIza[0-9A-Za-z_-]{30,}|ya29\.[A-Za-z0-9_-]{10,}|",
    r"GOCSPX-[A-Za-z0-9_-]{16,}|gl(?:pat|rt|dt|ptt|soat|cbt)-[A-Za-z0-9_-]{16,}|npm_[A-Za-z0-9]{30,}|",
    r"SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}|\bsk-[A-Za-z0-9_-]{20,}|\bhf_[A-Za-z0-9]{20,}|",
    r"\bdop_v1_[a-f0-9]{32,}|\bshp(?:at|ca|pa|ss)_[a-fA-F0-9]{24,}|pypi-[A-Za-z0-9_-]{16,}|",
    r"\bdapi[a-f0-9]{32}|\bkey-[a-f0-9]{32}|\bsq0(?:atp|csp|idp)-[A-Za-z0-9_-]{16,}|\bhv[sbr]\.[A-Za-z0-9_-]{20,}|",
    r"AGE-SECRET-KEY-1[A-Z0-9]{20,}|\b[0-9]{8,10}:AA[A-Za-z0-9_-]{30,}|\b(?:AC|SK)[a-f0-9]{32}\b|",
    r"\bglsa_[A-Za-z0-9]{20,}|\blin_api_[A-Za-z0-9]{20,}|\bdckr_pat_[A-Za-z0-9_-]{16,}"
);

/// Rules over the text between UUIDs, whose digits are nobody's number.
const COUNTED: &[Source] = &[
    (r"(?i)[A-Z]{2}[0-9]{2}(?:[ .-]?[A-Z0-9]){11,30}", "[iban]", checks::iban),
    (r#"[0-9](?:[ ._/:,"'+*|-]{0,3}[0-9]){12,}"#, "[card]", checks::card),
    (r"\+[0-9](?:[ ()./-]{0,2}[0-9]){7,14}", "[phone]", any),
    (r"\(?[0-9]{3}\)?[ .-]{1,2}[0-9]{3}[ .-][0-9]{4}", "[phone]", any),
];

/// The last ones: what is long and has no other name.
const COMMON: &[Source] = &[
    (r"[0-9](?:[ -]?[0-9]){8,}", "[number]", any),
    (r"[A-Za-z0-9_+/=~-]{24,}", "[secret]", checks::opaque),
];

/// A real UUID (RFC 9562): version and variant, not a number written with four dashes.
const UUID: &str = concat!(
    r"\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[1-8][0-9a-fA-F]{3}-",
    r"[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}\b"
);
/// Letters a UUID must have to be taken for one.
const UUID_LETTERS_MIN: usize = 3;
/// Candidates for base64: long enough to hide nine digits.
const BASE64: &str = r"[A-Za-z0-9+/_-]{12,}";
/// Candidates for hexadecimal: long enough to hide an address.
const HEX: &str = r"(?:(?:0x|\\x)?[0-9a-fA-F]{2}[ :,-]?){6,}";

struct Rule {
    pattern: Regex,
    label: &'static str,
    holds: fn(&str) -> bool,
}

/// All patterns, compiled once.
pub(super) struct Rules {
    shaped: Vec<Rule>,
    counted: Vec<Rule>,
    /// All patterns at once: most texts match none.
    screen: RegexSet,
    uuid: Regex,
    pub(super) base64: Regex,
    pub(super) hex: Regex,
    /// The name of a secret.
    pub(super) name: Regex,
}

/// `None` where a pattern does not compile; a test shows that each does.
pub(super) fn compiled() -> Option<&'static Rules> {
    static RULES: LazyLock<Option<Rules>> = LazyLock::new(|| {
        let compile = |sources: &[Source]| -> Result<Vec<Rule>, regex::Error> {
            let rule = |(pattern, label, holds): &Source| {
                Ok(Rule { pattern: Regex::new(pattern)?, label, holds: *holds })
            };
            sources.iter().map(rule).collect()
        };
        let ids: Vec<Source> =
            IDS.iter().map(|(pattern, holds)| (*pattern, "[id]", *holds)).collect();
        let counted = [COUNTED, &ids, COMMON].concat();
        Some(Rules {
            shaped: compile(SHAPED).ok()?,
            counted: compile(&counted).ok()?,
            screen: RegexSet::new(SHAPED.iter().chain(&counted).map(|source| source.0)).ok()?,
            uuid: Regex::new(UUID).ok()?,
            base64: Regex::new(BASE64).ok()?,
            hex: Regex::new(HEX).ok()?,
            name: Regex::new(NAME).ok()?,
        })
    });
    RULES.as_ref()
}

impl Rules {
    /// The text with every finding replaced; `None` where nothing was found.
    pub(super) fn apply(&self, text: &str) -> Option<String> {
        #[cfg(test)]
        super::tests::looked_at(text.len());
        if !self.screen.is_match(text) {
            return None;
        }
        let mut found = false;
        let mut clean = text.to_owned();
        for rule in &self.shaped {
            rule.replace(&mut clean, &mut found);
        }
        let mut out = String::with_capacity(clean.len());
        let mut end = 0;
        for uuid in self.uuid.find_iter(&clean).filter(|uuid| lettered(uuid.as_str())) {
            self.count(clean.get(end..uuid.start()).unwrap_or_default(), &mut out, &mut found);
            out.push_str(uuid.as_str());
            end = uuid.end();
        }
        self.count(clean.get(end..).unwrap_or_default(), &mut out, &mut found);
        found.then_some(out)
    }

    fn count(&self, part: &str, out: &mut String, found: &mut bool) {
        let mut part = part.to_owned();
        for rule in &self.counted {
            rule.replace(&mut part, found);
        }
        out.push_str(&part);
    }
}

impl Rule {
    fn replace(&self, text: &mut String, found: &mut bool) {
        let mut out = String::new();
        let mut end = 0;
        for hit in self.pattern.find_iter(text).filter(|hit| (self.holds)(hit.as_str())) {
            out.push_str(text.get(end..hit.start()).unwrap_or_default());
            out.push_str(self.label);
            end = hit.end();
        }
        if end > 0 {
            out.push_str(text.get(end..).unwrap_or_default());
            *found = true;
            *text = out;
        }
    }
}

fn lettered(uuid: &str) -> bool {
    uuid.chars().filter(char::is_ascii_alphabetic).count() >= UUID_LETTERS_MIN
}

fn any(_: &str) -> bool {
    true
}
