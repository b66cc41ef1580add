"""Makes small random Llama models and their f32 logits.

    python tools/reference_logits/make.py

The Rust forward pass is compared with these figures, which come from the
`transformers` library. Needs torch, transformers and safetensors.
"""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM

TARGET = Path(__file__).resolve().parents[2] / "native/espalier_inference/tests/data"

BASE = dict(
    vocab_size=256,
    hidden_size=32,
    intermediate_size=80,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=4,
    max_position_embeddings=128,
    rms_norm_eps=1e-5,
    bos_token_id=0,
    eos_token_id=1,
    attention_bias=False,
)

MODELS = {
    "llama_tied_mha": (dict(tie_word_embeddings=True), 10000.0, torch.float32),
    "llama_untied_gqa_bf16": (
        dict(tie_word_embeddings=False, num_key_value_heads=2, num_hidden_layers=3),
        10000.0,
        torch.bfloat16,
    ),
    "llama_head_dim_theta": (
        dict(tie_word_embeddings=True, num_key_value_heads=2, head_dim=16, rms_norm_eps=1e-6),
        500000.0,
        torch.float32,
    ),
}


def config_for(options, theta):
    """The configuration; the rope base goes where this version of the library wants it."""
    try:
        rope = {"rope_type": "default", "rope_theta": theta}
        config = LlamaConfig(**{**BASE, **options}, rope_parameters=rope)
        if getattr(config, "rope_parameters", None) == rope:
            return config
    except TypeError:
        pass
    return LlamaConfig(**{**BASE, **options}, rope_theta=theta)


def randomise(model, generator):
    """Weights large enough that every part of the model shows in the logits."""
    with torch.no_grad():
        for name, weight in model.named_parameters():
            noise = torch.randn(weight.shape, generator=generator)
            if name.endswith("norm.weight"):
                weight.copy_(1 + 0.2 * noise)
            elif "embed_tokens" in name:
                weight.copy_(noise)
            else:
                weight.copy_(noise * 1.5 / weight.shape[1] ** 0.5)


def written_config(config, theta, dtype):
    """The fields of config.json, in the spelling that published models use."""
    keys = list(BASE) + ["tie_word_embeddings", "head_dim", "hidden_act"]
    fields = {"architectures": ["LlamaForCausalLM"], "model_type": "llama"}
    fields |= {key: getattr(config, key) for key in keys}
    if fields["head_dim"] in (None, config.hidden_size // config.num_attention_heads):
        del fields["head_dim"]
    return fields | {"rope_theta": theta, "torch_dtype": str(dtype).removeprefix("torch.")}


def stored_weights(model, dtype):
    """The tensors as stored: the output layer is left out where it is tied."""
    tied = model.config.tie_word_embeddings
    return {
        name: weight.detach().to(dtype).contiguous().clone()
        for name, weight in model.state_dict().items()
        if not (tied and name == "lm_head.weight")
    }


def logits_of(model, ids):
    """f32 logits of every position, one list for each."""
    with torch.no_grad():
        return model(torch.tensor([ids])).logits[0].float().tolist()


def make(name, options, theta, dtype, seed):
    """Writes config.json, model.safetensors and reference.json of one model."""
    generator = torch.Generator().manual_seed(seed)
    config = config_for(options, theta)
    model = LlamaForCausalLM(config).float().eval()
    randomise(model, generator)
    stored = stored_weights(model, dtype)
    model.load_state_dict({k: v.float() for k, v in stored.items()}, strict=False)
    ids = torch.randint(0, config.vocab_size, (20,), generator=generator).tolist()
    rows = logits_of(model, ids)
    folder = TARGET / name
    folder.mkdir(parents=True, exist_ok=True)
    save_file(stored, folder / "model.safetensors", metadata={"format": "pt"})
    fields = written_config(config, theta, dtype)
    (folder / "config.json").write_text(json.dumps(fields, indent=2) + "\n")
    rounded = [[float(f"{value:.8g}") for value in row] for row in rows]
    (folder / "reference.json").write_text(json.dumps({"input_ids": ids, "logits": rounded}) + "\n")


def main():
    """Makes all models."""
    torch.set_num_threads(1)
    for seed, (name, (options, theta, dtype)) in enumerate(MODELS.items(), start=1):
        make(name, options, theta, dtype, seed)


if __name__ == "__main__":
    main()
