//! The bounds of an API: what is written, else the default of the crate that holds them.

use validate::Limits;

use crate::config::mistake::Placed;
use crate::config::raw::{RawBounds, Size};
use crate::config::reader::{Count, Given};

/// The bounds of an API; what is not written has its default.
pub(super) fn bounds(raw: &Given<RawBounds>) -> Limits {
    let own = Limits::default();
    let Some(Placed { value: raw, .. }) = raw.get() else { return own };
    Limits {
        body_bytes_max: bytes(&raw.max_body, own.body_bytes_max),
        ratio_max: count(&raw.max_ratio, own.ratio_max),
        string_bytes_max: bytes(&raw.max_string, own.string_bytes_max),
        items_max: count(&raw.max_items, own.items_max),
        members_max: count(&raw.max_members, own.members_max),
        depth_max: count(&raw.max_depth, own.depth_max),
        values_max: count(&raw.max_values, own.values_max),
        number_chars_max: count(&raw.max_numbers, own.number_chars_max),
        query_bytes_max: bytes(&raw.max_query, own.query_bytes_max),
        query_parameters_max: count(&raw.max_parameters, own.query_parameters_max),
        cookies_max: count(&raw.max_cookies, own.cookies_max),
        parts_max: count(&raw.max_parts, own.parts_max),
        part_header_bytes_max: bytes(&raw.max_part_header, own.part_header_bytes_max),
        attributes_max: count(&raw.max_attributes, own.attributes_max),
    }
}

/// The bounds that are wider than their defaults, by name.
pub(in crate::config) fn wider(bounds: &Limits) -> impl Iterator<Item = &'static str> {
    let (now, own) = (bounds, Limits::default());
    let all = [
        ("max_body", now.body_bytes_max, own.body_bytes_max),
        ("max_ratio", now.ratio_max, own.ratio_max),
        ("max_string", now.string_bytes_max, own.string_bytes_max),
        ("max_items", now.items_max, own.items_max),
        ("max_members", now.members_max, own.members_max),
        ("max_depth", now.depth_max, own.depth_max),
        ("max_values", now.values_max, own.values_max),
        ("max_numbers", now.number_chars_max, own.number_chars_max),
        ("max_query", now.query_bytes_max, own.query_bytes_max),
        ("max_parameters", now.query_parameters_max, own.query_parameters_max),
        ("max_cookies", now.cookies_max, own.cookies_max),
        ("max_parts", now.parts_max, own.parts_max),
        ("max_part_header", now.part_header_bytes_max, own.part_header_bytes_max),
        ("max_attributes", now.attributes_max, own.attributes_max),
    ];
    all.into_iter().filter(|(_, now, own)| now > own).map(|(name, ..)| name)
}

fn bytes<const MIN: u64, const MAX: u64>(written: &Given<Size<MIN, MAX>>, own: usize) -> usize {
    written.value().and_then(|size| usize::try_from(size.0).ok()).unwrap_or(own)
}

fn count<const MIN: u32, const MAX: u32>(written: &Given<Count<MIN, MAX>>, own: usize) -> usize {
    written.value().and_then(|count| usize::try_from(count.0).ok()).unwrap_or(own)
}
