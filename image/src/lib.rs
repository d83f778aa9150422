//! Builds the flashable disk: pinned packages and the binary come in, one
//! image file that boots comes out.

pub mod authenticode;
pub mod build;
pub mod bundle;
pub mod closure;
pub mod cpio;
pub mod deb;
pub mod der;
pub mod disk;
pub mod elf;
pub mod fat;
pub mod fetch;
pub mod foreign;
pub mod gpt;
pub mod grub;
pub mod lab;
pub mod lay;
pub mod lock;
pub mod manifest;
pub mod mirror;
pub mod modules;
pub mod qcow2;
pub mod release;
pub mod report;
pub mod root;
pub mod sbom;
pub mod secure;
pub mod stage1;
pub mod symbols;
pub mod tools;
pub mod tree;
pub mod uki;
pub mod uuid;
pub mod verify;
pub mod verity;
