//! Octets come in, a broken promise of `targets::rtcp` is a panic.
#![cfg_attr(feature = "libfuzzer", no_main)]

sbc_fuzz::drive!(rtcp);
