//! libFuzzer's entry to [`fuzz::edge_h2`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::edge_h2(data));
