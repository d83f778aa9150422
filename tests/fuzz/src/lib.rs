//! Fuzz targets: octets come in, nothing goes out but a panic when a promise is broken.
//!
//! Each target is a plain function over octets. Two drivers call it: the one in
//! `driver`, which builds with a stable compiler and nothing else, and libFuzzer
//! (feature `libfuzzer`), which also builds with stable, given the flags in README.md.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a broken promise is a panic here, and so is a broken target"
)]

pub mod driver;
pub mod mutate;
pub mod targets;

/// Makes a binary of the target with that name.
#[macro_export]
macro_rules! drive {
    ($target:ident) => {
        #[cfg(feature = "libfuzzer")]
        $crate::libfuzzer_sys::fuzz_target!(|octets: &[u8]| $crate::targets::$target(octets));

        #[cfg(not(feature = "libfuzzer"))]
        fn main() -> std::process::ExitCode {
            $crate::driver::run(stringify!($target), $crate::targets::$target)
        }
    };
}

#[cfg(feature = "libfuzzer")]
pub use libfuzzer_sys;
