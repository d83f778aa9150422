//! What is known about each SIP neighbour while the node runs.

pub mod health;
