//! `responses` of an operation: which statuses and media types it has, and the schemas of its JSON. It reads no answer.

use super::{Cursor, Report, Version, newer};
use crate::contract::answer::{Answers, Content, Declared, Status};
use crate::contract::media;
use crate::schema::{Direction, Kept, Schema};

/// The answers that an operation declares; `drops`: what their schemas do not name is dropped.
pub(super) fn read(
    at: &Cursor<'_>,
    (version, drops): (Version, bool),
    report: &mut Report,
) -> Answers {
    let mut declared = Vec::new();
    let stated = at.get("responses");
    for (name, answer) in stated.iter().flat_map(Cursor::members) {
        if name.starts_with("x-") {
            continue;
        }
        let Some(status) = status(name) else {
            report.mistake(&answer, "a status is a number, a class such as `2XX`, or `default`");
            continue;
        };
        match answer.resolved() {
            Ok(answer) => {
                declared.push(Declared { status, media: media(&answer, (version, drops), report) })
            }
            Err(mistake) => report.push(mistake),
        }
    }
    if declared.is_empty() {
        report.note(at, "no answer is declared: every one is undeclared");
    }
    declared.sort_by_key(|one| one.status);
    Answers { declared }
}

fn status(name: &str) -> Option<Status> {
    match name {
        "default" => Some(Status::Any),
        class if class.len() == 3 && class.ends_with("XX") => {
            class.get(..1)?.parse().ok().filter(|class| (1..=5).contains(class)).map(Status::Class)
        }
        exact => exact.parse().ok().filter(|code| (100..600).contains(code)).map(Status::Exact),
    }
}

fn media(
    answer: &Cursor<'_>,
    (version, drops): (Version, bool),
    report: &mut Report,
) -> Vec<Content> {
    let mut found = Vec::new();
    for (name, content) in answer.get("content").iter().flat_map(Cursor::members) {
        let content = match content.resolved() {
            Ok(content) => content,
            Err(mistake) => {
                report.push(mistake);
                continue;
            }
        };
        newer::is_sequence(&content, version, report);
        let name = name.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let dialect = (version, Direction::Answer);
        let schema = content.get("schema").filter(|_| media::is_json(&name) || name.contains('*'));
        let schema = schema.and_then(|schema| Schema::compile_for(&schema, dialect, report));
        let kept = schema.as_ref().filter(|_| drops).map(|schema| Kept::of(&schema.written));
        if matches!(kept, Some(None)) {
            report.mistake(&content, "too large a schema to tell what is undeclared in an answer");
        }
        found.push(Content { name, schema, kept: kept.flatten() });
    }
    found.sort_by_key(|one| one.name.matches('*').count());
    found
}
