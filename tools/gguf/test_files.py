"""Makes the GGUF files of the tests of `native/espalier_inference`.

    python tools/gguf/test_files.py

`blocks.gguf` has tensors of random blocks of each type, and what the `gguf` package makes of them. The
others are the models of `tests/data` and `tests/variants`, whose logits the `transformers` library
computed. Needs gguf and numpy.
"""

import json
from pathlib import Path

import gguf
import numpy as np

from convert import convert, finish

TESTS = Path(__file__).resolve().parents[2] / "native/espalier_inference/tests"

KINDS = ["F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q4_K", "Q5_K", "Q6_K"]

# Where the halves are in a block that scale it.
SCALES = {
    "Q4_0": [0],
    "Q4_1": [0, 2],
    "Q5_0": [0],
    "Q5_1": [0, 2],
    "Q8_0": [0],
    "Q4_K": [0, 2],
    "Q5_K": [0, 2],
    "Q6_K": [208],
}

MODELS = {
    "variants/llama3_rope": "F32",
    "variants/qwen2": "F32",
    "variants/qwen3": "F32",
    "data/llama_untied_gqa_bf16": "BF16",
    "variants/llama_linear": "BF16",
    "variants/qwen3_yarn": "BF16",
    "variants/smollm3": "BF16",
    "variants/phi3_longrope": "BF16",
    "variants/gemma2": "BF16",
    "variants/gemma3": "BF16",
}

# The one that is there in several files, too.
SPLIT = "variants/llama_linear"


def random_blocks(kind, generator):
    """Two rows of two blocks of 256 numbers, of any bits, with scales that are numbers."""
    n_numbers, n_bytes = gguf.GGML_QUANT_SIZES[kind]
    if n_numbers == 1:
        return gguf.quantize(generator.normal(size=(2, 512)).astype(np.float32), kind)
    blocks = generator.integers(0, 256, (2, 512 // n_numbers, n_bytes), dtype=np.uint8)
    for start in SCALES[kind.name]:
        scales = generator.normal(size=blocks.shape[:2]).astype(np.float16)
        blocks[..., start : start + 2] = scales[..., None].view(np.uint8)
    return blocks.reshape(2, -1)


def make_blocks(path):
    """A tensor of each type, and its numbers as float32."""
    generator = np.random.default_rng(5)
    writer = gguf.GGUFWriter(path, "blocks")
    for name in KINDS:
        kind = gguf.GGMLQuantizationType[name]
        blocks = random_blocks(kind, generator)
        writer.add_tensor(name, blocks, raw_dtype=kind)
        writer.add_tensor(f"{name}.numbers", gguf.dequantize(blocks, kind).astype(np.float32))
    finish(writer)


def byte_tokenizer(size):
    """A tokenizer of the bytes that a vocabulary has room for, and of two of them together."""
    printable = [chr(code) for code in range(0x21, 0x7F)]
    others = [chr(code) for code in range(0x100, 0x143)]
    texts = [*(printable + others)[: size - 2], "ab"]
    vocabulary = {text: id for id, text in enumerate(texts)}
    end = {"id": size - 1, "content": "<|end|>", "special": True}
    return {"model": {"vocab": vocabulary, "merges": ["a b"]}, "added_tokens": [end]}


def main():
    """Makes all files."""
    folder = TESTS / "gguf"
    folder.mkdir(exist_ok=True)
    make_blocks(folder / "blocks.gguf")
    for name, kind in MODELS.items():
        path = folder / f"{Path(name).name}.gguf"
        config = json.loads((TESTS / name / "config.json").read_text())
        tokenizer = byte_tokenizer(config["vocab_size"])
        kind = gguf.GGMLQuantizationType[kind]
        convert(TESTS / name, path, kind, tokenizer)
        if name == SPLIT:
            (folder / "split").mkdir(exist_ok=True)
            convert(TESTS / name, folder / "split" / path.name, kind, tokenizer, max_tensors=8)


if __name__ == "__main__":
    main()
