defmodule Espalier.Profile.Modes.OpenAIStrict do
  @moduledoc false
  # Fine-tuned models take neither patterns, formats, bounds nor counts; there is no profile of them.

  @behaviour Espalier.Profile.Modes

  import Espalier.Profile.Statement, only: [list: 3]

  @guide "https://developers.openai.com/api/docs/guides/structured-outputs#supported-schemas"
  @sdk "https://github.com/openai/openai-python/blob/main/src/openai/lib/_pydantic.py"
  @issue "https://github.com/567-labs/instructor/issues/1074"
  @reports "https://github.com/ComposioHQ/composio/releases/tag/@composio%2Fcore@0.18.0"

  @impl true
  def title, do: "OpenAI, Chat Completions and Responses, `json_schema` with `strict: true`"

  @impl true
  def statements do
    list(@guide, ~D[2026-11-27],
      takes: ~w(type enum anyOf $ref $defs properties required additionalProperties items),
      takes: ~w(pattern format),
      takes: ~w(multipleOf minimum maximum exclusiveMinimum exclusiveMaximum),
      takes: ~w(minItems maxItems),
      values: {"format", ~w(date-time time date duration email hostname ipv4 ipv6 uuid)},
      rejects: ~w(allOf not dependentRequired dependentSchemas if then else),
      annotations: ~w(description),
      root: :object,
      all_required: true,
      closed: true,
      references: :recursive,
      limit: {:properties, 5000},
      limit: {:nesting, 10},
      limit: {:enum_values, 1000},
      limit: {:characters, 120_000},
      limit: {:large_enum_characters, 15_000},
      name: "^[A-Za-z0-9_-]{1,64}$"
    ) ++
      list(@sdk, ~D[2026-08-21], annotations: ~w(title)) ++
      list(@issue, ~D[2026-11-27], [{:rejects, ~w(default), :secondary}]) ++
      list(@reports, ~D[2026-11-27], [
        {:rejects, ~w(oneOf prefixItems), :secondary},
        {:typed, true, :secondary},
        {:enum_values, ~w(string number boolean null), :secondary},
        {:patterns, :simple, :secondary}
      ])
  end
end
