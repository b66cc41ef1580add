"""A Llama in plain PyTorch; its weights have the names that `transformers` uses."""

from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import nn


@dataclass
class Config:
    """Sizes of the model."""

    vocab_size: int = 2560
    hidden_size: int = 192
    intermediate_size: int = 448
    num_hidden_layers: int = 5
    num_attention_heads: int = 4
    num_key_value_heads: int = 4
    max_position_embeddings: int = 1024
    rms_norm_eps: float = 1e-5
    rope_theta: float = 100000.0

    @property
    def head_dim(self):
        """Size of one attention head."""
        return self.hidden_size // self.num_attention_heads

    def as_huggingface(self, end, dtype):
        """The fields of config.json."""
        return {
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            **asdict(self),
            "hidden_act": "silu",
            "attention_bias": False,
            "mlp_bias": False,
            "tie_word_embeddings": True,
            "eos_token_id": end,
            "pad_token_id": end,
            "torch_dtype": dtype,
        }


def rope(config, length):
    """Cosines and sines, [length, head_dim]."""
    half = torch.arange(0, config.head_dim, 2).float() / config.head_dim
    angles = torch.outer(torch.arange(length).float(), config.rope_theta**-half)
    angles = torch.cat([angles, angles], dim=-1)
    return angles.cos(), angles.sin()


def rotate(x, cos, sin):
    """Rotary position embedding in the two-halves form."""
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-second, first], dim=-1) * sin


def attend(q, k, v):
    """Causal attention, written out: faster on a processor than the library's own, both ways."""
    length, total = q.shape[2], k.shape[2]
    shared = q.shape[1] // k.shape[1]
    if shared > 1:
        k, v = k.repeat_interleave(shared, 1), v.repeat_interleave(shared, 1)
    scores = (q @ k.transpose(-1, -2)).float() * q.shape[-1] ** -0.5
    later = torch.ones(length, total, dtype=torch.bool, device=q.device).triu(total - length + 1)
    return scores.masked_fill(later, float("-inf")).softmax(-1).to(v.dtype) @ v


class Norm(nn.Module):
    """RMS normalisation."""

    def __init__(self, size, eps):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x):
        """Normalises the last dimension."""
        return F.rms_norm(x, (x.shape[-1],), self.weight.to(x.dtype), self.eps)


class Attention(nn.Module):
    """Causal self-attention with shared key/value heads."""

    def __init__(self, c):
        super().__init__()
        self.c = c
        shared = c.num_key_value_heads * c.head_dim
        self.q_proj = nn.Linear(c.hidden_size, c.hidden_size, bias=False)
        self.k_proj = nn.Linear(c.hidden_size, shared, bias=False)
        self.v_proj = nn.Linear(c.hidden_size, shared, bias=False)
        self.o_proj = nn.Linear(c.hidden_size, c.hidden_size, bias=False)

    def forward(self, x, cos, sin, cache=None):
        """Attends; `cache` is a list of one (keys, values) pair that is extended."""
        batch, length, _ = x.shape
        split = lambda y: y.view(batch, length, -1, self.c.head_dim).transpose(1, 2)
        q, k, v = split(self.q_proj(x)), split(self.k_proj(x)), split(self.v_proj(x))
        cos, sin = cos.to(v.dtype), sin.to(v.dtype)
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        if cache is not None:
            if cache:
                k, v = torch.cat([cache[0][0], k], 2), torch.cat([cache[0][1], v], 2)
            cache[:] = [(k, v)]
        out = attend(q, k, v)
        return self.o_proj(out.transpose(1, 2).reshape(batch, length, -1))


class Mlp(nn.Module):
    """SwiGLU."""

    def __init__(self, c):
        super().__init__()
        self.gate_proj = nn.Linear(c.hidden_size, c.intermediate_size, bias=False)
        self.up_proj = nn.Linear(c.hidden_size, c.intermediate_size, bias=False)
        self.down_proj = nn.Linear(c.intermediate_size, c.hidden_size, bias=False)

    def forward(self, x):
        """The gated hidden layer."""
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    """One transformer layer."""

    def __init__(self, c):
        super().__init__()
        self.input_layernorm = Norm(c.hidden_size, c.rms_norm_eps)
        self.self_attn = Attention(c)
        self.post_attention_layernorm = Norm(c.hidden_size, c.rms_norm_eps)
        self.mlp = Mlp(c)

    def forward(self, x, cos, sin, cache=None):
        """Attention and hidden layer, each added to what came in."""
        x = x + self.self_attn(self.input_layernorm(x), cos, sin, cache)
        return x + self.mlp(self.post_attention_layernorm(x))


class Body(nn.Module):
    """Everything but the output layer."""

    def __init__(self, c):
        super().__init__()
        self.embed_tokens = nn.Embedding(c.vocab_size, c.hidden_size)
        self.layers = nn.ModuleList(Layer(c) for _ in range(c.num_hidden_layers))
        self.norm = Norm(c.hidden_size, c.rms_norm_eps)


class Llama(nn.Module):
    """The model; the output layer is the embedding."""

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.model = Body(config)
        self.register_buffer("cos", rope(config, config.max_position_embeddings)[0], persistent=False)
        self.register_buffer("sin", rope(config, config.max_position_embeddings)[1], persistent=False)
        self.apply(self._start)
        for layer in self.model.layers:
            for weight in (layer.self_attn.o_proj.weight, layer.mlp.down_proj.weight):
                nn.init.normal_(weight, std=0.02 / (2 * config.num_hidden_layers) ** 0.5)

    @staticmethod
    def _start(module):
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=module.weight.shape[1] ** -0.5)
        elif isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=0.05)

    def hidden(self, ids, caches=None, start=0):
        """Normalised hidden states, [batch, length, hidden]."""
        x = self.model.embed_tokens(ids)
        cos, sin = self.cos[start : start + ids.shape[1]], self.sin[start : start + ids.shape[1]]
        for index, layer in enumerate(self.model.layers):
            x = layer(x, cos, sin, caches[index] if caches is not None else None)
        return self.model.norm(x)

    def logits(self, hidden):
        """Logits of hidden states."""
        return F.linear(hidden, self.model.embed_tokens.weight)

    def forward(self, ids, caches=None, start=0):
        """Logits of all positions."""
        return self.logits(self.hidden(ids, caches, start))

    def size(self):
        """Number of parameters."""
        return sum(p.numel() for p in self.parameters())
