//! libFuzzer's entry to [`fuzz::validate_form`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::validate_form(data));
