"""Trains the model.

    python tools/tiny_model/train.py --minutes 60 --out checkpoints/main

The learning rate follows the clock, so that a run ends when it was asked to.
"""

import argparse
import itertools
import json
import tempfile
import time
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as processes
import torch.nn.functional as F
from tokenizers import Tokenizer

import compose
import induction
from batches import batches, examples, pad
from make_tokenizer import FOLDER
from model import Config, Llama
from optimizer import Optimizer
from tokens import Encoder


def arguments():
    """Command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--out", default="checkpoints/main")
    parser.add_argument("--tokens", type=int, default=2048, help="of a batch, in each process")
    parser.add_argument("--muon", type=float, default=0.02)
    parser.add_argument("--adam", type=float, default=0.003)
    parser.add_argument("--hidden", type=int, default=192)
    parser.add_argument("--inner", type=int, default=448)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--heads", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--compile", action="store_true", help="faster on an idle machine")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--start", help="a checkpoint to begin with")
    parser.add_argument("--copying", type=float, default=0.12, help="share of the run with mostly lists to copy")
    return parser.parse_args()


def loss_of(model, hidden_of, ids, weights):
    """Cross entropy of the weighted targets only."""
    with torch.autocast("cpu", torch.bfloat16):
        hidden = hidden_of(ids[:, :-1])
        wanted = weights[:, 1:] > 0
        logits = model.logits(hidden[wanted])
    targets, scale = ids[:, 1:][wanted], weights[:, 1:][wanted]
    return (F.cross_entropy(logits.float(), targets, reduction="none") * scale).sum() / scale.sum()


@torch.no_grad()
def exact_fields(model, data):
    """Share of the fields whose tokens are all the likeliest, given the right text before."""
    right = total = 0
    for ids, weights, fields in data:
        with torch.autocast("cpu", torch.bfloat16):
            best = model(ids[:, :-1]).argmax(-1)
        wrong = (best != ids[:, 1:]) & (fields[:, 1:] > 0)
        for row, numbers in zip(wrong, fields[:, 1:]):
            count = int(numbers.max())
            right += count - len(set(numbers[row].tolist()) - {0})
            total += count
    return right / total


def held_out(encoder, count=192):
    """A fixed sample of held-out texts in batches."""
    found = [encoder.encode(e) for e in itertools.islice(compose.stream(5, "heldout", form_share=0.05), count)]
    found.sort(key=lambda e: len(e[0]))
    return [pad(found[i : i + 32], encoder.end) for i in range(0, count, 32)]


class Run:
    """One training run."""

    def __init__(self, options, rank):
        self.options, self.rank = options, rank
        torch.manual_seed(options.seed)
        self.encoder = Encoder(Tokenizer.from_file(str(FOLDER / "tokenizer.json")))
        self.model = Llama(Config(
            vocab_size=self.encoder.tokenizer.get_vocab_size(), hidden_size=options.hidden,
            intermediate_size=options.inner, num_hidden_layers=options.layers,
            num_attention_heads=options.heads, num_key_value_heads=options.heads))
        induction.start(self.model, options.seed)
        if options.start:
            self.model.load_state_dict(torch.load(options.start, weights_only=False)["model"])
        self.hidden = torch.compile(self.model.hidden, dynamic=True) if options.compile else self.model.hidden
        self.optimizer = Optimizer(self.model, options.muon, options.adam, warm_up=100)
        self.begin, self.step, self.seen, self.losses = time.time(), 0, 0, []
        self.shared_progress = 0.0
        self.folder = Path(__file__).parent / options.out
        self.folder.mkdir(parents=True, exist_ok=True)

    def clock(self):
        """Share of the time that has gone in this process."""
        return (time.time() - self.begin) / (60 * self.options.minutes)

    def shares(self):
        """Shares of lists, and of echoes among them: copying comes first, then messages."""
        part = self.shared_progress / self.options.copying if self.options.copying else 1.0
        if part < 0.4:
            return 1.0, 0.8
        return (0.5, 0.3) if part < 1 else (0.2, 0.05)

    def save(self, name):
        """Writes a checkpoint."""
        state = {"model": self.model.state_dict(), "config": self.model.config, "step": self.step,
                 "tokens": self.seen, "minutes": (time.time() - self.begin) / 60}
        torch.save(state, self.folder / "new.pt")
        (self.folder / "new.pt").rename(self.folder / name)

    def report(self, data):
        """Prints where the run is."""
        line = {"step": self.step, "minutes": round((time.time() - self.begin) / 60, 1), "tokens": self.seen,
                "loss": round(sum(self.losses) / len(self.losses), 4), "heldout": round(exact_fields(self.model, data), 4)}
        self.losses = []
        print(json.dumps(line), flush=True)
        with open(self.folder / "log.jsonl", "a") as log:
            log.write(json.dumps(line) + "\n")

    def average(self, loss):
        """Averages gradients, loss and clock over the processes, so that all stay alike."""
        found = [p.grad for p in self.model.parameters()]
        flat = torch.cat([g.flatten() for g in found] + [torch.tensor([loss, self.clock()])])
        dist.all_reduce(flat)
        flat /= self.options.processes
        for gradient, part in zip(found, flat[:-2].split([g.numel() for g in found])):
            gradient.copy_(part.view_as(gradient))
        self.shared_progress = flat[-1].item()
        return flat[-2].item()

    def train_step(self, batch):
        """One batch."""
        ids, weights, _ = batch
        loss = loss_of(self.model, self.hidden, ids, weights)
        loss.backward()
        self.losses.append(self.average(loss.item()))
        self.optimizer.step(self.step, self.shared_progress)
        self.model.zero_grad(set_to_none=True)
        self.step += 1
        self.seen += ids.numel() * self.options.processes

    def go(self):
        """Trains until the time is over."""
        data = held_out(self.encoder) if self.rank == 0 else None
        source = examples(1000 * self.options.seed + self.rank, self.encoder, self.shares)
        for batch in batches(source, self.options.tokens, self.encoder.end):
            self.train_step(batch)
            over = self.shared_progress >= 1
            if self.rank == 0 and (self.step % 100 == 0 or over):
                self.report(data)
                self.save("last.pt")
            if over:
                break


def work(rank, options):
    """One of the processes; each has one thread, as barriers are slow on a busy machine."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", rank=rank, world_size=options.processes,
                            init_method=f"file://{options.meeting}")
    Run(options, rank).go()
    dist.destroy_process_group()


def main():
    """Starts the processes."""
    options = arguments()
    with tempfile.TemporaryDirectory() as folder:
        options.meeting = f"{folder}/meeting"
        processes.spawn(work, (options,), nprocs=options.processes)


if __name__ == "__main__":
    main()
