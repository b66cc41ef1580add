//! [`GgufWeights`]: the tensors of a GGUF file under the names and in the order of Hugging Face.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::Path;

use super::config::FREQUENCY_DIVISORS;
use super::keys::LONG_ROPE;
use super::names;
use crate::error::Error;
use crate::gguf::{Blocks, GgufFile};
use crate::model::config::Config;
use crate::model::families::GgufFamily;

pub(in crate::model) struct GgufWeights {
    file: GgufFile,
    /// The names of the tensors that nothing has asked for.
    unread: RefCell<BTreeSet<String>>,
    /// Whether the outputs of attention and MLP have norms.
    output_norms: bool,
    /// The numbers of heads that queries and keys have, if rotary pairs are neighbours in them.
    paired_heads: Option<(usize, usize)>,
}

impl GgufWeights {
    /// The weights of a model of that shape.
    pub(in crate::model) fn new(file: GgufFile, config: &Config, family: GgufFamily) -> Self {
        let is_of_config = |name: &&str| {
            *name == FREQUENCY_DIVISORS || LONG_ROPE.iter().any(|(tensor, _)| tensor == name)
        };
        let unread = file.names().filter(|name| !is_of_config(name)).map(str::to_owned);
        let unread = RefCell::new(unread.collect());
        let heads = (config.n_heads, config.n_kv_heads);
        let paired_heads = family.pairs_neighbours.then_some(heads);
        Self { file, unread, output_norms: config.output_norms, paired_heads }
    }

    pub(in crate::model) fn path(&self) -> &Path {
        self.file.path()
    }

    /// The numbers of a tensor by its name in safetensors files.
    pub(in crate::model) fn blocks(&self, name: &str, shape: &[usize]) -> Result<Blocks, Error> {
        let in_file = names::in_gguf(name, self.output_norms);
        let blocks = self.file.blocks(&in_file, shape)?;
        self.unread.borrow_mut().remove(&in_file);
        let Some(n_heads) = self.heads(name) else { return Ok(blocks) };
        let (n_rows, n_columns) = (shape[0], shape[1..].iter().product());
        let single = || self.file.invalid(&in_file, "numbers of their own", "blocks of them");
        blocks.with_rows_at(n_columns, halves(n_rows / n_heads)).ok_or_else(single)
    }

    /// Fails where the file has tensors that nothing has asked for: the model would be another.
    pub(in crate::model) fn refuse_unread(&self) -> Result<(), Error> {
        match self.unread.borrow().first() {
            Some(name) => Err(self.file.invalid(name, "no such tensor", "one that has no place")),
            None => Ok(()),
        }
    }

    /// The number of heads in the rows of a tensor that have to be put in another order.
    fn heads(&self, name: &str) -> Option<usize> {
        let (n_heads, n_kv_heads) = self.paired_heads?;
        if name.contains(".q_proj.") {
            Some(n_heads)
        } else {
            name.contains(".k_proj.").then_some(n_kv_heads)
        }
    }
}

/// Where the rows are in heads whose rotary pairs are neighbours, of heads where the first half is paired
/// with the second.
fn halves(head_size: usize) -> impl Fn(usize) -> usize {
    move |row| {
        let (head, place) = (row / head_size, row % head_size);
        let (half, pair) = (place / (head_size / 2), place % (head_size / 2));
        head * head_size + 2 * pair + half
    }
}
