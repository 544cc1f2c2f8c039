//! The sizes a request may have where its document says nothing smaller. It knows no schema.

/// Upper bounds of one request; every one of them has a violation of its own name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a whole body. Default 1 MiB. Beyond it the answer is 413.
    pub body_bytes_max: usize,
    /// Nested arrays and objects of a JSON body. Default 32.
    pub depth_max: usize,
    /// Bytes of one decoded string: JSON value, member name, parameter. Default 64 KiB.
    pub string_bytes_max: usize,
    /// Items of one JSON array or of one list parameter. Default 10 000.
    pub items_max: usize,
    /// Members of one JSON object, fields of one form. Default 1 000.
    pub members_max: usize,
    /// Characters of one JSON number. Default 40.
    pub number_chars_max: usize,
    /// `name=value` pairs of a query. Default 100.
    pub query_parameters_max: usize,
    /// Bytes of a whole query. Default 16 KiB.
    pub query_bytes_max: usize,
    /// Values (scalars, arrays, objects) of a whole JSON body. Default 200 000.
    pub values_max: usize,
    /// Parts of a multipart body. Default 100.
    pub parts_max: usize,
    /// Bytes of the header fields of one part. Default 4 KiB.
    pub part_header_bytes_max: usize,
    /// Attributes of one element of XML. Default 64.
    pub attributes_max: usize,
    /// Cookies of one request. Default 100.
    pub cookies_max: usize,
    /// Decoded bytes for each byte of a body that came compressed, beyond 64 KiB: text and JSON stay below 30. Default 100.
    pub ratio_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes_max: 1024 * 1024,
            depth_max: 32,
            string_bytes_max: 64 * 1024,
            items_max: 10_000,
            members_max: 1_000,
            number_chars_max: 40,
            query_parameters_max: 100,
            query_bytes_max: 16 * 1024,
            values_max: 200_000,
            parts_max: 100,
            part_header_bytes_max: 4 * 1024,
            attributes_max: 64,
            cookies_max: 100,
            ratio_max: 100,
        }
    }
}
