//! A text of JSON that was read strictly before, without the members that a plan does not keep. All else stays byte for
//! byte as it came. It reads no schema.

use std::borrow::Cow;

use super::{Kept, NOTHING, Place};

/// What is left, and how many members are gone.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Left {
    pub(crate) text: String,
    pub(crate) dropped: usize,
}

impl Kept {
    /// The text without what is not kept; `None`: all of it is. It is one value of JSON, read before within its limits.
    pub(crate) fn cut(&self, text: &str) -> Option<Left> {
        let mut cut = Cut { kept: self, text, at: 0, copied: 0, out: String::new(), dropped: 0 };
        cut.value(Some(self.start));
        let Cut { mut out, copied, dropped, .. } = cut;
        if dropped == 0 {
            return None;
        }
        out.push_str(text.get(copied..).unwrap_or_default());
        Some(Left { text: out, dropped })
    }

    fn place(&self, index: usize) -> Option<&Place> {
        // Every index of a plan is one of its places.
        self.places.get(index).or_else(|| self.places.get(NOTHING))
    }
}

struct Cut<'c> {
    kept: &'c Kept,
    text: &'c str,
    at: usize,
    /// The end of what is in `out`, or was left out.
    copied: usize,
    out: String,
    dropped: usize,
}

impl<'c> Cut<'c> {
    fn peek(&mut self) -> u8 {
        let bytes = self.text.as_bytes();
        while bytes.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
        bytes.get(self.at).copied().unwrap_or_default()
    }

    /// Goes past one value; `None`: nothing in it is looked at, it goes as a whole.
    fn value(&mut self, place: Option<usize>) {
        let here = place.and_then(|index| self.kept.place(index));
        match self.peek() {
            b'{' => self.object(here),
            b'[' => {
                self.at += 1;
                while !matches!(self.peek(), b']' | 0) {
                    self.value(here.map(|here| here.items));
                    self.comma();
                }
                self.at += 1;
            }
            b'"' => {
                self.string();
            }
            _ => {
                let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
                let ends = |b: &u8| matches!(b, b',' | b']' | b'}') || b.is_ascii_whitespace();
                self.at += rest.iter().position(ends).unwrap_or(rest.len());
            }
        }
    }

    fn object(&mut self, here: Option<&'c Place>) {
        self.at += 1;
        // The end of the last member that stays.
        let mut stays: Option<usize> = None;
        while !matches!(self.peek(), b'}' | 0) {
            let start = self.at;
            let name = self.string();
            self.peek();
            self.at += 1;
            let Some(here) = here else {
                self.value(None);
                self.comma();
                continue;
            };
            match here.member(&name) {
                Some(place) => {
                    self.value(Some(place));
                    stays = Some(self.at);
                    self.comma();
                }
                None => {
                    self.value(None);
                    self.dropped += 1;
                    let mut end = self.at;
                    self.comma();
                    if stays.is_none() {
                        // The comma behind it goes with it; else the one before it.
                        self.peek();
                        end = self.at;
                    }
                    self.leave_out(stays.unwrap_or(start), end);
                }
            }
        }
        self.at += 1;
    }

    fn comma(&mut self) {
        if self.peek() == b',' {
            self.at += 1;
        }
    }

    /// What lies before was copied or left out already, up to where the last member that stays ends.
    fn leave_out(&mut self, from: usize, to: usize) {
        let from = from.max(self.copied);
        self.out.push_str(self.text.get(self.copied..from).unwrap_or_default());
        self.copied = to.max(self.copied);
    }

    /// The text between two quotes, without its escapes.
    fn string(&mut self) -> Cow<'c, str> {
        let start = self.at;
        let bytes = self.text.as_bytes();
        self.at += 1;
        let mut escaped = false;
        loop {
            let rest = bytes.get(self.at..).unwrap_or_default();
            let Some(next) = memchr::memchr2(b'"', b'\\', rest) else {
                self.at = bytes.len();
                break;
            };
            if rest.get(next) == Some(&b'"') {
                self.at += next + 1;
                break;
            }
            escaped = true;
            self.at += next + 2;
        }
        let quoted = self.text.get(start..self.at).unwrap_or_default();
        if escaped {
            return Cow::Owned(serde_json::from_str(quoted).unwrap_or_default());
        }
        Cow::Borrowed(quoted.trim_matches('"'))
    }
}
