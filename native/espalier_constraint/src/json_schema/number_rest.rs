//! [`NumberRest`]: the rest of a number, walked without making states.

use std::sync::Arc;

use super::NumberStyle;
use super::goals::{JsonType, Leaf};
use super::machine::{JsonMachine, Step};
use super::number::NumberPrefix;
use super::number_range::NumberRange;
use super::state::{NumberReading, Place, Served, State};
use crate::error::Error;

/// The rest of a number, or a number that may begin: how each alternative reads it.
#[derive(Debug)]
pub(crate) struct NumberRest {
    readings: Vec<(Arc<Leaf>, NumberPrefix)>,
    pub(crate) style: NumberStyle,
}

impl NumberRest {
    /// The ranges of the alternatives, each with how far the number was read.
    pub(crate) fn readings(&self) -> impl Iterator<Item = (&NumberRange, &NumberPrefix)> {
        self.readings.iter().filter_map(|(leaf, prefix)| match &**leaf {
            Leaf::Number(range) => Some((range, prefix)),
            _ => None,
        })
    }
}

impl JsonMachine {
    /// The number that the state is in or before, if one may be there.
    pub(super) fn number_rest(&mut self, state: &State) -> Result<Option<NumberRest>, Error> {
        let readings = match &state.place {
            Place::Number(readings) => {
                let rest = |reading: &NumberReading| {
                    (self.goals.leaf(reading.leaf).clone(), reading.prefix.clone())
                };
                readings.iter().map(rest).collect()
            }
            Place::Value { goals, space } if self.may_begin(*space) => self.numbers_of(*goals)?,
            Place::Open { .. } => match self.first_item(state)? {
                Some(goals) => self.numbers_of(goals)?,
                None => Vec::new(),
            },
            _ => Vec::new(),
        };
        let style = self.options().numbers;
        Ok((!readings.is_empty()).then_some(NumberRest { readings, style }))
    }

    fn numbers_of(&mut self, goals: u32) -> Result<Vec<(Arc<Leaf>, NumberPrefix)>, Error> {
        let goals = self.goal_lists.get(goals).clone();
        let leaves = self.serving(&goals, JsonType::Number)?;
        let reading = |(_, leaf)| (self.goals.leaf(leaf).clone(), NumberPrefix::start());
        Ok(leaves.into_iter().map(reading).collect())
    }

    /// The state behind the number that the state is in, if it may end here.
    pub(super) fn after_number(&mut self, state: &State) -> Step {
        let Place::Number(readings) = &state.place else { return Ok(None) };
        let style = self.options().numbers;
        let complete = readings.iter().filter(|reading| {
            matches!(&**self.goals.leaf(reading.leaf), Leaf::Number(range) if reading.prefix.is_complete(range, style))
        });
        let mut served: Served = complete.map(|reading| reading.serves).collect();
        served.dedup();
        if served.is_empty() {
            return Ok(None);
        }
        self.item = state.record;
        let after = self.close(state.stack, &served)?;
        Ok(after.map(|after| self.recorded(after, state.record)))
    }
}
