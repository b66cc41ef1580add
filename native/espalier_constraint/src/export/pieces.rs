//! [`Pieces`]: which nodes get a rule of their own, and the names of all rules.

use rustc_hash::{FxHashMap, FxHashSet};

use super::regex::rules_in;
use super::rules::{Node, NodeId, RuleId, Rules, START};
use crate::error::Error;
use crate::meter::Meter;

/// What is used twice is written once if it is larger than that.
const MIN_SHARED: u64 = 24;
/// Nodes that are nested so deep get a rule of their own.
const MAX_HEIGHT: u32 = 30;

/// The rules that are written.
pub(crate) struct Pieces {
    /// In the order in which they are written; the first is the start.
    pub(crate) rules: Vec<RuleId>,
    pub(crate) rule_names: FxHashMap<RuleId, String>,
    /// Nodes with rules of their own: first those of whole rules, then those within lexemes.
    pub(crate) nodes: Vec<NodeId>,
    pub(crate) node_names: FxHashMap<NodeId, String>,
}

/// How names are made.
pub(crate) struct Naming {
    pub(crate) start: &'static str,
    pub(crate) separator: char,
    /// Of terminals, where these are told by their names.
    pub(crate) has_terminals: bool,
    /// Whether what is repeated some times has a rule of its own.
    pub(crate) names_repeated: bool,
}

impl Pieces {
    pub(crate) fn new(rules: &Rules, naming: &Naming, meter: &Meter) -> Result<Self, Error> {
        let reached = reached(rules, meter)?;
        let (uses, order) = uses(rules, &reached, meter)?;
        let repeated = if naming.names_repeated {
            repeated(rules, &uses, &reached)
        } else {
            FxHashSet::default()
        };
        let within = if naming.has_terminals {
            within_lexemes(rules, &reached, meter)?
        } else {
            Within::default()
        };
        let mut names = Names { naming, taken: FxHashMap::default() };
        let mut rule_names = FxHashMap::default();
        for &rule in &reached {
            let name = &rules.all[rule as usize].name;
            let name = if rule == START { naming.start } else { name };
            rule_names.insert(rule, names.unique(name, within.rules.contains(&rule)));
        }
        let (mut nodes, mut node_names) = (Vec::new(), FxHashMap::default());
        for id in order {
            let height = rules.height(id);
            let is_shared = uses[&id] > 1 && rules.size(id) >= MIN_SHARED;
            let is_compound = !matches!(
                rules.node(id),
                Node::Rule(_) | Node::Text(_) | Node::Special(_) | Node::Nothing
            );
            let is_lexeme = matches!(rules.node(id), Node::Lexeme(_));
            let is_terminal = naming.has_terminals && is_lexeme && !is_text(rules, id);
            let is_deep = height > 0 && height.is_multiple_of(MAX_HEIGHT) && !is_lexeme;
            if is_compound && (is_shared || is_deep || is_terminal || repeated.contains(&id)) {
                let is_inside = is_lexeme || within.nodes.contains(&id);
                let name =
                    rules.suggested_name(id).unwrap_or(if is_inside { "text" } else { "part" });
                node_names.insert(id, names.unique(name, is_inside));
                nodes.push(id);
            }
        }
        Ok(Self { rules: reached, rule_names, nodes, node_names })
    }
}

/// More repetitions of something compound than these are a matter of its size.
const MANY: u32 = 8;

/// What is repeated many times.
fn repeated(rules: &Rules, uses: &FxHashMap<NodeId, u32>, reached: &[RuleId]) -> FxHashSet<NodeId> {
    let of = |id: &NodeId| match *rules.node(*id) {
        Node::Repeat { of, min, max } => (max.unwrap_or(min) > MANY).then_some(of),
        _ => None,
    };
    let is_compound = |id: &NodeId| !rules.parts(*id).is_empty();
    let bodies: Vec<NodeId> = reached.iter().map(|&rule| rules.body(rule)).collect();
    uses.keys().chain(&bodies).filter_map(of).filter(is_compound).collect()
}

fn is_text(rules: &Rules, id: NodeId) -> bool {
    rules.parts(id).iter().all(|&part| matches!(rules.node(part), Node::Text(_)))
}

/// The rules that the first one leads to, in the order in which they are met.
fn reached(rules: &Rules, meter: &Meter) -> Result<Vec<RuleId>, Error> {
    let mut reached = vec![START];
    let mut seen = FxHashSet::from_iter([START]);
    let mut index = 0;
    while let Some(&rule) = reached.get(index) {
        index += 1;
        let inner = rules_in(rules, rules.body(rule), meter)?;
        reached.extend(inner.into_iter().filter(|&rule| seen.insert(rule)));
    }
    Ok(reached)
}

/// How often nodes are parts of others, and the nodes in the order in which they are met.
fn uses(
    rules: &Rules,
    reached: &[RuleId],
    meter: &Meter,
) -> Result<(FxHashMap<NodeId, u32>, Vec<NodeId>), Error> {
    let (mut uses, mut order) = (FxHashMap::<NodeId, u32>::default(), Vec::new());
    for &rule in reached {
        let body = rules.body(rule);
        let mut open: Vec<NodeId> = rules.parts(body).iter().rev().copied().collect();
        while let Some(id) = open.pop() {
            meter.spend(1)?;
            let n = uses.entry(id).or_default();
            *n += 1;
            if *n == 1 {
                order.push(id);
                open.extend(rules.parts(id).iter().rev());
            }
        }
        // A lexeme that is all of a rule is a terminal all the same.
        if matches!(rules.node(body), Node::Lexeme(_)) && uses.insert(body, 1).is_none() {
            order.push(body);
        }
    }
    Ok((uses, order))
}

/// What stands within lexemes.
#[derive(Default)]
struct Within {
    nodes: FxHashSet<NodeId>,
    rules: FxHashSet<RuleId>,
}

fn within_lexemes(rules: &Rules, reached: &[RuleId], meter: &Meter) -> Result<Within, Error> {
    let mut within = Within::default();
    let mut seen = FxHashSet::default();
    let mut open: Vec<(NodeId, bool)> =
        reached.iter().map(|&rule| (rules.body(rule), false)).collect();
    while let Some((id, is_inside)) = open.pop() {
        meter.spend(1)?;
        if !seen.insert((id, is_inside)) {
            continue;
        }
        if is_inside {
            within.nodes.insert(id);
        }
        if let (Node::Rule(rule), true) = (rules.node(id), is_inside) {
            within.rules.insert(*rule);
            open.push((rules.body(*rule), true));
        }
        let is_inside = is_inside || matches!(rules.node(id), Node::Lexeme(_));
        open.extend(rules.parts(id).iter().map(|&part| (part, is_inside)));
    }
    Ok(within)
}

struct Names<'a> {
    naming: &'a Naming,
    /// The names that are taken, each with the number of the last one that begins so.
    taken: FxHashMap<String, u32>,
}

impl Names<'_> {
    /// A name like this that is none of those before.
    fn unique(&mut self, like: &str, is_terminal: bool) -> String {
        let Naming { separator, has_terminals, .. } = *self.naming;
        let mut base = String::new();
        for character in like.chars().take(40) {
            let character = if character.is_ascii_alphanumeric() { character } else { separator };
            let is_double = character == separator && base.ends_with(separator);
            base.extend((!is_double).then(|| character.to_ascii_lowercase()));
        }
        let trimmed = base.trim_matches(|c: char| c == separator || c.is_ascii_digit());
        let mut base = if trimmed.is_empty() { "rule".to_owned() } else { trimmed.to_owned() };
        if is_terminal && has_terminals {
            base.make_ascii_uppercase();
        }
        let mut name = base.clone();
        while self.taken.contains_key(&name) {
            let number = self.taken.entry(base.clone()).or_insert(1);
            *number += 1;
            name = format!("{base}{separator}{number}");
        }
        self.taken.insert(name.clone(), 1);
        name
    }
}
