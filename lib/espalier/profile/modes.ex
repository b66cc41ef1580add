defmodule Espalier.Profile.Modes do
  @moduledoc false
  # The modes of which there is a profile, by name. Each module has a title and the statements.

  alias Espalier.Profile.Modes

  @all [
    open_ai_strict: Modes.OpenAIStrict,
    anthropic: Modes.Anthropic,
    anthropic_strict_tool: Modes.AnthropicStrictTool,
    gemini_json_schema: Modes.GeminiJSONSchema,
    gemini_schema: Modes.GeminiSchema,
    mistral: Modes.Mistral,
    groq: Modes.Groq,
    ollama: Modes.Ollama,
    llama_cpp: Modes.LlamaCpp,
    llama_cpp_python: Modes.LlamaCppPython,
    vllm: Modes.VLLM,
    sglang: Modes.SGLang,
    gbnf: Modes.GBNF,
    none: Modes.None
  ]

  @callback title() :: String.t()
  @callback statements() :: [Espalier.Profile.Statement.t()]

  @spec all() :: keyword(module)
  def all, do: @all
end
