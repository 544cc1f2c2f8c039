//! The section `apis[].bounds` as it is written: how large a request may be where its document says nothing smaller.

use super::scalars::Size;
use super::section;
use crate::config::reader::Count;

/// Bytes of a body: the least and the most that can be asked for.
const BODY_BYTES_MIN: u64 = 1 << 10;
const BODY_BYTES_MAX: u64 = 1 << 26;
/// Bytes of one text.
const TEXT_BYTES_MIN: u64 = 1 << 10;
const TEXT_BYTES_MAX: u64 = 1 << 24;
/// Bytes of a query, or of the header of a part; the head of a request has a limit of its own.
const HEAD_BYTES_MIN: u64 = 1 << 10;
const HEAD_BYTES_MAX: u64 = 1 << 16;

section! {
    /// How large a request may be where its document says nothing smaller.
    RawBounds {
        required {}
        optional {
            /// Bytes of a whole body, decoded, and of an answer that is read: 1KiB to 64MiB.
            /// Default: 1MiB.
            max_body: Size<BODY_BYTES_MIN, BODY_BYTES_MAX>,
            /// Decoded bytes for each byte of a body that came compressed, beyond 64KiB: 1 to 1000.
            /// Default: 100.
            max_ratio: Count<1, 1_000>,
            /// Bytes of one text, of a member's name, of a parameter: 1KiB to 16MiB. The filter
            /// has a limit of its own (`filter.text`). Default: 64KiB.
            max_string: Size<TEXT_BYTES_MIN, TEXT_BYTES_MAX>,
            /// Items of one list: 1 to 1000000. Default: 10000.
            max_items: Count<1, 1_000_000>,
            /// Members of one object, fields of one form: 1 to 100000. Default: 1000.
            max_members: Count<1, 100_000>,
            /// Lists, objects and elements within each other: 1 to 128. Default: 32.
            max_depth: Count<1, 128>,
            /// Values of one body: 1 to 10000000. Default: 200000.
            max_values: Count<1, 10_000_000>,
            /// Characters of one number: 1 to 400. Default: 40.
            max_numbers: Count<1, 400>,
            /// Bytes of a query: 1KiB to 64KiB. Default: 16KiB.
            max_query: Size<HEAD_BYTES_MIN, HEAD_BYTES_MAX>,
            /// Pairs of a query: 1 to 10000. Default: 100.
            max_parameters: Count<1, 10_000>,
            /// Cookies of a request: 1 to 1000. Default: 100.
            max_cookies: Count<1, 1_000>,
            /// Parts of a multipart body: 1 to 10000. Default: 100.
            max_parts: Count<1, 10_000>,
            /// Bytes of the header of one part: 1KiB to 64KiB. Default: 4KiB.
            max_part_header: Size<HEAD_BYTES_MIN, HEAD_BYTES_MAX>,
            /// Attributes of one element of XML: 1 to 1000. Default: 64.
            max_attributes: Count<1, 1_000>,
        }
    }
}
