//! What may happen, as tables and small functions: admission, the code map.

pub mod admission;
pub mod responses;
