"""What other engines make of what was exported.

    ESPALIER_EXPORTS=exports.jsonl cargo test --release -p espalier_constraint --test export -- --ignored written_for_others
    python tools/export/check.py exports.jsonl [--vocabulary vocab.gguf]

Each line has a text that was exported, for `regex`, `gbnf` or `lark`, and samples with the engine's verdict. Python's
`re` reads the expressions. llama.cpp reads GBNF with the vocabulary of a GGUF file that has all bytes, such as its own
`ggml-vocab-gpt-2.gguf`; llguidance and Lark (Earley, dynamic lexer) read the others. What is not installed is left out.
"""

import argparse
import ctypes
import json
import re
from collections import Counter


class Python:
    name, target, has_zero = "re", "regex", True

    def __init__(self, text):
        self.regex = re.compile(text)

    def accepts(self, text):
        return self.regex.fullmatch(text) is not None


class Lark:
    name, target, has_zero = "lark", "lark", True

    def __init__(self, text):
        import lark

        self.error = lark.exceptions.UnexpectedInput
        self.parser = lark.Lark(text, parser="earley", lexer="dynamic")

    def accepts(self, text):
        try:
            self.parser.parse(text)
        except self.error:
            return False
        return True


class LLGuidance:
    name, target, has_zero = "llguidance", "lark", True
    tokenizer = None

    def __init__(self, text):
        import llguidance

        LLGuidance.tokenizer = LLGuidance.tokenizer or llguidance.LLTokenizer("byte")
        self.matcher = llguidance.LLMatcher(self.tokenizer, llguidance.LLMatcher.grammar_from_lark(text), log_level=0)
        if self.matcher.is_error():
            raise ValueError(self.matcher.get_error())

    def accepts(self, text):
        self.matcher.reset()
        tokens = list(text.encode())
        if self.matcher.validate_tokens(tokens) < len(tokens):
            return False
        return self.matcher.consume_tokens(tokens) and self.matcher.is_accepting()


class LlamaCpp:
    # It has no character U+0000.
    name, target, has_zero = "llama.cpp", "gbnf", False
    model = None

    @classmethod
    def load(cls, path):
        import llama_cpp

        cls.cpp = llama_cpp
        cls.model = llama_cpp.Llama(path, vocab_only=True, verbose=False)
        cls.vocabulary = llama_cpp.llama_model_get_vocab(cls.model.model)
        pieces, buffer = {}, ctypes.create_string_buffer(64)
        for token in range(llama_cpp.llama_vocab_n_tokens(cls.vocabulary)):
            n = llama_cpp.llama_token_to_piece(cls.vocabulary, token, buffer, 64, 0, False)
            if n == 1:
                pieces.setdefault(buffer.raw[0], token)
        cls.tokens, cls.end = pieces, llama_cpp.llama_vocab_eos(cls.vocabulary)

    def __init__(self, text):
        self.text = text.encode()
        self.sampler().free()

    def sampler(self):
        return Sampler(self.cpp, self.vocabulary, self.text)

    def accepts(self, text):
        sampler = self.sampler()
        try:
            tokens = [self.tokens[byte] for byte in text.encode()]
            return all(sampler.takes(token) for token in tokens) and sampler.allows(self.end)
        finally:
            sampler.free()


class Sampler:
    def __init__(self, cpp, vocabulary, text):
        self.cpp = cpp
        self.sampler = cpp.llama_sampler_init_grammar(vocabulary, text, b"root")
        if not self.sampler:
            raise ValueError("refused")

    def allows(self, token):
        one = (self.cpp.llama_token_data * 1)(self.cpp.llama_token_data(token, 1.0, 0.0))
        candidates = self.cpp.llama_token_data_array(one, 1, -1, False)
        self.cpp.llama_sampler_apply(self.sampler, ctypes.byref(candidates))
        return one[0].logit > float("-inf")

    def takes(self, token):
        if not self.allows(token):
            return False
        self.cpp.llama_sampler_accept(self.sampler, token)
        return True

    def free(self):
        self.cpp.llama_sampler_free(self.sampler)


def engines(arguments):
    found = [Python]
    for engine, module in [(Lark, "lark"), (LLGuidance, "llguidance")]:
        try:
            __import__(module)
            found.append(engine)
        except ImportError:
            pass
    if arguments.vocabulary:
        LlamaCpp.load(arguments.vocabulary)
        found.append(LlamaCpp)
    return [engine for engine in found if not arguments.only or engine.name in arguments.only]


def check(engine, export, figures, max_bytes):
    if len(export["text"]) > max_bytes:
        figures[engine.name, "left out, as it is large"] += 1
        return
    try:
        reader = engine(export["text"])
    except Exception as error:
        figures[engine.name, "not read"] += 1
        print(f"{engine.name} does not read {export['name']}: {str(error)[:300]}\n{export['text'][:600]}\n")
        return
    figures[engine.name, "read"] += 1
    for text, is_accepted in export["samples"]:
        if "\0" in text and not engine.has_zero:
            continue
        figures[engine.name, "texts"] += 1
        if reader.accepts(text) != is_accepted:
            figures[engine.name, "wrong"] += 1
            print(f"{engine.name}: {export['name']}: {text!r} is accepted: {not is_accepted}\n{export['text'][:600]}\n")
            return


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("exports")
    parser.add_argument("--vocabulary")
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--max-bytes", type=int, default=20_000)
    arguments = parser.parse_args()
    figures, found = Counter(), engines(arguments)
    for line in open(arguments.exports):
        export = json.loads(line)
        for engine in found:
            if engine.target == export["target"]:
                check(engine, export, figures, arguments.max_bytes)
    for (engine, what), n in sorted(figures.items()):
        print(f"{engine}: {n} {what}")


if __name__ == "__main__":
    main()
