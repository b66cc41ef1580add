//! What keeps the VM safe from the code that it calls: panics and deep recursion.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use crate::atoms;
use crate::error::Fault;

/// The native stack of [`with_large_stack`], in bytes. Only what is used is ever touched.
const STACK_SIZE: usize = 64 << 20;

/// Calls the function; its panic becomes an error value.
///
/// What the function changes may be left half done, so it must not be used again: a mutex that is
/// locked inside the function sees to that by being poisoned.
pub(crate) fn catch<T>(function: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(function)).unwrap_or_else(|panic| Err(panicked(&*panic)))
}

/// Like [`catch`], on a thread of its own: a scheduler's stack is a few hundred kilobytes, and
/// parsers, compilers and validators of nested input recurse.
pub(crate) fn with_large_stack<T: Send>(
    function: impl FnOnce() -> Result<T, Fault> + Send,
) -> Result<T, Fault> {
    thread::scope(|scope| {
        let builder = thread::Builder::new().stack_size(STACK_SIZE);
        match builder.spawn_scoped(scope, || catch(function)) {
            Ok(running) => running.join().unwrap_or_else(|panic| Err(panicked(&*panic))),
            Err(error) => {
                Err(Fault::new(atoms::panic(), format!("cannot start a thread: {error}"), []))
            }
        }
    })
}

fn panicked(panic: &(dyn Any + Send)) -> Fault {
    let message = panic.downcast_ref::<String>().map(String::as_str);
    let message = message.or_else(|| panic.downcast_ref::<&str>().copied());
    let message = message.unwrap_or("a panic without a message");
    Fault::new(atoms::panic(), format!("bug in the native library: {message}"), [])
        .with(atoms::detail(), message)
}
