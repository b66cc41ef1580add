//! Values that are dropped by a thread of their own.
//!
//! The Erlang VM runs destructors of resources on a normal scheduler, those of a whole collection of
//! garbage in a row. A warm constraint or a vocabulary takes milliseconds to free; hundreds of them
//! would hold up all processes of that scheduler.

use std::any::Any;
use std::ops::Deref;
use std::panic::{self, AssertUnwindSafe};
use std::sync::LazyLock;
use std::sync::mpsc::{self, Sender};
use std::thread;

type Value = Box<dyn Any + Send>;

/// What leaves its value to the reaper when it is dropped.
pub(crate) struct Reaped<T: Send + 'static>(Option<T>);

impl<T: Send + 'static> From<T> for Reaped<T> {
    fn from(value: T) -> Self {
        Self(Some(value))
    }
}

impl<T: Send + 'static> Deref for Reaped<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_ref().expect("it is taken when it is dropped")
    }
}

impl<T: Send + 'static> Drop for Reaped<T> {
    fn drop(&mut self) {
        // Where there is no reaper, what could not be sent is dropped here.
        let _unsent = REAPER.as_ref().map(|reaper| reaper.send(Box::new(self.0.take())));
    }
}

/// None when the system has no thread to give.
static REAPER: LazyLock<Option<Sender<Value>>> = LazyLock::new(|| {
    let (sender, values) = mpsc::channel();
    let reap = move || {
        for value in values {
            let _panic = panic::catch_unwind(AssertUnwindSafe(|| drop::<Value>(value)));
        }
    };
    thread::Builder::new().name("espalier-reaper".to_owned()).spawn(reap).ok()?;
    Some(sender)
});
