//! Builds the flashable disk: pinned packages and the binary come in, one
//! image file that boots comes out.

pub mod closure;
pub mod cpio;
pub mod deb;
pub mod elf;
pub mod fetch;
pub mod lab;
pub mod lock;
pub mod manifest;
pub mod mirror;
pub mod modules;
pub mod tree;
