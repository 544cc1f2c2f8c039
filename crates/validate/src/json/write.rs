//! A value written anew: no spaces, each text and number in one way, members in the order they came. It judges nothing.

use serde_json::Number;

use super::tape::{Entry, Node};

impl Node<'_> {
    /// The value as text that every reader of JSON takes for the same.
    pub(crate) fn written(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    /// As deep as the reader let it be.
    fn write(&self, out: &mut String) {
        match *self.kind() {
            Entry::Null => out.push_str("null"),
            Entry::Flag(flag) => out.push_str(if flag { "true" } else { "false" }),
            Entry::Unsigned(number) => number_text(out, Some(number.into())),
            Entry::Signed(number) => number_text(out, Some(number.into())),
            Entry::Float(number) => number_text(out, Number::from_f64(number)),
            Entry::Text { .. } | Entry::Octets { .. } => text(out, self.text().unwrap_or_default()),
            Entry::Array { .. } => {
                out.push('[');
                for (index, item) in self.items().into_iter().flatten().enumerate() {
                    separate(out, index);
                    item.write(out);
                }
                out.push(']');
            }
            Entry::Object { .. } => {
                out.push('{');
                for (index, (name, value)) in self.members().into_iter().flatten().enumerate() {
                    separate(out, index);
                    text(out, name.text().unwrap_or_default());
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }
}

fn separate(out: &mut String, index: usize) {
    if index > 0 {
        out.push(',');
    }
}

/// The reader keeps no number that is not finite.
fn number_text(out: &mut String, number: Option<Number>) {
    match number {
        Some(number) => out.push_str(&number.to_string()),
        None => out.push_str("null"),
    }
}

/// Escaped where it must be, and nowhere else (RFC 8259 7).
fn text(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0'..='\u{1F}' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}
