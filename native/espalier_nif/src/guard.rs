//! What keeps the VM safe from the code that it calls: panics and deep recursion.

use std::any::Any;
use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;
use std::thread;

use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};

use crate::atoms;
use crate::error::Fault;

/// A large native stack, in bytes. Only what is used is ever touched.
const STACK_SIZE: usize = 64 << 20;

/// Calls the function; its panic becomes an error value.
///
/// What the function changes may be left half done, so it must not be used again: a mutex that is
/// locked inside the function sees to that by being poisoned.
pub(crate) fn catch<T>(function: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(function)).unwrap_or_else(|panic| Err(panicked(&*panic)))
}

/// Like [`catch`], on a thread with a large stack: a scheduler's is a few hundred kilobytes, and
/// parsers, compilers and validators of nested input recurse.
pub(crate) fn with_large_stack<T: Send>(
    function: impl FnOnce() -> Result<T, Fault> + Send,
) -> Result<T, Fault> {
    /// As many as there are dirty schedulers, whose calls they take over.
    static THREADS: LazyLock<Result<ThreadPool, ThreadPoolBuildError>> = LazyLock::new(|| {
        let name = |index| format!("espalier-{index}");
        ThreadPoolBuilder::new().stack_size(STACK_SIZE).thread_name(name).build()
    });
    match &*THREADS {
        Ok(threads) => threads.install(|| catch(function)),
        Err(error) => Err(no_thread(error)),
    }
}

/// Like [`with_large_stack`], for what may take so long that other calls shouldn't wait for it.
pub(crate) fn with_own_thread<T: Send>(
    function: impl FnOnce() -> Result<T, Fault> + Send,
) -> Result<T, Fault> {
    thread::scope(|scope| {
        let builder = thread::Builder::new().stack_size(STACK_SIZE);
        match builder.spawn_scoped(scope, || catch(function)) {
            Ok(running) => running.join().unwrap_or_else(|panic| Err(panicked(&*panic))),
            Err(error) => Err(no_thread(&error)),
        }
    })
}

fn no_thread(error: &dyn Display) -> Fault {
    Fault::new(atoms::panic(), format!("cannot start a thread: {error}"), [])
}

fn panicked(panic: &(dyn Any + Send)) -> Fault {
    let message = panic.downcast_ref::<String>().map(String::as_str);
    let message = message.or_else(|| panic.downcast_ref::<&str>().copied());
    let message = message.unwrap_or("a panic without a message");
    Fault::new(atoms::panic(), format!("bug in the native library: {message}"), [])
        .with(atoms::detail(), message)
}
