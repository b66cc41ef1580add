defmodule Espalier.Schema.PropertyTest do
  @moduledoc """
  Whatever a schema is made of: what a model writes under it is cast to a value of it, and that is written
  as valid JSON again.
  """
  use ExUnit.Case, async: true

  alias Espalier.{JSON, Model, Native, Schema}
  alias Espalier.Schema.{Dump, Membership, Type}

  @n_schemas 150
  @decimals if Code.ensure_loaded?(Decimal), do: [{:decimal, min: 0, less_than: 1000}], else: []
  @durations if Code.ensure_loaded?(Duration), do: [:duration], else: []

  setup_all do
    %{model: start_supervised!({Model, path: Model.tiny_path()})}
  end

  test "every text is cast to a value of its schema", %{model: model} do
    outcomes = for seed <- 1..@n_schemas, do: try_schema(seed, model)
    assert Enum.count(outcomes, &(&1 == :checked)) > @n_schemas * 0.9
  end

  test "thirty fields are written in their order", %{model: model} do
    names = for n <- 1..30, do: :"field_#{rem(n * 17, 31)}"
    fields = for name <- names, do: {name, {:integer, min: 0, max: 9}}

    assert {:ok, result} =
             Espalier.generate_result(fields, "Numbers.", model: model, max_tokens: 600)

    assert keys(result.text) == Enum.map(names, &Atom.to_string/1)
  end

  defp try_schema(seed, model) do
    :rand.seed(:exsss, seed)
    fields = fields(3)
    options = [model: model, seed: seed, temperature: 1.5, max_tokens: 300]

    case Espalier.generate_result(fields, "Write something.", options) do
      {:ok, result} ->
        check(fields, result, seed)
        :checked

      {:error, error} ->
        assert %{kind: :truncated} = error, "seed #{seed}: #{inspect(fields)}"
    end
  end

  defp check(fields, result, seed) do
    type = Type.new!(fields)
    shown = "seed #{seed}: #{inspect(fields)}\n#{result.text}"
    assert Membership.member?(type, result.value), shown
    {:ok, schema} = Schema.to_json_schema(fields)
    written = type |> Dump.dump(result.value) |> JSON.encode!()
    assert {:ok, []} = Native.schema_validate(JSON.encode!(schema), written, true, []), shown
    assert Schema.read(fields, written) == {:ok, result.value}, shown

    assert keys(result.text) == Enum.map(fields, fn {name, _type} -> Atom.to_string(name) end),
           shown
  end

  defp keys(text), do: Enum.map(JSON.decode!(text, objects: :ordered).members, &elem(&1, 0))

  defp fields(depth) do
    for name <- Enum.take_random([:a, :b, :c, :d, :e], Enum.random(1..4)), do: {name, type(depth)}
  end

  defp type(0), do: Enum.random(simple())

  defp type(depth) do
    case Enum.random(1..12) do
      1 -> {{:array, type(depth - 1)}, max_items: 3}
      2 -> {:tuple, [type(depth - 1), type(depth - 1)]}
      3 -> {{:map, type(depth - 1)}, max_keys: 2}
      4 -> {{:map, "^[a-z]{1,4}$", type(depth - 1)}, max_keys: 2, min_keys: 1}
      5 -> {:union, one: fields(depth - 1), two: fields(depth - 1)}
      6 -> fields(depth - 1)
      7 -> {{:array, {:integer, min: 0, max: 9}}, unique: true, min_items: 1, max_items: 4}
      8 -> nullable(type(depth - 1))
      _ -> Enum.random(simple())
    end
  end

  defp nullable({type, options}) when is_list(options) and type not in [:union, :enum, :tuple],
    do: {type, Keyword.put(options, :nullable, true)}

  defp nullable(type), do: {type, nullable: true}

  defp simple do
    [
      {:string, max_length: 8},
      {:string, format: "^[a-c]+$", max_length: 5},
      {:string, one_of: ["é", "\"", "x y"]},
      {:regex, "[0-9]{3}-[a-z]"},
      {:integer, min: -3, max: 12, multiple_of: 3},
      # The nearest float may be an excluded bound: the bounds are for the number as it is written.
      {:number, min: 0, max: 5},
      {:float, min: 0.5, max: 2},
      :boolean,
      :null,
      :date,
      :time,
      :naive_datetime,
      :utc_datetime,
      :uuid,
      :uri,
      :email,
      {:enum, [:low, "high", 7]},
      {:const, :fixed},
      {:binary, nullable: true}
    ] ++ @decimals ++ @durations
  end
end
