//! A piece of work comes in, how often it asked the allocator and what it holds
//! afterwards goes out.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

/// Of all threads, for work that a thread of the product does.
static ALL: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// Per thread, so that tests running beside each other do not count as one.
    static COUNT: Cell<u64> = const { Cell::new(0) };
    /// Octets asked for and not given back, by this thread.
    static HELD: Cell<i64> = const { Cell::new(0) };
}

/// The system's allocator with a counter in front. A test target that counts
/// makes it its `#[global_allocator]`.
#[derive(Debug)]
pub struct Counting;

#[expect(unsafe_code, reason = "an allocator is an unsafe trait by nature")]
// SAFETY: each call is passed on unchanged to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    // SAFETY: the caller keeps `alloc`'s contract, which is also the system's.
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        hold(layout.size(), 0);
        // SAFETY: as above.
        unsafe { System.alloc(layout) }
    }

    // SAFETY: the caller keeps `dealloc`'s contract, which is also the system's.
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        hold(0, layout.size());
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    // SAFETY: the caller keeps `realloc`'s contract, which is also the system's.
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        hold(size, layout.size());
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

fn count() {
    ALL.fetch_add(1, Ordering::Relaxed);
    // A thread that is ending has no counter any more, and nobody who asks.
    let _ = COUNT.try_with(|count| count.set(count.get() + 1));
}

fn hold(more: usize, less: usize) {
    let octets = |size| i64::try_from(size).unwrap_or(i64::MAX);
    let change = octets(more) - octets(less);
    let _ = HELD.try_with(|held| held.set(held.get() + change));
}

/// Returns what `work` returns, and how many octets more this thread holds after it.
/// Without [`Counting`] as the allocator, that is none.
pub fn octets_held<T>(work: impl FnOnce() -> T) -> (T, i64) {
    let before = HELD.get();
    let result = work();
    (result, HELD.get() - before)
}

/// Returns what `work` returns, and how many allocations and reallocations it
/// made on this thread. Without [`Counting`] as the allocator, that is none.
pub fn allocations<T>(work: impl FnOnce() -> T) -> (T, u64) {
    let before = COUNT.get();
    let result = work();
    (result, COUNT.get() - before)
}

/// Returns how many allocations and reallocations all threads have made so far. It
/// says something only in a process where nothing else runs.
pub fn all_allocations() -> u64 {
    ALL.load(Ordering::Relaxed)
}
