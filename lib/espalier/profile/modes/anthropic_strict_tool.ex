defmodule Espalier.Profile.Modes.AnthropicStrictTool do
  @moduledoc false
  # The limits on optional properties and unions are for all strict tools of a request together.

  @behaviour Espalier.Profile.Modes

  import Espalier.Profile.Statement, only: [list: 3]

  alias Espalier.Profile.Modes.Anthropic

  @reference "https://platform.claude.com/docs/en/agents-and-tools/tool-use/strict-tool-use"

  @impl true
  def title, do: "Anthropic, Messages, `input_schema` of a tool with `strict: true`"

  @impl true
  def statements do
    list(@reference, ~D[2026-11-27], root: :object, name: "^[a-zA-Z0-9_-]{1,64}$") ++
      Anthropic.statements()
  end
end
