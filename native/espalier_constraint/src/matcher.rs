//! [`Matcher`]: progress of one sequence through a constraint.

use std::sync::Arc;

use crate::error::Error;
use crate::token_mask::TokenMask;

/// STUB
#[derive(Clone, Debug)]
pub struct Matcher;

#[allow(missing_docs, clippy::missing_panics_doc)]
impl Matcher {
    pub fn compute_mask(&mut self) -> Result<Arc<TokenMask>, Error> {
        todo!()
    }
    pub fn accept_token(&mut self, _id: u32) -> Result<(), Error> {
        todo!()
    }
    pub fn accept_tokens(&mut self, _ids: &[u32]) -> Result<(), (usize, Error)> {
        todo!()
    }
    pub fn validate_tokens(&mut self, _ids: &[u32]) -> Result<usize, Error> {
        todo!()
    }
    pub fn accept_text(&mut self, _text: &[u8]) -> Result<(), Error> {
        todo!()
    }
    pub fn rollback(&mut self, _n: usize) -> Result<(), Error> {
        todo!()
    }
    pub fn n_accepted(&self) -> usize {
        todo!()
    }
    pub fn is_accepting(&mut self) -> Result<bool, Error> {
        todo!()
    }
    pub fn must_stop(&mut self) -> Result<bool, Error> {
        todo!()
    }
    pub fn is_finished(&self) -> bool {
        todo!()
    }
    pub fn forced_tokens(&mut self) -> Result<Vec<u32>, Error> {
        todo!()
    }
    pub fn shortest_completion(&mut self) -> Result<Vec<u32>, Error> {
        todo!()
    }
    pub fn completion_bound(&mut self) -> Result<usize, Error> {
        todo!()
    }
}
