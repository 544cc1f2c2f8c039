//! libFuzzer's entry to [`fuzz::authn_token`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::authn_token(data));
