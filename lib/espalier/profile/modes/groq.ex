defmodule Espalier.Profile.Modes.Groq do
  @moduledoc false

  @behaviour Espalier.Profile.Modes

  import Espalier.Profile.Statement, only: [list: 3]

  @guide "https://console.groq.com/docs/structured-outputs"

  @impl true
  def title, do: "Groq, `json_schema` with `strict: true`"

  @impl true
  def statements do
    list(@guide, ~D[2026-11-27], [
      {:all_required, true},
      {:closed, true},
      {:takes, ~w(type properties required additionalProperties items enum)},
      {:takes, ~w(anyOf $ref $defs), :secondary},
      {:annotations, ~w(title description)},
      {:enum_values, ~w(string number boolean null), :secondary},
      {:typed, true, :secondary},
      {:root, :object},
      {:references, :recursive, :secondary}
    ])
  end
end
