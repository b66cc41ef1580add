//! How a partly read value is completed soonest.

use super::Whitespace;
use super::cost::{Costing, item_tasks};
use super::frame::{Alternative, ArrayFrame, Frame, Progress};
use super::goals::Leaf;
use super::key_classes::KeyClasses;
use super::keys::Keys;
use super::machine::JsonMachine;
use super::number_completion;
use super::plan::OpenObject;
use super::state::{KeyReading, Place, StackId, StackNode, State};
use super::string::{Decoder, escape_into};
use crate::error::Error;
use crate::literals::{Literals, Prefix};
use crate::machine::Machine;

/// Of many keys with which an object could go on, so many are tried.
const MAX_KEYS_TRIED: usize = 8;

/// Texts that complete a value, each with the goal of the place that it satisfies.
type Options = Vec<(u32, Vec<u8>)>;

impl JsonMachine {
    pub(super) fn complete(&mut self, state: &State) -> Result<Vec<u8>, Error> {
        let mut out = Vec::new();
        let state = self.finish_character(state, &mut out)?;
        let mut read = state.record.map_or(Vec::new(), |record| self.texts.bytes(record.text));
        match &state.place {
            Place::NextKey { space } => {
                let quote = [self.space_due(*space), b"\""].concat();
                read.extend(&quote);
                out.extend(quote);
                out.extend(self.complete_key(state.stack, None, &read)?);
            }
            Place::Key(key) => out.extend(self.complete_key(state.stack, Some(key), &read)?),
            _ => {
                let (options, stack) = self.options_at(&state)?;
                out.extend(self.enclose(options, stack, &read)?);
            }
        }
        Ok(out)
    }

    /// Goes on to the end of the character, or of the escape, in which a string stands.
    fn finish_character(&mut self, state: &State, out: &mut Vec<u8>) -> Result<State, Error> {
        let mut state = state.clone();
        while let Place::String { decoder, .. } | Place::Key(KeyReading { decoder, .. }) =
            &state.place
            && *decoder != Decoder::Boundary
        {
            let mut next = None;
            for byte in (b'0'..=b'u').chain(0x80..=0xBF).chain(*b"\"") {
                next = self.step(&state, byte)?.map(|state| (byte, state));
                if next.is_some() {
                    break;
                }
            }
            let (byte, after) =
                next.unwrap_or_else(|| unreachable!("every step keeps a completion"));
            out.push(byte);
            state = after;
        }
        Ok(state)
    }

    /// The texts that complete the innermost value, and the stack around it.
    fn options_at(&mut self, state: &State) -> Result<(Options, StackId), Error> {
        let mut options = Options::new();
        match &state.place {
            Place::Value { goals, space } => {
                let before = self.space_due(*space);
                options = self.shortest_values(*goals, before)?;
            }
            Place::Colon { goals, .. } => {
                options = self.shortest_values(*goals, self.goals.colon())?;
            }
            Place::Word { word, n_read, served } => {
                options.extend(
                    served.iter().map(|&serves| (serves, word[usize::from(*n_read)..].to_vec())),
                );
            }
            Place::Number(readings) => {
                for reading in readings {
                    if let Leaf::Number(range) = &**self.goals.leaf(reading.leaf) {
                        let style = self.options().numbers;
                        options.push((
                            reading.serves,
                            number_completion::shortest_suffix(
                                &reading.prefix,
                                range,
                                style,
                                self.goals.meter(),
                            )?,
                        ));
                    }
                }
            }
            Place::String { readings, .. } => {
                for reading in readings {
                    let language = self.language(reading.leaf);
                    self.goals.check_length(language.least_length(reading.reading) as u64)?;
                    let mut text = Vec::new();
                    let suffix = language.shortest_suffix(reading.reading, self.goals.meter())?;
                    escape_into(&suffix, &mut text);
                    text.push(b'"');
                    options.push((reading.serves, text));
                }
            }
            Place::Open { .. } | Place::After { .. } => {
                let is_first = matches!(state.place, Place::Open { .. });
                if let Some(node) = self.stack(state.stack).cloned() {
                    for alternative in node.frame.alternatives() {
                        let mut text = Vec::new();
                        self.write_rest(&node, alternative, is_first, None, &mut text)?;
                        options.push((alternative.serves, text));
                    }
                    return Ok((shortest(options), node.parent));
                }
            }
            Place::NextKey { .. } | Place::Key(_) => unreachable!("keys are completed apart"),
            Place::End { .. } => options.push((0, Vec::new())),
            Place::Left { .. } => unreachable!("no sequence stands there"),
        }
        Ok((shortest(options), state.stack))
    }

    /// The space that must still come here; elsewhere the number counts those that have come.
    fn space_due(&self, space: u8) -> &'static [u8] {
        let is_due = self.options().whitespace == Whitespace::Spaced && space > 0;
        if is_due { b" " } else { b"" }
    }

    fn shortest_values(&mut self, goals: u32, before: &[u8]) -> Result<Options, Error> {
        let mut options = Options::new();
        for (index, &goal) in self.goal_lists.get(goals).clone().iter().enumerate() {
            let mut text = before.to_vec();
            self.goals.write_shortest(goal, &mut text)?;
            options.push((index as u32, text));
        }
        Ok(options)
    }

    /// Closes all containers around a value that the options complete.
    /// `read` is what was recorded before them.
    fn enclose(
        &mut self,
        mut options: Options,
        mut stack: StackId,
        read: &[u8],
    ) -> Result<Vec<u8>, Error> {
        while let Some(node) = self.stack(stack).cloned() {
            self.goals.meter().spend(1)?;
            options = self.enclose_once(&node, &options, read)?;
            stack = node.parent;
        }
        let shortest = options.into_iter().map(|(_, text)| text).min_by_key(Vec::len);
        Ok(shortest.unwrap_or_default())
    }

    fn enclose_once(
        &mut self,
        node: &StackNode,
        values: &Options,
        read: &[u8],
    ) -> Result<Options, Error> {
        let mut options = Options::new();
        for alternative in node.frame.alternatives() {
            let Some((_, value)) = values.iter().find(|(index, _)| *index == alternative.waits_for)
            else {
                continue;
            };
            let mut text = value.clone();
            let read = [read, value].concat();
            self.write_rest(node, alternative, false, Some(&read), &mut text)?;
            options.push((alternative.serves, text));
        }
        Ok(shortest(options))
    }

    /// Appends what a container can't do without, and its end. `item` is what was recorded up to the
    /// end of an item that is not closed yet.
    fn write_rest(
        &mut self,
        node: &StackNode,
        alternative: &Alternative,
        is_first: bool,
        item: Option<&[u8]>,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let leaf = self.goals.leaf(alternative.leaf).clone();
        let tasks = match (&*leaf, &alternative.progress) {
            (Leaf::Array(array), Progress::Array(progress)) if array.knows_items() => {
                let Frame::Array(ArrayFrame { read: Some(read), .. }) = &node.frame else {
                    unreachable!("such arrays know their items")
                };
                let mut values = read.values.clone();
                if let Some(item) = item {
                    values.push(self.goals.value_of(&item[read.item_start as usize..])?);
                }
                return self.goals.write_items(array, progress, values, is_first, out);
            }
            (Leaf::Array(array), Progress::Array(progress)) => {
                let plan = self.goals.plan_array(array, progress, &mut Costing::Settled)?;
                self.goals.check_length(plan.as_ref().map_or(0, |plan| plan.cost))?;
                item_tasks(plan.map_or(Vec::new(), |plan| plan.items), is_first)
            }
            (Leaf::Object(leaf), Progress::Object(progress)) => {
                let others = self.unnamed_keys(node);
                let open = OpenObject { leaf, progress, others: &others };
                self.goals.member_tasks(&open, is_first)?
            }
            _ => unreachable!("only containers have a rest"),
        };
        self.goals.write_tasks(tasks, out)
    }

    /// The shortest way on from the inside of a key, which may have been begun.
    fn complete_key(
        &mut self,
        stack: StackId,
        key: Option<&KeyReading>,
        read: &[u8],
    ) -> Result<Vec<u8>, Error> {
        let keys = self.keys(stack)?;
        let prefix = match key {
            Some(key) => key.prefix,
            None => (!keys.names.is_empty()).then(|| keys.names.start()),
        };
        let begun = key.and_then(|key| key.text).map_or(Vec::new(), |text| self.texts.bytes(text));
        let n_begun = prefix.map_or(begun.len(), Prefix::n_read);
        let mut names = self.wanted_names(stack, &keys.names, prefix);
        let n_read = keys.others.iter().map(|others| others.used.len()).sum::<usize>();
        self.goals.meter().spend(n_read + begun.len())?;
        names.extend(self.other_keys(stack, &keys, key, &begun));
        let mut best: Option<Vec<u8>> = None;
        for name in names {
            let Some((stack, goals)) = self.after_key(stack, &name)? else { continue };
            let mut text = Vec::new();
            escape_into(&name.as_bytes()[n_begun..], &mut text);
            text.push(b'"');
            let options = self.shortest_values(goals, self.goals.colon())?;
            let read = [read, &text].concat();
            text.extend(self.enclose(options, stack, &read)?);
            if best.as_ref().is_none_or(|best| text.len() < best.len()) {
                best = Some(text);
            }
        }
        Ok(best.unwrap_or_default())
    }

    /// Names that go on with the prefix: those of the plans of each alternative, then any.
    fn wanted_names(
        &self,
        stack: StackId,
        names: &Literals,
        prefix: Option<Prefix>,
    ) -> Vec<String> {
        let Some(prefix) = prefix else { return Vec::new() };
        let mut wanted: Vec<String> = Vec::new();
        let alternatives = self.stack(stack).map(|node| node.frame.alternatives().to_vec());
        for alternative in alternatives.unwrap_or_default() {
            let leaf = self.goals.leaf(alternative.leaf);
            if let (Leaf::Object(object), Progress::Object(progress)) =
                (&**leaf, &alternative.progress)
            {
                let missing =
                    object.missing(progress).map(|index| &object.properties[index as usize].name);
                let missing = missing.filter(|name| names.has_prefix(prefix, name.as_bytes()));
                wanted.extend(missing.map(ToString::to_string));
            }
        }
        wanted.truncate(MAX_KEYS_TRIED);
        let others = names.beginning_with(prefix).iter().take(MAX_KEYS_TRIED);
        wanted.extend(others.filter_map(|name| String::from_utf8(name.to_vec()).ok()));
        wanted
    }

    /// For each kind of keys without a name one that goes on with what was begun.
    fn other_keys(
        &self,
        stack: StackId,
        keys: &Keys,
        key: Option<&KeyReading>,
        begun: &[u8],
    ) -> Vec<String> {
        let read = self.stack(stack).map_or(Vec::new(), |node| self.unnamed_keys(node));
        let mut found = Vec::new();
        for (index, others) in keys.others.iter().enumerate() {
            let state = match key {
                Some(key) => key.others[index],
                None => Some(KeyClasses::START),
            };
            let Some(state) = state else { continue };
            let name = others.object().key_after(begun, state, &others.classes, &read);
            found.extend(name.and_then(|name| String::from_utf8(name).ok()));
        }
        found
    }
}

/// The shortest text for each goal.
fn shortest(mut options: Options) -> Options {
    options.sort_by_key(|(index, text)| (*index, text.len()));
    options.dedup_by_key(|(index, _)| *index);
    options
}
