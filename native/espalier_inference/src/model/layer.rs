//! [`Layer`]: one of a model's equal parts.

use candle_core::Tensor;

use super::attention::Attention;
use super::compute::Compute;
use super::config::Config;
use super::mlp::Mlp;
use super::norm::Norm;
use super::step::Step;
use super::transformer::Rows;
use super::weights::Weights;
use crate::error::Error;

/// Attention, then the MLP; the outputs of both are added to the hidden states.
pub(super) struct Layer {
    compute: Compute,
    attention_norm: Norm,
    attention: Attention,
    mlp_norm: Norm,
    mlp: Mlp,
    /// Norms of the outputs of attention and MLP.
    output_norms: Option<(Norm, Norm)>,
}

impl Layer {
    pub(super) fn load(index: usize, config: &Config, weights: &Weights) -> Result<Self, Error> {
        let name = format!("model.layers.{index}");
        let norm = |part: &str| {
            let name = format!("{name}.{part}");
            Norm::load(&name, config.hidden_size, config, weights)
        };
        let attention_norm = norm("input_layernorm")?;
        let attention = Attention::load(index, &name, config, weights)?;
        // With norms of outputs, the name is that of the attention's.
        let (mlp_norm, output_norms) = if config.output_norms {
            let outputs = (norm("post_attention_layernorm")?, norm("post_feedforward_layernorm")?);
            (norm("pre_feedforward_layernorm")?, Some(outputs))
        } else {
            (norm("post_attention_layernorm")?, None)
        };
        let mlp = Mlp::load(&name, config, weights)?;
        let compute = weights.compute().clone();
        Ok(Self { compute, attention_norm, attention, mlp_norm, mlp, output_norms })
    }

    /// The hidden states after it. Those before it may be changed.
    pub(super) fn apply(
        &self,
        x: Tensor,
        step: &Step,
        batch: &mut [Rows<'_>],
    ) -> candle_core::Result<Tensor> {
        let normed = self.attention_norm.apply(&x)?;
        let mut attended = self.attention.apply(&normed, step, batch)?;
        if let Some((norm, _)) = &self.output_norms {
            attended = norm.apply(&attended)?;
        }
        let x = self.compute.add(x, &attended)?;
        let mut output = self.mlp.apply(&self.mlp_norm.apply(&x)?)?;
        if let Some((_, norm)) = &self.output_norms {
            output = norm.apply(&output)?;
        }
        self.compute.add(x, &output)
    }

    pub(super) fn n_parameters(&self) -> usize {
        let outputs = self.output_norms.iter().flat_map(|(attention, mlp)| [attention, mlp]);
        let norms = [&self.attention_norm, &self.mlp_norm].into_iter().chain(outputs);
        norms.map(Norm::n_parameters).sum::<usize>()
            + self.attention.n_parameters()
            + self.mlp.n_parameters()
    }
}
