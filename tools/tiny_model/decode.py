"""Greedy generation in which the schema forces keys and marks."""

import json

import torch

LONGEST_STRING = 60
LONGEST_NUMBER = 14


class Decoder:
    """Answers one prompt; the model only fills in the values."""

    def __init__(self, model, encoder):
        self.model, self.encoder = model, encoder
        self.one = {text: encoder.tokenizer.token_to_id(text) for text in '0123456789.,]}"'}
        self.digits = [self.one[digit] for digit in "0123456789"]
        self.special = [encoder.user, encoder.assistant, encoder.end]

    @torch.no_grad()
    def answer(self, text, schema, instruction=""):
        """The value for this schema; an empty object where what was written isn't JSON."""
        self.caches, self.position = [[] for _ in self.model.model.layers], 0
        self.pending, self.written = [], []
        self._read(self.encoder.prompt_ids(text, instruction))
        self._value(schema, "")
        try:
            return json.loads(self.encoder.tokenizer.decode(self.written))
        except json.JSONDecodeError:
            return {}

    def _read(self, ids):
        self.pending += ids

    def _force(self, text):
        self._emit(self.encoder.piece(text))

    def _emit(self, ids):
        self.pending += ids
        self.written += ids

    def _logits(self):
        ids = torch.tensor([self.pending])
        logits = self.model(ids, self.caches, self.position)[0, -1].clone()
        self.position += len(self.pending)
        self.pending = []
        logits[self.special] = -torch.inf
        return logits

    def _best(self, allowed):
        logits = self._logits()
        return max(allowed, key=lambda token: logits[token].item())

    def _value(self, schema, mark):
        kind = schema.get("type")
        if isinstance(kind, list):
            return self._nullable(schema, mark)
        if "enum" in schema:
            return self._one_of([json.dumps(value, ensure_ascii=False) for value in schema["enum"]])
        {"object": self._object, "array": self._array, "string": self._string, "boolean": self._boolean,
         "integer": self._number, "number": self._number}[kind](schema, mark)

    def _nullable(self, schema, mark):
        kind = next(kind for kind in schema["type"] if kind != "null")
        null = self.encoder.piece("null")
        if self._best([null[0], self.one['"']]) == null[0]:
            self._emit(null)
            return
        self._string(schema | {"type": kind}, mark)

    def _boolean(self, _schema, _mark):
        self._one_of(["true", "false"])

    def _one_of(self, texts):
        options = [self.encoder.piece(text) for text in texts]
        at = 0
        while len(options) > 1:
            allowed = sorted({option[at] for option in options})
            token = allowed[0] if len(allowed) == 1 else self._best(allowed)
            options = [option for option in options if option[at] == token]
            self._emit([token])
            at += 1
        self._emit(options[0][at:])

    def _string(self, _schema, _mark):
        self._force('"')
        for _ in range(LONGEST_STRING):
            token = int(self._logits().argmax())
            self._emit([token])
            if token == self.one['"']:
                return
        self._force('"')

    def _number(self, schema, mark):
        point = [self.one["."]] if schema["type"] == "number" else []
        ends, token = [self.one[text] for text in mark], None
        for count in range(LONGEST_NUMBER):
            after_digit = token in self.digits
            allowed = self.digits + (point + ends if after_digit else [])
            token = self._best(allowed)
            if token in ends:
                return
            self._emit([token])
            point = [] if token in point else point

    def _array(self, schema, _mark):
        self._force("[")
        first = {"object": "{", "string": '"'}.get(schema["items"]["type"])
        start = self.encoder.piece(first)[0] if first else None
        if start and self._best([start, self.one["]"]]) == self.one["]"]:
            return self._force("]")
        for _ in range(12):
            self._value(schema["items"], ",]")
            if self._best([self.one[","], self.one["]"]]) == self.one["]"]:
                break
            self._force(",")
        self._force("]")

    def _object(self, schema, _mark):
        names, before = list(schema["properties"]), "{"
        for index, name in enumerate(names):
            after = "," if index + 1 < len(names) else "}"
            self._force(before + json.dumps(name, ensure_ascii=False) + ":")
            self._value(schema["properties"][name], after)
            before = ","
        self._force("}")
