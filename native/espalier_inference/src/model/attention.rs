//! [`Attention`]: the part of a layer in which a row sees those before it in its sequence.

use candle_core::Tensor;

use super::cached_attention::CachedAttention;
use super::compute::Compute;
use super::config::{Config, LayerKind};
use super::device::{DeviceAttention, Views};
use super::linear::Linear;
use super::norm::Norm;
use super::slices::with_slice;
use super::step::Step;
use super::transformer::Rows;
use super::weights::Weights;
use crate::error::Error;

pub(super) struct Attention {
    compute: Compute,
    /// The index of the layer, under which caches have its keys and values.
    layer: usize,
    kind: LayerKind,
    head_size: usize,
    scale: f32,
    cap: Option<f32>,
    /// Norms of each head's queries and keys.
    query_key_norm: Option<(Norm, Norm)>,
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
}

impl Attention {
    /// The part of the layer whose name is `name`.
    pub(super) fn load(
        layer: usize,
        name: &str,
        config: &Config,
        weights: &Weights,
    ) -> Result<Self, Error> {
        let Config { hidden_size, head_size, input_bias, .. } = *config;
        let (query_size, kv_size) = (config.query_size(), config.kv_size());
        let path = |part: &str| format!("{name}.self_attn.{part}");
        let norm = |part: &str| Norm::load(&path(part), head_size, config, weights);
        let norms = || Ok::<_, Error>((norm("q_norm")?, norm("k_norm")?));
        let query_key_norm = config.query_key_norm.then(norms).transpose()?;
        let input =
            |part: &str, size| Linear::load(&path(part), hidden_size, size, input_bias, weights);
        let [query, key, value] = if config.fused {
            let sizes = [query_size, kv_size, kv_size];
            Linear::load_fused(&path("qkv_proj"), hidden_size, sizes, weights)?
        } else {
            [input("q_proj", query_size)?, input("k_proj", kv_size)?, input("v_proj", kv_size)?]
        };
        let output =
            Linear::load(&path("o_proj"), query_size, hidden_size, config.output_bias, weights)?;
        Ok(Self {
            compute: weights.compute().clone(),
            layer,
            kind: config.layers[layer],
            head_size,
            scale: config.attention_scale,
            cap: config.attention_cap,
            query_key_norm,
            query,
            key,
            value,
            output,
        })
    }

    /// Adds the keys and values of all rows to their caches, and returns what each row attends to.
    pub(super) fn apply(
        &self,
        x: &Tensor,
        step: &Step,
        batch: &mut [Rows<'_>],
    ) -> candle_core::Result<Tensor> {
        let heads = |part: &Linear| part.apply(x)?.reshape((step.places.len(), (), self.head_size));
        let (mut queries, mut keys) = (heads(&self.query)?, heads(&self.key)?);
        let values = self.value.apply(x)?;
        if let Some((query_norm, key_norm)) = &self.query_key_norm {
            queries = query_norm.apply(&queries)?;
            keys = key_norm.apply(&keys)?;
        }
        if let Some(index) = self.kind.rope {
            queries = self.compute.rotate(queries, &step.angles[index])?;
            keys = self.compute.rotate(keys, &step.angles[index])?;
        }
        let attended = match &step.views {
            Some(views) => self.attend_on_device(&queries, &keys, &values, views, batch)?,
            None => self.attend(&queries, &keys, &values, step, batch)?,
        };
        self.output.apply(&attended)
    }

    fn attend(
        &self,
        queries: &Tensor,
        keys: &Tensor,
        values: &Tensor,
        step: &Step,
        batch: &mut [Rows<'_>],
    ) -> candle_core::Result<Tensor> {
        with_slice(keys, |keys| with_slice(values, |values| self.append(keys, values, batch)))??;
        let caches: Vec<_> = batch.iter().map(|rows| &*rows.cache).collect();
        queries.apply_op1_no_bwd(&CachedAttention {
            layer: self.layer,
            window: self.kind.window,
            scale: self.scale,
            cap: self.cap,
            places: &step.places,
            caches: &caches,
        })
    }

    fn append(&self, mut keys: &[f32], mut values: &[f32], batch: &mut [Rows<'_>]) {
        for rows in batch {
            let size = rows.tokens.len() * rows.cache.shape().row_size();
            let (new_keys, new_values);
            (new_keys, keys) = keys.split_at(size);
            (new_values, values) = values.split_at(size);
            rows.cache.append(self.layer, new_keys, new_values);
        }
    }

    fn attend_on_device(
        &self,
        queries: &Tensor,
        keys: &Tensor,
        values: &Tensor,
        views: &Views,
        batch: &mut [Rows<'_>],
    ) -> candle_core::Result<Tensor> {
        let attention = DeviceAttention {
            layer: self.layer,
            window: self.kind.window,
            scale: self.scale,
            cap: self.cap,
        };
        let attended = attention.apply(views, queries, keys, values)?;
        for rows in batch {
            rows.cache.advance(self.layer, rows.tokens.len());
        }
        Ok(attended)
    }

    pub(super) fn n_parameters(&self) -> usize {
        let linear = [&self.query, &self.key, &self.value, &self.output];
        let norms = self.query_key_norm.iter().flat_map(|(query, key)| [query, key]);
        linear.into_iter().map(Linear::n_parameters).sum::<usize>()
            + norms.map(Norm::n_parameters).sum::<usize>()
    }
}
