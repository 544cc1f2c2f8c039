//! One strict reading of JSON (RFC 8259 within RFC 7493): what two parsers could read differently
//! is refused. It knows limits, but no schema and no request.

use crate::limits::Limits;

mod instance;
mod scan;
mod tape;
mod write;

#[cfg(test)]
mod tests;

pub(crate) use instance::TapeJson;
pub(crate) use scan::{HEAD_BYTES, head};
pub(crate) use tape::{Entry, Node, Tape, View};

/// Why a body is not taken as JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum JsonError {
    #[error("not UTF-8")]
    Utf8,
    #[error("byte order mark")]
    Bom,
    #[error("not JSON")]
    Syntax,
    #[error("something follows the value")]
    TrailingData,
    #[error("member twice in one object")]
    DuplicateMember,
    #[error("nested too deep")]
    Depth,
    #[error("string too long")]
    StringBytes,
    #[error("too many items")]
    Items,
    #[error("too many members")]
    Members,
    #[error("too many values")]
    Values,
    #[error("number too long")]
    NumberChars,
    #[error("number beyond what is kept exactly")]
    NumberRange,
    #[error("lone surrogate")]
    Surrogate,
    #[error("NUL in a string")]
    Nul,
}

impl JsonError {
    /// The name under which a violation reports it.
    pub(crate) fn rule(self) -> &'static str {
        match self {
            Self::Utf8 => "utf8",
            Self::Bom => "byte_order_mark",
            Self::Syntax => "json_syntax",
            Self::TrailingData => "trailing_data",
            Self::DuplicateMember => "duplicate_member",
            Self::Depth => "depth_max",
            Self::StringBytes => "string_bytes_max",
            Self::Items => "items_max",
            Self::Members => "members_max",
            Self::Values => "values_max",
            Self::NumberChars => "number_chars_max",
            Self::NumberRange => "number_range",
            Self::Surrogate => "lone_surrogate",
            Self::Nul => "nul",
        }
    }
}

/// Reads one whole body; its text belongs to its tape.
pub(crate) fn read<'b>(bytes: &'b [u8], limits: &Limits) -> Result<(Tape, &'b str), JsonError> {
    if bytes.starts_with(b"\xEF\xBB\xBF") {
        return Err(JsonError::Bom);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| JsonError::Utf8)?;
    if u32::try_from(bytes.len()).is_err() {
        // The positions of a tape have 32 bits.
        return Err(JsonError::Values);
    }
    let tape = Tape::with_room(bytes.len());
    let mut reader = Reader { text, bytes, at: 0, values: 0, limits, tape, heads: Vec::new() };
    reader.value(0)?;
    match reader.next_byte() {
        None => Ok((reader.tape, text)),
        Some(_) => Err(JsonError::TrailingData),
    }
}

/// Reads a text that is exactly one JSON number, as a parameter carries it.
pub(crate) fn read_number(text: &str, limits: &Limits) -> Result<Entry, JsonError> {
    let (number, end) = scan::number(text, 0, limits)?;
    if end == text.len() { Ok(number) } else { Err(JsonError::Syntax) }
}

struct Reader<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    values: usize,
    limits: &'a Limits,
    tape: Tape,
    /// What tells apart most names of the objects being read, the innermost last.
    heads: Vec<u64>,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Takes the next byte that is no space.
    #[inline]
    fn next_byte(&mut self) -> Option<u8> {
        loop {
            let byte = self.peek()?;
            self.at += 1;
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Some(byte);
            }
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        let hit = self.peek() == Some(byte);
        self.at += usize::from(hit);
        hit
    }

    /// The rest of a word whose first byte has been taken.
    fn word(&mut self, rest: &[u8], entry: Entry) -> Result<(), JsonError> {
        let found = self.bytes.get(self.at..).is_some_and(|bytes| bytes.starts_with(rest));
        if !found {
            return Err(JsonError::Syntax);
        }
        self.at += rest.len();
        self.tape.push(entry);
        Ok(())
    }

    fn value(&mut self, depth: usize) -> Result<(), JsonError> {
        let first = self.next_byte();
        self.value_from(first, depth)
    }

    /// A value whose first byte has been taken.
    fn value_from(&mut self, first: Option<u8>, depth: usize) -> Result<(), JsonError> {
        self.values += 1;
        if self.values > self.limits.values_max {
            return Err(JsonError::Values);
        }
        match first {
            Some(b'"') => self.string(),
            Some(b'{') => self.object(depth + 1),
            Some(b'[') => self.array(depth + 1),
            Some(b'-' | b'0'..=b'9') => {
                let (number, end) = scan::number(self.text, self.at - 1, self.limits)?;
                self.at = end;
                self.tape.push(number);
                Ok(())
            }
            Some(b't') => self.word(b"rue", Entry::Flag(true)),
            Some(b'f') => self.word(b"alse", Entry::Flag(false)),
            Some(b'n') => self.word(b"ull", Entry::Null),
            _ => Err(JsonError::Syntax),
        }
    }

    fn object(&mut self, depth: usize) -> Result<(), JsonError> {
        if depth > self.limits.depth_max {
            return Err(JsonError::Depth);
        }
        let (at, heads) = (self.tape.open(), self.heads.len());
        let mut count = 0;
        let mut first = self.next_byte();
        if first == Some(b'}') {
            self.tape.close_object(at, count, self.text);
            return Ok(());
        }
        loop {
            if first != Some(b'"') {
                return Err(JsonError::Syntax);
            }
            let name = self.tape.len();
            let head = self.name()?;
            if self.next_byte() != Some(b':') {
                return Err(JsonError::Syntax);
            }
            if count >= self.limits.members_max {
                return Err(JsonError::Members);
            }
            if self.is_repeated((at, count), name, (head, heads)) {
                return Err(JsonError::DuplicateMember);
            }
            self.value(depth)?;
            count += 1;
            match self.next_byte() {
                Some(b',') => first = self.next_byte(),
                Some(b'}') => break,
                _ => return Err(JsonError::Syntax),
            }
        }
        self.heads.truncate(heads);
        if self.tape.close_object(at, count, self.text) {
            Ok(())
        } else {
            Err(JsonError::DuplicateMember)
        }
    }

    /// Whether the name with this head is one of the first `count` of the object at `at`, whose heads begin at `heads`;
    /// a large object is looked through when it ends.
    #[inline]
    fn is_repeated(
        &mut self,
        (at, count): (usize, usize),
        name: usize,
        (head, heads): (u64, usize),
    ) -> bool {
        if tape::is_ordered(count) {
            return false;
        }
        let alike = self.heads.get(heads..).is_some_and(|before| before.contains(&head));
        self.heads.push(head);
        alike && self.tape.is_repeated(at, count, name, self.text)
    }

    /// A name and its head; the opening quote has been taken.
    #[inline]
    fn name(&mut self) -> Result<u64, JsonError> {
        if let Some(eight) = scan::eight(self.bytes, self.at)
            && let Some(length) = scan::run(eight)
            && length <= self.limits.string_bytes_max
        {
            let end = self.at + length;
            if self.bytes.get(end) == Some(&b'"') {
                self.tape.text(self.at, end);
                self.at = end + 1;
                return Ok(scan::short_head(eight, length));
            }
        }
        let name = self.tape.len();
        self.string()?;
        Ok(head(self.tape.bytes_of(name, self.text)))
    }

    fn array(&mut self, depth: usize) -> Result<(), JsonError> {
        if depth > self.limits.depth_max {
            return Err(JsonError::Depth);
        }
        let at = self.tape.open();
        let mut count = 0;
        let mut first = self.next_byte();
        if first == Some(b']') {
            self.tape.close_array(at, count);
            return Ok(());
        }
        loop {
            if count >= self.limits.items_max {
                return Err(JsonError::Items);
            }
            self.value_from(first, depth)?;
            count += 1;
            match self.next_byte() {
                Some(b',') => first = self.next_byte(),
                Some(b']') => break,
                _ => return Err(JsonError::Syntax),
            }
        }
        self.tape.close_array(at, count);
        Ok(())
    }

    /// The opening quote has been taken.
    #[inline]
    fn string(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        let end = scan::text_end(self.bytes, start);
        if end - start > self.limits.string_bytes_max {
            return Err(JsonError::StringBytes);
        }
        self.at = end + 1;
        match self.bytes.get(end) {
            Some(b'"') => {
                self.tape.text(start, end);
                Ok(())
            }
            Some(b'\\') => self.escaped_string(start, end),
            Some(0) => Err(JsonError::Nul),
            _ => Err(JsonError::Syntax),
        }
    }

    /// A string whose first escape stands at `end`; the backslash has been taken.
    fn escaped_string(&mut self, start: usize, end: usize) -> Result<(), JsonError> {
        let own = self.tape.decoded().len();
        let (mut start, mut end) = (start, end);
        loop {
            let run = self.text.get(start..end).ok_or(JsonError::Syntax)?;
            let length = self.tape.decoded().len() - own + run.len();
            if length > self.limits.string_bytes_max {
                return Err(JsonError::StringBytes);
            }
            self.tape.decoded().push_str(run);
            self.at = end + 1;
            match self.bytes.get(end) {
                Some(b'"') => {
                    self.tape.decoded_text(own);
                    return Ok(());
                }
                Some(b'\\') => {
                    let char = self.escape()?;
                    self.tape.decoded().push(char);
                }
                Some(0) => return Err(JsonError::Nul),
                _ => return Err(JsonError::Syntax),
            }
            start = self.at;
            end = scan::text_end(self.bytes, start);
        }
    }

    fn escape(&mut self) -> Result<char, JsonError> {
        let byte = self.peek().ok_or(JsonError::Syntax)?;
        self.at += 1;
        match byte {
            b'"' => Ok('"'),
            b'\\' => Ok('\\'),
            b'/' => Ok('/'),
            b'b' => Ok('\u{8}'),
            b'f' => Ok('\u{c}'),
            b'n' => Ok('\n'),
            b'r' => Ok('\r'),
            b't' => Ok('\t'),
            b'u' => self.unicode(),
            _ => Err(JsonError::Syntax),
        }
    }

    fn unicode(&mut self) -> Result<char, JsonError> {
        let first = self.hex4()?;
        let code = match first {
            0 => return Err(JsonError::Nul),
            0xD800..=0xDBFF => {
                if !(self.take(b'\\') && self.take(b'u')) {
                    return Err(JsonError::Surrogate);
                }
                let second = self.hex4()?;
                if !(0xDC00..=0xDFFF).contains(&second) {
                    return Err(JsonError::Surrogate);
                }
                0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00)
            }
            other => other,
        };
        char::from_u32(code).ok_or(JsonError::Surrogate)
    }

    fn hex4(&mut self) -> Result<u32, JsonError> {
        let end = self.at + 4;
        let digits = self.text.get(self.at..end).ok_or(JsonError::Syntax)?;
        if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(JsonError::Syntax);
        }
        self.at = end;
        u32::from_str_radix(digits, 16).map_err(|_| JsonError::Syntax)
    }
}
