//! Octets come in, a broken promise of `targets::name_addr` is a panic.
#![cfg_attr(feature = "libfuzzer", no_main)]

sbc_fuzz::drive!(name_addr);
