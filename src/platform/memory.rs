//! The instance's two buffers and its last words.
//!
//! The host writes at the address that `input` returns, and reads at `output` as many bytes as the
//! export that filled it has returned. Both addresses hold until the next call, as memory may grow
//! in any of them. An instance runs on one thread and is never called while it runs, but for
//! `input`, which the host uses within `sql` to hand over rows; so no borrow below ever meets
//! another.

use std::cell::RefCell;
use std::sync::Once;

/// A buffer larger than this is given back after use: most requests are small, and memory never
/// shrinks.
const KEPT_BYTES_MAX: usize = 1 << 20;

thread_local! {
    static INPUT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static OUTPUT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

#[link(wasm_import_module = "host")]
unsafe extern "C" {
    /// Writes a line of UTF-8 text to the platform's log.
    safe fn log(text: *const u8, len: usize);
}

/// Room for `len` bytes of input; its address.
#[unsafe(no_mangle)]
extern "C" fn input(len: usize) -> *mut u8 {
    INPUT.with_borrow_mut(|buffer| {
        if buffer.len() < len {
            buffer.resize(len, 0);
        }
        buffer.as_mut_ptr()
    })
}

/// The address of what the last call answered.
#[unsafe(no_mangle)]
extern "C" fn output() -> *const u8 {
    OUTPUT.with_borrow(|buffer| buffer.as_ptr())
}

/// Gives the first `len` bytes of input to `read`.
pub fn with_input<T>(len: usize, read: impl FnOnce(&[u8]) -> T) -> T {
    INPUT.with_borrow_mut(|buffer| {
        let answer = read(&buffer[..len]);
        if buffer.capacity() > KEPT_BYTES_MAX {
            *buffer = Vec::new();
        }
        answer
    })
}

/// Has `write` fill the output, which is empty at first; the number of bytes written.
pub fn fill_output(write: impl FnOnce(&mut Vec<u8>)) -> usize {
    OUTPUT.with_borrow_mut(|buffer| {
        if buffer.capacity() > KEPT_BYTES_MAX {
            *buffer = Vec::new();
        }
        buffer.clear();
        write(buffer);
        buffer.len()
    })
}

/// Writes a line to the platform's log.
pub fn say(line: &str) {
    log(line.as_ptr(), line.len());
}

/// Makes the message of a panic readable before the trap that follows it.
pub fn report_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        std::panic::set_hook(Box::new(|panic| {
            let text = panic.to_string();
            say(&text);
        }));
    });
}
