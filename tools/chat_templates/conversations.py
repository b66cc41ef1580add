"""The conversations that templates are tried with."""

WEATHER = {
    "type": "function",
    "function": {
        "name": "current_weather",
        "description": "The weather at a place <now> & \"here\".",
        "parameters": {
            "type": "object",
            "properties": {
                "place": {"type": "string", "description": "A town, such as Zürich 🏔"},
                "unit": {"type": "string", "enum": ["celsius", "fahrenheit"], "default": "celsius"},
                "days": {"type": "array", "items": {"type": "integer", "minimum": 0}},
                "items": {"type": ["number", "null"], "maximum": 1e22},
            },
            "required": ["place"],
        },
    },
}

CLOCK = {
    "type": "function",
    "function": {
        "name": "clock",
        "description": "Tells the time.",
        "parameters": {"type": "object", "properties": {}},
    },
}


def message(role, content, **others):
    return {"role": role, "content": content, **others}


def call(name, arguments, id):
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def conversation(name, *messages, add_generation_prompt=True, **others):
    return {
        "name": name,
        "messages": list(messages),
        "add_generation_prompt": add_generation_prompt,
        **others,
    }


SYSTEM = message("system", "You are brief.")
HELLO = message("user", "Hello!")

CALLS = (
    message("user", "How is the weather in Oslo?"),
    message(
        "assistant",
        "",
        tool_calls=[call("current_weather", {"place": "Oslo", "days": [1, 2.50, True, None]}, "a1b2c3d4e")],
    ),
    message("tool", '{"sky": "blue"}', name="current_weather", tool_call_id="a1b2c3d4e"),
    message("assistant", "The sky is blue."),
    message("user", "And in Rome?"),
)

CONVERSATIONS = [
    conversation("one message", HELLO),
    conversation("a system message", SYSTEM, HELLO),
    conversation("no messages"),
    conversation("an empty content", message("user", "")),
    conversation("only a system message", SYSTEM),
    conversation(
        "many turns",
        SYSTEM,
        HELLO,
        message("assistant", "Hi."),
        message("user", "  two\n\nlines  \n"),
        message("assistant", "\n\nYes.\n"),
        message("user", "Bye."),
    ),
    conversation("an answer at the end", HELLO, message("assistant", "Hi."), add_generation_prompt=False),
    conversation("two of one role", HELLO, HELLO),
    conversation("an unknown role", message("narrator", "Once upon a time")),
    conversation(
        "all kinds of characters",
        message("user", "naïve 日本語 \U0001f600 \u200b\u00a0 a\u0301 \u2028 <b>&amp;'\"\\ {{ x }} {% y %} {# z #}"),
    ),
    conversation("control characters", message("user", "\x1c\x00a\x07\tb\x7f\r\nc\x85\x1f ")),
    conversation("parts", message("user", [{"type": "text", "text": "Hello,"}, {"type": "text", "text": " you!"}])),
    conversation("tools", SYSTEM, HELLO, tools=[WEATHER, CLOCK]),
    conversation("tools and no system message", HELLO, tools=[WEATHER]),
    conversation("calls", SYSTEM, *CALLS, tools=[WEATHER, CLOCK]),
    conversation("a call at the end", *CALLS[:2], tools=[WEATHER], add_generation_prompt=False),
    conversation("a result at the end", *CALLS[:3], tools=[WEATHER]),
    conversation(
        "two calls",
        CALLS[0],
        message(
            "assistant",
            "I look.",
            tool_calls=[call("clock", {}, "000000001"), call("current_weather", {"place": "ß"}, "000000002")],
        ),
        message("tool", "9:00", name="clock", tool_call_id="000000001"),
        message("tool", "rain", name="current_weather", tool_call_id="000000002"),
        tools=[CLOCK, WEATHER],
    ),
    conversation(
        "arguments as a text",
        CALLS[0],
        message("assistant", None, tool_calls=[call("clock", '{"zone": "UTC"}', "abcdefghi")]),
        message("tool", "9:00", name="clock", tool_call_id="abcdefghi"),
        tools=[CLOCK],
    ),
    conversation(
        "reasoning in the answer",
        HELLO,
        message("assistant", "<think>\nThey greet.\n</think>\n\nHi."),
        message("user", "Why?"),
    ),
    conversation(
        "reasoning apart",
        HELLO,
        message("assistant", "Hi.", reasoning_content="They greet."),
        message("user", "Why?"),
        message("assistant", "So.", reasoning_content="Hm.\n", thinking="Hm."),
        add_generation_prompt=False,
    ),
    conversation("no thinking", SYSTEM, HELLO, variables={"enable_thinking": False, "thinking": False}),
    conversation("thinking", SYSTEM, HELLO, variables={"enable_thinking": True, "thinking": True}),
    conversation(
        "variables",
        HELLO,
        variables={
            "date_string": "1 Apr 2025",
            "reasoning_effort": "high",
            "model_identity": "You are a lamp.",
            "builtin_tools": ["python"],
            "custom_tools": None,
            "number": 1e-05,
            "other": {"b": 1, "a": [1.0, 1e16, "x'y\"z\n", None, True]},
        },
    ),
    conversation(
        "documents",
        message("user", "What is in them?"),
        documents=[{"title": "One", "text": "1 < 2"}, {"title": "Zwei", "text": "größer"}],
    ),
]
