//! libFuzzer's entry to [`fuzz::seal_note`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::seal_note(data));
