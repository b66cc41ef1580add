defmodule Espalier.Profile.Modes.Mistral do
  @moduledoc false
  # The documentation names no keywords, so those are taken that its examples and its own client use.

  @behaviour Espalier.Profile.Modes

  import Espalier.Profile.Statement, only: [list: 3]

  @guide "https://docs.mistral.ai/capabilities/structured-output/custom_structured_output/"
  @sdk "https://github.com/mistralai/client-python/blob/main/src/mistralai/extra/utils/_pydantic_helper.py"

  @impl true
  def title, do: "Mistral, `json_schema` with `strict: true`"

  @impl true
  def statements do
    list(@guide, ~D[2026-11-27], [
      {:takes, ~w(type properties required additionalProperties items)},
      {:takes, ~w(enum anyOf), :secondary},
      {:annotations, ~w(title description)},
      {:enum_values, ~w(string number boolean null), :secondary},
      {:typed, true, :secondary},
      {:root, :object}
    ]) ++
      list(@sdk, ~D[2026-11-27], [
        {:takes, ~w($ref $defs), :secondary},
        {:references, :recursive, :secondary},
        {:closed, true}
      ])
  end
end
