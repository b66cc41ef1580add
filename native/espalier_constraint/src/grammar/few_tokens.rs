//! Which of a few tokens may follow at a front: they are followed byte by byte.

use smallvec::SmallVec;

use super::fronts::FrontId;
use super::machine::{GrammarMachine, Step, Thread};
use super::terminal_tokens::Rests;
use crate::error::Error;
use crate::token_mask::MaskBuilder;
use crate::token_trie::{Children, Visit};
use crate::vocabulary::Vocabulary;

/// Where a beginning of tokens leads. Fronts are not merged, so that none is made that is nowhere else.
#[derive(Default)]
struct Place {
    fronts: SmallVec<[FrontId; 4]>,
    threads: SmallVec<[Thread; 2]>,
}

impl GrammarMachine {
    /// Allows those of some rests that may follow at a front.
    pub(super) fn add_few(
        &mut self,
        rests: &Rests,
        front: FrontId,
        vocabulary: &Vocabulary,
        mask: &mut MaskBuilder,
    ) -> Result<(), Error> {
        let start = Place { fronts: [front].into_iter().collect(), ..Place::default() };
        let mut path = vec![start];
        let mut visit = |visit: &Visit<'_>| {
            self.fronts.meter().spend(1)?;
            path.truncate(visit.depth);
            let Some(place) = self.step_place(&path[visit.depth - 1], visit.byte)? else {
                return Ok(Children::None);
            };
            mask.allow_all(visit.ids());
            path.push(place);
            Ok::<_, Error>(Children::All)
        };
        rests.trie.walk(|node| visit(&node))?;
        for (tokens, node) in &rests.branches {
            tokens.trie(vocabulary).walk_at((*node as usize, 1), |node| visit(&node))?;
        }
        Ok(())
    }

    fn step_place(&mut self, place: &Place, byte: u8) -> Result<Option<Place>, Error> {
        let Some(Step { threads, reached }) = self.step_all(&place.threads, &place.fronts, byte)?
        else {
            return Ok(None);
        };
        let fronts = reached.iter().map(|&then| self.fronts.behind(&[then]));
        let mut fronts = fronts.collect::<Result<SmallVec<_>, Error>>()?;
        fronts.sort_unstable();
        fronts.dedup();
        Ok(Some(Place { fronts, threads }))
    }
}
