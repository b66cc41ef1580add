defmodule Espalier.Profile.Modes.GeminiSchema do
  @moduledoc false
  # The subset of OpenAPI 3.0. Whatever is not in it makes the request fail.

  @behaviour Espalier.Profile.Modes

  import Espalier.Profile.Statement, only: [list: 3]

  @sdk "https://github.com/googleapis/python-genai/blob/main/google/genai/types.py"
  @transformers "https://github.com/googleapis/python-genai/blob/main/google/genai/_transformers.py"

  @impl true
  def title, do: "Gemini, `responseSchema`"

  @impl true
  def statements do
    list(@sdk, ~D[2026-08-21],
      takes: ~w(type nullable enum anyOf properties required minProperties maxProperties),
      takes: ~w(items minItems maxItems minimum maximum format pattern minLength maxLength),
      values: {"format", ~w(date-time date)},
      enum_values: ~w(string),
      annotations: ~w(title description),
      types: :one,
      typed: true,
      order: "propertyOrdering"
    ) ++
      list(@transformers, ~D[2026-08-21],
        rejects: ~w(additionalProperties),
        references: :none
      )
  end
end
