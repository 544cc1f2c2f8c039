//! libFuzzer's entry to [`fuzz::edge_proxy`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::edge_proxy(data));
