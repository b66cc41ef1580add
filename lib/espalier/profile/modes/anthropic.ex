defmodule Espalier.Profile.Modes.Anthropic do
  @moduledoc false

  @behaviour Espalier.Profile.Modes

  import Espalier.Profile.Statement, only: [list: 3]

  @guide "https://platform.claude.com/docs/en/build-with-claude/structured-outputs#json-schema-limitations"
  @sdk "https://github.com/anthropics/anthropic-sdk-python/blob/main/src/anthropic/lib/_parse/_transform.py"
  @reports "https://hexdocs.pm/lang_schema/0.7.1/LangSchema.Converter.Anthropic.html"

  @impl true
  def title, do: "Anthropic, Messages, `output_config.format`"

  @impl true
  def statements do
    list(@guide, ~D[2026-11-27],
      takes: ~w(type enum const anyOf $ref $defs properties required additionalProperties items),
      takes: ~w(format minItems),
      values: {"minItems", [0, 1]},
      rejects:
        ~w(minimum maximum exclusiveMinimum exclusiveMaximum multipleOf minLength maxLength maxItems),
      enum_values: ~w(string number boolean null),
      closed: true,
      references: :acyclic
    ) ++
      list(@sdk, ~D[2026-08-07],
        values: {"format", ~w(date-time time date duration email hostname uri ipv4 ipv6 uuid)},
        annotations: ~w(title description),
        typed: true
      ) ++
      list(@reports, ~D[2026-11-27], [
        {:takes, ~w(pattern), :secondary},
        {:patterns, :simple, :secondary},
        {:limit, {:optional_properties, 24}, :secondary},
        {:limit, {:unions, 16}, :secondary}
      ])
  end
end
