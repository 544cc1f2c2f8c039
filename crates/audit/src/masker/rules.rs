//! The patterns, in the order in which they apply, and what each finding becomes.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Regex, RegexSet};

use super::checks;
use super::ids::IDS;

/// Pattern, label, and the check that a match has to pass.
type Source<'s> = (&'s str, &'static str, fn(&str) -> bool);

/// Rules over the whole text: named and shaped credentials, addresses.
const SHAPED: &[Source<'_>] = &[
    (r"-----BEGIN [A-Z0-9 ]{1,40}-----(?s:.*?)(?:-----END [A-Z0-9 ]{1,40}-----|\z)", "[pem]", any),
    (r"eyJ[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*){0,4}", "[token]", any),
    // gzip in base64 or hexadecimal is cut out whatever is in it: it would be a long text that looks drawn, too.
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
    // A key in hexadecimal digits, before a number is seen in it.
    (r"\b[0-9a-fA-F]{32,}\b", "[secret]", checks::lettered),
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
const COUNTED: &[Source<'_>] = &[
    (r"(?i)[A-Z]{2}[0-9]{2}(?:[ .-]?[A-Z0-9]){11,30}", "[iban]", checks::iban),
    (r#"[0-9](?:[ ._/:,"'+*|-]{0,3}[0-9]){12,}"#, "[card]", checks::card),
    (r"\+[0-9](?:[ ()./-]{0,2}[0-9]){7,14}", "[phone]", any),
    (r"\(?[0-9]{3}\)?[ .-]{1,2}[0-9]{3}[ .-][0-9]{4}", "[phone]", any),
];

/// The last ones: what is long and has no other name.
const COMMON: &[Source<'_>] = &[
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

/// A pattern, what a finding becomes, and what makes a candidate one.
pub(super) struct Rule {
    pub(super) pattern: Regex,
    pub(super) label: Cow<'static, str>,
    pub(super) holds: fn(&str) -> bool,
}

/// The rules of the gateway, and those of its operator before them.
#[derive(Clone, Copy)]
pub(super) struct Rules<'r> {
    pub(super) own: &'static Own,
    pub(super) custom: &'r [Rule],
}

/// The patterns of the gateway, compiled once.
pub(super) struct Own {
    shaped: Vec<Rule>,
    counted: Vec<Rule>,
    /// Ids and keys wherever they stand: in what was decoded no word need begin at them.
    loose: Vec<Rule>,
    /// All patterns at once: most texts match none.
    screen: RegexSet,
    uuid: Regex,
    pub(super) base64: Regex,
    pub(super) hex: Regex,
    /// The name of a secret.
    pub(super) name: Regex,
}

/// What was found in a text.
pub(super) struct Found {
    /// The text without any of it.
    pub(super) clean: String,
    /// The text without what has a shape or a name; numbers and ids are still there.
    pub(super) shaped: String,
    /// How many numbers and ids each of their rules took out.
    pub(super) counts: Counts,
}

/// Findings by rule; what has a shape or a name first, each in the order of its rules.
#[derive(Default)]
pub(super) struct Counts(Vec<usize>);

impl Counts {
    /// More of some kind than there are in `other`.
    pub(super) fn exceed(&self, other: &Self) -> bool {
        let theirs = other.0.iter().chain(std::iter::repeat(&0));
        self.0.iter().zip(theirs).any(|(ours, theirs)| ours > theirs)
    }
}

/// `None` where a pattern does not compile; a test shows that each does.
pub(super) fn compiled() -> Option<&'static Own> {
    static OWN: LazyLock<Option<Own>> = LazyLock::new(|| {
        let ids: Vec<Source<'_>> =
            IDS.iter().map(|(pattern, holds)| (*pattern, "[id]", *holds)).collect();
        let counted = [COUNTED, &ids, COMMON].concat();
        let loose: Vec<String> = ids
            .iter()
            .map(|(pattern, ..)| *pattern)
            .chain([VENDORS])
            .map(|pattern| pattern.replace(r"\b", ""))
            .collect();
        let checks = ids.iter().map(|id| id.2).chain([any as fn(&str) -> bool]);
        let loose: Vec<Source<'_>> = loose
            .iter()
            .zip(checks)
            .map(|(pattern, holds)| (pattern.as_str(), "", holds))
            .collect();
        Some(Own {
            shaped: compile(SHAPED).ok()?,
            counted: compile(&counted).ok()?,
            loose: compile(&loose).ok()?,
            screen: RegexSet::new(SHAPED.iter().chain(&counted).map(|source| source.0)).ok()?,
            uuid: Regex::new(UUID).ok()?,
            base64: Regex::new(BASE64).ok()?,
            hex: Regex::new(HEX).ok()?,
            name: Regex::new(NAME).ok()?,
        })
    });
    OWN.as_ref()
}

fn compile(sources: &[Source<'_>]) -> Result<Vec<Rule>, regex::Error> {
    let rule = |(pattern, label, holds): &Source<'_>| {
        Ok(Rule { pattern: Regex::new(pattern)?, label: (*label).into(), holds: *holds })
    };
    sources.iter().map(rule).collect()
}

impl Rules<'_> {
    /// What was found in the text; `None` where there is nothing.
    pub(super) fn apply(&self, text: &str) -> Option<Found> {
        #[cfg(test)]
        super::tests::looked_at(text.len());
        let is_custom = self.custom.iter().any(|rule| rule.pattern.is_match(text));
        if !is_custom && !self.own.screen.is_match(text) {
            return None;
        }
        let mut shaped = text.to_owned();
        let mut found = 0;
        for rule in self.custom.iter().chain(&self.own.shaped) {
            found += rule.replace(&mut shaped);
        }
        // Baseline of what is left: what had a shape or a name is out.
        let before = self.custom.len() + self.own.shaped.len();
        let mut counts = vec![0; before + self.own.counted.len()];
        let mut clean = String::with_capacity(shaped.len());
        let mut end = 0;
        let numbers = counts.get_mut(before..).unwrap_or_default();
        for uuid in self.own.uuid.find_iter(&shaped).filter(|uuid| lettered(uuid.as_str())) {
            let part = shaped.get(end..uuid.start()).unwrap_or_default();
            self.count(part, &mut clean, numbers);
            clean.push_str(uuid.as_str());
            end = uuid.end();
        }
        self.count(shaped.get(end..).unwrap_or_default(), &mut clean, numbers);
        found += numbers.iter().sum::<usize>();
        (found > 0).then_some(Found { clean, shaped, counts: Counts(counts) })
    }

    /// Findings in a text that was decoded, beyond those that its coded form shows anyway.
    pub(super) fn more(&self, text: &str, seen: &Counts) -> bool {
        self.apply(text).is_some_and(|found| found.shaped != text || found.counts.exceed(seen))
    }

    /// Anything at all in a text that was decoded from letters and digits: its neighbours were part of them.
    pub(super) fn any(&self, text: &str) -> bool {
        let is_loose =
            |rule: &Rule| rule.pattern.find_iter(text).any(|hit| (rule.holds)(hit.as_str()));
        self.apply(text).is_some() || self.own.loose.iter().any(is_loose)
    }

    fn count(&self, part: &str, out: &mut String, counts: &mut [usize]) {
        let mut part = part.to_owned();
        for (rule, count) in self.own.counted.iter().zip(counts) {
            *count += rule.replace(&mut part);
        }
        out.push_str(&part);
    }
}

impl Rule {
    /// Takes out what it finds, and says how often.
    fn replace(&self, text: &mut String) -> usize {
        let mut out = String::new();
        let (mut end, mut count) = (0, 0);
        for hit in self.pattern.find_iter(text).filter(|hit| (self.holds)(hit.as_str())) {
            out.push_str(text.get(end..hit.start()).unwrap_or_default());
            out.push_str(&self.label);
            end = hit.end();
            count += 1;
        }
        if count > 0 {
            out.push_str(text.get(end..).unwrap_or_default());
            *text = out;
        }
        count
    }
}

fn lettered(uuid: &str) -> bool {
    uuid.chars().filter(char::is_ascii_alphabetic).count() >= UUID_LETTERS_MIN
}

pub(super) fn any(_: &str) -> bool {
    true
}
