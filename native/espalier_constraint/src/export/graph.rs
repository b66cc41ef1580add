//! [`Graph`]: an automaton whose steps are nodes, written as one node or as rules.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};

use super::rules::{EMPTY, NOTHING, NodeId, RuleId, Rules};
use crate::dfa::live;
use crate::error::Error;
use crate::meter::Meter;

/// States, and what leads from one to another. The first state is the start, and leads to all others.
#[derive(Clone, Debug, Default)]
pub(crate) struct Graph {
    is_final: Vec<bool>,
    steps: Vec<(u32, NodeId, u32)>,
}

impl Graph {
    pub(crate) fn add_state(&mut self, is_final: bool) -> u32 {
        self.is_final.push(is_final);
        (self.is_final.len() - 1) as u32
    }

    pub(crate) fn n_states(&self) -> usize {
        self.is_final.len()
    }

    /// One more way from a state to another.
    pub(crate) fn add_step(&mut self, from: u32, step: NodeId, to: u32) {
        self.steps.extend((step != NOTHING).then_some((from, step, to)));
    }

    /// All texts as one node, unless it becomes too large. Of two texts of which one begins with the other
    /// the longer one is tried first, if no step can be mistaken for another one.
    pub(crate) fn expression(
        &self,
        rules: &mut Rules,
        max_size: u64,
        meter: &Meter,
    ) -> Result<Option<NodeId>, Error> {
        Joined::new(self, rules).expression(rules, max_size, meter)
    }

    /// All texts as a node, with rules for the states that several others lead to. The new rules have names
    /// that begin like this.
    pub(crate) fn rules(
        &self,
        rules: &mut Rules,
        name: &str,
        pointer: &str,
        meter: &Meter,
    ) -> Result<NodeId, Error> {
        Joined::new(self, rules).rules(rules, name, pointer, meter)
    }
}

/// What it costs to take a state out: about how many bytes are written anew, and how large what is put together
/// is, so that small parts are put together first.
type Cost = (u64, u32);

/// The same with one step between any two states.
struct Joined {
    is_final: Vec<bool>,
    steps: Vec<BTreeMap<u32, NodeId>>,
}

impl Joined {
    fn new(graph: &Graph, rules: &mut Rules) -> Self {
        let mut all: Vec<BTreeMap<u32, Vec<NodeId>>> = vec![BTreeMap::new(); graph.n_states()];
        for &(from, step, to) in &graph.steps {
            all[from as usize].entry(to).or_default().push(step);
        }
        let mut join = |steps: BTreeMap<u32, Vec<NodeId>>| {
            steps.into_iter().map(|(to, steps)| (to, rules.choice(steps))).collect()
        };
        let steps = all.into_iter().map(&mut join).collect();
        Self { is_final: graph.is_final.clone(), steps }
    }

    /// By state what leads to it.
    fn sources(&self) -> Vec<Vec<u32>> {
        let mut sources = vec![Vec::new(); self.steps.len()];
        for (from, steps) in (0..).zip(&self.steps) {
            for &to in steps.keys() {
                sources[to as usize].push(from);
            }
        }
        sources
    }

    /// Drops what leads to no final state.
    fn trim(&mut self) {
        let sources = self.sources();
        let is_live = live(&self.is_final, &sources);
        for steps in &mut self.steps {
            steps.retain(|&to, _| is_live[to as usize]);
        }
    }

    /// States are taken out one after the other, those that cost least first.
    fn expression(
        mut self,
        rules: &mut Rules,
        max_size: u64,
        meter: &Meter,
    ) -> Result<Option<NodeId>, Error> {
        self.trim();
        // One more state that leads to the start, and one for the end.
        let start = self.steps.len() as u32;
        let end = start + 1;
        self.steps.extend([BTreeMap::from([(0, EMPTY)]), BTreeMap::new()]);
        for state in (0..start).filter(|&state| self.is_final[state as usize]) {
            self.steps[state as usize].insert(end, EMPTY);
        }
        let sources = self.sources().into_iter();
        let mut into: Vec<BTreeSet<u32>> = sources.map(BTreeSet::from_iter).collect();
        let mut queue: BinaryHeap<Reverse<(Cost, u32)>> =
            (0..start).map(|state| Reverse((self.cost(state, &into, rules), state))).collect();
        let mut is_out = vec![false; self.steps.len()];
        while let Some(Reverse((before, state))) = queue.pop() {
            if is_out[state as usize] {
                continue;
            }
            meter.spend(into[state as usize].len() + self.steps[state as usize].len())?;
            let now = self.cost(state, &into, rules);
            if now > before {
                queue.push(Reverse((now, state)));
                continue;
            }
            if before.0 > max_size {
                return Ok(None);
            }
            rules.check(meter)?;
            is_out[state as usize] = true;
            self.take_out(state, &mut into, rules, meter)?;
        }
        Ok(Some(self.steps[start as usize].get(&end).copied().unwrap_or(NOTHING)))
    }

    fn cost(&self, state: u32, into: &[BTreeSet<u32>], rules: &Rules) -> Cost {
        let size =
            |from: u32| self.steps[from as usize].get(&state).map_or(0, |&step| rules.size(step));
        let others = |id: &&u32| **id != state;
        let n_in = into[state as usize].iter().filter(others).count() as u64;
        let n_out = self.steps[state as usize].keys().filter(others).count() as u64;
        let of_in = into[state as usize].iter().filter(others).map(|&from| size(from));
        let of_in = of_in.fold(0, u64::saturating_add);
        let out = self.steps[state as usize].iter().filter(|(to, _)| **to != state);
        let of_out = out.map(|(_, &step)| rules.size(step)).fold(0, u64::saturating_add);
        // What is written once anyway costs nothing.
        let more_in = of_in.saturating_mul(n_out.saturating_sub(1));
        let more_out = of_out.saturating_mul(n_in.saturating_sub(1));
        let loops = size(state).saturating_mul((n_in * n_out).saturating_sub(1));
        let anew = more_in.saturating_add(more_out).saturating_add(loops);
        let touched = of_in.saturating_add(of_out).saturating_add(1);
        (anew.saturating_add(n_in * n_out), touched.ilog2())
    }

    fn take_out(
        &mut self,
        state: u32,
        into: &mut [BTreeSet<u32>],
        rules: &mut Rules,
        meter: &Meter,
    ) -> Result<(), Error> {
        let mut out = std::mem::take(&mut self.steps[state as usize]);
        let again = out.remove(&state).map_or(EMPTY, |step| rules.star(step));
        for &to in out.keys() {
            into[to as usize].remove(&state);
        }
        for from in std::mem::take(&mut into[state as usize]) {
            let Some(first) = self.steps[from as usize].remove(&state) else { continue };
            for (&to, &last) in &out {
                meter.spend(2)?;
                let via = rules.sequence([first, again, last]);
                let direct = self.steps[from as usize].get(&to).copied().unwrap_or(NOTHING);
                let both = factored(rules, via, direct);
                self.steps[from as usize].insert(to, both);
                into[to as usize].insert(from);
            }
        }
        Ok(())
    }

    /// States that several others lead to get a rule.
    fn rules(
        mut self,
        rules: &mut Rules,
        name: &str,
        pointer: &str,
        meter: &Meter,
    ) -> Result<NodeId, Error> {
        self.trim();
        // What leads back at once is repeated.
        let again = |(state, steps): (u32, &mut BTreeMap<u32, NodeId>)| {
            steps.remove(&state).map_or(EMPTY, |step| rules.star(step))
        };
        let again: Vec<NodeId> = (0..).zip(&mut self.steps).map(again).collect();
        let sources = self.sources();
        let is_rule = |state: u32| match sources[state as usize].len() {
            0 => false,
            1 => state == 0,
            // The empty text needs none.
            _ => again[state as usize] != EMPTY || !self.steps[state as usize].is_empty(),
        };
        let is_rule: Vec<bool> = (0..self.steps.len() as u32).map(is_rule).collect();
        let named: Vec<Option<RuleId>> =
            is_rule.iter().map(|&is_rule| is_rule.then(|| rules.declare(name, pointer))).collect();
        // What comes behind a state is known before the state is.
        let mut nodes: Vec<Option<NodeId>> =
            named.iter().map(|rule| rule.map(|rule| rules.rule(rule))).collect();
        let roots =
            (0..self.steps.len() as u32).filter(|&state| is_rule[state as usize] || state == 0);
        for root in roots {
            let mut open = vec![root];
            while let Some(&state) = open.last() {
                meter.spend(1)?;
                let n_open = open.len();
                let steps = self.steps[state as usize].iter();
                let ways: Vec<(Vec<NodeId>, u32)> =
                    steps.map(|(&to, &step)| self.straight(step, to, &again, &nodes)).collect();
                let targets = ways.iter().map(|(_, to)| *to);
                open.extend(targets.filter(|&to| nodes[to as usize].is_none()));
                if open.len() > n_open {
                    continue;
                }
                open.pop();
                let mut choices = Vec::new();
                for (steps, to) in ways {
                    meter.spend(steps.len())?;
                    let behind = nodes[to as usize].unwrap_or(NOTHING);
                    choices.push(rules.sequence(steps.into_iter().chain([behind])));
                }
                choices.extend(self.is_final[state as usize].then_some(EMPTY));
                let behind = rules.choice(choices);
                let body = rules.sequence([again[state as usize], behind]);
                match named[state as usize] {
                    Some(rule) => rules.define(rule, body),
                    None => nodes[state as usize] = Some(body),
                }
            }
        }
        Ok(nodes[0].unwrap_or(NOTHING))
    }

    /// A step, and those behind it as long as there is only one way to go on.
    fn straight(
        &self,
        step: NodeId,
        mut to: u32,
        again: &[NodeId],
        nodes: &[Option<NodeId>],
    ) -> (Vec<NodeId>, u32) {
        let mut steps = vec![step];
        while nodes[to as usize].is_none()
            && !self.is_final[to as usize]
            && again[to as usize] == EMPTY
        {
            let mut next = self.steps[to as usize].iter();
            let (Some((&further, &step)), None) = (next.next(), next.next()) else { break };
            steps.push(step);
            to = further;
        }
        (steps, to)
    }
}

/// One of two, with what both begin or end with written once.
fn factored(rules: &mut Rules, one: NodeId, other: NodeId) -> NodeId {
    if [one, other].iter().any(|node| matches!(*node, NOTHING | EMPTY)) {
        return rules.choice([one, other]);
    }
    let mut parts = [one, other].map(|node| VecDeque::from(rules.parts_of_sequence(node)));
    let (mut before, mut behind) = (Vec::new(), Vec::new());
    while let [Some(&a), Some(&b)] = parts.each_ref().map(VecDeque::front) {
        // What can be longer or shorter would be tried in another order.
        if rules.set_of(a).is_none() && !rules.is_text(a) {
            break;
        }
        let Some((common, a, b)) = rules.common(a, b, true) else { break };
        before.push(common);
        for (parts, rest) in parts.iter_mut().zip([a, b]) {
            parts.pop_front();
            if rest != EMPTY {
                parts.push_front(rest);
            }
        }
    }
    while let [Some(&a), Some(&b)] = parts.each_ref().map(VecDeque::back) {
        let Some((common, a, b)) = rules.common(a, b, false) else { break };
        behind.insert(0, common);
        for (parts, rest) in parts.iter_mut().zip([a, b]) {
            parts.pop_back();
            if rest != EMPTY {
                parts.push_back(rest);
            }
        }
    }
    let inner = parts.map(|parts| rules.sequence(parts));
    let inner = rules.choice(inner);
    rules.sequence(before.into_iter().chain([inner]).chain(behind))
}
