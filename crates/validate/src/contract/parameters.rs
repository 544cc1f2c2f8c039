//! The parameters of a request, read by their declared style into typed values and checked. It
//! knows no body.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use http::HeaderMap;

use super::query::{self, Pair};
use super::{Findings, RequestView};
use crate::document::parameter::{Parameter, Wire};
use crate::json::{self, Entry, Node, Tape, View};
use crate::limits::Limits;
use crate::schema::{Types, free_texts, member_types};
use crate::violation::{ParameterIn, Place, Violation};

/// Checks every parameter. Returns the query written anew, `None` where there is none.
pub(crate) fn check(
    declared: &[Parameter],
    request: &RequestView<'_>,
    limits: &Limits,
    out: &mut Findings,
) -> Option<String> {
    for parameter in declared.iter().filter(|p| p.location == ParameterIn::Path) {
        let raw = request.path_parameters.iter().find(|(name, _)| *name == parameter.name);
        let texts = raw.map(|(_, raw)| plain_texts(parameter, raw, limits));
        take(parameter, texts, limits, out);
    }
    for parameter in declared.iter().filter(|p| p.location == ParameterIn::Header) {
        let texts = header_texts(parameter, request.headers);
        take(parameter, texts, limits, out);
    }
    check_query(declared, request.query, limits, out)
}

type Texts = Result<Vec<String>, &'static str>;

/// The texts of a `simple` parameter: split first, decoded then.
fn plain_texts(parameter: &Parameter, raw: &str, limits: &Limits) -> Texts {
    match parameter.wire {
        Wire::Commas(_) => raw.split(',').map(|part| query::decoded(part, limits)).collect(),
        Wire::One(_) | Wire::Repeated(_) | Wire::Deep => Ok(vec![query::decoded(raw, limits)?]),
    }
}

fn header_texts(parameter: &Parameter, headers: &HeaderMap) -> Option<Texts> {
    let mut fields = headers.get_all(parameter.name.as_str()).iter().peekable();
    fields.peek()?;
    let mut texts = Vec::new();
    for field in fields {
        let Ok(text) = std::str::from_utf8(field.as_bytes()) else { return Some(Err("utf8")) };
        match parameter.wire {
            Wire::Commas(_) => texts.extend(text.split(',').map(|part| part.trim().to_owned())),
            Wire::One(_) | Wire::Repeated(_) | Wire::Deep if texts.is_empty() => {
                texts.push(text.trim().to_owned());
            }
            Wire::One(_) | Wire::Repeated(_) | Wire::Deep => return Some(Err("repeated")),
        }
    }
    Some(Ok(texts))
}

/// Checks one parameter by its texts; `None` means that it was not sent.
fn take(parameter: &Parameter, texts: Option<Texts>, limits: &Limits, out: &mut Findings) {
    let place = parameter.place();
    let texts = match texts {
        None if parameter.required => {
            return out.violations.push(Violation::new(place, "required"));
        }
        None => return,
        Some(Err(rule)) => return out.violations.push(Violation::new(place, rule)),
        Some(Ok(texts)) => texts,
    };
    if texts.len() > limits.items_max {
        return out.violations.push(Violation::new(place, "items_max"));
    }
    match parameter.wire {
        Wire::One(types) => {
            let text = texts.into_iter().next().unwrap_or_default();
            if text.is_empty() && parameter.allow_empty {
                return;
            }
            let fits = |entry| parameter.schema.is_valid(View::of_one(&[entry], "").root());
            let entry = [typed(&text, types, limits, fits).unwrap_or_else(|| Entry::whole(&text))];
            judge(parameter, View::of_one(&entry, &text).root(), out);
        }
        Wire::Commas(types) | Wire::Repeated(types) => {
            let mut tape = Tape::default();
            let at = tape.open();
            for text in &texts {
                push(&mut tape, text, typed(text, types, limits, |_| true));
            }
            tape.close_array(at, texts.len());
            judge(parameter, tape.view("").root(), out);
        }
        Wire::Deep => {}
    }
}

fn judge(parameter: &Parameter, value: Node<'_>, out: &mut Findings) {
    let place = parameter.place();
    parameter.schema.check_parameter(value, &place, &mut out.violations);
    free_texts(Some(&parameter.schema), value, &mut |text, is_name| {
        out.text(place.clone(), text, is_name);
        ControlFlow::Continue(())
    });
}

/// The number or the flag that a text stands for where the schema takes one; `None`: it is a text.
fn typed(text: &str, types: Types, limits: &Limits, fits: impl Fn(Entry) -> bool) -> Option<Entry> {
    let number = if types.number { json::read_number(text, limits).ok() } else { None };
    let flag = types.boolean && (text == "true" || text == "false");
    let entry = number.or(flag.then_some(Entry::Flag(text == "true")));
    // A text that could be either is what the schema takes.
    entry.filter(|entry| !types.string || fits(*entry))
}

fn push(tape: &mut Tape, text: &str, entry: Option<Entry>) {
    match entry {
        Some(entry) => tape.push(entry),
        None => tape.own_text(text),
    }
}

fn check_query(
    declared: &[Parameter],
    raw: Option<&str>,
    limits: &Limits,
    out: &mut Findings,
) -> Option<String> {
    let pairs = match query::pairs(raw.unwrap_or_default(), limits) {
        Ok(pairs) => pairs,
        Err(rule) => {
            let place = Place::undeclared(ParameterIn::Query);
            out.unread(place.clone(), raw.unwrap_or_default());
            out.violations.push(Violation::new(place, rule));
            return raw.map(str::to_owned);
        }
    };
    let in_query = || declared.iter().filter(|p| p.location == ParameterIn::Query);
    for parameter in in_query() {
        if parameter.wire == Wire::Deep {
            deep(parameter, &pairs, limits, out);
        } else {
            let texts = query_texts(parameter, &pairs, limits);
            take(parameter, texts, limits, out);
        }
    }
    let mut written = String::new();
    for pair in &pairs {
        let owner = in_query().find(|parameter| owns(parameter, &pair.name));
        match owner.map(|parameter| parameter.wire) {
            None => undeclared(pair, limits, out),
            Some(Wire::Commas(_)) => {
                let parts = pair.raw.split(',').map(|part| rewritten(part, limits));
                let parts: Vec<String> = parts.collect();
                query::append(&mut written, &pair.name, &parts.join(","));
                continue;
            }
            Some(Wire::One(_) | Wire::Repeated(_) | Wire::Deep) => {}
        }
        query::append(&mut written, &pair.name, &rewritten(pair.raw, limits));
    }
    raw.map(|_| written).filter(|written| !written.is_empty())
}

fn rewritten(raw: &str, limits: &Limits) -> String {
    query::form_decoded(raw, limits).map(|text| query::encoded(&text)).unwrap_or_default()
}

fn undeclared(pair: &Pair<'_>, limits: &Limits, out: &mut Findings) {
    let place = Place::undeclared(ParameterIn::Query);
    out.text(place.clone(), &pair.name, true);
    let value = query::form_decoded(pair.raw, limits).unwrap_or_else(|_| pair.raw.to_owned());
    out.text(place.clone(), &value, false);
    out.violations.push(Violation::new(place, "undeclared"));
}

fn query_texts(parameter: &Parameter, pairs: &[Pair<'_>], limits: &Limits) -> Option<Texts> {
    let mut own = pairs.iter().filter(|pair| pair.name == parameter.name);
    let first = own.next()?;
    let rest: Vec<&Pair<'_>> = own.collect();
    let decode = |raw: &str| query::form_decoded(raw, limits);
    match parameter.wire {
        Wire::Repeated(_) => {
            Some(std::iter::once(first).chain(rest).map(|pair| decode(pair.raw)).collect())
        }
        Wire::One(_) | Wire::Commas(_) | Wire::Deep if !rest.is_empty() => Some(Err("repeated")),
        Wire::Commas(_) => Some(first.raw.split(',').map(decode).collect()),
        Wire::One(_) | Wire::Deep => Some(decode(first.raw).map(|text| vec![text])),
    }
}

/// Whether a name in the query belongs to this parameter.
fn owns(parameter: &Parameter, name: &str) -> bool {
    match parameter.wire {
        Wire::Deep => member_of(parameter, name).is_some(),
        Wire::One(_) | Wire::Commas(_) | Wire::Repeated(_) => parameter.name == name,
    }
}

/// `member` of `name[member]`.
fn member_of<'n>(parameter: &Parameter, name: &'n str) -> Option<&'n str> {
    let member =
        name.strip_prefix(parameter.name.as_str())?.strip_prefix('[')?.strip_suffix(']')?;
    (!member.is_empty() && !member.contains(['[', ']'])).then_some(member)
}

fn deep(parameter: &Parameter, pairs: &[Pair<'_>], limits: &Limits, out: &mut Findings) {
    let place = parameter.place();
    let mut members = BTreeMap::new();
    for pair in pairs {
        let Some(member) = member_of(parameter, &pair.name) else { continue };
        let text = match query::form_decoded(pair.raw, limits) {
            Ok(text) => text,
            Err(rule) => return out.violations.push(Violation::new(place, rule)),
        };
        let types = member_types(&parameter.schema, member)
            .unwrap_or(Types { string: true, ..Types::default() });
        let value = typed(&text, types, limits, |_| true);
        if members.insert(member, (text, value)).is_some() {
            return out.violations.push(Violation::new(place, "repeated"));
        }
    }
    if members.is_empty() {
        if parameter.required {
            out.violations.push(Violation::new(place, "required"));
        }
        return;
    }
    let mut tape = Tape::default();
    let at = tape.open();
    for (name, (text, value)) in &members {
        tape.own_text(name);
        push(&mut tape, text, *value);
    }
    // No name stands twice in the map.
    tape.close_object(at, members.len(), "");
    judge(parameter, tape.view("").root(), out);
}
