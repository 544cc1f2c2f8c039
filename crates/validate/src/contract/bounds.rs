//! What of a request has no size in the document, so that a default one holds. It reads no request.

use super::{BodyKind, Contract, Limits};

/// A text, a list or an object without a bound of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unbounded {
    /// Where: `query:name` or `body`, and a pointer within, `*` for any item or member.
    pub place: String,
    /// The limit that holds there.
    pub limit: &'static str,
    /// How much it is.
    pub most: usize,
}

impl Contract {
    /// Every place of a request without a bound of its own, in the order of the document.
    #[must_use]
    pub fn unbounded(&self) -> Vec<Unbounded> {
        let Some(declared) = &self.declared else { return Vec::new() };
        let mut found = Vec::new();
        for parameter in &declared.parameters {
            let place = parameter.place();
            for (pointer, limit) in parameter.schema.unbounded() {
                found.push(self.limits.told(format!("{place}{pointer}"), limit));
            }
        }
        for media in declared.body.iter().flat_map(|body| &body.media) {
            let limits = match (&media.kind, media.kind.schema()) {
                (_, Some(schema)) => schema.unbounded(),
                (BodyKind::Octets(octets), None) if octets.most.is_some() => Vec::new(),
                (BodyKind::Text(_), None) => vec![(String::new(), "string_bytes_max")],
                (_, None) => vec![(String::new(), "body_bytes_max")],
            };
            for (pointer, limit) in limits {
                let place =
                    if pointer.is_empty() { "body".into() } else { format!("body:{pointer}") };
                let one = self.limits.told(place, limit);
                // Several media types of one body share most of their schemas.
                if !found.contains(&one) {
                    found.push(one);
                }
            }
        }
        found
    }
}

impl Limits {
    fn told(&self, place: String, limit: &'static str) -> Unbounded {
        let most = match limit {
            "string_bytes_max" => self.string_bytes_max,
            "items_max" => self.items_max,
            "members_max" => self.members_max,
            _ => self.body_bytes_max,
        };
        Unbounded { place, limit, most }
    }
}
