//! Guests: Debian's kernel in QEMU, alone and joined by the switch.

mod lab;
mod switch;
