"""Compact JSON, and the schema of a value."""

import json


class Number:
    """A decimal number that keeps the digits it has in the text."""

    def __init__(self, text):
        self.text = text


def compact(value):
    """JSON without whitespace; decimals are written as they stand in the text."""
    if isinstance(value, Number):
        return value.text
    if isinstance(value, dict):
        return "{" + ",".join(f"{compact(k)}:{compact(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(compact(item) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def plain(value):
    """The value with ordinary numbers in the place of decimals."""
    return json.loads(compact(value))


def object_schema(properties):
    """The schema of an object whose keys are all required."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def schema_of(value):
    """The plainest schema that has this value."""
    if isinstance(value, dict):
        return object_schema({key: schema_of(item) for key, item in value.items()})
    if isinstance(value, list):
        return {"type": "array", "items": schema_of(value[0]) if value else {"type": "string"}}
    if isinstance(value, bool):
        return {"type": "boolean"}
    if isinstance(value, Number):
        return {"type": "number"}
    if isinstance(value, int):
        return {"type": "integer"}
    return {"type": "string"}
