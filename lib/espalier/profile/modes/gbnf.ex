defmodule Espalier.Profile.Modes.GBNF do
  @moduledoc false
  # The server is sent no schema but a grammar, which has all that it says.

  @behaviour Espalier.Profile.Modes

  import Espalier.Profile.Statement, only: [list: 3]

  @impl true
  def title, do: "a grammar in GBNF in place of the schema, for vLLM, SGLang and llama.cpp"

  @impl true
  def statements do
    list("https://github.com/ggml-org/llama.cpp/blob/master/grammars/README.md", ~D[2026-11-28],
      prompt: true,
      unchanged: true,
      grammar: true
    )
  end
end
