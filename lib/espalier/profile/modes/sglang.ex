defmodule Espalier.Profile.Modes.SGLang do
  @moduledoc false
  # By XGrammar, the default. There is no fallback: what it does not enforce is ignored.

  @behaviour Espalier.Profile.Modes

  import Espalier.Profile.Statement, only: [list: 3]

  alias Espalier.Profile.Modes.VLLM

  @guide "https://docs.sglang.ai/advanced_features/structured_outputs.html"
  @xgrammar "https://github.com/mlc-ai/xgrammar/blob/main/cpp/json_schema_converter.cc"

  @impl true
  def title, do: "SGLang, `response_format` with `json_schema`"

  @impl true
  def statements do
    list(@guide, ~D[2026-11-27], prompt: true) ++
      list(@xgrammar, ~D[2026-08-17],
        ignores: ~w(multipleOf uniqueItems contains minContains maxContains),
        values:
          {"format",
           ~w(email date time date-time duration ipv4 ipv6 hostname uuid uri uri-reference
              uri-template json-pointer relative-json-pointer)}
      ) ++ VLLM.xgrammar()
  end
end
