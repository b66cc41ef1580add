//! [`lower`]: a schema as the rules of a grammar that is exported.
//!
//! A goal is one of its alternatives, so it is a choice of their texts. Objects and arrays get a rule each,
//! by their alternative: only they can lead back to themselves. In them the members and items that may come
//! next depend on what was read in finitely many ways, so they are the steps of a graph.

mod array;
mod object;
mod scalar;

use rustc_hash::FxHashMap;

use super::goals::{GoalId, Goals, JsonType, Leaf, LeafId};
use super::schema::{Kind, Literal, Schema};
use super::{Automata, JsonSchemaOptions, Whitespace};
use crate::error::Error;
use crate::export::{EMPTY, ExportTarget, Graph, NOTHING, NodeId, RuleId, Rules};
use crate::limits::limit;
use crate::meter::Meter;

/// What is to be exported, and how.
pub(crate) struct Exported<'a> {
    pub(crate) schema: &'a str,
    pub(crate) documents: &'a [(&'a str, &'a str)],
    pub(crate) options: JsonSchemaOptions,
    pub(crate) target: ExportTarget,
    /// Whether texts count in which a key without a name comes more than once.
    pub(crate) may_repeat_keys: bool,
}

/// Adds the texts of a schema; answers with their node.
///
/// # Errors
/// Those of the schema, [`Error::NotExportable`], [`Error::LimitExceeded`] and [`Error::Cancelled`].
pub(crate) fn lower(
    exported: &Exported<'_>,
    automata: &mut Automata,
    rules: &mut Rules,
    meter: &Meter,
) -> Result<NodeId, Error> {
    let Exported { schema, documents, options, target, may_repeat_keys } = *exported;
    let schema = Schema::parse(schema, documents, options, automata, meter)?;
    let mut goals = Goals::new(schema, options);
    let root = goals.goal(vec![Schema::ROOT]);
    let tokens = Tokens::new(options.whitespace, rules);
    let mut lowering = Lowering {
        goals,
        rules,
        meter,
        target,
        may_repeat_keys,
        tokens,
        values: FxHashMap::default(),
        containers: FxHashMap::default(),
        open: Vec::new(),
        any_character: None,
        patterns: FxHashMap::default(),
        numbers: FxHashMap::default(),
    };
    let value = lowering.value(root)?;
    lowering.finish()?;
    let space = lowering.tokens.around;
    Ok(rules.sequence([space, value, space]))
}

struct Lowering<'a> {
    goals: Goals,
    rules: &'a mut Rules,
    meter: &'a Meter,
    target: ExportTarget,
    may_repeat_keys: bool,
    tokens: Tokens,
    /// The nodes of goals.
    values: FxHashMap<GoalId, NodeId>,
    /// The rules of objects and arrays, and those without a body yet, with the goal that each serves.
    containers: FxHashMap<LeafId, RuleId>,
    open: Vec<(RuleId, LeafId, GoalId)>,
    any_character: Option<NodeId>,
    patterns: scalar::Patterns,
    numbers: scalar::Numbers,
}

/// What stands between values, with its white space.
struct Tokens {
    comma: NodeId,
    colon: NodeId,
    object: Brackets,
    array: Brackets,
    /// Before and behind the whole value.
    around: NodeId,
}

#[derive(Clone, Copy)]
struct Brackets {
    open: NodeId,
    close: NodeId,
    /// Both, with nothing in between.
    empty: NodeId,
}

impl Tokens {
    fn new(style: Whitespace, rules: &mut Rules) -> Self {
        let space = rules.set([' ', '\t', '\n', '\r'].into_iter().collect());
        let most = match style {
            Whitespace::Compact | Whitespace::Spaced => Some(0),
            Whitespace::Max(max) => Some(u32::from(max)),
            Whitespace::Any => None,
        };
        let spaces = rules.repeat(space, 0, most);
        let behind = if style == Whitespace::Spaced { rules.text(" ") } else { spaces };
        let mut separator = |text: &str| {
            let text = rules.text(text);
            let whole = rules.sequence([spaces, text, behind]);
            rules.lexeme(whole)
        };
        let (comma, colon) = (separator(","), separator(":"));
        let mut brackets = |open: &str, close: &str| {
            let (open, close) = (rules.text(open), rules.text(close));
            let parts = [vec![open, spaces], vec![spaces, close], vec![open, spaces, close]];
            let [open, close, empty] = parts.map(|parts| {
                let whole = rules.sequence(parts);
                rules.lexeme(whole)
            });
            Brackets { open, close, empty }
        };
        let (object, array) = (brackets("{", "}"), brackets("[", "]"));
        let around = if most == Some(0) { EMPTY } else { rules.repeat(space, 1, most) };
        let around = rules.lexeme(around);
        let around = rules.optional(around);
        Self { comma, colon, object, array, around }
    }
}

impl Lowering<'_> {
    fn finish(&mut self) -> Result<(), Error> {
        while let Some((rule, leaf, goal)) = self.open.pop() {
            let body = match &*self.goals.leaf(leaf).clone() {
                Leaf::Object(object) => self.object(object, goal),
                Leaf::Array(array) => self.array(array, goal),
                _ => unreachable!("only containers have rules"),
            };
            let body = body.map_err(|error| error.at(&self.place(goal)))?;
            self.rules.define(rule, body);
        }
        Ok(())
    }

    /// The texts of the values of a goal.
    fn value(&mut self, goal: GoalId) -> Result<NodeId, Error> {
        if let Some(&known) = self.values.get(&goal) {
            return Ok(known);
        }
        self.rules.check(self.meter)?;
        let mut choices = Vec::new();
        for json_type in JsonType::ALL {
            for leaf in self.goals.possible_alternatives(goal, json_type)? {
                let node = self.alternative(leaf, goal);
                choices.push(node.map_err(|error| error.at(&self.place(goal)))?);
            }
        }
        let node = self.rules.choice(choices);
        self.values.insert(goal, node);
        Ok(node)
    }

    fn alternative(&mut self, leaf: LeafId, goal: GoalId) -> Result<NodeId, Error> {
        Ok(match &*self.goals.leaf(leaf).clone() {
            Leaf::Word(word) => {
                let text = self.rules.text(&String::from_utf8_lossy(word));
                self.rules.lexeme(text)
            }
            Leaf::Number(range) => self.number(range, goal)?,
            Leaf::String(language) => self.string(language)?,
            Leaf::Object(_) => self.container(leaf, goal, "object"),
            Leaf::Array(_) => self.container(leaf, goal, "array"),
        })
    }

    fn container(&mut self, leaf: LeafId, goal: GoalId, kind: &str) -> NodeId {
        if let Some(&known) = self.containers.get(&leaf) {
            return self.rules.rule(known);
        }
        let place = self.place(goal);
        let rule = self.rules.declare(name_of(&place).unwrap_or(kind), &place);
        self.rules.all[rule as usize].is_level = true;
        self.containers.insert(leaf, rule);
        self.open.push((rule, leaf, goal));
        self.rules.rule(rule)
    }

    /// A container of members or items, of which there is at least one.
    fn enclosed(&mut self, brackets: Brackets, inner: NodeId, may_be_empty: bool) -> NodeId {
        let Brackets { open, close, empty } = brackets;
        if inner == EMPTY {
            return if may_be_empty { empty } else { NOTHING };
        }
        let full = self.rules.sequence([open, inner, close]);
        if !may_be_empty {
            return full;
        }
        if full == NOTHING {
            return empty;
        }
        let parts = [open, close].map(|part| self.rules.size(part));
        if parts == [1, 1] {
            let inner = self.rules.optional(inner);
            return self.rules.sequence([open, inner, close]);
        }
        self.rules.choice([full, empty])
    }

    /// The texts of a graph.
    fn graph(&mut self, graph: &Graph, name: &str, goal: GoalId) -> Result<NodeId, Error> {
        if self.target != ExportTarget::Regex {
            let place = self.place(goal);
            return graph.rules(self.rules, name, &place, self.meter);
        }
        let limit = limit!(self.meter.limits(), export_bytes);
        let node = graph.expression(self.rules, limit.value as u64, self.meter)?;
        node.ok_or_else(|| limit.exceeded())
    }

    /// The place of the first statement of a goal.
    fn place(&self, goal: GoalId) -> String {
        let literals = self.goals.literals_of(goal).iter();
        let mut places = literals.map(|&literal| self.goals.schema.pointer(literal));
        places.find(|place| !place.is_empty()).unwrap_or_default().to_owned()
    }

    /// The error for what can't be said in the target: at the statement, if one is found among those that the
    /// goal consists of.
    fn not_exportable(
        &self,
        goal: GoalId,
        keyword: &str,
        is_statement: impl Fn(&Kind) -> bool,
        reason: &str,
    ) -> Error {
        let mut open: Vec<Literal> = self.goals.literals_of(goal).to_vec();
        open.reverse();
        let mut seen = rustc_hash::FxHashSet::default();
        let mut place = None;
        while let Some(literal) = open.pop() {
            if !seen.insert(literal) {
                continue;
            }
            let kind = self.goals.schema.kind(literal);
            if is_statement(kind) {
                place = Some(self.goals.schema.pointer(literal).to_owned());
                break;
            }
            let inner = (0..).map_while(|index| kind.nth_in_place(index));
            open.extend(inner.collect::<Vec<_>>().into_iter().rev());
        }
        Error::NotExportable {
            target: self.target.name(),
            keyword: keyword.to_owned(),
            pointer: place.unwrap_or_else(|| self.place(goal)),
            reason: reason.to_owned(),
        }
    }
}

/// The last name in a pointer that is none of a keyword.
fn name_of(pointer: &str) -> Option<&str> {
    const KEYWORDS: [&str; 14] = [
        "properties",
        "patternProperties",
        "additionalProperties",
        "items",
        "prefixItems",
        "anyOf",
        "oneOf",
        "allOf",
        "$defs",
        "definitions",
        "then",
        "else",
        "enum",
        "const",
    ];
    let is_name = |segment: &&str| {
        !KEYWORDS.contains(segment)
            && segment.starts_with(|first: char| first.is_ascii_alphabetic())
    };
    pointer.split('/').skip(1).filter(is_name).last()
}
