defmodule Espalier.Profile.Modes.VLLM do
  @moduledoc false
  # By XGrammar, the first choice of `auto`. What vLLM knows XGrammar not to enforce goes to llguidance there, or
  # makes the request fail; so it is not sent.

  @behaviour Espalier.Profile.Modes

  import Espalier.Profile.Statement, only: [list: 3]

  @guide "https://docs.vllm.ai/en/latest/features/structured_outputs/"
  @backend "https://github.com/vllm-project/vllm/blob/main/vllm/v1/structured_output/backend_xgrammar.py"
  @xgrammar "https://github.com/mlc-ai/xgrammar/blob/main/cpp/json_schema_converter.cc"

  @impl true
  def title, do: "vLLM, `structured_outputs.json`"

  @impl true
  def statements do
    list(@guide, ~D[2026-11-27], prompt: true) ++
      list(@backend, ~D[2026-11-27],
        rejects: ~w(multipleOf uniqueItems contains minContains maxContains),
        values:
          {"format",
           ~w(email date time date-time duration ipv4 ipv6 hostname uuid uri uri-reference
              uri-template json-pointer relative-json-pointer)}
      ) ++ xgrammar()
  end

  @doc "What XGrammar does, whoever calls it."
  def xgrammar do
    list(@xgrammar, ~D[2026-08-17],
      takes: ~w(type enum const anyOf $ref $defs properties required additionalProperties),
      takes: ~w(items prefixItems minItems maxItems minLength maxLength pattern format),
      takes: ~w(minimum maximum exclusiveMinimum exclusiveMaximum),
      ignores: ~w(not if then else dependentRequired dependentSchemas),
      apart: [~w(pattern), ~w(format), ~w(minLength maxLength)],
      closed: :unless_stated,
      typed: true,
      patterns: :simple,
      annotations: ~w(title description),
      references: :recursive
    )
  end
end
