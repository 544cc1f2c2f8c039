//! libFuzzer's entry to [`fuzz::authn_jwks`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::authn_jwks(data));
