//! [`Closure`]: what may begin where some continuations are reached.
//!
//! The items of Earley's algorithm, those that it predicts and those behind symbols that match the empty
//! text. For each terminal that may begin it is found out what comes behind it; the set itself is not needed
//! after that. What comes behind a nonterminal that was predicted here is a continuation of its own, unless
//! the nonterminal ends the only production that waits for it.

use rustc_hash::FxHashSet;

use super::bytes::ByteSet;
use super::continuations::{Content, ContinuationId, Continuations, IN_GROUP, Item};
use super::fronts::Front;
use super::lower::Symbol;
use super::productions::{Place, Productions};
use crate::error::Error;
use crate::limits::{Limit, limit};
use crate::meter::Meter;

/// In place of a continuation: what is behind the symbol of this index that was met here.
const HERE: u32 = 1 << 31;
/// In place of an index: none.
const NONE: u32 = u32::MAX;
/// Of more continuations most items are the same.
const FEW: usize = 8;

/// Memory for closures, used again for each.
#[derive(Debug, Default)]
pub(crate) struct Closure {
    /// By terminal and by nonterminal, the index of what waits for it.
    terminals: Vec<u32>,
    nonterminals: Vec<u32>,
    met: Vec<Met>,
    open: Vec<Item>,
    /// The items behind symbols, and the continuations that were reached.
    items: FxHashSet<Item>,
    reached: FxHashSet<ContinuationId>,
    is_final: bool,
    n_items: usize,
}

/// A symbol that may begin here.
#[derive(Debug)]
struct Met {
    symbol: Symbol,
    /// What comes behind it in productions that go on.
    own: Vec<Item>,
    /// Where productions end with it, what is behind these.
    tails: Vec<u32>,
    /// The one of those that is all there is.
    alias: Option<u32>,
    /// Once that is known.
    id: Option<ContinuationId>,
    /// For searches: the last one that came here.
    seen_by: u32,
}

impl Met {
    /// Adds what is behind it in a production. Of a repetition at the end it is what that begins with, as it is
    /// behind what is repeated.
    fn add_own(&mut self, item: Item, productions: &Productions) {
        let Some(repetition) = productions.last_loop(item.place.dot) else {
            return self.own.push(item);
        };
        let first = |&dot: &u32| Item { place: Place { dot, count: 0 }, ..item };
        self.own.extend(productions.starts(repetition).iter().map(first));
        if productions.is_nullable(Symbol::Nonterminal(repetition)) {
            self.tails.push(item.then);
        }
    }
}

/// What a closure works with.
pub(crate) struct Context<'a> {
    pub(crate) productions: &'a Productions,
    pub(crate) continuations: &'a mut Continuations,
    pub(crate) meter: &'a Meter,
}

impl Context<'_> {
    fn limit(&self) -> Limit {
        limit!(self.meter.limits(), grammar_items)
    }
}

impl Closure {
    /// What may begin behind the start of the grammar.
    pub(crate) fn start(&mut self, context: &mut Context<'_>) -> Result<Front, Error> {
        self.begin(context);
        let end = context.continuations.end(context.productions);
        let start = self.meet(Symbol::Nonterminal(context.productions.start()), context);
        self.met[start as usize].tails.push(end);
        if context.productions.is_nullable(Symbol::Nonterminal(context.productions.start())) {
            self.reach(end, context);
        }
        self.finish(context)
    }

    /// What may begin where these are reached.
    pub(crate) fn behind(
        &mut self,
        reached: &[ContinuationId],
        context: &mut Context<'_>,
    ) -> Result<Front, Error> {
        self.begin(context);
        for &id in reached {
            self.reach(id, context);
        }
        self.finish(context)
    }

    fn begin(&mut self, context: &Context<'_>) {
        self.terminals.resize(context.productions.n_terminals(), NONE);
        self.nonterminals.resize(context.productions.n_nonterminals(), NONE);
        for met in self.met.drain(..) {
            match met.symbol {
                Symbol::Terminal(terminal) => self.terminals[terminal as usize] = NONE,
                Symbol::Nonterminal(nonterminal) => self.nonterminals[nonterminal as usize] = NONE,
            }
        }
        // After an error something is left.
        self.open.clear();
        self.items = FxHashSet::default();
        self.reached = FxHashSet::default();
        self.is_final = false;
        self.n_items = 0;
    }

    /// Adds what may begin in a continuation.
    fn reach(&mut self, id: ContinuationId, context: &Context<'_>) {
        if !self.reached.insert(id) {
            return;
        }
        let content = context.continuations.get(id);
        self.is_final |= content.is_final;
        for &item in &content.items {
            self.add(item);
        }
    }

    fn add(&mut self, item: Item) {
        if self.items.insert(item) {
            self.open.push(item);
        }
    }

    /// The index of a symbol; what it may begin with is added when it is met first.
    fn meet(&mut self, symbol: Symbol, context: &Context<'_>) -> u32 {
        let slot = match symbol {
            Symbol::Terminal(terminal) => &mut self.terminals[terminal as usize],
            Symbol::Nonterminal(nonterminal) => &mut self.nonterminals[nonterminal as usize],
        };
        if *slot != NONE {
            return *slot;
        }
        let index = self.met.len() as u32;
        *slot = index;
        let (own, tails) = (Vec::new(), Vec::new());
        self.met.push(Met { symbol, own, tails, alias: None, id: None, seen_by: NONE });
        if let Symbol::Nonterminal(nonterminal) = symbol {
            let first = |&dot: &u32| Item { place: Place { dot, count: 0 }, then: HERE | index };
            self.open.extend(context.productions.starts(nonterminal).iter().map(first));
        }
        index
    }

    fn finish(&mut self, context: &mut Context<'_>) -> Result<Front, Error> {
        while let Some(item) = self.open.pop() {
            self.n_items += 1;
            context.meter.spend(1)?;
            context.limit().check(self.n_items)?;
            self.take(item, context);
        }
        self.find_aliases();
        self.number_nonterminals(context)?;
        let mut threads = Vec::new();
        for index in 0..self.met.len() as u32 {
            if let Symbol::Terminal(terminal) = self.met[index as usize].symbol {
                threads.push((terminal, self.number(index, context)?));
            }
        }
        threads.sort_unstable();
        let mut first = ByteSet::default();
        for &(terminal, _) in &threads {
            first.extend(context.productions.first(terminal));
        }
        Ok(Front { threads: threads.into(), is_final: self.is_final, first })
    }

    /// An item waits for its symbol, and goes on behind it if that may be empty.
    fn take(&mut self, item: Item, context: &Context<'_>) {
        let productions = context.productions;
        let symbol = productions.dot(item.place.dot).symbol;
        let index = self.meet(symbol, context) as usize;
        let advance = productions.advance(item.place);
        let behind = advance.next.map(|place| Item { place, then: item.then });
        if let Some(behind) = behind {
            self.met[index].add_own(behind, productions);
        }
        if advance.ends {
            self.met[index].tails.push(item.then);
        }
        if !productions.is_nullable(symbol) || productions.is_repeat(item.place.dot) {
            return;
        }
        if let Some(behind) = behind {
            self.add(behind);
        }
        // Of a nonterminal that was met here it is known that it may be empty.
        if advance.ends && item.then & HERE == 0 {
            self.reach(item.then, context);
        }
    }

    /// Symbols behind which there is only what is behind one production that they end.
    fn find_aliases(&mut self) {
        for (index, met) in (0..).zip(&mut self.met) {
            met.tails.sort_unstable();
            met.tails.dedup();
            met.tails.retain(|&tail| tail != HERE | index);
            if let ([], &[alias]) = (&met.own[..], &met.tails[..]) {
                met.alias = Some(alias);
            }
        }
        for start in 0..self.met.len() {
            let mut target = self.met[start].alias;
            // Each of them leads to one that was met before all that lead only to each other.
            for _ in 0..self.met.len() {
                match target.filter(|target| target & HERE != 0) {
                    Some(here) => match self.met[(here & !HERE) as usize].alias {
                        Some(next) => target = Some(next),
                        None => break,
                    },
                    None => break,
                }
            }
            // All on the way lead there.
            let mut at = start;
            while let Some(next) = self.met[at].alias.filter(|_| self.met[at].alias != target) {
                self.met[at].alias = target;
                if next & HERE == 0 {
                    break;
                }
                at = (next & !HERE) as usize;
            }
        }
    }

    /// What is behind a symbol, once all aliases are known: a number, or the index of another symbol.
    fn resolved(&self, then: u32) -> u32 {
        let step = |then: u32| {
            let met = (then & HERE != 0).then(|| &self.met[(then & !HERE) as usize]);
            met.and_then(|met| met.id.or(met.alias)).unwrap_or(then)
        };
        step(step(then))
    }

    /// All items behind a symbol, with those behind the productions that it ends.
    fn gathered(&mut self, index: u32, context: &Context<'_>) -> Result<(Vec<Item>, bool), Error> {
        let (mut items, mut is_final) = (Vec::new(), false);
        let (mut open, mut others) = (vec![index], Vec::new());
        self.met[index as usize].seen_by = index;
        while let Some(at) = open.pop() {
            let met = &self.met[at as usize];
            context.meter.spend(2 + met.own.len() / 2 + met.tails.len() / 2)?;
            items.extend(
                met.own.iter().map(|item| Item { then: self.resolved(item.then), ..*item }),
            );
            for tail in 0..met.tails.len() {
                let tail = self.met[at as usize].tails[tail];
                let here = tail & !HERE;
                let known = if tail & HERE == 0 { Some(tail) } else { self.met[here as usize].id };
                if let Some(known) = known {
                    others.push(known);
                    continue;
                }
                let seen_by = &mut self.met[here as usize].seen_by;
                if std::mem::replace(seen_by, index) != index {
                    open.push(here);
                }
            }
        }
        others.sort_unstable();
        others.dedup();
        if others.len() > FEW {
            let mut all: FxHashSet<Item> = items.into_iter().collect();
            for &then in &others {
                let content = context.continuations.get(then);
                context.meter.spend(1 + content.items.len() / 2)?;
                all.extend(&content.items);
                context.limit().check(all.len())?;
                is_final |= content.is_final;
            }
            items = all.into_iter().collect();
        } else {
            for &then in &others {
                let content = context.continuations.get(then);
                context.meter.spend(1 + content.items.len() / 4)?;
                items.extend_from_slice(&content.items);
                is_final |= content.is_final;
            }
        }
        context.meter.spend(items.len())?;
        items.sort_unstable();
        items.dedup();
        context.limit().check(items.len())?;
        Ok((items, is_final))
    }

    /// The continuation behind a terminal: those behind nonterminals are known.
    fn number(&mut self, index: u32, context: &mut Context<'_>) -> Result<ContinuationId, Error> {
        let resolved = self.resolved(HERE | index);
        if resolved & HERE == 0 {
            return Ok(resolved);
        }
        let (items, is_final) = self.gathered(index, context)?;
        let items = items.into();
        Ok(context.continuations.intern(Content { items, is_final }, context.productions))
    }

    /// Gives the nonterminals that something refers to their continuations, those first that others refer
    /// to; those that refer to one another at once. (Tarjan's algorithm for strongly connected components.)
    fn number_nonterminals(&mut self, context: &mut Context<'_>) -> Result<(), Error> {
        let mut search = Search {
            order: vec![NONE; self.met.len()],
            low: vec![NONE; self.met.len()],
            ..Search::default()
        };
        for index in 0..self.met.len() as u32 {
            let met = &self.met[index as usize];
            let is_open = met.alias.is_none() && search.order[index as usize] == NONE;
            if !is_open || matches!(met.symbol, Symbol::Terminal(_)) {
                continue;
            }
            self.enter(index, &mut search, context)?;
            while let Some(visit) = search.visits.last_mut() {
                let (at, next) = (visit.index, visit.referred.pop());
                match next {
                    Some(next) if search.order[next as usize] == NONE => {
                        self.enter(next, &mut search, context)?;
                    }
                    Some(next) => {
                        if self.met[next as usize].id.is_none() {
                            let order = search.order[next as usize];
                            let low = &mut search.low[at as usize];
                            *low = order.min(*low);
                        }
                    }
                    None => {
                        self.leave(&mut search, context);
                    }
                }
            }
        }
        Ok(())
    }

    fn enter(
        &mut self,
        index: u32,
        search: &mut Search,
        context: &Context<'_>,
    ) -> Result<(), Error> {
        let (items, is_final) = self.gathered(index, context)?;
        let here = items.iter().filter(|item| item.then & HERE != 0);
        let mut referred: Vec<u32> = here.map(|item| item.then & !HERE).collect();
        referred.sort_unstable();
        referred.dedup();
        let order = search.n_entered;
        search.n_entered += 1;
        search.order[index as usize] = order;
        search.low[index as usize] = order;
        search.stack.push(Pending { index, items, is_final });
        search.visits.push(Visit { index, referred });
        Ok(())
    }

    fn leave(&mut self, search: &mut Search, context: &mut Context<'_>) {
        let Some(Visit { index, .. }) = search.visits.pop() else { return };
        let (order, low) = (search.order[index as usize], search.low[index as usize]);
        if let Some(above) = search.visits.last() {
            let above = &mut search.low[above.index as usize];
            *above = low.min(*above);
        }
        if low == order {
            let first = search.stack.iter().rposition(|pending| pending.index == index);
            let members = search.stack.split_off(first.unwrap_or(0));
            self.number_group(members, context);
        }
    }

    fn number_group(&mut self, mut members: Vec<Pending>, context: &mut Context<'_>) {
        members.sort_unstable_by_key(|member| match self.met[member.index as usize].symbol {
            Symbol::Terminal(id) | Symbol::Nonterminal(id) => id,
        });
        let mut refers = members.len() > 1;
        let indices: Vec<u32> = members.iter().map(|member| member.index).collect();
        let content = |member: Pending| {
            let rename = |item: Item| {
                let then = self.resolved(item.then);
                let is_here = then & HERE != 0;
                refers |= is_here;
                let position = || indices.iter().position(|&index| index == then & !HERE);
                let in_group = || IN_GROUP | position().unwrap_or(0) as u32;
                Item { then: if is_here { in_group() } else { then }, ..item }
            };
            Content::new(member.items.into_iter().map(rename).collect(), member.is_final)
        };
        let mut group: Vec<Content> = members.into_iter().map(content).collect();
        if !refers && let Some(content) = group.pop() {
            let id = context.continuations.intern(content, context.productions);
            self.met[indices[0] as usize].id = Some(id);
            return;
        }
        let first = context.continuations.intern_group(group, context.productions);
        for (id, index) in (first..).zip(indices) {
            self.met[index as usize].id = Some(id);
        }
    }
}

/// A search through the nonterminals that refer to one another.
#[derive(Default)]
struct Search {
    /// By index, when it was entered, and the earliest that it leads back to.
    order: Vec<u32>,
    low: Vec<u32>,
    n_entered: u32,
    stack: Vec<Pending>,
    visits: Vec<Visit>,
}

/// A nonterminal that has no number yet.
struct Pending {
    index: u32,
    items: Vec<Item>,
    is_final: bool,
}

/// What is still to be looked at of what a nonterminal refers to.
struct Visit {
    index: u32,
    referred: Vec<u32>,
}
