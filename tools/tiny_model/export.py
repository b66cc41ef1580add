"""Writes config.json and model.safetensors of a checkpoint, and checks them.

    python tools/tiny_model/export.py checkpoints/main/last.pt

The export is loaded with the `transformers` library and its logits compared
with ours, on the weights as stored (bf16).
"""

import argparse
import json
import os

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer

from evaluate import load
from make_tokenizer import FOLDER
from tokens import END, prompt

LIMIT = 6_000_000
SAMPLE = prompt("Hi, Ada Lovelace here. Please send 3 oak desks to Turin.") + '{"name":"Ada'


def write(model, end):
    """Writes both files; each replaces the old one in one go."""
    weights = {name: weight.to(torch.bfloat16).contiguous() for name, weight in model.state_dict().items()}
    save_file(weights, FOLDER / "model.new", metadata={"format": "pt"})
    os.chmod(FOLDER / "model.new", 0o644)
    (FOLDER / "model.new").rename(FOLDER / "model.safetensors")
    fields = model.config.as_huggingface(end, "bfloat16")
    (FOLDER / "config.json").write_text(json.dumps(fields, indent=2) + "\n")


@torch.no_grad()
def difference(tokenizer):
    """Largest difference of a logit between `transformers` and our model."""
    from transformers import AutoModelForCausalLM

    theirs = AutoModelForCausalLM.from_pretrained(FOLDER, dtype=torch.float32).eval()
    ids = torch.tensor([tokenizer.encode(SAMPLE, add_special_tokens=False).ids])
    return (theirs(ids).logits - load()(ids)).abs().max().item()


def check_template(tokenizer):
    """The chat template gives the prompt that training used."""
    from transformers import PreTrainedTokenizerFast

    theirs = PreTrainedTokenizerFast.from_pretrained(FOLDER)
    messages = [{"role": "system", "content": "Extract the order."}, {"role": "user", "content": "Hi!"}]
    shown = theirs.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert shown == prompt("Hi!", "Extract the order."), shown
    assert theirs(shown, add_special_tokens=False)["input_ids"] == tokenizer.encode(shown, add_special_tokens=False).ids
    assert theirs.decode(tokenizer.encode("Zoë  “a”\n€5").ids) == "Zoë  “a”\n€5"
    assert theirs.eos_token == END


def main():
    """Exports and checks."""
    parser = argparse.ArgumentParser()
    parser.add_argument("checkpoint")
    tokenizer = Tokenizer.from_file(str(FOLDER / "tokenizer.json"))
    model = load(parser.parse_args().checkpoint)
    write(model, tokenizer.token_to_id(END))
    size = sum((FOLDER / name).stat().st_size for name in ("config.json", "tokenizer.json", "model.safetensors"))
    assert size <= LIMIT, size
    check_template(tokenizer)
    print(f"{model.size()} parameters, {size} bytes, logits differ by at most {difference(tokenizer):.2g}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
