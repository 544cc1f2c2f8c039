//! What one look at the bytes of a text tells of it: most texts hold nothing that an encoding, a second reading or a text
//! within could be made of, so that none of those is looked for. It knows no rules.

/// Kinds of bytes that a text holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Marks(u16);

impl Marks {
    /// `%`, `&`, a backslash: what encodings begin with.
    pub(super) const ESCAPE: Self = Self(1);
    /// Beyond ASCII.
    pub(super) const FOREIGN: Self = Self(1 << 1);
    /// A space, a tab, a line feed.
    pub(super) const SPACE: Self = Self(1 << 2);
    /// Control characters of ASCII, line ends and tabs among them.
    pub(super) const CONTROL: Self = Self(1 << 3);
    pub(super) const PLUS: Self = Self(1 << 4);
    pub(super) const EQUALS: Self = Self(1 << 5);
    pub(super) const STAR: Self = Self(1 << 6);
    pub(super) const COMMA: Self = Self(1 << 7);
    /// No character of base64.
    pub(super) const NOT_BASE64: Self = Self(1 << 8);

    /// Looks at a text.
    pub(super) fn of(text: &str) -> Self {
        let marks = text.bytes().fold(0, |marks, byte| {
            marks | OF_BYTE.get(usize::from(byte)).copied().unwrap_or_default()
        });
        Self(marks)
    }

    /// Whether any of these was seen.
    pub(super) const fn has(self, any: Self) -> bool {
        self.0 & any.0 != 0
    }

    /// Either of both.
    pub(super) const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

static OF_BYTE: [u16; 256] = table();

#[expect(clippy::indexing_slicing, reason = "evaluated when it is compiled")]
const fn table() -> [u16; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < table.len() {
        table[byte] = of_byte(byte as u8).0;
        byte += 1;
    }
    table
}

const fn of_byte(byte: u8) -> Marks {
    let own = match byte {
        b'%' | b'&' | b'\\' => Marks::ESCAPE,
        0x80.. => Marks::FOREIGN,
        b'\t' | b'\n' => Marks::SPACE.or(Marks::CONTROL),
        b' ' => Marks::SPACE,
        0..=0x1F | 0x7F => Marks::CONTROL,
        b'+' => Marks::PLUS,
        b'=' => Marks::EQUALS,
        b'*' => Marks::STAR,
        b',' => Marks::COMMA,
        _ => Marks(0),
    };
    let is_base64 =
        byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'=');
    if is_base64 { own } else { own.or(Marks::NOT_BASE64) }
}

#[cfg(test)]
mod tests {
    use super::Marks;

    #[test]
    fn a_text_is_told_by_its_bytes() {
        let marks = Marks::of("a-B_9/");
        assert_eq!(marks, Marks::default());
        for (text, expected) in [
            ("%", Marks::ESCAPE),
            ("&", Marks::ESCAPE),
            ("\\", Marks::ESCAPE),
            ("é", Marks::FOREIGN),
            ("\n", Marks::SPACE.or(Marks::CONTROL)),
            (" ", Marks::SPACE),
            ("\x7F", Marks::CONTROL),
            ("*", Marks::STAR),
            (",", Marks::COMMA),
            (";", Marks::default()),
        ] {
            assert_eq!(Marks::of(text), expected.or(Marks::NOT_BASE64), "{text:?}");
        }
        assert_eq!(Marks::of("a+="), Marks::PLUS.or(Marks::EQUALS));
    }
}
