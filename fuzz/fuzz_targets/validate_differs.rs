//! libFuzzer's entry to [`fuzz::validate_differs`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::validate_differs(data));
