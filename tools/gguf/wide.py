"""Random models of each family whose rows are blocks of 256 numbers."""

import json
from pathlib import Path

import numpy as np

TINY = Path(__file__).resolve().parents[2] / "priv/models/espalier-tiny"

SIZES = {
    "hidden_size": 256,
    "intermediate_size": 512,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 64,
    "max_position_embeddings": 512,
    "rope_theta": 10000.0,
}

GEMMA = {
    "hidden_activation": "gelu_pytorch_tanh",
    "query_pre_attn_scalar": 64,
    "sliding_window": 40,
}

# What a family's `config.json` has beside the sizes.
FAMILIES = {
    "llama": {"architectures": ["LlamaForCausalLM"]},
    "linear": {
        "architectures": ["LlamaForCausalLM"],
        "rope_scaling": {"rope_type": "linear", "factor": 4.0},
    },
    "yarn": {
        "architectures": ["Qwen3ForCausalLM"],
        "rope_scaling": {
            "rope_type": "yarn",
            "factor": 4.0,
            "original_max_position_embeddings": 128,
        },
    },
    "smollm3": {"architectures": ["SmolLM3ForCausalLM"], "num_hidden_layers": 5},
    "phi3": {
        "architectures": ["Phi3ForCausalLM"],
        "partial_rotary_factor": 0.75,
        "original_max_position_embeddings": 64,
        "rope_scaling": {
            "rope_type": "longrope",
            "short_factor": np.linspace(1, 1.5, 24).tolist(),
            "long_factor": np.linspace(1, 20, 24).tolist(),
        },
    },
    "gemma2": {
        "architectures": ["Gemma2ForCausalLM"],
        "num_hidden_layers": 4,
        "attn_logit_softcapping": 4.0,
        "final_logit_softcapping": 12.0,
        **GEMMA,
    },
    "gemma3": {
        "architectures": ["Gemma3ForCausalLM"],
        "num_hidden_layers": 7,
        "rope_theta": 1000000.0,
        "rope_scaling": {"rope_type": "linear", "factor": 8.0},
        **GEMMA,
    },
}


def make_wide(folder, family):
    """Makes the directory of a model, with the tokenizer of the shipped one."""
    folder.mkdir(exist_ok=True)
    tiny = json.loads((TINY / "config.json").read_text())
    ids = {key: tiny[key] for key in tiny if key.endswith("_token_id")}
    fields = {"vocab_size": tiny["vocab_size"], "rms_norm_eps": 1e-5, "tie_word_embeddings": True}
    config = fields | ids | SIZES | FAMILIES[family]
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer.json").write_text((TINY / "tokenizer.json").read_text())
    generator = np.random.default_rng(9)
    norm = 0 if family.startswith("gemma") else 1
    header, data = {}, b""
    for name, shape in shapes(config, family).items():
        scale = 1.5 / shape[-1] ** 0.5
        numbers = generator.normal(size=shape) * scale + (norm if len(shape) == 1 else 0)
        start = len(data)
        data += numbers.astype(np.float32).tobytes()
        header[f"{name}.weight"] = {
            "dtype": "F32",
            "shape": shape,
            "data_offsets": [start, len(data)],
        }
    header = json.dumps(header).encode()
    weights = len(header).to_bytes(8, "little") + header + data
    (folder / "model.safetensors").write_bytes(weights)
    return folder


def shapes(config, family):
    """The tensors of a model."""
    hidden = config["hidden_size"]
    all = {"model.embed_tokens": (config["vocab_size"], hidden), "model.norm": (hidden,)}
    for layer in range(config["num_hidden_layers"]):
        parts = shapes_of_layer(config, family).items()
        all |= {f"model.layers.{layer}.{name}": shape for name, shape in parts}
    return all


def shapes_of_layer(config, family):
    """The tensors of a layer."""
    hidden, inner, head = (config[key] for key in ("hidden_size", "intermediate_size", "head_dim"))
    queries, keys = (config[f"num_{kind}_heads"] * head for kind in ("attention", "key_value"))
    parts = {
        "input_layernorm": (hidden,),
        "post_attention_layernorm": (hidden,),
        "self_attn.o_proj": (hidden, queries),
        "mlp.down_proj": (hidden, inner),
    }
    if family == "phi3":
        parts["self_attn.qkv_proj"] = (queries + 2 * keys, hidden)
        parts["mlp.gate_up_proj"] = (2 * inner, hidden)
    else:
        parts |= {
            "self_attn.q_proj": (queries, hidden),
            "self_attn.k_proj": (keys, hidden),
            "self_attn.v_proj": (keys, hidden),
            "mlp.gate_proj": (inner, hidden),
            "mlp.up_proj": (inner, hidden),
        }
    if family in ("yarn", "gemma3"):
        parts |= {"self_attn.q_norm": (head,), "self_attn.k_norm": (head,)}
    if family in ("gemma2", "gemma3"):
        parts |= {
            "pre_feedforward_layernorm": (hidden,),
            "post_feedforward_layernorm": (hidden,),
        }
    return parts
