//! What the program `sbc` is made of, where tests and tools can reach it.

pub mod bpf;
pub mod cli;
pub mod fat;
pub mod relay;
pub mod seal;
