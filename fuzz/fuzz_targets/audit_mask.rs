//! libFuzzer's entry to [`fuzz::audit_mask`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::audit_mask(data));
