//! libFuzzer's entry to [`fuzz::audit_place`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::audit_place(data));
