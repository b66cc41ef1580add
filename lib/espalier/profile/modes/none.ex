defmodule Espalier.Profile.Modes.None do
  @moduledoc false
  # The model reads the schema in the prompt, and is held to nothing.

  @behaviour Espalier.Profile.Modes

  import Espalier.Profile.Statement, only: [list: 3]

  @impl true
  def title, do: "no mode: the schema is in the prompt only"

  @impl true
  def statements do
    list("https://json-schema.org/draft/2020-12/json-schema-core", ~D[2026-11-27],
      prompt: true,
      unchanged: true
    )
  end
end
