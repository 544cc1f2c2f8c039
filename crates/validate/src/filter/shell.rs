//! The grammar of command injection: a separator of the shell, and a command behind it. Whether a word is a command is
//! said by lists; how much must be seen beside it depends on how often people write it. It knows no other rules.

use std::collections::HashSet;
use std::sync::LazyLock;

/// The commands that are looked for: a section for tools, one for words.
static COMMANDS: LazyLock<[HashSet<&str>; 2]> = LazyLock::new(|| {
    let mut sections = include_str!("commands.txt").split('#').skip(1);
    // The first line of a section is its heading.
    let section = |text: &'static str| {
        text.split_once('\n').map_or("", |(_, names)| names).split_whitespace().collect()
    };
    [0, 1].map(|_| sections.next().map(section).unwrap_or_default())
});

fn is_tool(word: &str) -> bool {
    COMMANDS.first().is_some_and(|tools| tools.contains(word))
}

fn is_word(word: &str) -> bool {
    COMMANDS.last().is_some_and(|words| words.contains(word))
}

/// Separators looked at in one text.
const SEPARATORS_MAX: usize = 48;
/// Bytes of a command line that are looked at.
const LINE_BYTES_MAX: usize = 96;
/// Bytes behind a separator that are looked at.
const WINDOW_BYTES_MAX: usize = 256;
/// Bytes of a text of several words that is looked at.
const SENTENCE_BYTES_MAX: usize = 200;
/// Tools that no sentence ends with.
const STRANGE: [&str; 9] = [
    "whoami",
    "printenv",
    "ipconfig",
    "ifconfig",
    "netstat",
    "systeminfo",
    "tasklist",
    "whoami.exe",
    "uname",
];
/// Bytes of the value that a command is appended to.
const VALUE_BYTES_MAX: usize = 256;

/// How a command was joined to what stands before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Joined {
    /// `;`
    Semicolon,
    /// `|` and `||`
    Pipe,
    /// `&`
    Ampersand,
    /// `&&`
    And,
    /// A line end.
    Line,
    /// `$(`, a backtick, `<(`
    Within,
}

/// Whether a text runs a command. The text is read as [`super::views::shell`] has it.
pub(super) fn runs_command(text: &str) -> bool {
    let text = text.trim_matches(' ');
    let mut found = 0;
    let mut at = 0;
    let appended = begins_with_value(text) || Line::of(text).is_tool();
    if !appended && (text.len() > SENTENCE_BYTES_MAX || text.contains('\n')) {
        return false;
    }
    let is_table = text.contains("\n|") || text.contains("|-");
    while let Some(next) =
        text.get(at..).and_then(|rest| rest.find([';', '|', '&', '\n', '`', '$', '<', '>']))
    {
        let start = at + next;
        let rest = text.get(start..).unwrap_or_default();
        let Some((joined, taken)) = joined(rest) else {
            at = start + 1;
            continue;
        };
        let stands = text.get(..start).unwrap_or_default();
        let space = stands.ends_with(' ');
        let word = space && stands.trim_end().ends_with(|c: char| c.is_ascii_alphabetic());
        let before = Before { none: start == 0, space, word: word && rest.starts_with('`') };
        let line = window(rest.get(taken..).unwrap_or_default());
        let cell = is_table && joined == Joined::Pipe;
        let runs =
            if appended { is_run(before, joined, line) } else { is_run_in_words(rest, line) };
        if !cell && runs {
            return true;
        }
        found += 1;
        if found == SEPARATORS_MAX {
            return false;
        }
        at = start + taken;
    }
    false
}

/// Behind several words: a tool with arguments of a shell, or one of which nobody writes.
fn is_run_in_words(rest: &str, text: &str) -> bool {
    let line = Line::of(text);
    let ends = line.end.is_none_or(|end| matches!(end, ')' | ';' | '|' | '&'));
    let strange = STRANGE.contains(&line.word) && line.arguments.is_empty() && ends;
    !rest.starts_with('`') && (strange || line.is_tool() && line.has_shell_arguments())
}

fn joined(rest: &str) -> Option<(Joined, usize)> {
    let bytes = rest.as_bytes();
    match (bytes.first()?, bytes.get(1)) {
        (b';', _) => Some((Joined::Semicolon, 1)),
        (b'|', Some(b'|')) => Some((Joined::Pipe, 2)),
        (b'|', _) => Some((Joined::Pipe, 1)),
        (b'&', Some(b'&')) => Some((Joined::And, 2)),
        (b'&', _) => Some((Joined::Ampersand, 1)),
        (b'\n', _) => Some((Joined::Line, 1)),
        (b'`', _) => Some((Joined::Within, 1)),
        (b'$' | b'<' | b'>', Some(b'(')) => Some((Joined::Within, 2)),
        _ => None,
    }
}

/// What stands right before a separator.
#[derive(Clone, Copy)]
struct Before {
    none: bool,
    space: bool,
    /// A word and a space: what follows in backticks is code that a sentence shows.
    word: bool,
}

/// As much behind a separator as is looked at.
fn window(text: &str) -> &str {
    let cut = text.char_indices().map(|(at, _)| at).find(|at| *at >= WINDOW_BYTES_MAX);
    text.get(..cut.unwrap_or(text.len())).unwrap_or_default()
}

/// One command line: its command, what follows, and where it ends.
struct Line<'t> {
    word: &'t str,
    arguments: &'t str,
    /// What ended it, if anything did.
    end: Option<char>,
    rest: &'t str,
}

impl<'t> Line<'t> {
    fn of(text: &'t str) -> Self {
        let in_braces = text.trim_start().starts_with('{');
        let text = text.trim_start_matches([' ', '\t', '{', '(', '"', '\'', '\r']);
        let cut = text.char_indices().map(|(at, _)| at).find(|at| *at >= LINE_BYTES_MAX);
        let window = text.get(..cut.unwrap_or(text.len())).unwrap_or_default();
        let stop = window.find([';', '|', '&', '\n', '`', ')', '}']).unwrap_or(window.len());
        let line = window.get(..stop).unwrap_or_default();
        let end = window.get(stop..).and_then(|rest| rest.chars().next());
        let comma = if in_braces { ',' } else { ' ' };
        let split =
            line.find([' ', comma, '<', '>', '\t', '"', '\'', '#', '\r']).unwrap_or(line.len());
        let path = line.get(..split).unwrap_or_default();
        let word = match path.rsplit_once('/') {
            Some((folder, name)) if folder.ends_with("bin") => name,
            Some(_) | None => path,
        };
        let arguments =
            line.get(split..).unwrap_or_default().trim_matches([' ', '"', '\'', '\t', '#', '\r']);
        Self { word, arguments, end, rest: text.get(stop..).unwrap_or_default() }
    }

    /// Arguments as a shell has them and a sentence has not.
    fn has_shell_arguments(&self) -> bool {
        let first = self.arguments.split([' ', ',', '\t']).next().unwrap_or_default();
        let paths = ["/etc/", "/tmp/", "/dev/", "/bin/", ">/", "> /", "c:"];
        if paths.iter().any(|path| self.arguments.contains(path)) {
            return true;
        }
        let mut bytes = first.bytes();
        match bytes.next() {
            Some(b'-') => bytes.next().is_none_or(|byte| byte.is_ascii_alphanumeric()),
            Some(b'/' | b'~' | b'$' | b'<' | b'>' | b'%' | b'*') => true,
            Some(b'2') => first.starts_with("2>"),
            Some(_) => {
                let address = first.bytes().filter(|byte| *byte == b'.').count() >= 3;
                address
                    || first.contains("://")
                    || first.contains("c:\\")
                    || first.contains("/etc/")
            }
            None => false,
        }
    }
}

fn is_run(before: Before, joined: Joined, text: &str) -> bool {
    if joined == Joined::Line && text.lines().take(4).count() > 3 {
        // A text of many lines: each of them may begin with any word.
        return false;
    }
    let line = Line::of(text);
    if line.is_glob() {
        return joined != Joined::Line;
    }
    let command = line.is_tool();
    let word = !command && is_word(line.word);
    if !(command || word) {
        return false;
    }
    let bare = line.arguments.is_empty();
    let shell = line.has_shell_arguments();
    let number = numeric(line.arguments);
    let one = command && one_word(line.arguments);
    let last = line.end.is_none();
    let ends = last || line.end == Some('\n') || closes(&line);
    match joined {
        Joined::Within => {
            let wrapped = matches!(line.end, Some(')' | '`'));
            let shown = before.word && !STRANGE.contains(&line.word);
            wrapped && !shown && (shell || bare || number || one) && within_ends(line.rest)
        }
        Joined::Semicolon | Joined::And => {
            let alone = before.none && last && one_word(line.arguments);
            shell || bare && (ends || command) || one || number || alone
        }
        Joined::Pipe => {
            let cell = bare && ends && (command || before.none) && is_last_cell(line.rest);
            shell || cell || last && (one || before.none) || number && word
        }
        Joined::Ampersand => {
            let apart = before.space && !before.none;
            let alone = bare && ends && (command && line.word.len() > 3 || !apart);
            shell
                || alone
                || one && before.none
                || line.arguments.starts_with("user")
                || number && word
        }
        Joined::Line => shell || bare && command && line.rest.trim().is_empty(),
    }
}

/// Whether a value stands before the first separator, and not a sentence.
fn begins_with_value(text: &str) -> bool {
    let start = text.trim_start_matches([' ', '"', '\'', ')', '\n', '\r', '\t']);
    let end = start.bytes().take(VALUE_BYTES_MAX + 1).position(|byte| b";|&`\n".contains(&byte));
    let first = start.get(..end.unwrap_or(start.len())).unwrap_or_default();
    let first = first.split("$(").next().unwrap_or_default();
    let words = first.split_whitespace().take(2).count();
    first.len() <= VALUE_BYTES_MAX && words <= 1 && !first.contains('=')
        || start.starts_with("ping ")
}

fn closes(line: &Line<'_>) -> bool {
    let after = line.rest.trim_matches([';', '|', '&', '`', ')', '}', ' ', '"', '\'', '#']);
    after.is_empty()
        || Line::of(line.rest.trim_start_matches([';', '|', '&', '`', ')', ' '])).is_command()
}

impl Line<'_> {
    /// A word that is no word of a text.
    fn is_tool(&self) -> bool {
        is_tool(self.word) || self.word.contains("bin/") && self.word.starts_with('/')
    }

    /// A path with marks in place of letters.
    fn is_glob(&self) -> bool {
        self.word.contains("/?")
            || self.word.starts_with('/') && self.word.matches('?').count() >= 2
    }

    fn is_command(&self) -> bool {
        is_tool(self.word) || is_word(self.word)
    }
}

/// A table has cells behind this one.
fn is_last_cell(rest: &str) -> bool {
    let after = rest.trim_matches(['|', ' ', '"', '\'', '#', ';', '&', '\n']);
    after.is_empty()
        || rest.trim_start_matches('|').split('|').all(|cell| Line::of(cell).is_command())
}

/// Nothing but a value behind what was within: no sentence goes on.
fn within_ends(rest: &str) -> bool {
    rest.trim_matches([')', '`', '"', '\'', ' ', ';', '}']).split_whitespace().count() <= 1
}

fn numeric(arguments: &str) -> bool {
    !arguments.is_empty() && arguments.bytes().all(|byte| byte.is_ascii_digit())
}

fn one_word(arguments: &str) -> bool {
    !arguments.is_empty() && !arguments.contains(' ')
}
