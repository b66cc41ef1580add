"""XGrammar as an engine of maskbench, which starts this script and asks it.

    pip install xgrammar
    cargo run --release -p bench --bin maskbench -- --engine espalier --engine xgrammar path/to/cases.jsonl

Lines of standard input are answered as bench/src/isolated.rs says: the first has the tokens, each
further one a case. XGrammar compiles with one thread and without a cache of grammars. strict_mode, its
default, would forbid all properties that a schema doesn't name; it is off, as JSON Schema has it.
"""

import json
import sys
import time
from importlib.metadata import version

import xgrammar


class Engine:
    def __init__(self, tokens):
        info = xgrammar.TokenizerInfo(
            [bytes(token) for token in tokens["bytes"]], stop_token_ids=[tokens["eos"]]
        )
        self.eos = tokens["eos"]
        self.compiler = xgrammar.GrammarCompiler(info, max_threads=1, cache_enabled=False)
        self.mask = xgrammar.allocate_token_bitmask(1, info.vocab_size)
        self.words = self.mask.numpy()[0]

    def compile(self, schema):
        """The compiled schema, after its first mask."""
        compiled = self.compiler.compile_json_schema(schema, strict_mode=False)
        xgrammar.GrammarMatcher(compiled).fill_next_token_bitmask(self.mask)
        return compiled

    def is_allowed(self, token):
        return bool(self.words[token // 32] >> (token % 32) & 1)

    def accepts(self, compiled, tokens, times):
        """Whether the text is accepted to its end; the time of each mask is appended."""
        matcher = xgrammar.GrammarMatcher(compiled)
        matcher.fill_next_token_bitmask(self.mask)
        for token in tokens:
            if not self.is_allowed(token):
                return False
            started = time.thread_time_ns()
            is_accepted = matcher.accept_token(token)
            matcher.fill_next_token_bitmask(self.mask)
            times.append((time.thread_time_ns() - started) / 1e3)
            if not is_accepted:
                raise RuntimeError(f"token {token} is in the mask and is refused")
        return self.is_allowed(self.eos)

    def verdict(self, compiled, texts, times):
        verdict = "Passed"
        for text in texts:
            if self.accepts(compiled, text["tokens"], times) != text["is_valid"]:
                verdict = "ValidRefused" if text["is_valid"] else "InvalidAccepted"
        return verdict

    def outcome(self, case):
        outcome = {
            "verdict": "Refused",
            "first_mask": None,
            "masks": [],
            "second_walk": [],
            "memory": None,
        }
        started = time.thread_time_ns()
        try:
            compiled = self.compile(case["schema"])
            outcome["first_mask"] = (time.thread_time_ns() - started) / 1e3
            outcome["verdict"] = self.verdict(compiled, case["texts"], outcome["masks"])
            outcome["total"] = (time.thread_time_ns() - started) / 1e3
            if outcome["verdict"] == "Passed":
                self.verdict(compiled, case["texts"], outcome["second_walk"])
        except Exception as error:
            print(f"{case['name']}: {error}", file=sys.stderr)
            outcome["verdict"] = "Refused"
            outcome.setdefault("total", (time.thread_time_ns() - started) / 1e3)
        return outcome


def say(answer):
    print(json.dumps(answer), flush=True)


def main():
    engine = Engine(json.loads(sys.stdin.readline()))
    say(f"XGrammar {version('xgrammar')}")
    for line in sys.stdin:
        say(engine.outcome(json.loads(line)))


if __name__ == "__main__":
    main()
