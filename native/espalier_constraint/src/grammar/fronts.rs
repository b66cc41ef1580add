//! [`Fronts`]: which terminals may begin at a place in a text.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::bytes::ByteSet;
use super::closure::{Closure, Context};
use super::continuations::{ContinuationId, Continuations};
use super::lower::Symbol;
use super::productions::Productions;
use crate::error::Error;
use crate::interner::Interner;
use crate::meter::Meter;

/// The number of a front.
pub(crate) type FrontId = u32;
/// At the start of the text, whether it was met or not.
pub(crate) const START: FrontId = u32::MAX;

/// The terminals that may begin, each with what comes behind it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Front {
    /// Ascending.
    pub(crate) threads: Box<[(u32, ContinuationId)]>,
    /// Whether the text may end.
    pub(crate) is_final: bool,
    /// With which bytes they begin.
    pub(crate) first: ByteSet,
}

impl Hash for Front {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.threads, self.is_final).hash(state);
    }
}

/// The fronts met so far, with the continuations that lead to them.
#[derive(Debug)]
pub(crate) struct Fronts {
    productions: Productions,
    pub(super) continuations: Continuations,
    interned: Interner<Arc<Front>>,
    /// Behind several continuations.
    merged: FxHashMap<Box<[ContinuationId]>, FrontId>,
    start: Option<FrontId>,
    closure: Closure,
    n_bytes: usize,
    meter: Meter,
}

impl Fronts {
    pub(crate) fn new(productions: Productions, meter: Meter) -> Self {
        Self {
            productions,
            continuations: Continuations::default(),
            interned: Interner::default(),
            merged: FxHashMap::default(),
            start: None,
            closure: Closure::default(),
            n_bytes: 0,
            meter,
        }
    }

    pub(crate) fn productions(&self) -> &Productions {
        &self.productions
    }

    pub(crate) fn meter(&self) -> &Meter {
        &self.meter
    }

    /// The terminals that may begin at a front, and whether the text may end.
    pub(crate) fn find(&mut self, id: FrontId) -> Result<Arc<Front>, Error> {
        let id = if id == START { self.start()? } else { id };
        Ok(self.interned.get(id).clone())
    }

    /// Whether a terminal that may begin at a front begins with the byte.
    pub(crate) fn may_begin(&mut self, id: FrontId, byte: u8) -> Result<bool, Error> {
        let id = if id == START { self.start()? } else { id };
        Ok(self.interned.get(id).first.contains(byte))
    }

    /// Whether the text may end at a front.
    pub(crate) fn is_final(&self, id: FrontId) -> bool {
        if id == START {
            let start = Symbol::Nonterminal(self.productions.start());
            return self.productions.is_nullable(start);
        }
        self.interned.get(id).is_final
    }

    fn start(&mut self) -> Result<FrontId, Error> {
        if let Some(start) = self.start {
            return Ok(start);
        }
        let front = self.close(Closure::start)?;
        self.start = Some(front);
        Ok(front)
    }

    /// Where one of the continuations goes on; there is at least one, in ascending order.
    pub(crate) fn behind(&mut self, reached: &[ContinuationId]) -> Result<FrontId, Error> {
        let [only] = reached else {
            if let Some(&known) = self.merged.get(reached) {
                return Ok(known);
            }
            let front = self.close(|closure, context| closure.behind(reached, context))?;
            self.n_bytes += 64 + size_of_val(reached);
            self.merged.insert(reached.into(), front);
            return Ok(front);
        };
        if let Some(known) = self.continuations.front(*only) {
            return Ok(known);
        }
        let front = self.close(|closure, context| closure.behind(reached, context))?;
        self.continuations.remember_front(*only, front);
        Ok(front)
    }

    /// Where what may begin at either of two fronts may begin.
    pub(crate) fn merge(&mut self, one: FrontId, other: FrontId) -> Result<FrontId, Error> {
        if one == other {
            return Ok(one);
        }
        let (one, other) = (self.find(one)?, self.find(other)?);
        let mut threads = [&one.threads[..], &other.threads].concat();
        threads.sort_unstable();
        threads.dedup();
        self.meter.spend(1 + threads.len() / 16)?;
        let is_final = one.is_final || other.is_final;
        let mut first = one.first;
        first.extend(&other.first);
        Ok(self.intern(Front { threads: threads.into(), is_final, first }))
    }

    fn close(
        &mut self,
        find: impl FnOnce(&mut Closure, &mut Context<'_>) -> Result<Front, Error>,
    ) -> Result<FrontId, Error> {
        let mut context = Context {
            productions: &self.productions,
            continuations: &mut self.continuations,
            meter: &self.meter,
        };
        let front = find(&mut self.closure, &mut context)?;
        Ok(self.intern(front))
    }

    fn intern(&mut self, front: Front) -> FrontId {
        let (n_before, n_threads) = (self.interned.len(), front.threads.len());
        let id = self.interned.intern(front);
        if self.interned.len() > n_before {
            self.n_bytes += 128 + n_threads * size_of::<(u32, ContinuationId)>();
        }
        id
    }

    /// About their memory.
    pub(crate) fn memory(&self) -> usize {
        self.n_bytes + self.continuations.memory()
    }

    pub(crate) fn forget(&mut self) {
        self.continuations.clear();
        self.interned.clear();
        self.merged.clear();
        self.start = None;
        self.n_bytes = 0;
    }
}
