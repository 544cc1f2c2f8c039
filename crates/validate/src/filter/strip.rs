//! What is left of a request without the marks of its hostile texts. The rule: of a text in which an attack was found,
//! letters, digits, spaces and single full stops and commas behind a letter or digit stay, all else goes. It judges nothing:
//! what is left is held against contract and filter like a request of its own.

use std::collections::HashMap;

use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::layers::inner::end_of_string;
use crate::contract::Payload;

/// All but the unreserved characters (RFC 3986 2.3).
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A request's query and body without the hostile parts of their texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cure {
    /// The query, as it would be sent.
    pub query: Option<String>,
    /// The body.
    pub body: Bytes,
    /// Whether the body differs from what was sent.
    pub changes_body: bool,
}

/// The hostile texts of a request, each with what is left of it.
#[derive(Debug, Default)]
pub(super) struct Hostile(HashMap<String, String>);

impl Hostile {
    pub(super) fn add(&mut self, text: &str) {
        if !self.0.contains_key(text) {
            self.0.insert(text.to_owned(), stripped(text));
        }
    }

    /// Query and body with what is left in the place of what was; `None` where nothing could be taken out.
    pub(super) fn cure(&self, payload: &Payload) -> Option<Cure> {
        if payload.is_decoded() {
            return None;
        }
        let query = payload.query().map(|query| self.form(query));
        let sent = payload.body();
        let text = std::str::from_utf8(sent).ok();
        let body = text
            .and_then(|text| self.json(text).or_else(|| self.whole(text)))
            .map_or_else(|| sent.clone(), Bytes::from);
        let changes_body = body != *sent;
        let changed = changes_body || query.as_deref() != payload.query();
        changed.then_some(Cure { query, body, changes_body })
    }

    /// A body that is one text, or a form.
    fn whole(&self, body: &str) -> Option<String> {
        match self.0.get(body) {
            Some(left) => Some(left.clone()),
            None => Some(self.form(body)).filter(|form| form != body),
        }
    }

    /// Pairs of a query or a form; those that hold no hostile text stay as they are.
    fn form(&self, form: &str) -> String {
        let pair = |pair: &str| {
            let (name, raw) = pair.split_once('=')?;
            let spaced = raw.replace('+', " ");
            let value = percent_decode_str(&spaced).decode_utf8().ok()?;
            let left = self.0.get(value.as_ref())?;
            Some(format!("{name}={}", utf8_percent_encode(left, ESCAPED)))
        };
        let pairs = form.split('&').map(|own| pair(own).unwrap_or_else(|| own.to_owned()));
        pairs.collect::<Vec<_>>().join("&")
    }

    /// The strings of a JSON body that are not names of members.
    fn json(&self, body: &str) -> Option<String> {
        if !body.trim_start().starts_with(['{', '[', '"']) {
            return None;
        }
        let mut out = String::with_capacity(body.len());
        let mut rest = body;
        while let Some(start) = rest.find('"') {
            let (before, from) = rest.split_at_checked(start)?;
            out.push_str(before);
            let (literal, behind) = from.split_at_checked(end_of_string(from)?)?;
            let is_name = behind.trim_start().starts_with(':');
            let text: String = serde_json::from_str(literal).ok()?;
            match self.0.get(&text).filter(|_| !is_name) {
                Some(left) => out.push_str(&serde_json::to_string(left).ok()?),
                None => out.push_str(literal),
            }
            rest = behind;
        }
        out.push_str(rest);
        Some(out)
    }
}

/// What is left of a hostile text. Of what is left, the same is left.
pub(super) fn stripped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let behind_word = out.chars().next_back().is_some_and(char::is_alphanumeric);
        match c {
            c if c.is_alphanumeric() => out.push(c),
            '.' | ',' if behind_word => out.push(c),
            _ if c.is_whitespace() && !out.is_empty() && !out.ends_with(' ') => out.push(' '),
            _ => {}
        }
    }
    out.truncate(out.trim_end_matches(' ').len());
    out
}
