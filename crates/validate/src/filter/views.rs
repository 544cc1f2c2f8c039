//! A text as the language behind a service reads it: comments and runs of spaces as one space for SQL, one kind of slash
//! for paths, lookups resolved for loggers. Each is one pass. It knows no rules.

/// Lookups open at once; deeper ones are left as they are.
const LOOKUPS_MAX: usize = 64;

/// SQL: lower case, comments and white space as one space, the inside of `/*! */` kept.
pub(super) fn sql(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    let mut in_version = false;
    while let Some(c) = rest.next() {
        let next = rest.peek().copied();
        match (c, next) {
            ('/', Some('*')) => {
                rest.next();
                if rest.peek() == Some(&'!') {
                    rest.next();
                    while rest.next_if(char::is_ascii_digit).is_some() {}
                    in_version = true;
                } else {
                    comment(&mut rest, &mut out);
                    continue;
                }
                space(&mut out);
            }
            ('*', Some('/')) if in_version => {
                rest.next();
                in_version = false;
                space(&mut out);
            }
            (c, _) if c.is_whitespace() || c.is_control() => space(&mut out),
            // Some servers drop a percent sign that begins no encoding.
            ('%', _) => {}
            // Typographic quotes that databases and their drivers make plain.
            ('’' | '‘' | '´' | 'ʼ' | '′', _) => out.push('\''),
            (c, _) => out.extend(c.to_lowercase()),
        }
    }
    out
}

/// Whether SQL has spaces here that are none to the eye: what a rule is woken by may be hidden between them.
pub(super) fn has_sql_spaces(text: &str) -> bool {
    let control = |byte: u8| byte < b' ' || byte == 0x7F;
    memchr::memmem::find(text.as_bytes(), b"/*").is_some() || text.bytes().any(control)
}

/// SQL, where `--` and `#` hide the rest of their lines.
pub(super) fn sql_lines(text: &str) -> String {
    let shown = |line: &str| {
        let end = [line.find("--"), line.find('#')].into_iter().flatten().min();
        line.get(..end.unwrap_or(line.len())).unwrap_or_default().to_owned()
    };
    sql(&text.lines().map(shown).collect::<Vec<_>>().join("\n"))
}

/// The inside of a comment; one that does not end is what an attack ends with, and stays visible.
fn comment(rest: &mut std::iter::Peekable<std::str::Chars<'_>>, out: &mut String) {
    let mut before = ' ';
    for c in rest.by_ref() {
        if before == '*' && c == '/' {
            return space(out);
        }
        before = c;
    }
    out.push_str("/*");
}

fn space(out: &mut String) {
    if !out.ends_with(' ') {
        out.push(' ');
    }
}

/// Paths: lower case, one kind of slash, each slash once, without `.` steps and NUL.
pub(super) fn path(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | '/' => {
                if out.ends_with("/.") {
                    out.pop();
                } else if !out.ends_with('/') || out.ends_with(":/") {
                    out.push('/');
                }
            }
            '\0' => {}
            c => out.extend(c.to_lowercase()),
        }
    }
    out
}

/// Loggers: `${lower:j}` as `j`, `${x:-y}` as `y`, the innermost first.
pub(super) fn lookups(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut open: Vec<usize> = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '$' if rest.peek() == Some(&'{') => {
                if open.len() < LOOKUPS_MAX {
                    open.push(out.len());
                }
                rest.next();
                out.push_str("${");
            }
            '}' => {
                let Some(start) = open.pop() else {
                    out.push('}');
                    continue;
                };
                let inner = out.get(start + 2..).unwrap_or_default();
                match resolved(inner) {
                    Some(value) => {
                        let value = value.to_owned();
                        out.truncate(start);
                        out.push_str(&value);
                    }
                    None => out.push('}'),
                }
            }
            c => out.extend(c.to_lowercase()),
        }
    }
    out
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
        let Some(c) = rest.chars().next() else { break };
        let (taken, put) = match c {
            '$' if rest.starts_with("${IFS") || rest.starts_with("${ifs") => {
                (rest.find('}').filter(|end| *end < 16).map_or(1, |end| end + 1), " ")
            }
            '$' if rest.starts_with("$IFS") || rest.starts_with("$ifs") => {
                (if rest.get(4..).is_some_and(|more| more.starts_with("$9")) { 6 } else { 4 }, " ")
            }
            '$' if rest.starts_with("$@") || rest.starts_with("$*") || rest.starts_with("$'") => {
                (2, "")
            }
            // A quote between letters splits a word for the eye only.
            '\'' | '"' if within_word(bytes, at) => (1, ""),
            '\\' | '^' if rest.as_bytes().get(1).is_some_and(u8::is_ascii_alphabetic) && at > 0 => {
                (1, "")
            }
            _ => (0, ""),
        };
        if taken > 0 {
            out.push_str(put);
            at += taken;
        } else {
            out.extend(c.to_lowercase());
            at += c.len_utf8();
        }
    }
    out
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
