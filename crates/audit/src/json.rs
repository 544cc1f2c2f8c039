//! Writes JSON objects member by member into one buffer. It knows no OCSF and checks no duplicates.

/// One object under construction; its brace is closed by who opened it.
pub(crate) struct Object<'o> {
    out: &'o mut Vec<u8>,
    empty: bool,
}

impl Object<'_> {
    /// The bytes of one object, filled by `fill`.
    pub(crate) fn build(capacity: usize, fill: impl FnOnce(&mut Object<'_>)) -> Vec<u8> {
        let mut out = Vec::with_capacity(capacity);
        write_object(&mut out, fill);
        out
    }

    fn key(&mut self, key: &'static str) {
        if !self.empty {
            self.out.push(b',');
        }
        self.empty = false;
        self.out.push(b'"');
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    /// A string.
    pub(crate) fn text(&mut self, key: &'static str, value: &str) {
        self.key(key);
        write_string(self.out, value);
    }

    /// A string, where there is one.
    pub(crate) fn some_text(&mut self, key: &'static str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(key, value);
        }
    }

    /// A whole number.
    pub(crate) fn number(&mut self, key: &'static str, value: u64) {
        self.key(key);
        self.out.extend_from_slice(value.to_string().as_bytes());
    }

    /// A whole number, where there is one.
    pub(crate) fn some_number(&mut self, key: &'static str, value: Option<u64>) {
        if let Some(value) = value {
            self.number(key, value);
        }
    }

    /// A normalised identifier and its caption: OCSF's sibling pair.
    pub(crate) fn pair(&mut self, keys: (&'static str, &'static str), value: (u64, &str)) {
        self.number(keys.0, value.0);
        self.text(keys.1, value.1);
    }

    /// A list of strings.
    pub(crate) fn texts<'t>(
        &mut self,
        key: &'static str,
        values: impl IntoIterator<Item = &'t str>,
    ) {
        self.key(key);
        self.out.push(b'[');
        for (index, value) in values.into_iter().enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            write_string(self.out, value);
        }
        self.out.push(b']');
    }

    /// An object inside.
    pub(crate) fn object(&mut self, key: &'static str, fill: impl FnOnce(&mut Object<'_>)) {
        self.key(key);
        write_object(self.out, fill);
    }
}

fn write_object(out: &mut Vec<u8>, fill: impl FnOnce(&mut Object<'_>)) {
    out.push(b'{');
    fill(&mut Object { out, empty: true });
    out.push(b'}');
}

fn write_string(out: &mut Vec<u8>, value: &str) {
    let before = out.len();
    if serde_json::to_writer(&mut *out, value).is_err() {
        // A string into memory cannot fail; should it ever, the member stays valid JSON.
        out.truncate(before);
        out.extend_from_slice(b"\"\"");
    }
}
