//! Machines for plain text: a regular expression, or one of some texts.

use std::sync::Arc;

use crate::dfa::Dfa;
use crate::error::Error;
use crate::literals::{Literals, Prefix};
use crate::machine::{Machine, NoInside};

impl Machine for Arc<Dfa> {
    type State = u32;
    type Inside = NoInside;

    fn start(&self) -> u32 {
        Dfa::start(self)
    }

    fn step(&mut self, state: &u32, byte: u8) -> Result<Option<u32>, Error> {
        Ok(Dfa::step(self, *state, byte))
    }

    fn is_accepting(&self, state: &u32) -> bool {
        Dfa::is_accepting(self, *state)
    }

    fn completion(&mut self, state: &u32) -> Result<Vec<u8>, Error> {
        Ok(self.shortest_suffix(*state))
    }
}

impl Machine for Arc<Literals> {
    type State = Prefix;
    type Inside = NoInside;

    fn start(&self) -> Prefix {
        Literals::start(self)
    }

    fn step(&mut self, state: &Prefix, byte: u8) -> Result<Option<Prefix>, Error> {
        Ok(Literals::step(self, *state, byte))
    }

    fn is_accepting(&self, state: &Prefix) -> bool {
        self.is_complete(*state)
    }

    fn completion(&mut self, state: &Prefix) -> Result<Vec<u8>, Error> {
        Ok(self.shortest_suffix(*state).to_vec())
    }
}
