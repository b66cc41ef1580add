"""Makes GGUF files and what llama.cpp does with them, for a comparison with the library's own reader.

    python tools/gguf/peers.py FOLDER [PRE=DIRECTORY ...] [PRE~DIRECTORY ...]
    ESPALIER_GGUF_CASES=FOLDER cargo test --release -p espalier_inference --lib peers -- \\
        --ignored --nocapture

The models are the shipped one and random ones, of each family, that are wide enough for blocks of 256
numbers, with the types that llama.cpp's own quantiser makes. A directory with a `tokenizer.json` gives a file without
weights, whose texts are cut in the way that llama.cpp has under the name in front of it: the tokenizer's
own way, as in `llama-bpe=models/llama-3`, or with `~` another one. Needs gguf, numpy and
llama-cpp-python.
"""

import json
import random
import sys
from pathlib import Path

import gguf
import llama_cpp
import numpy as np

from convert import add_tokenizer, convert, finish
from wide import FAMILIES, make_wide

ROOT = Path(__file__).resolve().parents[2]
TINY = ROOT / "priv/models/espalier-tiny"
HELDOUT = ROOT / "tools/tiny_model/heldout.jsonl"

N_POSITIONS = 200

# llama.cpp rounds GELU to half precision, in which our logits can't be its own.
TOLERANCES = {"gemma2": 1e-2, "gemma3": 1e-2}

TYPES = ["F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q4_K_M", "Q5_K_M", "Q6_K"]

# Of the families beside Llama.
FEW_TYPES = ["Q8_0", "Q4_K_M"]

ODD = [
    "",
    " ",
    "  ",
    "\n",
    "\n\n\n",
    " \n",
    "\t\t x",
    "a  b   c    d",
    "trailing   ",
    "\r\n\r\nline\r\n",
    "Hello, world! It's we'll I'VE DON'T they'Re",
    "1 12 123 1234 12345 3.14159 1,000,000",
    "x=1;y+=2*(z-3)//4 if(a&&b||!c){return;}",
    '{"name": "Zoë", "tags": ["a", "b"], "n": -1.5e-3, "s": "a\\"b\\\\n"}',
    "def f(x):\n    return x ** 2\n\n\nclass A:\n\tpass\n",
    "naïve café straße Ærøskøbing Łódź",
    "日本語のテキスト。中文文本，한국어 텍스트!",
    "Привет, мир! Ελληνικά שלום مرحبا नमस्ते ไทย",
    "\U0001f600\U0001f468\u200d\U0001f469\u200d\U0001f467 \u2764\ufe0f \U0001f1e9\U0001f1ea",
    "\u00bd \u00b2 \u2460 \u2167 \u0663\u0664",
    "zero\u200bwidth \u00a0nbsp \u2003em \u3000wide",
    "\u0000\u0001\u007f",
    "<s></s><unk><|im_start|>user\nhi<|im_end|><|eot_id|><|endoftext|>",
    "a<|im_end|> b <|im_end|>c <think>x</think> </s>y",
    "<|user|>hi<|assistant|> there<|end|>",
    "<0x0A> \u2581 \u2581\u2581a",
    "$100 #tag @user 50% a_b-c/d\\e `code` ~x~ ^2 |p|",
    "https://example.org/a?b=c&d=e#f user@example.org",
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    " " * 70 + "x" + "=" * 70,
]

CHARACTERS = [
    range(0x61, 0x7B),
    range(0x20, 0x7F),
    range(0xA0, 0x250),
    range(0x370, 0x500),
    range(0x2000, 0x2C00),
    range(0x4E00, 0x4F00),
    range(0xAC00, 0xAD00),
    range(0x1F600, 0x1F650),
    [0x20, 0x20, 0x0A, 0x09, 0x0D],
]


def texts():
    """Texts from the held-out lines, odd ones, and random characters."""
    lines = [json.loads(line)["text"] for line in HELDOUT.read_text().splitlines()[:100]]
    numbers = random.Random(8)
    noise = [
        "".join(chr(numbers.choice(numbers.choice(CHARACTERS))) for _ in range(numbers.randint(1, 30)))
        for _ in range(300)
    ]
    return ODD + lines + noise


def quantize(source, target, name):
    """Writes a model's file with llama.cpp's own types."""
    options = llama_cpp.llama_model_quantize_default_params()
    options.ftype = getattr(llama_cpp, f"LLAMA_FTYPE_MOSTLY_{name}")
    options.nthread = 2
    options.quantize_output_tensor = True
    failed = llama_cpp.llama_model_quantize(str(source).encode(), str(target).encode(), options)
    if failed:
        sys.exit(f"llama.cpp did not write {target}")


def write_numbers(source, target):
    """Writes the model of a file with its numbers as float32, which llama.cpp multiplies as they are."""
    reader = gguf.GGUFReader(source)
    writer = gguf.GGUFWriter(target, reader.fields["general.architecture"].contents())
    for field in reader.fields.values():
        if field.name != "general.architecture" and not field.name.startswith("GGUF."):
            items = field.types[-1] if len(field.types) > 1 else None
            writer.add_key_value(field.name, field.contents(), field.types[0], items)
    for tensor in reader.tensors:
        numbers = gguf.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        writer.add_tensor(tensor.name, numbers)
    finish(writer)


def make_vocabulary(path, directory, pre):
    """A file with a tokenizer and no weights."""
    tokenizer = json.loads((directory / "tokenizer.json").read_text())
    ids = list(tokenizer["model"]["vocab"].values())
    size = 1 + max(ids + [token["id"] for token in tokenizer["added_tokens"]])
    writer = gguf.GGUFWriter(path, "llama")
    ends = [t["id"] for t in tokenizer["added_tokens"] if t["special"]]
    add_tokenizer(writer, tokenizer, {"eos_token_id": ends[-1]}, pre, size)
    finish(writer)


def expected_ids(path):
    """The ids of all texts."""
    model = llama_cpp.Llama(str(path), vocab_only=True, verbose=False)
    return [model.tokenize(text.encode(), add_bos=False, special=True) for text in texts()]


def expected_logits(path, logits):
    """The ids of a long text. Writes the logits at each of its positions."""
    model = llama_cpp.Llama(
        str(path), n_ctx=256, logits_all=True, n_threads=2, verbose=False, type_k=0, type_v=0
    )
    text = " ".join(texts()[len(ODD) : len(ODD) + 40])
    ids = model.tokenize(text.encode(), add_bos=False, special=True)[:N_POSITIONS]
    model.eval(ids)
    np.array(model.scores[: len(ids)], np.float32).tofile(logits)
    return ids


def main(folder, tokenizers):
    """Makes all cases."""
    folder.mkdir(exist_ok=True)
    cases = []
    directories = {name: make_wide(folder / name, name) for name in FAMILIES}
    for name, directory in {"tiny": TINY, **directories}.items():
        plain = folder / f"{name}-F32.gguf"
        convert(directory, plain, pre="falcon")
        for kind in ["F32", *(TYPES if name in ("tiny", "llama") else FEW_TYPES)]:
            path = folder / f"{name}-{kind}.gguf"
            if kind != "F32":
                quantize(plain, path, kind)
            numbers = folder / "numbers.gguf"
            write_numbers(path, numbers)
            case = {"file": path.name, "logits": f"{path.stem}.logits", "exact": f"{path.stem}.exact"}
            case["tolerance"] = TOLERANCES.get(name, 1e-4)
            case["positions"] = expected_logits(path, folder / case["logits"])
            expected_logits(numbers, folder / case["exact"])
            cases.append(case)
        cases[-1] |= {"ids": expected_ids(plain), "tokenizer": str(directory / "tokenizer.json")}
    for number, argument in enumerate(tokenizers):
        own = "=" in argument
        pre, directory = argument.split("=" if own else "~")
        path = folder / f"{number}-{pre}.gguf"
        make_vocabulary(path, Path(directory), pre)
        case = {"file": path.name, "ids": expected_ids(path)}
        if own:
            case["tokenizer"] = str(Path(directory) / "tokenizer.json")
        cases.append(case)
    (folder / "cases.json").write_text(json.dumps({"texts": texts(), "cases": cases}))


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), sys.argv[2:])
