//! [`Llama`]: the forward pass of Llama-like models.
//!
//! The tokens of all sequences are flattened to one `[n_tokens, hidden]` matrix for the linear
//! layers; attention runs for each token on the cache of its own sequence.

use rayon::prelude::*;

use super::config::Config;
use super::linear::Linear;
use super::rotary::{Angles, Rotary};
use super::weights::Weights;
use crate::error::Error;
use crate::kernels::{self, Attention};
use crate::kv_cache::KvCache;

/// Score computations (tokens × positions × query size) below which attention stays on a thread.
const MIN_PARALLEL_ATTENTION: usize = 1 << 18;

/// The tokens that one sequence adds in a step.
pub(crate) struct Rows<'a> {
    pub(crate) tokens: &'a [u32],
    pub(crate) cache: &'a mut KvCache,
    /// For how many of the last tokens logits are wanted.
    pub(crate) n_logits: usize,
}

/// The weights of a model and its forward pass.
pub(crate) struct Llama {
    config: Config,
    embedding: Vec<f32>,
    layers: Vec<Layer>,
    norm: Vec<f32>,
    /// The output layer, unless it is the embedding.
    output: Option<Vec<f32>>,
    rotary: Rotary,
}

struct Layer {
    attention_norm: Vec<f32>,
    /// Norms of each head's queries and keys.
    query_key_norm: Option<(Vec<f32>, Vec<f32>)>,
    query: Linear,
    key: Linear,
    value: Linear,
    attention_output: Linear,
    mlp_norm: Vec<f32>,
    gate: Linear,
    up: Linear,
    down: Linear,
}

impl Llama {
    pub(crate) fn load(config: Config, weights: &Weights) -> Result<Self, Error> {
        let Config { n_ids, hidden_size, .. } = config;
        let embedding = weights.tensor("model.embed_tokens.weight", &[n_ids, hidden_size])?;
        let layers = (0..config.n_layers).map(|index| Layer::load(index, &config, weights));
        let layers = layers.collect::<Result<_, _>>()?;
        let norm = weights.tensor("model.norm.weight", &[hidden_size])?;
        let output = (!config.tied_embedding)
            .then(|| weights.tensor("lm_head.weight", &[n_ids, hidden_size]))
            .transpose()?;
        let rotary = Rotary::new(config.head_size, config.rope);
        Ok(Self { config, embedding, layers, norm, output, rotary })
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// The number of weights; a tied embedding counts once.
    pub(crate) fn n_parameters(&self) -> usize {
        let ends =
            self.embedding.len() + self.norm.len() + self.output.as_ref().map_or(0, Vec::len);
        ends + self.layers.iter().map(Layer::n_parameters).sum::<usize>()
    }

    /// An empty cache for a new sequence.
    pub(crate) fn new_cache(&self) -> KvCache {
        KvCache::new(self.config.n_layers, self.config.kv_size())
    }

    /// Adds the tokens of all sequences to their caches, and returns the logits asked for, row by
    /// row in the order of the batch. Every id must be below the model's `n_ids`.
    pub(crate) fn forward(&self, batch: &mut [Rows<'_>]) -> Vec<f32> {
        let hidden = self.config.hidden_size;
        let places = places(batch);
        let angles = self.rotary.angles(places.iter().map(|place| place.position));
        let mut x = Vec::with_capacity(places.len() * hidden);
        for &id in batch.iter().flat_map(|rows| rows.tokens) {
            x.extend_from_slice(&self.embedding[id as usize * hidden..][..hidden]);
        }
        for (index, layer) in self.layers.iter().enumerate() {
            let normed = self.normed(&x, &layer.attention_norm);
            let attended = self.attend(index, &normed, &angles, &places, batch);
            kernels::add(&mut x, &layer.attention_output.apply(&attended));
            let normed = self.normed(&x, &layer.mlp_norm);
            kernels::add(&mut x, &layer.mlp(&normed));
        }
        self.logits(&x, batch)
    }

    /// Queries, keys and values of the new rows, and attention on each sequence's cache.
    fn attend(
        &self,
        index: usize,
        x: &[f32],
        angles: &Angles,
        places: &[Place],
        batch: &mut [Rows<'_>],
    ) -> Vec<f32> {
        let layer = &self.layers[index];
        let (query_size, kv_size) = (self.config.query_size(), self.config.kv_size());
        let (mut queries, mut keys) = (layer.query.apply(x), layer.key.apply(x));
        let values = layer.value.apply(x);
        if let Some((query_norm, key_norm)) = &layer.query_key_norm {
            queries = self.normed(&queries, query_norm);
            keys = self.normed(&keys, key_norm);
        }
        angles.rotate(&mut queries, query_size);
        angles.rotate(&mut keys, kv_size);
        let (mut keys, mut values) = (&keys[..], &values[..]);
        for rows in &mut *batch {
            let (new_keys, new_values);
            (new_keys, keys) = keys.split_at(rows.tokens.len() * kv_size);
            (new_values, values) = values.split_at(rows.tokens.len() * kv_size);
            rows.cache.append(index, new_keys, new_values);
        }
        let caches: Vec<&KvCache> = batch.iter().map(|rows| &*rows.cache).collect();
        self.attention(index, &queries, places, &caches)
    }

    fn attention(
        &self,
        layer: usize,
        queries: &[f32],
        places: &[Place],
        caches: &[&KvCache],
    ) -> Vec<f32> {
        let size = self.config.query_size();
        let mut output = vec![0.0; queries.len()];
        let work: usize = places.iter().map(|place| (place.position + 1) * size).sum();
        let run = |((output, query), place): ((&mut [f32], &[f32]), &Place)| {
            self.attend_row(layer, query, place.position, caches[place.sequence], output);
        };
        if rayon::current_num_threads() == 1 || work < MIN_PARALLEL_ATTENTION {
            output.chunks_exact_mut(size).zip(queries.chunks_exact(size)).zip(places).for_each(run);
        } else {
            (output.par_chunks_exact_mut(size).zip(queries.par_chunks_exact(size)))
                .zip(places)
                .for_each(run);
        }
        output
    }

    /// All heads of one token: each group of query heads shares a head of keys and values.
    fn attend_row(
        &self,
        layer: usize,
        query: &[f32],
        position: usize,
        cache: &KvCache,
        output: &mut [f32],
    ) {
        let Config { head_size, n_heads, n_kv_heads, .. } = self.config;
        let (keys, values) = cache.rows(layer, position + 1);
        let mut scores = vec![0.0; position + 1];
        let heads = query.chunks_exact(head_size).zip(output.chunks_exact_mut(head_size));
        for (head, (query, output)) in heads.enumerate() {
            let offset = head / (n_heads / n_kv_heads) * head_size;
            let (stride, scores) = (cache.row_size(), &mut scores[..]);
            Attention { query, keys, values, stride, offset, scores, output }.run();
        }
    }

    fn normed(&self, x: &[f32], weight: &[f32]) -> Vec<f32> {
        let mut y = vec![0.0; x.len()];
        kernels::rms_norm(x, weight, self.config.norm_epsilon, &mut y);
        y
    }

    fn logits(&self, x: &[f32], batch: &[Rows<'_>]) -> Vec<f32> {
        let hidden = self.config.hidden_size;
        let mut wanted = Vec::new();
        let mut end = 0;
        for rows in batch {
            end += rows.tokens.len();
            wanted.extend_from_slice(&x[(end - rows.n_logits) * hidden..end * hidden]);
        }
        let normed = self.normed(&wanted, &self.norm);
        let mut logits = vec![0.0; wanted.len() / hidden * self.config.n_ids];
        let output = self.output.as_ref().unwrap_or(&self.embedding);
        kernels::matmul(&normed, output, hidden, &mut logits);
        logits
    }
}

/// Where a row of the flattened matrix belongs.
struct Place {
    /// The index of its sequence in the batch.
    sequence: usize,
    /// Its position in that sequence.
    position: usize,
}

fn places(batch: &[Rows<'_>]) -> Vec<Place> {
    let of_sequence = |(sequence, rows): (usize, &Rows<'_>)| {
        let start = rows.cache.len();
        (start..start + rows.tokens.len()).map(move |position| Place { sequence, position })
    };
    batch.iter().enumerate().flat_map(of_sequence).collect()
}

impl Layer {
    fn load(index: usize, config: &Config, weights: &Weights) -> Result<Self, Error> {
        let Config { hidden_size, intermediate_size, head_size, .. } = *config;
        let Config { input_bias, output_bias, mlp_bias, .. } = *config;
        let (query_size, kv_size) = (config.query_size(), config.kv_size());
        let norm = |name: &str, size| {
            weights.tensor(&format!("model.layers.{index}.{name}.weight"), &[size])
        };
        let linear = |name: &str, n_in, n_out, bias| {
            Linear::load(&format!("model.layers.{index}.{name}"), n_in, n_out, bias, weights)
        };
        let head_norms = || -> Result<_, Error> {
            Ok((norm("self_attn.q_norm", head_size)?, norm("self_attn.k_norm", head_size)?))
        };
        Ok(Self {
            attention_norm: norm("input_layernorm", hidden_size)?,
            query_key_norm: config.query_key_norm.then(head_norms).transpose()?,
            query: linear("self_attn.q_proj", hidden_size, query_size, input_bias)?,
            key: linear("self_attn.k_proj", hidden_size, kv_size, input_bias)?,
            value: linear("self_attn.v_proj", hidden_size, kv_size, input_bias)?,
            attention_output: linear("self_attn.o_proj", query_size, hidden_size, output_bias)?,
            mlp_norm: norm("post_attention_layernorm", hidden_size)?,
            gate: linear("mlp.gate_proj", hidden_size, intermediate_size, mlp_bias)?,
            up: linear("mlp.up_proj", hidden_size, intermediate_size, mlp_bias)?,
            down: linear("mlp.down_proj", intermediate_size, hidden_size, mlp_bias)?,
        })
    }

    fn mlp(&self, x: &[f32]) -> Vec<f32> {
        let mut gate = self.gate.apply(x);
        kernels::swiglu(&mut gate, &self.up.apply(x));
        self.down.apply(&gate)
    }

    fn n_parameters(&self) -> usize {
        let linear = [
            &self.query,
            &self.key,
            &self.value,
            &self.attention_output,
            &self.gate,
            &self.up,
            &self.down,
        ];
        let in_linear: usize = linear.iter().map(|linear| linear.n_parameters()).sum();
        let in_heads =
            self.query_key_norm.as_ref().map_or(0, |(query, key)| query.len() + key.len());
        in_linear + in_heads + self.attention_norm.len() + self.mlp_norm.len()
    }
}
