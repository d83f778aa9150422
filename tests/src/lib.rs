//! The kit of the lab: what the tests and the `lab` tool share.
