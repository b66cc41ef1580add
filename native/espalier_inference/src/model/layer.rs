//! [`Layer`]: one of a model's equal parts.

use candle_core::Tensor;

use super::add::add;
use super::attention::Attention;
use super::cached_attention::Place;
use super::config::Config;
use super::llama::Rows;
use super::mlp::Mlp;
use super::norm::Norm;
use super::rotary::Angles;
use super::weights::Weights;
use crate::error::Error;

/// Attention, then the MLP; the outputs of both are added to the hidden states.
pub(super) struct Layer {
    attention_norm: Norm,
    attention: Attention,
    mlp_norm: Norm,
    mlp: Mlp,
}

impl Layer {
    pub(super) fn load(index: usize, config: &Config, weights: &Weights) -> Result<Self, Error> {
        let name = format!("model.layers.{index}");
        let norm = |part: &str| {
            let name = format!("{name}.{part}");
            Norm::load(&name, config.hidden_size, config.norm_epsilon, weights)
        };
        Ok(Self {
            attention_norm: norm("input_layernorm")?,
            attention: Attention::load(index, &name, config, weights)?,
            mlp_norm: norm("post_attention_layernorm")?,
            mlp: Mlp::load(&name, config, weights)?,
        })
    }

    /// Changes the hidden states in place.
    pub(super) fn apply(
        &self,
        x: &Tensor,
        angles: &Angles,
        places: &[Place],
        batch: &mut [Rows<'_>],
    ) -> candle_core::Result<()> {
        let normed = self.attention_norm.apply(x)?;
        add(x, &self.attention.apply(&normed, angles, places, batch)?)?;
        let normed = self.mlp_norm.apply(x)?;
        add(x, &self.mlp.apply(&normed)?)
    }

    pub(super) fn n_parameters(&self) -> usize {
        let norms = self.attention_norm.n_parameters() + self.mlp_norm.n_parameters();
        norms + self.attention.n_parameters() + self.mlp.n_parameters()
    }
}
