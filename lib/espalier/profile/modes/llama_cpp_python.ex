defmodule Espalier.Profile.Modes.LlamaCppPython do
  @moduledoc false
  # What is not taken is skipped in silence. A pattern that it can't read frees the whole schema, or ends the server.

  @behaviour Espalier.Profile.Modes

  import Espalier.Profile.Statement, only: [list: 3]

  @source "https://github.com/abetlen/llama-cpp-python/blob/v0.3.36/llama_cpp/llama_grammar.py"

  @impl true
  def title, do: "llama-cpp-python's server, `response_format` with `json_object` and a `schema`"

  @impl true
  def statements do
    list(@source, ~D[2026-11-27],
      takes: ~w(type enum const anyOf $ref $defs properties required additionalProperties),
      takes: ~w(items minItems maxItems minLength maxLength pattern format),
      values: {"format", ~w(date time date-time uuid)},
      apart: [~w(pattern), ~w(format), ~w(minLength maxLength)],
      annotations: ~w(title description),
      references: :recursive,
      patterns: :plain,
      closed: :unless_stated,
      typed: true,
      prompt: true
    )
  end
end
