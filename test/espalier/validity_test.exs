defmodule Espalier.ValidityTest do
  @moduledoc """
  What a model writes under a schema is a value of the schema, whatever it would rather write.

  The judge is the jsonschema crate, which shares no code with the engine. `bench/validity.exs` does
  the same a thousand times.
  """
  use ExUnit.Case, async: true

  alias Espalier.{JSON, Model, Native}

  @file_name Path.expand("../../testdata/generation/schemas.json", __DIR__)
  @external_resource @file_name

  setup_all do
    %{model: start_supervised!({Model, path: Model.tiny_path()})}
  end

  for %{members: members} <- JSON.decode!(File.read!(@file_name), objects: :ordered) do
    %{"description" => description, "schema" => schema} = Map.new(members)
    @schema JSON.encode!(schema)

    test "#{description}: every text is valid at temperature 1.5", %{model: model} do
      for seed <- 1..4 do
        options = [model: model, seed: seed, temperature: 1.5, max_tokens: 120]
        assert {:ok, result} = Espalier.generate_result(@schema, "Write something.", options)
        assert Native.schema_validate(@schema, result.text, true, []) == {:ok, []}, result.text
      end
    end
  end

  test "the value fits, however few tokens there are", %{model: model} do
    schema =
      ~S({"type":"object","properties":{"a":{"type":"string"},"b":{"type":"array"}},"required":["a","b"]})

    for max_tokens <- 1..40 do
      options = [model: model, seed: max_tokens, temperature: 1.5, max_tokens: max_tokens]

      case Espalier.generate_result(schema, "Write something.", options) do
        {:ok, result} ->
          assert result.usage.completion_tokens <= max_tokens
          assert Native.schema_validate(schema, result.text, true, []) == {:ok, []}, result.text

        {:error, error} ->
          assert %Espalier.GenerationError{kind: :truncated} = error
      end
    end
  end
end
