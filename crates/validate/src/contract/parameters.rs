//! The parameters of a request, read by their declared style into typed values and checked. It
//! knows no body.

use std::ops::ControlFlow;

use http::{HeaderMap, HeaderName};

use super::cookies::{self, Cookie};
use super::handling::{Handling, Undeclared};
use super::query::{self, Pair};
use super::wire::{Read, Rule, Shape, Style, Wire, typed};
use super::{Findings, RequestView};
use crate::document::parameter::Parameter;
use crate::json::{Entry, Node, Tape, View};
use crate::limits::Limits;
use crate::schema::free_texts;
use crate::violation::{ParameterIn, Place, Violation};

/// What the parameters are held against.
pub(crate) struct Rules<'c> {
    pub(crate) declared: &'c [Parameter],
    pub(crate) limits: &'c Limits,
    pub(crate) handling: &'c Handling,
}

/// What goes inside instead of what came.
#[derive(Debug, Default)]
pub(crate) struct Written {
    /// The query; `None` where there is none.
    pub(crate) query: Option<String>,
    /// The cookies; `None`: as they came, an empty text: none.
    pub(crate) cookies: Option<String>,
}

impl Rules<'_> {
    fn of(&self, location: ParameterIn) -> impl Iterator<Item = &Parameter> {
        self.declared.iter().filter(move |parameter| parameter.location == location)
    }

    /// Checks every parameter.
    pub(crate) fn check(&self, request: &RequestView<'_>, out: &mut Findings) -> Written {
        for parameter in self.of(ParameterIn::Path) {
            let raw = request.path_parameters.iter().find(|(name, _)| *name == parameter.name);
            let read = raw.map(|(_, raw)| self.path_text(parameter, raw));
            self.take(parameter, read, out);
        }
        for parameter in self.of(ParameterIn::Header) {
            let read = header_text(parameter, request.headers);
            self.take(parameter, read, out);
        }
        self.undeclared_headers(request.headers, out);
        let cookies = self.check_cookies(request.headers, out);
        Written { query: self.check_query(request.query, out), cookies }
    }

    fn path_text(&self, parameter: &Parameter, raw: &str) -> Result<Read, Rule> {
        if raw.contains(';') && parameter.wire.style != Style::Matrix {
            // A server may cut the segment there.
            return Err("path_character");
        }
        let decode = |raw: &str| query::decoded(raw, self.limits);
        parameter.wire.read(&parameter.name, raw, &decode)
    }

    /// Checks one parameter by its texts; `None` means that it was not sent.
    fn take(&self, parameter: &Parameter, read: Option<Result<Read, Rule>>, out: &mut Findings) {
        let limits = self.limits;
        let refuse = |rule: Rule, out: &mut Findings| {
            out.violations.push(Violation::new(parameter.place(), rule));
        };
        let read = match read {
            None if parameter.required => return refuse("required", out),
            None => return,
            Some(Err(rule)) => return refuse(rule, out),
            Some(Ok(read)) => read,
        };
        if let (Shape::One(types), Read::One(text)) = (&parameter.wire.shape, &read) {
            if text.is_empty() && parameter.allow_empty {
                return;
            }
            // A text that could be either is what the schema takes.
            let fits =
                |entry: &Entry| parameter.schema.is_valid(View::of_one(&[*entry], "").root());
            let entry = typed(text, *types, limits).filter(|entry| !types.string || fits(entry));
            let entry = [entry.unwrap_or_else(|| Entry::whole(text))];
            return judge(parameter, View::of_one(&entry, text).root(), out);
        }
        let mut tape = Tape::default();
        match parameter.wire.push(&read, limits, &mut tape) {
            Ok(()) => judge(parameter, tape.view("").root(), out),
            Err(rule) => refuse(rule, out),
        }
    }

    fn check_query(&self, raw: Option<&str>, out: &mut Findings) -> Option<String> {
        let pairs = match query::pairs(raw.unwrap_or_default(), self.limits) {
            Ok(pairs) => pairs,
            Err(rule) => {
                let place = Place::undeclared(ParameterIn::Query);
                out.unread(place.clone(), raw.unwrap_or_default());
                out.violations.push(Violation::new(place, rule));
                return raw.map(str::to_owned);
            }
        };
        let owners: Vec<Option<&Parameter>> =
            pairs.iter().map(|pair| self.owner(&pair.name)).collect();
        for parameter in self.of(ParameterIn::Query) {
            let is_own = |owner: &Option<&Parameter>| {
                owner.is_some_and(|owner| std::ptr::eq(owner, parameter))
            };
            let own: Vec<&Pair<'_>> =
                pairs.iter().zip(&owners).filter(|(_, owner)| is_own(owner)).map(|p| p.0).collect();
            let read = parameter.wire.read_pairs(&parameter.name, &own, self.limits);
            self.take(parameter, read, out);
        }
        let mut written = String::new();
        for (pair, owner) in pairs.iter().zip(owners) {
            if owner.is_none() {
                self.undeclared(pair, out);
            }
            let text = match owner {
                Some(owner) => owner.wire.rewritten(pair.raw, self.limits),
                None => Wire::text().rewritten(pair.raw, self.limits),
            };
            query::append(&mut written, &pair.name, &text);
        }
        raw.map(|_| written).filter(|written| !written.is_empty())
    }

    /// The parameter that a name in the query belongs to.
    fn owner(&self, name: &str) -> Option<&Parameter> {
        let in_query = || self.of(ParameterIn::Query);
        in_query()
            .find(|parameter| parameter.wire.owns(&parameter.name, name))
            .or_else(|| in_query().find(|parameter| parameter.wire.takes_others()))
    }

    fn undeclared(&self, pair: &Pair<'_>, out: &mut Findings) {
        let place = Place::undeclared(ParameterIn::Query);
        out.text(place.clone(), &pair.name, true);
        let value =
            query::form_decoded(pair.raw, self.limits).unwrap_or_else(|_| pair.raw.to_owned());
        out.text(place.clone(), &value, false);
        out.violations.push(Violation::new(place, "undeclared"));
    }

    /// Checks the declared cookies; returns the field that goes inside.
    fn check_cookies(&self, headers: &HeaderMap, out: &mut Findings) -> Option<String> {
        let place = || Place::undeclared(ParameterIn::Cookie);
        let cookies = match cookies::all(headers, self.limits.cookies_max) {
            Ok(cookies) => cookies,
            Err(rule) => {
                out.violations.push(Violation::new(place(), rule));
                Vec::new()
            }
        };
        for parameter in self.of(ParameterIn::Cookie) {
            let own: Vec<Cookie<'_>> =
                cookies.iter().copied().filter(|cookie| cookie.name == parameter.name).collect();
            self.take(parameter, self.cookie_text(parameter, &own), out);
        }
        let mut written = String::new();
        for cookie in cookies {
            let known = self.of(ParameterIn::Cookie).any(|known| known.name == cookie.name);
            match self.handling.cookies {
                _ if known => cookies::append(&mut written, cookie),
                Undeclared::Drop => {}
                Undeclared::Refuse => {
                    out.text(place(), cookie.name, true);
                    out.text(place(), cookie.raw, false);
                    out.violations.push(Violation::new(place(), "undeclared"));
                }
                Undeclared::Pass => {
                    out.text(place(), cookie.name, true);
                    out.text(place(), cookie.raw, false);
                    cookies::append(&mut written, cookie);
                }
            }
        }
        let passes = self.handling.cookies == Undeclared::Pass;
        (!passes).then_some(written)
    }

    fn cookie_text(&self, parameter: &Parameter, own: &[Cookie<'_>]) -> Option<Result<Read, Rule>> {
        let first = own.first()?;
        let decode = |raw: &str| query::decoded(raw, self.limits);
        let is_list = !matches!(parameter.wire.shape, Shape::One(_));
        Some(if own.len() > 1 {
            Err("repeated")
        } else if !cookies::is_plain(first.raw, is_list) {
            Err("cookie_syntax")
        } else {
            parameter.wire.read(&parameter.name, first.raw, &decode)
        })
    }

    /// Fields beyond those declared and those that are expected of every request.
    fn undeclared_headers(&self, headers: &HeaderMap, out: &mut Findings) {
        let Some(expected) = &self.handling.headers else { return };
        let known = |name: &HeaderName| {
            expected.contains(name)
                || self
                    .of(ParameterIn::Header)
                    .any(|declared| declared.name.eq_ignore_ascii_case(name.as_str()))
        };
        if headers.keys().any(|name| !known(name)) {
            let place = Place::undeclared(ParameterIn::Header);
            out.violations.push(Violation::new(place, "undeclared"));
        }
    }
}

fn header_text(parameter: &Parameter, headers: &HeaderMap) -> Option<Result<Read, Rule>> {
    let mut fields = headers.get_all(parameter.name.as_str()).iter().peekable();
    fields.peek()?;
    let splits = matches!(parameter.wire.shape, Shape::List(_) | Shape::Object(_));
    let mut whole = String::new();
    for (index, field) in fields.enumerate() {
        let Ok(text) = std::str::from_utf8(field.as_bytes()) else { return Some(Err("utf8")) };
        match index {
            0 => {}
            // Several fields of one name are one list (RFC 9110 5.3).
            _ if splits => whole.push(','),
            _ => return Some(Err("repeated")),
        }
        whole.push_str(text);
    }
    Some(parameter.wire.read(&parameter.name, whole.trim(), &|text| Ok(text.trim().to_owned())))
}

fn judge(parameter: &Parameter, value: Node<'_>, out: &mut Findings) {
    let place = parameter.place();
    let before = out.violations.len();
    parameter.schema.check_parameter(value, &place, &mut out.violations);
    let fits = out.violations.len() == before;
    free_texts(Some(&parameter.schema), value, fits, &mut |text, is_name| {
        out.text(place.clone(), text, is_name);
        ControlFlow::Continue(())
    });
}
