//! [`Transformer`]: the forward pass of all families, over candle's tensors.
//!
//! The tokens of all sequences are flattened to one `[n_tokens, hidden]` matrix for the linear
//! layers; attention runs for each token on the cache of its own sequence. The operations are
//! candle's custom ones: each checks the shapes that it is given and calls one of our kernels, whose
//! results don't depend on what else is in the batch.

use candle_core::{DType, Tensor, bail};

use super::compute::Compute;
use super::config::Config;
use super::layer::Layer;
use super::linear::Linear;
use super::matrix::Matrix;
use super::norm::Norm;
use super::rotary::Rotary;
use super::step::Step;
use super::weights::{Weights, computation_failed};
use crate::error::Error;
use crate::kernels;
use crate::kv_cache::{DeviceMemory, KvCache, Pool, Shape};

/// The tokens that one sequence adds in a step.
pub(crate) struct Rows<'a> {
    pub(crate) tokens: &'a [u32],
    pub(crate) cache: &'a mut KvCache,
    /// For how many of the last tokens logits are wanted.
    pub(crate) n_logits: usize,
}

/// The weights of a model and its forward pass.
pub(crate) struct Transformer {
    config: Config,
    compute: Compute,
    embedding: Matrix,
    layers: Vec<Layer>,
    norm: Norm,
    /// The embedding's own weights, if the model ties them.
    output: Linear,
    /// The angles that layers choose from.
    rotaries: Vec<Rotary>,
    /// The windows of layers, each once.
    windows: Vec<Option<usize>>,
}

impl Transformer {
    pub(super) fn load(config: Config, weights: &Weights) -> Result<Self, Error> {
        let Config { n_ids, hidden_size, .. } = config;
        let embedding = weights.matrix("model.embed_tokens.weight", n_ids, hidden_size)?;
        let layers = (0..config.layers.len()).map(|index| Layer::load(index, &config, weights));
        let layers = layers.collect::<Result<_, _>>()?;
        let norm = Norm::load("model.norm", hidden_size, &config, weights)?;
        let output = if config.tied_embedding {
            Linear::without_bias(embedding.clone())
        } else {
            Linear::load("lm_head", hidden_size, n_ids, false, weights)?
        };
        let rotaries = config.ropes.iter().map(Rotary::new).collect();
        let mut windows: Vec<_> = config.layers.iter().map(|layer| layer.window).collect();
        windows.sort_unstable();
        windows.dedup();
        let compute = weights.compute().clone();
        Ok(Self { config, compute, embedding, layers, norm, output, rotaries, windows })
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// The number of weights; a tied embedding counts once.
    pub(crate) fn n_parameters(&self) -> usize {
        let output = if self.config.tied_embedding { 0 } else { self.output.n_parameters() };
        let ends = self.embedding.n_weights() + self.norm.n_parameters() + output;
        ends + self.layers.iter().map(Layer::n_parameters).sum::<usize>()
    }

    /// The memory of a weight, in bytes: that of one in the embedding, as of most.
    pub(crate) fn bytes_per_weight(&self) -> f64 {
        self.embedding.n_bytes() as f64 / self.embedding.n_weights() as f64
    }

    /// The shape of the caches of its sequences.
    pub(crate) fn cache_shape(&self) -> Shape {
        let Config { n_kv_heads, head_size, .. } = self.config;
        Shape { n_layers: self.layers.len(), n_heads: n_kv_heads, head_size }
    }

    /// Whether it computes on a device, all sequences of a step together.
    pub(crate) fn is_on_device(&self) -> bool {
        self.compute.is_on_device()
    }

    /// The bytes of a page of its caches.
    pub(crate) fn page_bytes(&self) -> usize {
        match self.cache_dtype() {
            Some(dtype) => DeviceMemory::page_bytes(self.cache_shape(), dtype),
            None => self.cache_shape().page_bytes(),
        }
    }

    /// A pool of so many pages. Those on a device are all there at once.
    pub(crate) fn new_pool(&self, n_pages: usize) -> Result<Pool, Error> {
        let shape = self.cache_shape();
        let Some(dtype) = self.cache_dtype() else {
            return Ok(Pool::new(shape, n_pages * shape.page_bytes()));
        };
        let memory = DeviceMemory::new(shape, n_pages, dtype, self.compute.device());
        memory.map(Pool::on_device).map_err(|error| {
            let n_bytes = n_pages * self.page_bytes();
            let detail = format!("no room for {n_bytes} bytes of keys and values: {error}");
            Error::ComputationFailed { detail }
        })
    }

    /// The type of keys and values on a device.
    fn cache_dtype(&self) -> Option<DType> {
        self.output.cache_dtype()
    }

    /// Adds the tokens of all sequences to their caches, which have room for them, and returns the logits asked for, row by
    /// row in the order of the batch. After an error the caches are of no more use.
    pub(crate) fn forward(&self, batch: &mut [Rows<'_>]) -> Result<Vec<f32>, Error> {
        let logits = self.hidden_states(batch).and_then(|x| self.logits(&x, batch));
        logits.map_err(computation_failed)
    }

    fn hidden_states(&self, batch: &mut [Rows<'_>]) -> candle_core::Result<Tensor> {
        self.check(batch)?;
        let step = Step::new(batch, &self.rotaries, &self.windows, &self.compute)?;
        let ids: Vec<u32> = batch.iter().flat_map(|rows| rows.tokens).copied().collect();
        let mut x = self.embedding.rows(&ids)?;
        if let Some(scale) = self.config.embedding_scale {
            x = x.affine(scale.into(), 0.0)?;
        }
        for layer in &self.layers {
            x = layer.apply(x, &step, batch)?;
        }
        Ok(x)
    }

    fn logits(&self, x: &Tensor, batch: &[Rows<'_>]) -> candle_core::Result<Vec<f32>> {
        let mut wanted: Vec<u32> = Vec::new();
        let mut end = 0;
        for rows in batch {
            end += rows.tokens.len() as u32;
            wanted.extend(end - rows.n_logits as u32..end);
        }
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let n_wanted = wanted.len();
        let x = x.index_select(&Tensor::from_vec(wanted, n_wanted, x.device())?, 0)?;
        let mut logits = self.output.apply(&self.norm.apply(&x)?)?.flatten_all()?.to_vec1()?;
        if let Some(cap) = self.config.logit_cap {
            kernels::soft_cap(&mut logits, cap);
        }
        Ok(logits)
    }

    /// Whether the batch is one for this model.
    fn check(&self, batch: &[Rows<'_>]) -> candle_core::Result<()> {
        let fits = |rows: &Rows<'_>| {
            rows.cache.shape() == self.cache_shape()
                && rows.cache.device_memory().is_some() == self.is_on_device()
                && rows.cache.len() + rows.tokens.len() <= rows.cache.capacity()
                && rows.n_logits <= rows.tokens.len()
        };
        if !batch.iter().all(fits) {
            bail!("the caches or the logits asked for do not fit the model");
        }
        Ok(())
    }
}
