//! libFuzzer's entry to [`fuzz::validate_multipart`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::validate_multipart(data));
