#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tagstone::outside::run("log_file", bytes));
