//! What the heap of this process holds, as its allocator counts it: whoever asks
//! before and after a thousand calls sees what they left behind.

/// Returns how many octets are allocated and not given back. Octets that wait in
/// the allocator's caches of small pieces count as allocated.
#[cfg(target_env = "gnu")]
#[must_use]
#[expect(unsafe_code, reason = "the allocator's own count has no safe door")]
pub fn live_octets() -> u64 {
    // SAFETY: it takes nothing, returns a plain value, and locks for itself.
    let info = unsafe { mallinfo2() };
    u64::try_from(info.in_pieces.saturating_add(info.in_maps)).unwrap_or(u64::MAX)
}

/// Only glibc tells.
#[cfg(not(target_env = "gnu"))]
#[must_use]
pub fn live_octets() -> u64 {
    0
}

/// `struct mallinfo2` of glibc, in its order; what is not read has no name.
#[cfg(target_env = "gnu")]
#[repr(C)]
struct Mallinfo {
    _arena: [usize; 4],
    in_maps: usize,
    _unused: [usize; 2],
    in_pieces: usize,
    _free: [usize; 2],
}

#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "see `live_octets`")]
// SAFETY: the signature is that of malloc.h.
unsafe extern "C" {
    fn mallinfo2() -> Mallinfo;
}

#[cfg(all(test, target_env = "gnu"))]
mod tests {
    use super::live_octets;

    #[test]
    fn what_is_allocated_is_counted_and_what_is_given_back_is_not() {
        const SIZE: usize = 64 * 1024 * 1024;
        let before = live_octets();
        let held = vec![1_u8; SIZE];
        let with = live_octets();
        assert!(with - before > SIZE as u64 / 2, "{before} {with}");
        drop(held);
        assert!(live_octets() < with - SIZE as u64 / 2);
    }
}
