//! The operator's file: TOML text comes in, a `Node` that makes sense goes
//! out, or every problem of the file at once. No SIP grammar, no kernel.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
