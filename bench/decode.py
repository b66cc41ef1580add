"""How fast do texts come out of local models, beside llama.cpp on the same files?

    cargo build --release -p bench --features decode --bin decode
    python bench/decode.py RANKS [--shapes NAME,...] [--threads N,...] [--rounds N] [--folder FOLDER]

Models have random weights of real shapes in Q8_0, and the first tokens of o200k_base, whose tiktoken
rank file RANKS is, as many as the real model has. Their files are made in FOLDER (a temporary one by
default) and kept there. Both engines hold the model; they take turns, and ratios are medians over the
rounds, so that other work on the machine disturbs both. Prompts are new ones each time.

A step of ours ends with the likeliest token of each text, one of llama.cpp with its greedy sampler.
Needs gguf, numpy and llama-cpp-python.
"""

import argparse
import base64
import ctypes
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

import gguf
import llama_cpp
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools/gguf"))

from convert import ARCHITECTURES, add_config, add_tensors, finish  # noqa: E402

PROMPT = 8
N_PREFILL = 256
N_TOKENS = {1: 64, 8: 48}

SHAPES = {
    # SmolLM2-135M
    "135m": {
        "architectures": ["LlamaForCausalLM"],
        "hidden_size": 576,
        "intermediate_size": 1536,
        "num_hidden_layers": 30,
        "num_attention_heads": 9,
        "num_key_value_heads": 3,
        "vocab_size": 49152,
        "rms_norm_eps": 1e-5,
        "rope_theta": 1e5,
    },
    # Qwen2.5-0.5B
    "0.5b": {
        "architectures": ["Qwen2ForCausalLM"],
        "hidden_size": 896,
        "intermediate_size": 4864,
        "num_hidden_layers": 24,
        "num_attention_heads": 14,
        "num_key_value_heads": 2,
        "vocab_size": 151936,
        "rms_norm_eps": 1e-6,
        "rope_theta": 1e6,
    },
    # Qwen3-0.6B: rows of whole blocks of 256
    "0.6b": {
        "architectures": ["Qwen3ForCausalLM"],
        "hidden_size": 1024,
        "intermediate_size": 3072,
        "num_hidden_layers": 28,
        "num_attention_heads": 16,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "vocab_size": 151936,
        "rms_norm_eps": 1e-6,
        "rope_theta": 1e6,
    },
}


def tensors(config):
    """Random weights, with tied embeddings."""
    rng = np.random.default_rng(0)
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    head = config.get("head_dim", hidden // config["num_attention_heads"])
    queries = head * config["num_attention_heads"]
    keys = head * config["num_key_value_heads"]

    def random(*shape):
        return rng.standard_normal(shape, np.float32) * np.float32(0.02)

    yield "model.embed_tokens.weight", random(config["vocab_size"], hidden)
    yield "model.norm.weight", np.ones(hidden, np.float32)
    for layer in range(config["num_hidden_layers"]):
        name = f"model.layers.{layer}"
        for norm in ["input_layernorm", "post_attention_layernorm"]:
            yield f"{name}.{norm}.weight", np.ones(hidden, np.float32)
        for part, size in [("q", queries), ("k", keys), ("v", keys)]:
            yield f"{name}.self_attn.{part}_proj.weight", random(size, hidden)
            if config["architectures"] == ["Qwen2ForCausalLM"]:
                yield f"{name}.self_attn.{part}_proj.bias", random(size)
            if config["architectures"] == ["Qwen3ForCausalLM"] and part != "v":
                yield f"{name}.self_attn.{part}_norm.weight", np.ones(head, np.float32)
        yield f"{name}.self_attn.o_proj.weight", random(hidden, queries)
        for part in ["gate", "up"]:
            yield f"{name}.mlp.{part}_proj.weight", random(inner, hidden)
        yield f"{name}.mlp.down_proj.weight", random(hidden, inner)


def byte_texts():
    """GPT-2's character for each byte."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    texts = {byte: chr(byte) for byte in plain}
    return texts | {byte: chr(256 + index) for index, byte in enumerate(others)}


def merge_of(token, ranks):
    """The two tokens that byte pair encoding joins last to this one."""
    parts = [token[i : i + 1] for i in range(len(token))]
    while len(parts) > 2:
        pairs = [(ranks.get(a + b, len(ranks)), i) for i, (a, b) in enumerate(zip(parts, parts[1:]))]
        _, i = min(pairs)
        parts[i : i + 2] = [parts[i] + parts[i + 1]]
    return parts


def add_tokenizer(writer, ranks_path, size):
    """The first tokens of a rank file, then one that ends a text."""
    lines = [line.split() for line in ranks_path.read_text().splitlines()[: size - 1]]
    ranks = {base64.b64decode(token): int(rank) for token, rank in lines}
    of_byte = byte_texts()

    def text(token):
        return "".join(of_byte[byte] for byte in token)

    merges = [merge_of(token, ranks) for token in ranks if len(token) > 1]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list([*map(text, ranks), "<|end|>"])
    writer.add_token_types([gguf.TokenType.NORMAL] * len(ranks) + [gguf.TokenType.CONTROL])
    writer.add_token_merges([" ".join(map(text, pair)) for pair in merges])
    writer.add_eos_token_id(len(ranks))


def make(path, config, ranks_path):
    """Writes the model's file unless it is there."""
    if path.exists():
        return
    architecture = ARCHITECTURES[config["architectures"][0]]
    unfinished = path.with_suffix(".part")
    writer = gguf.GGUFWriter(unfinished, gguf.MODEL_ARCH_NAMES[architecture])
    config = {"max_position_embeddings": 2048, **config}
    add_config(writer, config)
    add_tokenizer(writer, ranks_path, config["vocab_size"])
    q8_0 = gguf.GGMLQuantizationType.Q8_0
    add_tensors(writer, architecture, config, dict(tensors(config)), q8_0)
    finish(writer)
    unfinished.rename(path)


class Ours:
    """The program beside this one, which obeys a line at a time."""

    def __init__(self, path, n_threads):
        program = ROOT / "target/release/decode"
        self.process = subprocess.Popen(
            [program, path, str(n_threads)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, *command):
        print(*command, file=self.process.stdin, flush=True)
        return [float(number) for number in self.process.stdout.readline().split()]

    def decode(self, batch, n):
        return self.ask("decode", batch, n)[0]

    def prefill(self, n):
        return self.ask("prefill", n)[0]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class LlamaCpp:
    """llama.cpp by its own functions, with one sequence for each text."""

    def __init__(self, path, n_threads):
        self.model = llama_cpp.llama_model_load_from_file(
            str(path).encode(), llama_cpp.llama_model_default_params()
        )
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = 2048
        params.n_seq_max = 8
        params.n_threads = params.n_threads_batch = n_threads
        self.context = llama_cpp.llama_init_from_model(self.model, params)
        self.memory = llama_cpp.llama_get_memory(self.context)
        self.sampler = llama_cpp.llama_sampler_init_greedy()
        vocabulary = llama_cpp.llama_model_get_vocab(self.model)
        self.size = llama_cpp.llama_vocab_n_tokens(vocabulary)
        self.rng = np.random.default_rng(1)

    def run(self, rows):
        """One pass over (token, position, sequence, whether logits are wanted)."""
        batch = llama_cpp.llama_batch_init(len(rows), 0, 1)
        batch.n_tokens = len(rows)
        for i, (token, position, sequence, wanted) in enumerate(rows):
            batch.token[i], batch.pos[i], batch.n_seq_id[i] = token, position, 1
            batch.seq_id[i][0], batch.logits[i] = sequence, wanted
        if llama_cpp.llama_decode(self.context, batch) != 0:
            raise RuntimeError("llama_decode failed")
        tokens = [
            llama_cpp.llama_sampler_sample(self.sampler, self.context, i)
            for i, row in enumerate(rows)
            if row[3]
        ]
        llama_cpp.llama_batch_free(batch)
        return tokens

    def prompt(self, n, sequence):
        tokens = self.rng.integers(0, self.size - 1, n)
        return [(int(t), i, sequence, i == n - 1) for i, t in enumerate(tokens)]

    def decode(self, batch, n):
        llama_cpp.llama_memory_clear(self.memory, True)
        tokens = self.run([row for s in range(batch) for row in self.prompt(PROMPT, s)])
        start = time.perf_counter()
        for position in range(PROMPT, PROMPT + n):
            tokens = self.run([(t, position, s, True) for s, t in enumerate(tokens)])
        return time.perf_counter() - start

    def prefill(self, n):
        llama_cpp.llama_memory_clear(self.memory, True)
        prompt = self.prompt(n, 0)
        start = time.perf_counter()
        self.run(prompt)
        return time.perf_counter() - start

    def close(self):
        llama_cpp.llama_free(self.context)
        llama_cpp.llama_model_free(self.model)


def compare(name, n_tokens, measure, engines, n_rounds):
    """Prints tokens per second of both engines, and how often ours is theirs."""
    for engine in engines:
        measure(engine)
    times = [[measure(engine) for engine in engines] for _ in range(n_rounds)]
    ours, theirs = (n_tokens / statistics.median(each) for each in zip(*times))
    ratio = statistics.median(theirs / ours for ours, theirs in times)
    low, high = (edge(theirs / ours for ours, theirs in times) for edge in (min, max))
    print(f"  {name:12}{ours:10.1f}{theirs:12.1f}{ratio:8.2f}  ({low:.2f} to {high:.2f})", flush=True)
    return ours


def run(name, path, n_threads, n_rounds):
    engines = [Ours(path, n_threads), LlamaCpp(path, n_threads)]
    print(f"{name}, {n_threads} threads: tokens per second of ours and llama.cpp, ratio", flush=True)
    rates = {
        batch: compare(
            f"batch {batch}", batch * n, lambda engine: engine.decode(batch, n), engines, n_rounds
        )
        for batch, n in N_TOKENS.items()
    }
    print(f"  batch 8 gives {rates[8] / rates[1]:.1f} times as many as batch 1")
    compare(
        f"read {N_PREFILL}", N_PREFILL, lambda engine: engine.prefill(N_PREFILL), engines, n_rounds
    )
    for batch in N_TOKENS:
        cost(engines[0], batch, n_rounds)
    for engine in engines:
        engine.close()


def cost(ours, batch, n_rounds):
    """Prints how much longer texts take with a constraint than free ones of as many steps."""
    ours.ask("constrained", batch)
    rounds = [ours.ask("constrained", batch) for _ in range(n_rounds)]
    steps = statistics.median(seconds / free for seconds, _, free, _ in rounds)
    tokens = statistics.median(
        (seconds / n) / (free / n_free) for seconds, n, free, n_free in rounds
    )
    print(f"  batch {batch}, the Ticket schema against none: time of a token {tokens:.3f},")
    print(f"    of a step, which reads forced tokens, too, {steps:.3f}", flush=True)


def machine():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(": ")[1]
    return platform.processor()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("ranks", type=Path)
    parser.add_argument("--shapes", default=",".join(SHAPES))
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    folder = arguments.folder or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)

    silent = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)(lambda *_: None)
    llama_cpp.llama_log_set(silent, ctypes.c_void_p())
    llama_cpp.llama_backend_init()
    features = llama_cpp.llama_print_system_info().decode()
    print(f"{date.today()}, {machine()}, llama-cpp-python {llama_cpp.__version__} ({features})")
    for name in arguments.shapes.split(","):
        path = folder / f"{name}.gguf"
        make(path, SHAPES[name], arguments.ranks)
        for n_threads in map(int, arguments.threads.split(",")):
            run(name, path, n_threads, arguments.rounds)


if __name__ == "__main__":
    main()
