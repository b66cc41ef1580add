//! [`Sink`]: the function that receives a request's events.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::Stopped;
use super::request::Event;
use crate::error::Error;

/// Sees to it that a request has exactly one last event: one that is dropped without, because the
/// model's thread ends in whatever way, fails with [`Error::ModelStopped`].
pub(crate) struct Sink {
    /// `None` after the last event.
    receive: Option<Box<dyn FnMut(Event) + Send>>,
    stopped: Arc<Stopped>,
}

impl Sink {
    pub(crate) fn new(receive: impl FnMut(Event) + Send + 'static, stopped: Arc<Stopped>) -> Self {
        Self { receive: Some(Box::new(receive)), stopped }
    }

    /// Passes an event on. A receiver that panics gets no more.
    pub(crate) fn send(&mut self, event: Event) {
        let last = matches!(event, Event::Done { .. } | Event::Failed(_));
        let Some(receive) = &mut self.receive else { return };
        let panicked = catch_unwind(AssertUnwindSafe(|| receive(event))).is_err();
        if last || panicked {
            self.receive = None;
        }
    }

    /// Whether nobody listens any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.receive.is_none()
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        let detail = self.stopped.get().cloned().unwrap_or_default();
        self.send(Event::Failed(Error::ModelStopped { detail }));
    }
}
