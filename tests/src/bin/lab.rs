//! `cargo verify`, `cargo demo` and `cargo measure`.

fn main() {}
