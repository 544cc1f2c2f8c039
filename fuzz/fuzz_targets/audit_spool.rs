//! libFuzzer's entry to [`fuzz::audit_spool`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::audit_spool(data));
