//! Segments of a path template that hold several parameters, such as `{base}...{head}`: what the router takes whole is
//! split at the texts between them, in the one way there is. It knows no operations.

use std::ops::Range;

/// The texts of a segment around its parameters: before the first, between each two, behind the last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Segment(Vec<Box<str>>);

/// How a segment of a request fits one of a template.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fit {
    /// Where each parameter stands, from the start of the segment.
    Whole(Vec<Range<usize>>),
    /// It is another one.
    Not,
    /// It could be split in several ways: two readers would disagree.
    Ambiguous,
}

impl Segment {
    /// The segment of a template, if it holds several parameters.
    pub(super) fn of(template: &str) -> Option<Self> {
        let mut texts = Vec::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            texts.push(before.into());
            rest = after.split_once('}')?.1;
        }
        texts.push(rest.into());
        (texts.len() > 2).then_some(Self(texts))
    }

    /// Splits a segment; no parameter is empty.
    pub(super) fn split(&self, segment: &str) -> Fit {
        let (Some((first, others)), false) = (self.0.split_first(), self.0.len() < 2) else {
            return Fit::Not;
        };
        let Some((last, between)) = others.split_last() else { return Fit::Not };
        let inner = segment.strip_prefix(&**first).and_then(|rest| rest.strip_suffix(&**last));
        let Some(inner) = inner else { return Fit::Not };
        // No split has a separator before where the first has it, none behind where the last has it.
        let Some(earliest) = from_left(inner, between) else { return Fit::Not };
        if from_right(inner, between).as_ref() != Some(&earliest) {
            return Fit::Ambiguous;
        }
        let mut start = 0;
        let mut ranges = Vec::with_capacity(between.len() + 1);
        for (at, text) in earliest.iter().zip(between) {
            ranges.push(first.len() + start..first.len() + at);
            start = at + text.len();
        }
        ranges.push(first.len() + start..first.len() + inner.len());
        Fit::Whole(ranges)
    }
}

/// Where each separator stands as early as it can, something before it and behind it.
fn from_left(inner: &str, between: &[Box<str>]) -> Option<Vec<usize>> {
    let (mut found, mut start) = (Vec::with_capacity(between.len()), 0);
    for text in between {
        let from = start + first_char(inner.get(start..)?)?;
        let at = from + inner.get(from..)?.find(&**text)?;
        found.push(at);
        start = at + text.len();
    }
    (start < inner.len()).then_some(found)
}

/// Where each separator stands as late as it can.
fn from_right(inner: &str, between: &[Box<str>]) -> Option<Vec<usize>> {
    let (mut found, mut end) = (Vec::with_capacity(between.len()), inner.len());
    for text in between.iter().rev() {
        let until = end.checked_sub(last_char(inner.get(..end)?)?)?;
        end = inner.get(..until)?.rfind(&**text)?;
        found.push(end);
    }
    found.reverse();
    (end > 0).then_some(found)
}

fn first_char(text: &str) -> Option<usize> {
    text.chars().next().map(char::len_utf8)
}

fn last_char(text: &str) -> Option<usize> {
    text.chars().next_back().map(char::len_utf8)
}

#[cfg(test)]
mod tests {
    use super::{Fit, Segment};

    fn split(template: &str, segment: &str) -> Result<Vec<String>, Fit> {
        let own = Segment::of(template).expect("several parameters");
        match own.split(segment) {
            Fit::Whole(ranges) => {
                Ok(ranges.into_iter().map(|r| segment.get(r).unwrap().to_owned()).collect())
            }
            other @ (Fit::Not | Fit::Ambiguous) => Err(other),
        }
    }

    #[test]
    fn one_parameter_is_left_to_the_router() {
        for template in ["{id}", "{id}.json", "v{id}", "plain"] {
            assert_eq!(Segment::of(template), None, "{template}");
        }
    }

    #[test]
    fn a_segment_is_split_where_there_is_one_way() {
        for (template, segment, expected) in [
            ("{base}...{head}", "main...topic", vec!["main", "topic"]),
            ("{base}...{head}", "a.b...c.d", vec!["a.b", "c.d"]),
            ("v{a}.{b}.json", "v1.2.json", vec!["1", "2"]),
            ("{a}-{b}-{c}", "x-y-z", vec!["x", "y", "z"]),
            ("{a},{b}", "12.5,-3", vec!["12.5", "-3"]),
            ("{a}-{b}", "é-ü", vec!["é", "ü"]),
            ("{a}-{b}", "--b", vec!["-", "b"]),
        ] {
            let expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
            assert_eq!(split(template, segment), Ok(expected), "{template} {segment}");
        }
    }

    #[test]
    fn a_segment_without_a_split_or_with_several_does_not_fit() {
        for (template, segment, expected) in [
            ("{a}...{b}", "main", Fit::Not),
            ("{a}...{b}", "...topic", Fit::Not),
            ("{a}...{b}", "main...", Fit::Not),
            ("{a}...{b}", "", Fit::Not),
            ("v{a}.{b}.json", "v1.2.xml", Fit::Not),
            ("{a}...{b}", "a...b...c", Fit::Ambiguous),
            ("{a}...{b}", "a....b", Fit::Ambiguous),
            ("{a}-{b}-{c}", "w-x-y-z", Fit::Ambiguous),
            ("{a}-{b}", "a--b", Fit::Ambiguous),
        ] {
            assert_eq!(split(template, segment), Err(expected), "{template} {segment}");
        }
    }
}
