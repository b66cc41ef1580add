//! [`Nfa`]: a pattern and its lookarounds as one automaton over letters.

use std::ops::Range;

use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, Hir, HirKind, Look};
use rustc_hash::FxHashMap;

use super::alphabet::Alphabet;
use super::beside::{self, Beside};
use super::ecma::{self, Direction, Translation};
use crate::error::Error;
use crate::limits::limit;
use crate::meter::{Meter, Quota};

/// The nested repetitions whose copies are compared.
const MAX_RANKS: usize = 2;

/// Where a pattern or a lookahead has matched.
pub(super) const MATCHED: u32 = 0;
/// Where a lookbehind has arrived at the place that it looks back from.
pub(super) const ARRIVED: u32 = 1;

#[derive(Debug)]
pub(super) struct Nfa {
    pub(super) nodes: Vec<Node>,
    /// Each node among its twins.
    pub(super) twins: Vec<Twin>,
    pub(super) alphabet: Alphabet,
    pub(super) start: u32,
    /// The lookarounds, the inner ones before those around them.
    pub(super) looks: Vec<Lookaround>,
}

#[derive(Debug)]
pub(super) enum Node {
    /// An end: [`MATCHED`] or [`ARRIVED`].
    End,
    /// One letter of a class.
    Letter { class: u32, next: u32 },
    /// Any of these.
    Split(Vec<u32>),
    /// On if the assertion holds here.
    Assert { assertion: Assertion, next: u32 },
}

/// A node among its twins, which repetition makes.
///
/// Of two twins, the one with the higher ranks gets wherever the other one gets: it has more optional
/// repetitions before it, or fewer that are required.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Twin {
    /// The node that all of them are copies of.
    pub(super) original: u32,
    /// Those in the innermost repetitions around it, as far as these have ranks.
    pub(super) ranks: [u32; MAX_RANKS],
    n_ranks: u32,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Assertion {
    Start,
    End,
    Look(usize),
}

#[derive(Debug)]
pub(super) struct Lookaround {
    pub(super) direction: Direction,
    pub(super) is_negated: bool,
    /// Where the body begins; that of a lookbehind begins with any text.
    pub(super) start: u32,
    /// How many lookbehinds come before it.
    pub(super) n_behind: usize,
}

impl Nfa {
    pub(super) fn new(
        translation: &Translation,
        source: &str,
        meter: &Meter,
    ) -> Result<Self, Error> {
        let mut builder = Builder {
            nodes: Vec::new(),
            twins: Vec::new(),
            classes: Vec::new(),
            ids: FxHashMap::default(),
            looks: Vec::new(),
            beside: FxHashMap::default(),
            ways: Vec::new(),
            translated: 0..0,
            source,
            meter,
        };
        for _ in [MATCHED, ARRIVED] {
            builder.push(Node::End)?;
        }
        let bodies = translation.looks.iter().map(|look| builder.parse(&look.expression));
        let bodies = bodies.collect::<Result<Vec<_>, _>>()?;
        let pattern = builder.parse(&translation.expression)?;
        for hir in bodies.iter().chain([&pattern]) {
            builder.look_beside(hir)?;
        }
        builder.translated = builder.looks.len()..builder.looks.len() + bodies.len();
        for (look, body) in translation.looks.iter().zip(&bodies) {
            builder.lookaround(body, look.direction, look.is_negated)?;
        }
        let start = if translation.is_whole {
            let end = builder.assertion(Look::End, MATCHED)?;
            builder.build(&pattern, end)?
        } else {
            builder.anywhere(&pattern, MATCHED)?
        };
        let Builder { nodes, twins, classes, looks, .. } = builder;
        Ok(Self { nodes, twins, alphabet: Alphabet::new(&classes), start, looks })
    }
}

struct Builder<'a> {
    nodes: Vec<Node>,
    twins: Vec<Twin>,
    classes: Vec<ClassUnicode>,
    ids: FxHashMap<Vec<(char, char)>, u32>,
    looks: Vec<Lookaround>,
    /// Which of the lookarounds say what is beside.
    beside: FxHashMap<Beside, usize>,
    /// The ways in which each assertion can hold: in each, all these lookarounds have to.
    ways: Vec<(Look, Vec<Vec<usize>>)>,
    /// Which of them the pattern was translated with.
    translated: Range<usize>,
    source: &'a str,
    meter: &'a Meter,
}

impl Builder<'_> {
    fn parse(&self, expression: &str) -> Result<Hir, Error> {
        super::parse(expression, self.source, self.meter)
    }

    /// Adds the lookarounds that the assertions of an expression are made of.
    fn look_beside(&mut self, hir: &Hir) -> Result<(), Error> {
        for look in hir.properties().look_set().iter() {
            if self.ways.iter().all(|(known, _)| *known != look) {
                let ways = beside::ways(look).into_iter();
                let ways = ways.map(|way| way.into_iter().map(|one| self.beside(one)).collect());
                let ways = ways.collect::<Result<_, _>>()?;
                self.ways.push((look, ways));
            }
        }
        Ok(())
    }

    /// The lookaround that says what is beside.
    fn beside(&mut self, beside: Beside) -> Result<usize, Error> {
        if let Some(&look) = self.beside.get(&beside) {
            return Ok(look);
        }
        let ranges = beside.class.iter();
        let ranges = ranges.map(|&(first, last)| ClassUnicodeRange::new(first, last));
        let body = Hir::class(Class::Unicode(ClassUnicode::new(ranges)));
        let look = self.lookaround(&body, beside.direction, beside.is_negated)?;
        self.beside.insert(beside, look);
        Ok(look)
    }

    /// Adds a lookaround, after those inside of it.
    fn lookaround(
        &mut self,
        body: &Hir,
        direction: Direction,
        is_negated: bool,
    ) -> Result<usize, Error> {
        let start = match direction {
            Direction::Ahead => self.build(body, MATCHED)?,
            Direction::Behind => self.anywhere(body, ARRIVED)?,
        };
        let before = self.looks.iter().filter(|look| look.direction == Direction::Behind);
        let n_behind = before.count();
        self.looks.push(Lookaround { direction, is_negated, start, n_behind });
        Ok(self.looks.len() - 1)
    }

    /// After any text.
    fn anywhere(&mut self, hir: &Hir, end: u32) -> Result<u32, Error> {
        let start = self.build(hir, end)?;
        let any = self.class(ClassUnicode::new([ClassUnicodeRange::new('\0', char::MAX)]));
        let split = self.push(Node::Split(Vec::new()))?;
        let skip = self.push(Node::Letter { class: any, next: split })?;
        self.nodes[split as usize] = Node::Split(vec![skip, start]);
        Ok(split)
    }

    /// The node from which the expression leads to `next`.
    fn build(&mut self, hir: &Hir, next: u32) -> Result<u32, Error> {
        match hir.kind() {
            HirKind::Empty => Ok(next),
            HirKind::Literal(literal) => {
                let text = std::str::from_utf8(&literal.0)
                    .map_err(|_| super::refused(self.source, "bytes that are no characters"))?;
                text.chars().rev().try_fold(next, |next, character| {
                    let range = ClassUnicodeRange::new(character, character);
                    let class = self.class(ClassUnicode::new([range]));
                    self.push(Node::Letter { class, next })
                })
            }
            HirKind::Class(class) => {
                let class = match class {
                    Class::Unicode(class) => Some(class.clone()),
                    Class::Bytes(class) => class.to_unicode_class(),
                };
                let class = class
                    .ok_or_else(|| super::refused(self.source, "bytes that are no characters"))?;
                let class = self.class(class);
                self.push(Node::Letter { class, next })
            }
            HirKind::Look(look) => self.assertion(*look, next),
            HirKind::Capture(capture) => {
                let look = capture.name.as_deref().and_then(ecma::lookaround_of);
                match look.and_then(|look| self.translated.clone().nth(look)) {
                    Some(look) => {
                        self.push(Node::Assert { assertion: Assertion::Look(look), next })
                    }
                    None => self.build(&capture.sub, next),
                }
            }
            HirKind::Concat(parts) => {
                parts.iter().rev().try_fold(next, |next, part| self.build(part, next))
            }
            HirKind::Alternation(parts) => {
                let starts =
                    parts.iter().map(|part| self.build(part, next)).collect::<Result<_, _>>()?;
                self.push(Node::Split(starts))
            }
            HirKind::Repetition(repetition) => {
                self.repetition(&repetition.sub, repetition.min, repetition.max, next)
            }
        }
    }

    fn repetition(
        &mut self,
        hir: &Hir,
        min: u32,
        max: Option<u32>,
        next: u32,
    ) -> Result<u32, Error> {
        let mut copies = Copies::default();
        let Some(max) = max else {
            let again = self.push(Node::Split(Vec::new()))?;
            let mut start = self.copy(hir, again, &mut copies)?;
            self.nodes[again as usize] = Node::Split(vec![start, next]);
            // The first of those that are required is the one that is repeated.
            for _ in 1..min {
                start = self.copy(hir, start, &mut copies)?;
            }
            self.rank(&copies, |before| u32::MAX - before);
            return Ok(if min == 0 { again } else { start });
        };
        let mut start = next;
        for _ in min..max {
            let more = self.copy(hir, start, &mut copies)?;
            start = self.push(Node::Split(vec![more, next]))?;
        }
        self.rank(&copies, |before| before);
        (0..min).try_fold(start, |start, _| self.build(hir, start))
    }

    fn copy(&mut self, hir: &Hir, next: u32, copies: &mut Copies) -> Result<u32, Error> {
        copies.starts.push(self.nodes.len());
        let start = self.build(hir, next)?;
        copies.length = self.nodes.len() - copies.starts[copies.starts.len() - 1];
        Ok(start)
    }

    /// Ranks the nodes of copies by how many copies were made before theirs.
    fn rank(&mut self, copies: &Copies, rank: impl Fn(u32) -> u32) {
        let Some(&first) = copies.starts.first() else { return };
        for (before, start) in (0..).zip(&copies.starts) {
            for offset in 0..copies.length {
                let original = self.twins[first + offset].original;
                let twin = &mut self.twins[start + offset];
                if let Some(free) = twin.ranks.get_mut(twin.n_ranks as usize) {
                    *free = rank(before);
                    twin.n_ranks += 1;
                    twin.original = original;
                }
            }
        }
    }

    fn assertion(&mut self, look: Look, next: u32) -> Result<u32, Error> {
        match look {
            Look::Start => return self.push(Node::Assert { assertion: Assertion::Start, next }),
            Look::End => return self.push(Node::Assert { assertion: Assertion::End, next }),
            _ => {}
        }
        let known = self.ways.iter().find(|(known, _)| *known == look);
        let ways = known.map_or(Vec::new(), |(_, ways)| ways.clone());
        let mut starts = Vec::new();
        for way in ways {
            let start = way.into_iter().try_fold(next, |next, look| {
                self.push(Node::Assert { assertion: Assertion::Look(look), next })
            });
            starts.push(start?);
        }
        self.push(Node::Split(starts))
    }

    /// The number of a class.
    fn class(&mut self, class: ClassUnicode) -> u32 {
        *self.ids.entry(beside::ranges(&class)).or_insert_with(|| {
            self.classes.push(class);
            self.classes.len() as u32 - 1
        })
    }

    fn push(&mut self, node: Node) -> Result<u32, Error> {
        let quota = Quota::new(self.meter, limit!(self.meter.limits(), regex_nodes));
        quota.spend(1, self.nodes.len() + 1)?;
        let id = self.nodes.len() as u32;
        self.nodes.push(node);
        self.twins.push(Twin { original: id, ranks: [0; MAX_RANKS], n_ranks: 0 });
        Ok(id)
    }
}

/// Where the copies of a repeated part begin, and how many nodes each has.
#[derive(Default)]
struct Copies {
    starts: Vec<usize>,
    length: usize,
}
