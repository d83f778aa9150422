//! Octets come in, a broken promise of `targets::config` is a panic.
#![cfg_attr(feature = "libfuzzer", no_main)]

sbc_fuzz::drive!(config);
