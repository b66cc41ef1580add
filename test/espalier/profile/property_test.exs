defmodule Espalier.Profile.PropertyTest do
  @moduledoc """
  Schemas of the wild, of `testdata/` and of forms, adapted to each profile: what is sent obeys the profile, each keyword is
  accounted for, and what a provider may write is a value of the original or was said to be checked.
  """
  use ExUnit.Case, async: true

  alias Espalier.{
    Constraint,
    JSON,
    Matcher,
    Profile,
    ProfileRules,
    SchemaError,
    Testdata,
    Vocabulary
  }

  alias Espalier.JSON.Object
  alias Espalier.Profile.Adapted

  @openapi "https://spec.openapis.org/oas/3.0/schema"
  @n_values 1
  @maskbench System.get_env("ESPALIER_MASKBENCH")

  for {name, number} <- Enum.with_index(Profile.names()) do
    test "the schemas of the repository, for #{inspect(name)}" do
      checked(part(own_schemas(), unquote(number)), unquote(name))
    end

    if @maskbench do
      @tag timeout: 600_000
      test "schemas of the wild, for #{inspect(name)}" do
        checked(wild_schemas(), unquote(name))
      end
    end
  end

  unless @maskbench,
    do: IO.puts("Without ESPALIER_MASKBENCH: its schemas are not adapted to profiles.")

  # A third of them, another one for each profile; all with ESPALIER_MASKBENCH.
  if @maskbench,
    do: defp(part(schemas, _number), do: schemas),
    else:
      defp(part(schemas, number), do: schemas |> Enum.drop(rem(number, 3)) |> Enum.take_every(3))

  defp own_schemas do
    groups = for topic <- Testdata.topics(), group <- Testdata.groups(topic), do: group["schema"]

    generated =
      "testdata/generation/schemas.json" |> File.read!() |> JSON.decode!(objects: :ordered)

    generated =
      for %Object{members: members} <- generated, {"schema", schema} <- members, do: schema

    # As they come from a caller; numbers that no float holds don't.
    for schema <- groups ++ generated ++ forms(),
        is_struct(schema, Object) or is_boolean(schema),
        {:ok, schema} <- [schema |> JSON.encode!() |> JSON.decode(objects: :ordered)],
        do: schema
  end

  defp forms do
    for fields <- [
          [name: :string, age: {:integer, min: 0, required: false}],
          [
            a: {:string, nullable: true, required: false},
            b: {{:array, :date}, required: false, max_items: 2}
          ],
          [
            shape:
              {:union,
               circle: [radius: :number],
               square: [side: :number, name: {:string, required: false}]}
          ],
          [map: {{:map, :integer}, max_keys: 3}, pair: {:tuple, [:string, :integer]}],
          {:choice, [:yes, :no]},
          {:regex, "[a-c]{2,3}"}
        ] do
      {:ok, schema} = Espalier.Schema.to_json_schema(fields)
      schema
    end
  end

  if @maskbench do
    defp n_wild, do: "ESPALIER_CASES" |> System.get_env("240") |> String.to_integer()

    # Spread over the file.
    defp wild_schemas do
      for line <-
            @maskbench
            |> File.stream!()
            |> Stream.take_every(div(6740, n_wild()))
            |> Enum.take(n_wild()) do
        {"schema", schema} =
          line
          |> JSON.decode!(objects: :ordered)
          |> Map.fetch!(:members)
          |> List.keyfind("schema", 0)

        schema
      end
    end
  end

  defp checked(schemas, name) do
    outcomes = Enum.map(schemas, &check(&1, name))
    assert for({:failed, failure} <- outcomes, do: failure) == []
    assert Enum.count(outcomes, &(&1 == :adapted)) > length(schemas) / 2
  end

  defp check(schema, name) do
    case Profile.adapt(name, schema) do
      {:ok, adapted} ->
        wrong = disobeys(adapted) ++ unaccounted(adapted, schema) ++ wrong_values(adapted, schema)

        if wrong == [],
          do: :adapted,
          else: {:failed, {wrong, JSON.encode!(schema), JSON.encode!(adapted.schema)}}

      {:error, error} ->
        assert %SchemaError{message: message} = error
        assert message =~ ~r/\w/
        :refused
    end
  end

  defp disobeys(%{profile: %{name: name}}) when name in [:none, :gbnf], do: []
  defp disobeys(adapted), do: ProfileRules.broken(adapted.schema, adapted.profile)

  defp unaccounted(adapted, schema) do
    told = MapSet.new(adapted.decisions, & &1.pointer)

    for {pointer, _, _} <- ProfileRules.occurrences(schema),
        pointer not in told,
        do: {:unaccounted, pointer}
  end

  # What the provider may write is a value of the original, or is said to be checked.
  defp wrong_values(adapted, schema) do
    for text <- texts(adapted),
        {:ok, restored} = Adapted.restore(adapted, text),
        {:ok, [_ | _] = violations} <- [JSON.validate(JSON.encode!(schema), restored)],
        not Adapted.checked_after?(adapted),
        not admitted?(schema, restored),
        do: {:invalid, text, restored, violations}
  end

  # The validator has other word boundaries than ECMA 262.
  defp admitted?(schema, text) do
    constraint = Constraint.json_schema!(schema, vocabulary: Vocabulary.bytes(), style: :matching)
    matcher = Matcher.new(constraint)
    Matcher.accept_text(matcher, text) == :ok and Matcher.accepting?(matcher)
  end

  defp texts(%{schema: %Object{members: members}} = adapted) do
    case Constraint.json_schema(dialect(members, adapted), vocabulary: Vocabulary.bytes()) do
      {:ok, constraint} -> for seed <- 1..@n_values, text = walk(constraint, seed), do: text
      {:error, %SchemaError{}} -> []
    end
  end

  defp texts(_boolean), do: []

  defp dialect(members, adapted) do
    if Profile.rule(adapted.profile, :types) == :one,
      do: %Object{members: [{"$schema", @openapi} | members]},
      else: %Object{members: members}
  end

  # A random text of the constraint, or `nil` if it is long.
  defp walk(constraint, seed) do
    :rand.seed(:exsss, seed)
    constraint |> Matcher.new() |> walk([], 250)
  end

  defp walk(_matcher, _bytes, 0), do: nil

  defp walk(matcher, bytes, left) do
    case Matcher.allowed_tokens(matcher) do
      {:ok, ids} ->
        # The first ids of this vocabulary are the bytes.
        bytes_allowed = Enum.filter(ids, &(&1 < 256))

        case pick(bytes_allowed, Matcher.accepting?(matcher)) do
          :end ->
            bytes |> Enum.reverse() |> IO.iodata_to_binary()

          byte ->
            :ok = Matcher.accept_token(matcher, byte)
            walk(matcher, [byte | bytes], left - 1)
        end

      {:error, %{kind: :limit_exceeded}} ->
        nil
    end
  end

  defp pick(bytes, accepting?) do
    closing = Enum.filter(bytes, &(&1 in '"}],'))
    plain = Enum.filter(bytes, &(&1 in ?a..?z or &1 in ?0..?9))

    cond do
      accepting? and (bytes == [] or :rand.uniform() < 0.7) -> :end
      closing != [] and :rand.uniform() < 0.4 -> Enum.random(closing)
      plain != [] and :rand.uniform() < 0.7 -> Enum.random(plain)
      true -> Enum.random(bytes)
    end
  end
end
