//! Memory of a thread that is used again and again: what is read or written in one go needs none of its own, and finds
//! this in the processor's cache.

use std::cell::Cell;

/// How much is read in one go where nobody knows how much comes.
const READ: usize = 16 << 10;

thread_local! {
    static WRITTEN: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    static TO_READ: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Gives an empty buffer, for bytes that are put together to be written at once.
pub(crate) fn to_write<T>(write: impl FnOnce(&mut Vec<u8>) -> T) -> T {
    let mut scratch = WRITTEN.take();
    scratch.clear();
    let outcome = write(&mut scratch);
    WRITTEN.set(scratch);
    outcome
}

/// Gives a buffer of 16 KiB to read into, with anything in it.
pub(crate) fn to_read<T>(read: impl FnOnce(&mut [u8]) -> T) -> T {
    let mut scratch = TO_READ.take();
    scratch.resize(READ, 0);
    let outcome = read(&mut scratch);
    TO_READ.set(scratch);
    outcome
}
