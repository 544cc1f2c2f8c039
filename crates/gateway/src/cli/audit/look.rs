//! `gateway audit tail` and `query`: events as they are kept, one a line, whole.

use super::of;
use super::place::Where;
use audit::inspect::Follow;
use clap::Args;
use serde_json::Value;
use std::collections::VecDeque;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// How often new events are looked for.
const LOOK: Duration = Duration::from_millis(250);
/// Most of the last events.
const LINES_MAX: usize = 100_000;

/// Which events.
#[derive(Debug, Args)]
pub(in crate::cli) struct Filter {
    /// Only where the member at this path has this value; a `*` at its end stands for anything. May be given
    /// several times. Example: `--where actor.app_uid=shop --where status_detail=token.*`.
    #[arg(long = "where", value_name = "PATH=VALUE", value_parser = condition)]
    conditions: Vec<Condition>,
    /// Only from this time on (RFC 3339).
    #[arg(long, value_parser = milliseconds)]
    since: Option<i128>,
    /// Only before this time (RFC 3339).
    #[arg(long, value_parser = milliseconds)]
    until: Option<i128>,
}

/// A member and what it must be.
#[derive(Debug, Clone)]
struct Condition {
    pointer: String,
    value: String,
    open: bool,
}

fn condition(text: &str) -> Result<Condition, String> {
    let (path, value) = text.split_once('=').ok_or("expected PATH=VALUE")?;
    let pointer: String = path.split('.').map(|part| format!("/{part}")).collect();
    let (value, open) = value.strip_suffix('*').map_or((value, false), |value| (value, true));
    Ok(Condition { pointer, value: value.to_owned(), open })
}

fn milliseconds(text: &str) -> Result<i128, String> {
    let time = OffsetDateTime::parse(text, &Rfc3339).map_err(|error| error.to_string())?;
    Ok(time.unix_timestamp_nanos() / 1_000_000)
}

impl Condition {
    fn holds(&self, event: &Value) -> bool {
        let found = match event.pointer(&self.pointer) {
            None | Some(Value::Null) => return false,
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        if self.open { found.starts_with(&self.value) } else { found == self.value }
    }
}

impl Filter {
    fn takes(&self, event: &[u8]) -> bool {
        if self.conditions.is_empty() && self.since.is_none() && self.until.is_none() {
            return true;
        }
        let Ok(event) = serde_json::from_slice::<Value>(event) else { return false };
        let time = event.get("time").and_then(Value::as_i64).map(i128::from);
        // What has no time, an erased event for example, is not of a time.
        self.since.is_none_or(|since| time.is_some_and(|time| time >= since))
            && self.until.is_none_or(|until| time.is_some_and(|time| time < until))
            && self.conditions.iter().all(|condition| condition.holds(&event))
    }
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Query {
    #[command(flatten)]
    at: Where,
    #[command(flatten)]
    filter: Filter,
    /// Print how many there are.
    #[arg(long)]
    count: bool,
    /// Print so many at most.
    #[arg(long)]
    limit: Option<u64>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Tail {
    /// The directory of a spool or of a file sink.
    directory: PathBuf,
    #[command(flatten)]
    filter: Filter,
    /// So many of the last events.
    #[arg(short = 'n', long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(0..=100_000))]
    lines: u32,
    /// Go on: print events as they come.
    #[arg(short, long)]
    follow: bool,
}

/// Writes lines; `false` where nobody reads them any more.
fn put(out: &mut impl Write, event: &[u8]) -> bool {
    out.write_all(event).and_then(|()| out.write_all(b"\n")).is_ok()
}

impl Query {
    pub(super) fn run(&self) -> io::Result<ExitCode> {
        let mut out = BufWriter::new(io::stdout().lock());
        let (mut count, limit) = (0, self.limit.unwrap_or(u64::MAX));
        let each = self.at.open()?.each(&mut |_, event| {
            if !self.filter.takes(event) {
                return true;
            }
            count += 1;
            (self.count || put(&mut out, event)) && count < limit
        });
        each.map_err(|error| self.at.of(error))?;
        if self.count {
            put(&mut out, count.to_string().as_bytes());
        }
        Ok(if out.flush().is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

impl Tail {
    pub(super) fn run(&self) -> io::Result<ExitCode> {
        let mut out = io::stdout().lock();
        let mut follow = Follow::new(&self.directory);
        let unreadable = |error: io::Error| of(&self.directory, error);
        let most = usize::try_from(self.lines).unwrap_or(LINES_MAX);
        let mut last: VecDeque<Vec<u8>> = VecDeque::new();
        let taken = follow.poll(&mut |event| {
            if self.filter.takes(event) {
                last.push_back(event.to_vec());
            }
            if last.len() > most {
                last.pop_front();
            }
        });
        taken.map_err(unreadable)?;
        let mut read = last.iter().all(|event| put(&mut out, event));
        while self.follow && read {
            std::thread::sleep(LOOK);
            let taken = follow.poll(&mut |event| {
                read = read && (!self.filter.takes(event) || put(&mut out, event));
            });
            taken.map_err(unreadable)?;
            read = read && out.flush().is_ok();
        }
        Ok(ExitCode::SUCCESS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_taken_by_value_beginning_and_time() {
        let event = br#"{"time":1790000000500,"status_id":1,"actor":{"app_uid":"shop"},"status_detail":"token.expired"}"#;
        let filter = |conditions: &[&str], since: Option<&str>, until: Option<&str>| Filter {
            conditions: conditions.iter().map(|text| condition(text).expect("good")).collect(),
            since: since.map(|time| milliseconds(time).expect("a time")),
            until: until.map(|time| milliseconds(time).expect("a time")),
        };
        for (conditions, since, until, expected) in [
            (&[][..], None, None, true),
            (&["actor.app_uid=shop", "status_detail=token.*", "status_id=1"], None, None, true),
            (&["actor.app_uid=sho"], None, None, false),
            (&["actor.app_uid=shop", "status_id=2"], None, None, false),
            (&["actor.uid=shop"], None, None, false),
            (&["status_detail=*"], None, None, true),
            (&["status_code=*"], None, None, false),
            (&[], Some("2026-09-21T14:13:20.5Z"), Some("2026-09-21T14:13:21Z"), true),
            (&[], Some("2026-09-21T14:13:20.501Z"), None, false),
            (&[], None, Some("2026-09-21T14:13:20.5Z"), false),
        ] {
            let told = filter(conditions, since, until).takes(event);
            assert_eq!(told, expected, "{conditions:?} {since:?} {until:?}");
        }
        assert!(condition("a").is_err() && milliseconds("yesterday").is_err());
        assert!(filter(&[], None, None).takes(b"no json"), "without a filter all lines are");
        assert!(!filter(&["a=*"], None, None).takes(b"no json"));
    }
}
