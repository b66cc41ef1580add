//! Machines for plain text: a regular expression, or one of some texts.

use crate::dfa::Dfa;
use crate::error::Error;
use crate::literals::{Literals, Prefix};
use crate::machine::{Machine, NoInside};

impl Machine for Dfa {
    type State = u32;
    type Inside = NoInside;

    fn start(&self) -> u32 {
        Self::start(self)
    }

    fn step(&mut self, state: &u32, byte: u8) -> Result<Option<u32>, Error> {
        Ok(Self::step(self, *state, byte))
    }

    fn is_accepting(&self, state: &u32) -> bool {
        Self::is_accepting(self, *state)
    }

    fn completion(&mut self, state: &u32) -> Result<Vec<u8>, Error> {
        Ok(self.shortest_suffix(*state))
    }
}

impl Machine for Literals {
    type State = Prefix;
    type Inside = NoInside;

    fn start(&self) -> Prefix {
        Self::start(self)
    }

    fn step(&mut self, state: &Prefix, byte: u8) -> Result<Option<Prefix>, Error> {
        Ok(Self::step(self, *state, byte))
    }

    fn is_accepting(&self, state: &Prefix) -> bool {
        self.is_complete(*state)
    }

    fn completion(&mut self, state: &Prefix) -> Result<Vec<u8>, Error> {
        Ok(self.shortest_suffix(*state).to_vec())
    }
}
