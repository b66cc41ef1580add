//! llguidance as an [`Engine`], set up as its authors do for JSON: its slices for JSON, white space
//! wherever JSON has it.

use std::sync::Arc;

use anyhow::{Result, anyhow};
use llguidance::api::TopLevelGrammar;
use llguidance::earley::SlicedBiasComputer;
use llguidance::toktrie::{
    ApproximateTokEnv, InferenceCapabilities, SimpleVob, TokEnv, TokRxInfo, TokTrie,
};
use llguidance::{Matcher, ParserFactory};

use crate::engine::{Compiled, Engine, Sequence};
use crate::tokenizer::Tokens;

/// llguidance with a vocabulary.
pub struct Llguidance {
    factory: ParserFactory,
    eos: u32,
}

impl Llguidance {
    /// What figures call it.
    pub const NAME: &str = "llguidance 1.9.1";

    /// The engine with a vocabulary of the tokens.
    ///
    /// # Errors
    /// Those of its factory.
    pub fn new(tokens: &Tokens) -> Result<Self> {
        let info = TokRxInfo::new(tokens.bytes.len() as u32, tokens.eos);
        let trie = TokTrie::from(&info, &tokens.bytes);
        let environment: TokEnv = Arc::new(ApproximateTokEnv::new(trie));
        let slices = SlicedBiasComputer::json_slices();
        let mut factory =
            ParserFactory::new(&environment, InferenceCapabilities::default(), &slices)?;
        factory.quiet();
        Ok(Self { factory, eos: tokens.eos })
    }

    /// A matcher at the start of texts of a grammar in the syntax of Lark.
    ///
    /// # Errors
    /// Whatever it says of a grammar that it refuses.
    pub fn lark(&self, grammar: &str) -> Result<Matcher> {
        self.matcher(TopLevelGrammar::from_lark(grammar.to_owned()))
    }

    fn matcher(&self, grammar: TopLevelGrammar) -> Result<Matcher> {
        let matcher = Matcher::new(self.factory.create_parser(grammar));
        matcher.get_error().map_or(Ok(matcher), |error| Err(anyhow!(error)))
    }
}

impl Engine for Llguidance {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn compile(&self, schema: &str) -> Result<Box<dyn Compiled>> {
        let grammar = TopLevelGrammar::from_json_schema(serde_json::from_str(schema)?);
        Ok(Box::new(Start { matcher: self.matcher(grammar)?, eos: self.eos }))
    }
}

struct Start {
    matcher: Matcher,
    eos: u32,
}

impl Compiled for Start {
    fn sequence(&self) -> Box<dyn Sequence> {
        let (matcher, eos) = (self.matcher.clone(), self.eos);
        Box::new(Text { matcher, mask: SimpleVob::new(), eos })
    }
}

struct Text {
    matcher: Matcher,
    mask: SimpleVob,
    eos: u32,
}

impl Sequence for Text {
    fn compute_mask(&mut self) -> Result<()> {
        self.mask = self.matcher.compute_mask_or_eos()?;
        Ok(())
    }

    fn is_allowed(&self, token: u32) -> bool {
        self.mask.is_allowed(token)
    }

    fn may_end(&self) -> bool {
        self.mask.is_allowed(self.eos)
    }

    fn accept(&mut self, token: u32) -> Result<()> {
        self.matcher.consume_token(token)
    }
}
