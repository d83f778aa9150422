//! What the heap of this process holds, as its allocator counts it: whoever asks
//! before and after a thousand calls sees what they left behind.

use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};

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

/// Gives back to the kernel what the allocator keeps of calls that are gone, unless
/// it holds what it held the last time. For a role without a call: it takes a
/// millisecond for each ten megabytes that were in use.
pub fn give_back() {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let held = live_octets();
    if LAST.swap(held, Ordering::Relaxed) != held {
        trim();
    }
}

/// Does work that takes much memory, and gives all of it back to the kernel: what the
/// allocator would keep of it for the next time counts against the role's ceiling.
pub fn clean_behind<T>(work: impl FnOnce() -> T) -> T {
    static ONCE: Once = Once::new();
    ONCE.call_once(map_large_pieces);
    let done = work();
    trim();
    done
}

#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "the allocator's own broom has no safe door")]
fn trim() {
    // SAFETY: it takes a number, touches no piece that is in use, and locks for itself.
    let _whether = unsafe { malloc_trim(0) };
}

#[cfg(not(target_env = "gnu"))]
const fn trim() {}

/// Gives each piece of [`LARGE`] octets and more a mapping of its own from now on, which
/// ends with it. Left to itself, glibc puts the second one into the heap of its thread,
/// and what lies at the end of such a heap no [`trim`] gives back.
#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "the allocator's own switch has no safe door")]
fn map_large_pieces() {
    // SAFETY: it takes two numbers, and locks for itself.
    let _whether = unsafe { mallopt(M_MMAP_THRESHOLD, LARGE) };
}

#[cfg(not(target_env = "gnu"))]
const fn map_large_pieces() {}

/// What [`map_large_pieces`] calls large, in octets.
#[cfg(target_env = "gnu")]
const LARGE: core::ffi::c_int = 1024 * 1024;
/// Its number in malloc.h.
#[cfg(target_env = "gnu")]
const M_MMAP_THRESHOLD: core::ffi::c_int = -3;

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
    in_heaps: usize,
    _counts: [usize; 3],
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
    fn malloc_trim(pad: usize) -> core::ffi::c_int;
    fn mallopt(parameter: core::ffi::c_int, value: core::ffi::c_int) -> core::ffi::c_int;
}

#[cfg(all(test, target_env = "gnu"))]
mod tests {
    use super::{Mallinfo, clean_behind, live_octets, mallinfo2};

    #[expect(unsafe_code, reason = "see `live_octets`")]
    fn octets_of_heaps() -> usize {
        // SAFETY: it takes nothing, returns a plain value, and locks for itself.
        let info: Mallinfo = unsafe { mallinfo2() };
        info.in_heaps
    }

    #[test]
    fn a_thread_that_works_again_and_again_leaves_no_large_piece_in_its_heap() {
        const SIZE: usize = 19 * 1024 * 1024;
        let before = octets_of_heaps();
        let work = || {
            for times in 1..=4 {
                let sum: usize =
                    clean_behind(|| vec![1_u8; SIZE].iter().map(|&one| usize::from(one)).sum());
                assert_eq!(sum, SIZE, "{times}");
            }
        };
        std::thread::spawn(work).join().unwrap();
        let after = octets_of_heaps();
        assert!(after < before + SIZE / 2, "{before} {after}");
    }

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
