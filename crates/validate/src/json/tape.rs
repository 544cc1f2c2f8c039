//! A flat tape: every value of one body in the order it came, sixteen bytes each, its texts ranges of the body's bytes.
//! It knows neither how a body is read nor what is checked on it.

/// Members up to which an object is searched from its first to its last; beyond it there is an order by name.
const SCANNED_MAX: u32 = 16;

/// One value, or the name of a member, which stands right before its value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Entry {
    Null,
    Flag(bool),
    Unsigned(u64),
    /// Below zero.
    Signed(i64),
    Float(f64),
    /// A file: a string of so many bytes that is not shown.
    Octets {
        length: u32,
    },
    /// A range of the body, or of the decoded texts.
    Text {
        start: u32,
        end: u32,
        decoded: bool,
    },
    /// `next`: the entry behind all of its items.
    Array {
        count: u32,
        next: u32,
    },
    /// `order`: where the order of a large object begins.
    Object {
        count: u32,
        next: u32,
        order: u32,
    },
}

// A tape is as long as the body has values: what one costs is written down.
const _: () = assert!(size_of::<Entry>() == 16);

impl Entry {
    /// The entry of a file.
    pub(crate) fn octets(length: usize) -> Self {
        Self::Octets { length: short(length) }
    }

    /// The entry of a text that is all of the body.
    pub(crate) fn whole(text: &str) -> Self {
        Self::Text { start: 0, end: short(text.len()), decoded: false }
    }
}

/// The values of one body.
#[derive(Debug, Default)]
pub(crate) struct Tape {
    entries: Vec<Entry>,
    /// Texts that were written with escapes, and those that no body holds.
    decoded: String,
    /// The members of each large object, as indices of their names, by name.
    order: Vec<u32>,
}

/// A position that does not fit points behind everything: a body of that size is never read.
#[inline]
fn short(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}

impl Tape {
    /// A tape with room for a common body of `bytes`.
    pub(super) fn with_room(bytes: usize) -> Self {
        Self { entries: Vec::with_capacity(bytes / 6 + 4), ..Self::default() }
    }

    /// The index of the next entry.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    #[inline]
    pub(crate) fn push(&mut self, entry: Entry) {
        self.entries.push(entry);
    }

    /// A text that is a range of the body.
    #[inline]
    pub(super) fn text(&mut self, start: usize, end: usize) {
        self.push(Entry::Text { start: short(start), end: short(end), decoded: false });
    }

    /// A text of its own.
    pub(crate) fn own_text(&mut self, text: &str) {
        let start = self.decoded.len();
        self.decoded.push_str(text);
        self.decoded_text(start);
    }

    /// Adds a value of another tape, its texts as texts of their own. What it holds was read within limits, its depth too.
    pub(crate) fn graft(&mut self, value: Node<'_>) {
        match *value.kind() {
            Entry::Text { .. } => self.own_text(value.text().unwrap_or_default()),
            Entry::Array { count, .. } => {
                let at = self.open();
                value.items().into_iter().flatten().for_each(|item| self.graft(item));
                self.close_array(at, count as usize);
            }
            Entry::Object { count, .. } => {
                let at = self.open();
                for (name, member) in value.members().into_iter().flatten() {
                    self.graft(name);
                    self.graft(member);
                }
                // Its names were told apart when it was read.
                self.close_object(at, count as usize, "");
            }
            entry @ (Entry::Null
            | Entry::Flag(_)
            | Entry::Unsigned(_)
            | Entry::Signed(_)
            | Entry::Float(_)
            | Entry::Octets { .. }) => self.push(entry),
        }
    }

    /// What was decoded last, from `start` on.
    pub(super) fn decoded_text(&mut self, start: usize) {
        let end = short(self.decoded.len());
        self.push(Entry::Text { start: short(start), end, decoded: true });
    }

    pub(super) fn decoded(&mut self) -> &mut String {
        &mut self.decoded
    }

    /// Begins an array or object; what is pushed until it is closed is within.
    pub(crate) fn open(&mut self) -> usize {
        let at = self.entries.len();
        self.push(Entry::Null);
        at
    }

    pub(crate) fn close_array(&mut self, at: usize, count: usize) {
        let entry = Entry::Array { count: short(count), next: short(self.entries.len()) };
        if let Some(slot) = self.entries.get_mut(at) {
            *slot = entry;
        }
    }

    /// `false`: it is large, and a name stands in it twice. In a small one the reader has looked already.
    pub(crate) fn close_object(&mut self, at: usize, count: usize, body: &str) -> bool {
        let (count, next, order) =
            (short(count), short(self.entries.len()), short(self.order.len()));
        if let Some(slot) = self.entries.get_mut(at) {
            *slot = Entry::Object { count, next, order };
        }
        count <= SCANNED_MAX || self.put_in_order(at, body)
    }

    /// The bytes of the text at `index`.
    pub(super) fn bytes_of<'a>(&'a self, index: usize, body: &'a str) -> &'a [u8] {
        let Some(Entry::Text { start, end, decoded }) = self.entries.get(index) else {
            return &[];
        };
        let source = if *decoded { &self.decoded } else { body };
        source.as_bytes().get(*start as usize..*end as usize).unwrap_or_default()
    }

    /// Whether one of the first `count` members of the object that is open at `at` has the name at `name`.
    pub(super) fn is_repeated(&self, at: usize, count: usize, name: usize, body: &str) -> bool {
        let view = self.view(body);
        let Some(name) = view.node(short(name)).text() else { return false };
        let members = Members { view: &view, at: short(at + 1), left: short(count), order: 0 };
        members.scan(name).is_some()
    }

    fn put_in_order(&mut self, at: usize, body: &str) -> bool {
        let Self { entries, decoded, order } = self;
        let view = View { entries, order: &[], body, decoded };
        let Some(members) = view.node(short(at)).members() else { return true };
        let name = |index: u32| view.node(index).text().unwrap_or_default();
        // Most names differ in their first bytes: they are put in order without being looked at again.
        let mut keyed: Vec<(u64, u32)> = members
            .map(|(own, _)| (first_bytes(own.text().unwrap_or_default()), own.index))
            .collect();
        keyed.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| name(a.1).cmp(name(b.1))));
        order.extend(keyed.iter().map(|(_, index)| *index));
        keyed.is_sorted_by(|a, b| a.0 != b.0 || name(a.1) != name(b.1))
    }

    /// The values, with the body they were read from.
    pub(crate) fn view<'a>(&'a self, body: &'a str) -> View<'a> {
        View { entries: &self.entries, order: &self.order, body, decoded: &self.decoded }
    }
}

/// The first eight bytes of a name as a number that is in the same order as they are.
fn first_bytes(name: &str) -> u64 {
    let bytes = name.as_bytes();
    match bytes.first_chunk::<8>() {
        Some(eight) => u64::from_be_bytes(*eight),
        None => bytes
            .iter()
            .zip([56, 48, 40, 32, 24, 16, 8])
            .fold(0, |sum, (byte, shift)| sum | u64::from(*byte) << shift),
    }
}

/// Whether an object of so many members has an order by name.
pub(super) fn is_ordered(members: usize) -> bool {
    short(members) > SCANNED_MAX
}

/// A tape with its body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View<'a> {
    entries: &'a [Entry],
    order: &'a [u32],
    body: &'a str,
    decoded: &'a str,
}

impl<'a> View<'a> {
    /// A view of one entry that no tape holds; if it is a text, then this one.
    pub(crate) fn of_one(entry: &'a [Entry; 1], text: &'a str) -> Self {
        View { entries: entry, order: &[], body: text, decoded: "" }
    }

    /// The whole value.
    pub(crate) fn root(&'a self) -> Node<'a> {
        self.node(0)
    }

    #[inline]
    fn node(&'a self, index: u32) -> Node<'a> {
        // Every index of a tape is one of its entries.
        let entry = self.entries.get(index as usize).unwrap_or(&Entry::Null);
        Node { view: self, entry, index }
    }

    pub(super) fn address(&self) -> usize {
        self.entries.as_ptr() as usize
    }
}

/// One value of a tape.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Node<'a> {
    view: &'a View<'a>,
    pub(super) entry: &'a Entry,
    pub(super) index: u32,
}

impl<'a> Node<'a> {
    pub(super) fn view(&self) -> &'a View<'a> {
        self.view
    }

    pub(crate) fn kind(&self) -> &'a Entry {
        self.entry
    }

    #[inline]
    pub(crate) fn text(&self) -> Option<&'a str> {
        let Entry::Text { start, end, decoded } = *self.entry else { return None };
        let source = if decoded { self.view.decoded } else { self.view.body };
        Some(source.get(start as usize..end as usize).unwrap_or_default())
    }

    /// Whether it is a text of `least` to `most` characters.
    #[inline]
    pub(crate) fn has_length(&self, least: u64, most: u64) -> bool {
        if let Entry::Octets { length } = *self.entry {
            return (least..=most).contains(&u64::from(length));
        }
        let Entry::Text { start, end, .. } = self.entry else { return false };
        // A character takes one to four bytes: most lengths are decided without counting.
        let bytes = u64::from(end - start);
        let fewest = bytes.div_ceil(4);
        if bytes < least || fewest > most {
            return false;
        }
        if least <= fewest && bytes <= most {
            return true;
        }
        let length = self.text().unwrap_or_default().chars().count() as u64;
        (least..=most).contains(&length)
    }

    /// Whether it is this text: most are told apart by their length.
    fn is_text(&self, text: &str) -> bool {
        matches!(self.entry, Entry::Text { start, end, .. } if (end - start) as usize == text.len())
            && self.text() == Some(text)
    }

    pub(crate) fn items(&self) -> Option<Items<'a>> {
        let Entry::Array { count, .. } = *self.entry else { return None };
        Some(Items { view: self.view, at: self.index + 1, left: count })
    }

    pub(crate) fn members(&self) -> Option<Members<'a>> {
        let Entry::Object { count, order, .. } = *self.entry else { return None };
        Some(Members { view: self.view, at: self.index + 1, left: count, order })
    }

    /// The entry behind this value.
    #[inline]
    fn after(&self) -> u32 {
        match *self.entry {
            Entry::Array { next, .. } | Entry::Object { next, .. } => next,
            Entry::Null
            | Entry::Flag(_)
            | Entry::Unsigned(_)
            | Entry::Signed(_)
            | Entry::Float(_)
            | Entry::Octets { .. }
            | Entry::Text { .. } => self.index + 1,
        }
    }
}

/// The items of an array.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Items<'a> {
    view: &'a View<'a>,
    at: u32,
    left: u32,
}

impl Items<'_> {
    pub(super) fn left(&self) -> usize {
        self.left as usize
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = Node<'a>;

    #[inline]
    fn next(&mut self) -> Option<Node<'a>> {
        self.left = self.left.checked_sub(1)?;
        let item = self.view.node(self.at);
        self.at = item.after();
        Some(item)
    }
}

/// The members of an object: name and value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Members<'a> {
    view: &'a View<'a>,
    at: u32,
    left: u32,
    order: u32,
}

impl<'a> Iterator for Members<'a> {
    type Item = (Node<'a>, Node<'a>);

    #[inline]
    fn next(&mut self) -> Option<(Node<'a>, Node<'a>)> {
        self.left = self.left.checked_sub(1)?;
        let (name, value) = (self.view.node(self.at), self.view.node(self.at + 1));
        self.at = value.after();
        Some((name, value))
    }
}

impl<'a> Members<'a> {
    pub(super) fn left(&self) -> usize {
        self.left as usize
    }

    /// The value of the member of that name, of an object none of whose members has been taken yet.
    pub(super) fn find(&self, wanted: &str) -> Option<Node<'a>> {
        if self.left <= SCANNED_MAX {
            return self.scan(wanted);
        }
        let (start, count) = (self.order as usize, self.left as usize);
        let order = self.view.order.get(start..start + count)?;
        let name = |index: &u32| self.view.node(*index).text().unwrap_or_default();
        let found = order.binary_search_by(|index| name(index).cmp(wanted)).ok()?;
        order.get(found).map(|index| self.view.node(index + 1))
    }

    /// The same by looking at each.
    pub(super) fn scan(mut self, wanted: &str) -> Option<Node<'a>> {
        self.find_map(|(name, value)| name.is_text(wanted).then_some(value))
    }
}
