//! A text as the language behind a service reads it: comments and runs of spaces as one space for SQL, one kind of slash
//! for paths, lookups resolved for loggers. Each is one pass. It knows no rules.

use super::marks::Marks;

/// Lookups open at once; deeper ones are left as they are.
const LOOKUPS_MAX: usize = 64;

/// SQL: lower case, comments and white space as one space, the inside of `/*! */` kept.
pub(super) fn sql(text: &str) -> String {
    let bytes = text.as_bytes();
    let next = |at: usize| bytes.get(at).copied();
    let mut out = Vec::with_capacity(bytes.len());
    let (mut at, mut in_version) = (0, false);
    let single = memchr::memmem::find(bytes, b"  ").is_none();
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let is_marked = |byte: &u8| MARKED.get(usize::from(*byte)).copied().unwrap_or(true);
        let run = rest.iter().position(is_marked).unwrap_or(rest.len());
        push_spaced(&mut out, rest.get(..run).unwrap_or_default(), single);
        at += run + 1;
        match rest.get(run) {
            None => break,
            Some(b'/') if next(at) == Some(b'*') && next(at + 1) == Some(b'!') => {
                at += 2;
                while next(at).is_some_and(|digit| digit.is_ascii_digit()) {
                    at += 1;
                }
                in_version = true;
                space(&mut out);
            }
            Some(b'/') if next(at) == Some(b'*') => at = comment(bytes, at + 1, &mut out),
            Some(b'*') if in_version && next(at) == Some(b'/') => {
                at += 1;
                in_version = false;
                space(&mut out);
            }
            Some(0..=0x1F | 0x7F) => space(&mut out),
            // Some servers drop a percent sign that begins no encoding.
            Some(b'%') => {}
            Some(0x80..) => at = foreign(text, at - 1, &mut out),
            Some(byte) => out.push(*byte),
        }
    }
    // It was put together from whole characters.
    String::from_utf8(out).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned())
}

/// Bytes that SQL may read as something else than themselves.
static MARKED: [bool; 256] = marked();

#[expect(clippy::indexing_slicing, reason = "evaluated when it is compiled")]
const fn marked() -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < table.len() {
        table[byte] = matches!(byte as u8, 0..=0x1F | 0x7F.. | b'%' | b'/' | b'*');
        byte += 1;
    }
    table
}

/// Adds a run of plain bytes in lower case, of several spaces one; `single`: there are no several.
fn push_spaced(out: &mut Vec<u8>, run: &[u8], single: bool) {
    let start = out.len();
    let run = if out.last() == Some(&b' ') { run.trim_ascii_start() } else { run };
    if single {
        out.extend_from_slice(run);
    } else {
        for byte in run {
            if *byte == b' ' { space(out) } else { out.push(*byte) }
        }
    }
    out.get_mut(start..).unwrap_or_default().make_ascii_lowercase();
}

/// The character at `at`, which is none of ASCII, as SQL has it; where the next one begins.
fn foreign(text: &str, at: usize, out: &mut Vec<u8>) -> usize {
    let Some(c) = text.get(at..).and_then(|rest| rest.chars().next()) else { return at + 1 };
    match c {
        c if c.is_whitespace() || c.is_control() => space(out),
        // Typographic quotes that databases and their drivers make plain.
        '’' | '‘' | '´' | 'ʼ' | '′' => out.push(b'\''),
        c => c.to_lowercase().for_each(|c| {
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        }),
    }
    at + c.len_utf8()
}

/// Whether SQL has spaces here that are none to the eye: what a rule is woken by may be hidden between them.
pub(super) fn has_sql_spaces(text: &str, marks: Marks) -> bool {
    let comment = || memchr::memmem::find(text.as_bytes(), b"/*").is_some();
    marks.has(Marks::CONTROL) || marks.has(Marks::STAR) && comment()
}

/// SQL, where `--` and `#` hide the rest of their lines.
pub(super) fn sql_lines(text: &str) -> String {
    let shown = |line: &str| {
        let end = [line.find("--"), line.find('#')].into_iter().flatten().min();
        line.get(..end.unwrap_or(line.len())).unwrap_or_default().to_owned()
    };
    sql(&text.lines().map(shown).collect::<Vec<_>>().join("\n"))
}

/// The inside of a comment, from `at` on; where it ends. One that does not end is what an attack ends with, and stays visible.
fn comment(bytes: &[u8], at: usize, out: &mut Vec<u8>) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    match memchr::memmem::find(rest, b"*/") {
        Some(length) => {
            space(out);
            at + length + 2
        }
        None => {
            out.extend_from_slice(b"/*");
            bytes.len()
        }
    }
}

fn space(out: &mut Vec<u8>) {
    if out.last() != Some(&b' ') {
        out.push(b' ');
    }
}

/// Adds a text in lower case.
fn push_lower(out: &mut String, text: &str) {
    if text.is_ascii() {
        let start = out.len();
        out.push_str(text);
        out.get_mut(start..).unwrap_or_default().make_ascii_lowercase();
    } else {
        out.extend(text.chars().flat_map(char::to_lowercase));
    }
}

/// Paths: lower case, one kind of slash, each slash once, without `.` steps and NUL.
pub(super) fn path(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    loop {
        let stop = memchr::memchr3(b'/', b'\\', 0, rest.as_bytes());
        let Some((run, behind)) = stop.and_then(|stop| rest.split_at_checked(stop)) else {
            push_lower(&mut out, rest);
            return out;
        };
        push_lower(&mut out, run);
        if !behind.starts_with('\0') {
            if out.ends_with("/.") {
                out.pop();
            } else if !out.ends_with('/') || out.ends_with(":/") {
                out.push('/');
            }
        }
        rest = behind.get(1..).unwrap_or_default();
    }
}

/// Loggers: `${lower:j}` as `j`, `${x:-y}` as `y`, the innermost first.
pub(super) fn lookups(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut open: Vec<usize> = Vec::new();
    let mut rest = text;
    loop {
        let stop = memchr::memchr2(b'$', b'}', rest.as_bytes());
        let Some((run, behind)) = stop.and_then(|stop| rest.split_at_checked(stop)) else {
            push_lower(&mut out, rest);
            return out;
        };
        push_lower(&mut out, run);
        let taken = if behind.starts_with("${") {
            if open.len() < LOOKUPS_MAX {
                open.push(out.len());
            }
            out.push_str("${");
            2
        } else if behind.starts_with('$') {
            out.push('$');
            1
        } else {
            close_lookup(&mut out, open.pop());
            1
        };
        rest = behind.get(taken..).unwrap_or_default();
    }
}

/// What a brace closes, in what is written already; `start`: where that was opened.
fn close_lookup(out: &mut String, start: Option<usize>) {
    let inner = start.and_then(|start| out.get(start + 2..));
    match (start, inner.and_then(resolved)) {
        (Some(start), Some(value)) => {
            let value = value.to_owned();
            out.truncate(start);
            out.push_str(&value);
        }
        _ => out.push('}'),
    }
}

/// What a lookup gives for certain: its default, or its own letters.
fn resolved(inner: &str) -> Option<&str> {
    if let Some((_, default)) = inner.rsplit_once(":-") {
        return Some(default);
    }
    let (name, value) = inner.split_once(':')?;
    let letters = ["lower", "upper", "date"].contains(&name.trim());
    (letters && value.len() <= 8).then_some(value.trim_matches('\''))
}

/// Shells: quotes inside words, escapes and empty expansions away, `${IFS}` a space, lower case.
pub(super) fn shell(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(rest) = text.get(at..) {
        let special = |byte: &u8| matches!(byte, b'$' | b'\'' | b'"' | b'\\' | b'^');
        let Some(stop) = rest.as_bytes().iter().position(special) else {
            push_lower(&mut out, rest);
            break;
        };
        push_lower(&mut out, rest.get(..stop).unwrap_or_default());
        at += stop;
        let rest = rest.get(stop..).unwrap_or_default();
        let (taken, put) = expansion(rest, bytes, at);
        out.push_str(if taken > 0 { put } else { rest.get(..1).unwrap_or_default() });
        at += taken.max(1);
    }
    out
}

/// What a shell makes of the mark at the start of `rest`, which stands at `at`: how many bytes, and what is there instead.
fn expansion(rest: &str, bytes: &[u8], at: usize) -> (usize, &'static str) {
    match rest.as_bytes().first() {
        Some(b'$') if rest.starts_with("${IFS") || rest.starts_with("${ifs") => {
            (rest.find('}').filter(|end| *end < 16).map_or(1, |end| end + 1), " ")
        }
        Some(b'$') if rest.starts_with("$IFS") || rest.starts_with("$ifs") => {
            (if rest.get(4..).is_some_and(|more| more.starts_with("$9")) { 6 } else { 4 }, " ")
        }
        Some(b'$') if matches!(rest.as_bytes().get(1), Some(b'@' | b'*' | b'\'')) => (2, ""),
        // A quote between letters splits a word for the eye only.
        Some(b'\'' | b'"') if within_word(bytes, at) => (1, ""),
        Some(b'\\' | b'^')
            if rest.as_bytes().get(1).is_some_and(u8::is_ascii_alphabetic) && at > 0 =>
        {
            (1, "")
        }
        _ => (0, ""),
    }
}

fn within_word(bytes: &[u8], at: usize) -> bool {
    let before = at.checked_sub(1).and_then(|at| bytes.get(at));
    let after = bytes.get(at + 1);
    let word = |byte: Option<&u8>| {
        byte.is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'\'' | b'"' | b'\\'))
    };
    word(before) && word(after)
}

#[cfg(test)]
mod tests {
    use super::{lookups, path, shell, sql};

    #[test]
    fn sql_is_read_without_comments() {
        for (text, expected) in [
            ("1/**/UNION/*x*/SELECT\t\n2", "1 union select 2"),
            ("/*!50000UNION*/ x", " union x"),
            ("admin'/* rest", "admin'/*"),
            ("a * b / c", "a * b / c"),
        ] {
            assert_eq!(sql(text), expected, "{text}");
        }
    }

    #[test]
    fn paths_have_one_kind_of_slash() {
        for (text, expected) in [
            (r"..\..\Boot.ini", "../../boot.ini"),
            ("/etc/./passwd", "/etc/passwd"),
            ("a//b/././c", "a/b/c"),
            ("file:///etc", "file://etc"),
            ("..//..//x", "../../x"),
        ] {
            assert_eq!(path(text), expected, "{text}");
        }
    }

    #[test]
    fn lookups_are_resolved_from_within() {
        for (text, expected) in [
            ("${${lower:J}ndi:ldap://x}", "${jndi:ldap://x}"),
            ("${${::-j}${env:X:-n}di:x}", "${jndi:x}"),
            ("${price} {x}", "${price} {x}"),
            ("}", "}"),
        ] {
            assert_eq!(lookups(text), expected, "{text}");
        }
    }

    #[test]
    fn shells_do_not_see_quotes_within_words() {
        for (text, expected) in [
            (r";c''at${IFS}/etc/pa\sswd", ";cat /etc/passwd"),
            ("cat$IFS$9x", "cat x"),
            ("who$@ami", "whoami"),
            ("say 'hello'", "say 'hello'"),
        ] {
            assert_eq!(shell(text), expected, "{text}");
        }
    }
}
