defmodule Espalier.Profile.Modes.GeminiJSONSchema do
  @moduledoc false

  @behaviour Espalier.Profile.Modes

  import Espalier.Profile.Statement, only: [list: 3]

  @sdk "https://github.com/googleapis/python-genai/blob/main/google/genai/types.py"
  @guide "https://ai.google.dev/gemini-api/docs/structured-output"

  @impl true
  def title, do: "Gemini, `responseJsonSchema`"

  @impl true
  def statements do
    list(@sdk, ~D[2026-08-21],
      takes: ~w(type enum anyOf $ref $defs properties required additionalProperties),
      takes: ~w(items prefixItems minItems maxItems minimum maximum format),
      enum_values: ~w(string number),
      annotations: ~w(title description),
      references: :optional,
      order: "propertyOrdering"
    ) ++
      list(@guide, ~D[2026-11-27],
        ignores: ~w(pattern minLength maxLength multipleOf exclusiveMinimum exclusiveMaximum
                    uniqueItems contains minContains maxContains minProperties maxProperties
                    patternProperties propertyNames dependentRequired dependentSchemas
                    allOf not if then else const unevaluatedProperties unevaluatedItems),
        values: {"format", ~w(date-time date time)}
      )
  end
end
