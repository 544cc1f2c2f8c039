//! libFuzzer's entry to [`fuzz::edge_target`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::edge_target(data));
