"""Makes small random models of the Llama-like families and their f32 logits.

    python native/espalier_inference/tests/variants/make.py [NAME ...]

What the families add to Llama (biases, other norms, scaled and missing rotary angles, windows, caps)
is compared with these figures, which come from the `transformers` library. Needs torch,
transformers and safetensors.
"""

import copy
import json
import shutil
import sys
import tempfile
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText

SIZES = {
    "vocab_size": 128,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "rms_norm_eps": 1e-6,
    "hidden_act": "silu",
}

LLAMA3_ROPE = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}

# The part that sees, which no text needs.
VISION = {
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "image_size": 28,
    "patch_size": 14,
}

# The fields of each config.json, as published models write them.
MODELS = {
    "llama3_rope": {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "rope_theta": 10000.0,
        "rope_scaling": LLAMA3_ROPE,
        "attention_bias": True,
        "mlp_bias": True,
        "tie_word_embeddings": True,
    },
    "mistral": {
        "architectures": ["MistralForCausalLM"],
        "model_type": "mistral",
        "rope_theta": 1000000.0,
        "sliding_window": None,
        "tie_word_embeddings": False,
    },
    "qwen2": {
        "architectures": ["Qwen2ForCausalLM"],
        "model_type": "qwen2",
        "rope_theta": 1000000.0,
        "sliding_window": 128,
        "use_sliding_window": False,
        "tie_word_embeddings": True,
    },
    "qwen3": {
        "architectures": ["Qwen3ForCausalLM"],
        "model_type": "qwen3",
        "rope_theta": 1000000.0,
        "head_dim": 16,
        "attention_bias": False,
        "use_sliding_window": False,
        "tie_word_embeddings": True,
    },
    "llama_linear": {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "rope_theta": 10000.0,
        "rope_scaling": {"type": "linear", "factor": 4.0},
        "tie_word_embeddings": True,
        "intermediate_size": 64,
        "torch_dtype": "bfloat16",
    },
    "mistral_window": {
        "architectures": ["MistralForCausalLM"],
        "model_type": "mistral",
        "rope_theta": 10000.0,
        "sliding_window": 18,
        "tie_word_embeddings": True,
        "intermediate_size": 64,
        "torch_dtype": "bfloat16",
    },
    "qwen2_window": {
        "architectures": ["Qwen2ForCausalLM"],
        "model_type": "qwen2",
        "rope_theta": 1000000.0,
        "sliding_window": 7,
        "use_sliding_window": True,
        "max_window_layers": 1,
        "tie_word_embeddings": True,
        "intermediate_size": 64,
        "torch_dtype": "bfloat16",
    },
    "qwen3_yarn": {
        "architectures": ["Qwen3ForCausalLM"],
        "model_type": "qwen3",
        "rope_theta": 1000000.0,
        "rope_scaling": {
            "rope_type": "yarn",
            "factor": 4.0,
            "original_max_position_embeddings": 64,
        },
        "head_dim": 16,
        "attention_bias": False,
        "use_sliding_window": False,
        "tie_word_embeddings": True,
        "intermediate_size": 64,
        "torch_dtype": "bfloat16",
    },
    "smollm3": {
        "architectures": ["SmolLM3ForCausalLM"],
        "model_type": "smollm3",
        "rope_theta": 50000.0,
        "no_rope_layers": [1, 1, 1, 0, 1],
        "num_hidden_layers": 5,
        "use_sliding_window": False,
        "pad_token_id": 0,
        "tie_word_embeddings": True,
        "intermediate_size": 64,
        "torch_dtype": "bfloat16",
    },
    "phi3_longrope": {
        "architectures": ["Phi3ForCausalLM"],
        "model_type": "phi3",
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "rope_theta": 10000.0,
        "partial_rotary_factor": 0.75,
        "original_max_position_embeddings": 32,
        "rope_scaling": {
            "type": "longrope",
            "short_factor": [1.0, 1.0, 1.05, 1.1, 1.1, 1.2],
            "long_factor": [1.1, 1.5, 2.5, 5.0, 9.0, 14.0],
        },
        "sliding_window": 1000,
        "pad_token_id": 0,
        "tie_word_embeddings": True,
        "intermediate_size": 64,
        "torch_dtype": "bfloat16",
    },
    "phi3_window": {
        "architectures": ["Phi3ForCausalLM"],
        "model_type": "phi3",
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "rope_theta": 10000.0,
        "original_max_position_embeddings": 256,
        "rope_scaling": None,
        "sliding_window": 20,
        "pad_token_id": 0,
        "tie_word_embeddings": False,
        "intermediate_size": 64,
        "torch_dtype": "bfloat16",
    },
    "gemma2": {
        "architectures": ["Gemma2ForCausalLM"],
        "model_type": "gemma2",
        "num_hidden_layers": 3,
        "head_dim": 16,
        "rope_theta": 10000.0,
        "hidden_activation": "gelu_pytorch_tanh",
        "query_pre_attn_scalar": 16,
        "attn_logit_softcapping": 4.0,
        "final_logit_softcapping": 12.0,
        "sliding_window": 17,
        "intermediate_size": 64,
        "torch_dtype": "bfloat16",
    },
    "gemma3": {
        "architectures": ["Gemma3ForCausalLM"],
        "model_type": "gemma3_text",
        "num_hidden_layers": 7,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 16,
        "rope_theta": 1000000.0,
        "rope_local_base_freq": 10000.0,
        "rope_scaling": {"rope_type": "linear", "factor": 8.0},
        "hidden_activation": "gelu_pytorch_tanh",
        "query_pre_attn_scalar": 16,
        "sliding_window": 9,
        "sliding_window_pattern": 6,
        "intermediate_size": 64,
        "torch_dtype": "bfloat16",
    },
    # Fields are left out as in the published file of the 4B model.
    "gemma3_vision": {
        "architectures": ["Gemma3ForConditionalGeneration"],
        "model_type": "gemma3",
        "boi_token_index": 120,
        "eoi_token_index": 121,
        "image_token_index": 122,
        "mm_tokens_per_image": 1,
        "text_config": {
            "model_type": "gemma3_text",
            "vocab_size": 128,
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 7,
            "head_dim": 8,
            "rope_scaling": {"factor": 8.0, "rope_type": "linear"},
            "sliding_window": 9,
        },
        "torch_dtype": "bfloat16",
        "vision_config": VISION | {"model_type": "siglip_vision_model"},
    },
    "mistral3_vision": {
        "architectures": ["Mistral3ForConditionalGeneration"],
        "model_type": "mistral3",
        "image_token_index": 10,
        "multimodal_projector_bias": False,
        "projector_hidden_act": "gelu",
        "spatial_merge_size": 2,
        "text_config": {
            "model_type": "mistral",
            "vocab_size": 128,
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
            "head_dim": 32,
            "hidden_act": "silu",
            "max_position_embeddings": 256,
            "rms_norm_eps": 1e-5,
            "rope_theta": 1000000000.0,
            "sliding_window": None,
            "tie_word_embeddings": False,
        },
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
        "vision_config": VISION | {"model_type": "pixtral", "head_dim": 8},
        "vision_feature_layer": -1,
    },
}


def randomise(model, generator):
    """Weights large enough that every part of the model shows in the logits."""
    # Gemma's norms multiply by one more than their weights.
    norm = 0 if model.config.model_type.startswith("gemma") else 1
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "vision" in name or "projector" in name:
                continue
            noise = torch.randn(weight.shape, generator=generator)
            if name.endswith("norm.weight"):
                weight.copy_(norm + 0.2 * noise)
            elif name.endswith("bias"):
                weight.copy_(0.5 * noise)
            elif "embed_tokens" in name:
                weight.copy_(noise)
            else:
                weight.copy_(noise * 1.5 / weight.shape[1] ** 0.5)


def make(folder, fields, seed):
    """Writes config.json, model.safetensors and reference.json of one model."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(fields, indent=2) + "\n")
    generator = torch.Generator().manual_seed(seed)
    config = AutoConfig.from_pretrained(folder)
    options = {"dtype": torch.float32, "attn_implementation": "eager"}
    sees = hasattr(config, "text_config")
    kind = AutoModelForImageTextToText if sees else AutoModelForCausalLM
    model = kind.from_config(config, **options).eval()
    randomise(model, generator)
    dtype = getattr(torch, fields.get("torch_dtype", "float32"))
    weights = {
        name: weight.detach().to(dtype).contiguous().clone()
        for name, weight in model.state_dict().items()
        if not (config.tie_word_embeddings and name == "lm_head.weight")
    }
    model.load_state_dict({name: weight.float() for name, weight in weights.items()}, strict=False)
    save(model, weights, folder, dtype)
    size = fields.get("text_config", fields)["vocab_size"]
    ids = torch.randint(0, size, (48,), generator=generator).tolist()
    with torch.no_grad():
        rows = model(torch.tensor([ids])).logits[0].tolist()
    logits = [[float(f"{value:.7g}") for value in row] for row in rows]
    (folder / "reference.json").write_text(json.dumps({"input_ids": ids, "logits": logits}) + "\n")


def save(model, weights, folder, dtype):
    """Writes model.safetensors. Files of models that see have other names than the models themselves."""
    if not hasattr(model.config, "text_config"):
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
        return
    with tempfile.TemporaryDirectory() as other:
        copy.deepcopy(model).to(dtype).save_pretrained(other)
        shutil.copy(Path(other) / "model.safetensors", folder)


def main(names):
    """Makes the models of these names, or all, beside this file."""
    torch.set_num_threads(1)
    for seed, (name, fields) in enumerate(MODELS.items(), start=1):
        if not names or name in names:
            # Gemma has a field of its own for the activation.
            other = "hidden_act" if "hidden_activation" in fields else None
            sizes = {key: size for key, size in SIZES.items() if key != other}
            sizes = {} if "text_config" in fields else sizes
            make(Path(__file__).resolve().parent / name, sizes | fields, seed)


if __name__ == "__main__":
    main(sys.argv[1:])
