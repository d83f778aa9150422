//! Octets come in, a broken promise of `targets::headers` is a panic.
#![cfg_attr(feature = "libfuzzer", no_main)]

sbc_fuzz::drive!(headers);
