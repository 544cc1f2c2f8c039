//! libFuzzer's entry to [`fuzz::edge_client_cert`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::edge_client_cert(data));
