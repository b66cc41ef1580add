"""Trains the tokenizer and writes its files.

    python tools/tiny_model/make_tokenizer.py

A run of letters is a token sequence of its own, every digit and every other
character is one token. So a word has the same tokens wherever it stands, and
copying it is repeating them.
"""

import itertools
import json
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

import compose
from domains import common
from jsontext import compact
from tokens import ASSISTANT, END, SPECIAL, USER

FOLDER = Path(__file__).resolve().parents[2] / "priv/models/espalier-tiny"
VOCABULARY = 2560
EXAMPLES = 40000
SPLIT = r"\p{L}+|\p{N}|[^\p{L}\p{N}]"

CHAT_TEMPLATE = (
    "{%- set state = namespace(system='') -%}"
    "{%- for message in messages -%}"
    "{%- if message['role'] == 'system' -%}"
    "{%- set state.system = state.system + message['content'] + '\n' -%}"
    "{%- elif message['role'] == 'user' -%}"
    "{{- '" + USER + "' + state.system + message['content'] -}}"
    "{%- set state.system = '' -%}"
    "{%- elif message['role'] == 'assistant' -%}"
    "{{- '" + ASSISTANT + "' + message['content'] + '" + END + "' -}}"
    "{%- endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '" + ASSISTANT + "' -}}{%- endif -%}"
)


def build():
    """An untrained tokenizer."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(SPLIT), behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    tokenizer.decoder = decoders.ByteLevel(add_prefix_space=False, use_regex=False)
    return tokenizer


def key_words():
    """The words of all keys, so that each becomes one token."""
    for domain in [*compose.DOMAINS, common]:
        for keys in domain.KEYS.values():
            yield keys.replace("_", " ")


def texts():
    """Training texts of the generator, and the words of the keys."""
    for _ in range(300):
        yield from key_words()
    for example in itertools.islice(compose.stream(1, "train"), EXAMPLES):
        yield example.instruction + "\n" + example.text
        yield compact(example.values)


def main():
    """Trains and writes tokenizer.json and tokenizer_config.json."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    tokenizer = build()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=SPECIAL,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts(), trainer)
    tokenizer.save(str(FOLDER / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": END,
        "pad_token": END,
        "additional_special_tokens": [USER, ASSISTANT],
        "add_bos_token": False,
        "clean_up_tokenization_spaces": False,
        "model_max_length": 1024,
        "chat_template": CHAT_TEMPLATE,
    }
    (FOLDER / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")


if __name__ == "__main__":
    main()
