"""Makes small random models of the Llama-like families and their f32 logits.

    python native/espalier_inference/tests/variants/make.py

What the families add to Llama (biases, norms of queries and keys, scaled rotary angles) is
compared with these figures, which come from the `transformers` library. Needs torch,
transformers and safetensors.
"""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM

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
}


def randomise(model, generator):
    """Weights large enough that every part of the model shows in the logits."""
    with torch.no_grad():
        for name, weight in model.named_parameters():
            noise = torch.randn(weight.shape, generator=generator)
            if name.endswith("norm.weight"):
                weight.copy_(1 + 0.2 * noise)
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
    model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder)).float().eval()
    randomise(model, generator)
    weights = {
        name: weight.detach().contiguous().clone()
        for name, weight in model.state_dict().items()
        if not (fields["tie_word_embeddings"] and name == "lm_head.weight")
    }
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    ids = torch.randint(0, fields["vocab_size"], (48,), generator=generator).tolist()
    with torch.no_grad():
        rows = model(torch.tensor([ids])).logits[0].tolist()
    logits = [[float(f"{value:.7g}") for value in row] for row in rows]
    (folder / "reference.json").write_text(json.dumps({"input_ids": ids, "logits": logits}) + "\n")


def main():
    """Makes all models beside this file."""
    torch.set_num_threads(1)
    for seed, (name, fields) in enumerate(MODELS.items(), start=1):
        make(Path(__file__).resolve().parent / name, fields | SIZES, seed)


if __name__ == "__main__":
    main()
