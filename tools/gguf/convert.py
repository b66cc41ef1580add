"""Writes a model directory, as Hugging Face lays it out, as a GGUF file.

    python tools/gguf/convert.py DIRECTORY FILE [TYPE]

It knows the families that the library knows, and stands beside the library's own reader: names and the file
format come from the `gguf` package. TYPE is that of matrices: F32 (as it is without one), F16, BF16,
Q8_0 and what else the package can write. Needs gguf and numpy.
"""

import json
import math
import sys
from pathlib import Path

import gguf
import numpy as np

ARCHITECTURES = {
    "LlamaForCausalLM": gguf.MODEL_ARCH.LLAMA,
    "MistralForCausalLM": gguf.MODEL_ARCH.LLAMA,
    "Qwen2ForCausalLM": gguf.MODEL_ARCH.QWEN2,
    "Qwen3ForCausalLM": gguf.MODEL_ARCH.QWEN3,
    "SmolLM3ForCausalLM": gguf.MODEL_ARCH.SMOLLM3,
    "Phi3ForCausalLM": gguf.MODEL_ARCH.PHI3,
    "Gemma2ForCausalLM": gguf.MODEL_ARCH.GEMMA2,
    "Gemma3ForCausalLM": gguf.MODEL_ARCH.GEMMA3,
}

# Those whose rotary pairs llama.cpp has side by side.
PAIRED = [gguf.MODEL_ARCH.LLAMA, gguf.MODEL_ARCH.SMOLLM3]

# Those whose norms multiply by one more than their weights.
FROM_ONE = [gguf.MODEL_ARCH.GEMMA2, gguf.MODEL_ARCH.GEMMA3]


def read_safetensors(path):
    """The tensors of a file by name, as float32."""
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    tensors = {}
    for name, info in header.items():
        if name == "__metadata__":
            continue
        start, end = (8 + size + offset for offset in info["data_offsets"])
        tensors[name] = to_float32(data[start:end], info["dtype"]).reshape(info["shape"])
    return tensors


def to_float32(data, dtype):
    """Numbers of a type as float32. A bfloat16 is the upper half of one."""
    if dtype == "BF16":
        return (np.frombuffer(data, np.uint16).astype(np.uint32) << 16).view(np.float32)
    return np.frombuffer(data, {"F32": np.float32, "F16": np.float16}[dtype]).astype(np.float32)


def pair_neighbours(rows, n_heads):
    """Rows of heads whose halves are paired, so that pairs are neighbours."""
    halves = rows.reshape(n_heads, 2, rows.shape[0] // n_heads // 2, *rows.shape[1:])
    return halves.swapaxes(1, 2).reshape(rows.shape)


def frequency_divisors(config, scaling):
    """What Llama 3.1 divides each rotary frequency by."""
    size = head_size(config)
    frequencies = config["rope_theta"] ** -(np.arange(0, size, 2) / size)
    low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
    turns = scaling["original_max_position_embeddings"] * frequencies / (2 * math.pi)
    kept = np.clip((turns - low) / (high - low), 0, 1)
    return (1 / ((1 - kept) / scaling["factor"] + kept)).astype(np.float32)


def head_size(config):
    """The numbers of a head."""
    return config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]


def add_config(writer, config):
    """The sizes and constants of the forward pass."""
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config.get("rope_theta", 10000.0))
    part = config.get("partial_rotary_factor") or 1
    writer.add_rope_dimension_count(int(head_size(config) * part))
    writer.add_key_length(head_size(config))
    writer.add_value_length(head_size(config))
    writer.add_vocab_size(config["vocab_size"])
    if config.get("sliding_window") and config.get("use_sliding_window", True):
        writer.add_sliding_window(config["sliding_window"])
    if config.get("attn_logit_softcapping"):
        writer.add_attn_logit_softcapping(config["attn_logit_softcapping"])
    if config.get("final_logit_softcapping"):
        writer.add_final_logit_softcapping(config["final_logit_softcapping"])
    add_scaling(writer, config, config.get("rope_scaling") or {})


def add_scaling(writer, config, scaling):
    """How rotary angles are scaled, but for the way of Llama 3.1, which is in a tensor."""
    kind = scaling.get("rope_type") or scaling.get("type")
    if kind in ("linear", "yarn"):
        writer.add_rope_scaling_type(gguf.RopeScalingType(kind))
        writer.add_rope_scaling_factor(scaling["factor"])
    if kind == "yarn":
        writer.add_rope_scaling_orig_ctx_len(scaling["original_max_position_embeddings"])
    if kind == "longrope":
        original = config["original_max_position_embeddings"]
        factor = config["max_position_embeddings"] / original
        writer.add_rope_scaling_orig_ctx_len(original)
        writer.add_rope_scaling_attn_factors(math.sqrt(1 + math.log(factor) / math.log(original)))
        for length in ("long", "short"):
            divisors = np.array(scaling[f"{length}_factor"], np.float32)
            writer.add_tensor(f"rope_factors_{length}.weight", divisors)


def add_tensors(writer, architecture, config, tensors, kind):
    """The weights under the names that llama.cpp has for them."""
    names = gguf.get_tensor_name_map(architecture, config["num_hidden_layers"])
    heads = {"q_proj": config["num_attention_heads"], "k_proj": config["num_key_value_heads"]}
    for name, numbers in sorted(tensors.items()):
        part = name.split(".")[-2]
        if architecture in PAIRED and part in heads:
            numbers = pair_neighbours(numbers, heads[part])
        if architecture in FROM_ONE and name.endswith("norm.weight"):
            numbers = numbers + 1
        new_name = names.get_name(name, try_suffixes=(".weight", ".bias"))
        stored = kind if numbers.ndim == 2 else gguf.GGMLQuantizationType.F32
        writer.add_tensor(new_name, gguf.quantize(numbers, stored), raw_dtype=stored)
    scaling = config.get("rope_scaling") or {}
    if scaling.get("rope_type") == "llama3":
        writer.add_tensor("rope_freqs.weight", frequency_divisors(config, scaling))


def add_tokenizer(writer, tokenizer, config, pre, size):
    """A `tokenizer.json` in the terms of llama.cpp, with texts for `size` ids."""
    model, added = tokenizer["model"], {token["id"]: token for token in tokenizer["added_tokens"]}
    texts = {id: text for text, id in model["vocab"].items()}
    texts |= {id: token["content"] for id, token in added.items()}
    pieces = model.get("byte_fallback", False)

    def kind(id):
        if id not in texts:
            return gguf.TokenType.UNUSED
        if id in added:
            if pieces and texts[id] == model["unk_token"]:
                return gguf.TokenType.UNKNOWN
            special = added[id]["special"]
            return gguf.TokenType.CONTROL if special else gguf.TokenType.USER_DEFINED
        byte = pieces and texts[id].startswith("<0x") and len(texts[id]) == 6
        return gguf.TokenType.BYTE if byte else gguf.TokenType.NORMAL

    kinds = [kind(id) for id in range(size)]
    writer.add_tokenizer_model("llama" if pieces else "gpt2")
    writer.add_tokenizer_pre("default" if pieces else pre)
    writer.add_token_list([texts.get(id, f"[PAD{id}]") for id in range(size)])
    writer.add_token_types(kinds)
    merges = [
        merge.split(" ") if isinstance(merge, str) else merge for merge in model["merges"]
    ]
    if pieces:
        # Merges are in the order of the scores of what they make, the best first.
        scores = {}
        for rank, pair in enumerate(merges):
            scores.setdefault("".join(pair), float(-rank))
        writer.add_token_scores([scores.get(texts.get(id), -1e9) for id in range(size)])
    else:
        writer.add_token_merges([" ".join(pair) for pair in merges])
    if "bos_token_id" in config:
        writer.add_bos_token_id(config["bos_token_id"])
    writer.add_eos_token_id(config.get("eos_token_id", size - 1))


def convert(
    directory,
    path,
    kind=gguf.GGMLQuantizationType.F32,
    tokenizer=None,
    pre="gpt-2",
    max_tensors=0,
):
    """Writes the model of a directory. Without a tokenizer it has its own `tokenizer.json`.

    With `max_tensors` it is split into files of at most so many.
    """
    config = json.loads((directory / "config.json").read_text())
    tokenizer = tokenizer or json.loads((directory / "tokenizer.json").read_text())
    architecture = ARCHITECTURES[config["architectures"][0]]
    name = gguf.MODEL_ARCH_NAMES[architecture]
    writer = gguf.GGUFWriter(path, name, split_max_tensors=max_tensors)
    add_config(writer, config)
    add_tokenizer(writer, tokenizer, config, pre, config["vocab_size"])
    chat = directory / "tokenizer_config.json"
    template = json.loads(chat.read_text()).get("chat_template") if chat.exists() else None
    if template:
        writer.add_chat_template(template)
    tensors = read_safetensors(directory / "model.safetensors")
    add_tensors(writer, architecture, config, tensors, kind)
    finish(writer)


def finish(writer):
    """Writes what was added to the file."""
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    arguments = sys.argv[1:]
    if len(arguments) not in (2, 3):
        sys.exit(__doc__)
    kinds = gguf.GGMLQuantizationType
    convert(Path(arguments[0]), arguments[1], kinds[arguments[2] if arguments[2:] else "F32"])
