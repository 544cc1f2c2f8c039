//! One strict reading of JSON (RFC 8259 within RFC 7493): what two parsers could read differently
//! is refused. It knows limits, but no schema and no request.

use serde_json::{Map, Number, Value};

use crate::limits::Limits;

#[cfg(test)]
mod tests;

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

/// Reads one whole body.
pub(crate) fn read(bytes: &[u8], limits: &Limits) -> Result<Value, JsonError> {
    if bytes.starts_with(b"\xEF\xBB\xBF") {
        return Err(JsonError::Bom);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| JsonError::Utf8)?;
    let mut reader = Reader { text, at: 0, values: 0, limits };
    reader.space();
    let value = reader.value(0)?;
    reader.space();
    if reader.at == text.len() { Ok(value) } else { Err(JsonError::TrailingData) }
}

/// Reads a text that is exactly one JSON number, as a parameter carries it.
pub(crate) fn read_number(text: &str, limits: &Limits) -> Result<Number, JsonError> {
    let mut reader = Reader { text, at: 0, values: 0, limits };
    let number = reader.number()?;
    if reader.at == text.len() { Ok(number) } else { Err(JsonError::Syntax) }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    values: usize,
    limits: &'a Limits,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        let hit = self.peek() == Some(byte);
        self.at += usize::from(hit);
        hit
    }

    fn word(&mut self, word: &str, value: Value) -> Result<Value, JsonError> {
        let rest = self.text.get(self.at..).ok_or(JsonError::Syntax)?;
        if !rest.starts_with(word) {
            return Err(JsonError::Syntax);
        }
        self.at += word.len();
        Ok(value)
    }

    fn value(&mut self, depth: usize) -> Result<Value, JsonError> {
        self.values += 1;
        if self.values > self.limits.values_max {
            return Err(JsonError::Values);
        }
        match self.peek() {
            Some(b'{') => self.object(depth + 1),
            Some(b'[') => self.array(depth + 1),
            Some(b'"') => self.string().map(Value::String),
            Some(b'-' | b'0'..=b'9') => self.number().map(Value::Number),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Null),
            _ => Err(JsonError::Syntax),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value, JsonError> {
        if depth > self.limits.depth_max {
            return Err(JsonError::Depth);
        }
        self.at += 1;
        let mut map = Map::new();
        self.space();
        if self.take(b'}') {
            return Ok(Value::Object(map));
        }
        loop {
            self.space();
            if self.peek() != Some(b'"') {
                return Err(JsonError::Syntax);
            }
            let name = self.string()?;
            self.space();
            if !self.take(b':') {
                return Err(JsonError::Syntax);
            }
            self.space();
            if map.len() >= self.limits.members_max {
                return Err(JsonError::Members);
            }
            let value = self.value(depth)?;
            if map.insert(name, value).is_some() {
                return Err(JsonError::DuplicateMember);
            }
            self.space();
            if self.take(b'}') {
                return Ok(Value::Object(map));
            }
            if !self.take(b',') {
                return Err(JsonError::Syntax);
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<Value, JsonError> {
        if depth > self.limits.depth_max {
            return Err(JsonError::Depth);
        }
        self.at += 1;
        let mut items = Vec::new();
        self.space();
        if self.take(b']') {
            return Ok(Value::Array(items));
        }
        loop {
            self.space();
            if items.len() >= self.limits.items_max {
                return Err(JsonError::Items);
            }
            items.push(self.value(depth)?);
            self.space();
            if self.take(b']') {
                return Ok(Value::Array(items));
            }
            if !self.take(b',') {
                return Err(JsonError::Syntax);
            }
        }
    }

    /// The opening quote is at `self.at`.
    fn string(&mut self) -> Result<String, JsonError> {
        self.at += 1;
        let mut out = String::new();
        loop {
            let start = self.at;
            while !matches!(self.peek(), None | Some(b'"' | b'\\' | 0..=0x1F)) {
                self.at += 1;
            }
            let run = self.text.get(start..self.at).ok_or(JsonError::Syntax)?;
            if out.len() + run.len() > self.limits.string_bytes_max {
                return Err(JsonError::StringBytes);
            }
            out.push_str(run);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => {
                    self.at += 1;
                    out.push(self.escape()?);
                }
                Some(0) => return Err(JsonError::Nul),
                _ => return Err(JsonError::Syntax),
            }
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

    fn digits(&mut self) -> usize {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        self.at - start
    }

    fn number(&mut self) -> Result<Number, JsonError> {
        let start = self.at;
        self.take(b'-');
        let leading_zero = self.peek() == Some(b'0');
        let whole = self.digits();
        if whole == 0 || (leading_zero && whole > 1) {
            return Err(JsonError::Syntax);
        }
        let mut fractional = false;
        if self.take(b'.') {
            fractional = true;
            if self.digits() == 0 {
                return Err(JsonError::Syntax);
            }
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            fractional = true;
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            if self.digits() == 0 {
                return Err(JsonError::Syntax);
            }
        }
        let text = self.text.get(start..self.at).ok_or(JsonError::Syntax)?;
        if text.len() > self.limits.number_chars_max {
            return Err(JsonError::NumberChars);
        }
        if fractional || text == "-0" { float(text) } else { integer(text) }
    }
}

fn integer(text: &str) -> Result<Number, JsonError> {
    if let Ok(unsigned) = text.parse::<u64>() {
        return Ok(unsigned.into());
    }
    text.parse::<i64>().map(Number::from).map_err(|_| JsonError::NumberRange)
}

/// A float that overflows, or that vanishes to zero, is not the number that was sent.
fn float(text: &str) -> Result<Number, JsonError> {
    let number = text.parse::<f64>().map_err(|_| JsonError::Syntax)?;
    let mantissa = text.split(['e', 'E']).next().unwrap_or_default();
    let vanished = number == 0.0 && mantissa.bytes().any(|b| (b'1'..=b'9').contains(&b));
    if vanished {
        return Err(JsonError::NumberRange);
    }
    Number::from_f64(number).ok_or(JsonError::NumberRange)
}
