//! Octets come in, a broken promise of `targets::multipart` is a panic.
#![cfg_attr(feature = "libfuzzer", no_main)]

sbc_fuzz::drive!(multipart);
