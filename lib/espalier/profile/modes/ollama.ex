defmodule Espalier.Profile.Modes.Ollama do
  @moduledoc false
  # Ollama makes grammars by llama.cpp's code.

  @behaviour Espalier.Profile.Modes

  import Espalier.Profile.Statement, only: [list: 3]

  alias Espalier.Profile.Modes.LlamaCpp

  @guide "https://github.com/ollama/ollama/blob/main/docs/capabilities/structured-outputs.mdx"

  @impl true
  def title, do: "Ollama, `format` of `/api/chat`"

  @impl true
  def statements, do: list(@guide, ~D[2026-08-21], prompt: true) ++ LlamaCpp.statements()
end
