defmodule Espalier.Profile.Modes.LlamaCpp do
  @moduledoc false
  # What is not taken is skipped in silence. Objects are closed unless the schema says otherwise.

  @behaviour Espalier.Profile.Modes

  import Espalier.Profile.Statement, only: [list: 3]

  @guide "https://github.com/ggml-org/llama.cpp/blob/master/grammars/README.md"
  @source "https://github.com/ggml-org/llama.cpp/blob/master/common/json-schema-to-grammar.cpp"

  @impl true
  def title, do: "llama.cpp's server, `json_schema` or `response_format`"

  @impl true
  def statements do
    list(@guide, ~D[2026-11-27],
      takes: ~w(type enum const anyOf $ref $defs properties required additionalProperties),
      takes: ~w(items minItems maxItems minLength maxLength pattern format),
      takes: ~w(minimum maximum exclusiveMinimum exclusiveMaximum),
      ignores: ~w(patternProperties uniqueItems contains minContains maxContains not if then else
                  dependentSchemas dependentRequired prefixItems),
      closed: :unless_stated,
      typed: true,
      patterns: :anchored,
      integer_bounds: true,
      prompt: true
    ) ++
      list(@source, ~D[2026-11-27], [
        {:values, {"format", ~w(date time date-time uuid)}},
        {:apart, [~w(pattern), ~w(format), ~w(minLength maxLength)]},
        {:annotations, ~w(title description)},
        {:references, :recursive}
      ])
  end
end
