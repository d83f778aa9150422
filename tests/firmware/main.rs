//! The flashed image: built by the product's own builder, booted by BIOS and by
//! UEFI, looked into, and read by its serial console, its port for programs and
//! its network cards' cables.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "this whole target is a test, helpers included"
)]

mod boot;
mod clock;
mod console;
mod contents;
mod cuts;
mod data;
mod esp;
mod moments;
mod secure;
mod stages;
mod tampered;
mod torn;
mod transcript;
mod tunnel;
mod update;

use std::path::{Path, PathBuf};

/// Returns the folder for what a test leaves, empty.
fn folder(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    // It is there only if the test ran before.
    let _absent = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a folder for the test");
    folder
}
