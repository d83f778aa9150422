//! Steps of a filter come in, the program that the kernel runs on each packet goes out
//! (classic BPF, as `SO_ATTACH_FILTER` of socket(7) takes it).

use socket2::SockFilter;

/// Loads an octet from a place in the packet.
pub const LOAD_OCTET: u16 = 0x30;
/// Loads four octets, the first as the highest.
pub const LOAD_WORD: u16 = 0x20;
/// Keeps some bits of what was loaded.
pub const AND: u16 = 0x54;
/// Moves what was loaded by so many bits towards the lowest.
pub const SHIFT_RIGHT: u16 = 0x74;
/// Goes on by so many steps more.
pub const JUMP: u16 = 0x05;
/// Goes on by one of two numbers of steps more.
pub const JUMP_IF_EQUAL: u16 = 0x15;
/// Ends with so many octets of the packet; 0 drops it.
pub const RETURN: u16 = 0x06;

/// The kernel takes so many steps (`BPF_MAXINSNS`).
pub const STEPS_MAX: usize = 4_096;

/// One step before it is packed: what it does, how far it goes on if so and if not, and
/// its value.
pub type Step = (u16, u8, u8, u32);

/// Returns the program of these steps.
#[must_use]
pub fn program(steps: Vec<Step>) -> Vec<SockFilter> {
    steps
        .into_iter()
        .map(|(code, yes, no, value)| SockFilter::new(code, yes, no, value))
        .collect()
}
