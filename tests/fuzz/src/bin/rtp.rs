//! Octets come in, a broken promise of `targets::rtp` is a panic.
#![cfg_attr(feature = "libfuzzer", no_main)]

sbc_fuzz::drive!(rtp);
