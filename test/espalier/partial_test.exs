defmodule Espalier.PartialTest do
  @moduledoc "What is there of a value is the start of it, wherever its text is cut."
  use ExUnit.Case, async: true

  alias Espalier.JSON
  alias Espalier.Partial.Prefix
  alias Espalier.Testing

  @texts [
    ~s({"name":"Ada Lovelace","age":36,"tags":["x","y \\"z\\""],"more":{"a":[1,2.5e3,null,true]}}),
    ~s( [ {"a" : "it's" , "b" : [ ] } , [[ ]], -0.5 , false , {} ] ),
    ~s({"höhe":"\\u00e9\\n\\ud83d\\ude00é😀\\\\","":{"\\"}":"]"},"e":""}),
    ~s("a text alone, with \\u0041 and \\t"),
    ~s(["\\\\",{"k":{"k":{"k":[[["deep"]]]}}}])
  ]

  defp characters(text), do: String.graphemes(text)

  # All decoded values, those of the text cut after each character.
  defp values(text) do
    {values, _prefix} =
      Enum.map_reduce(characters(text), %Prefix{}, fn character, prefix ->
        prefix = Prefix.push(prefix, character)

        case Prefix.closed(prefix) do
          {:ok, closed, _n_open} -> {{:ok, JSON.decode!(closed, objects: :ordered)}, prefix}
          :none -> {:none, prefix}
        end
      end)

    for {:ok, value} <- values, do: value
  end

  # Whether a value may become the other by going on.
  defp start_of?(text, whole) when is_binary(text) and is_binary(whole),
    do: String.starts_with?(whole, text)

  defp start_of?(%{members: members}, %{members: whole}), do: start_of?(members, whole)

  defp start_of?({key, value}, {key, whole}), do: start_of?(value, whole)
  defp start_of?([], whole) when is_list(whole), do: true

  defp start_of?(items, whole) when is_list(items) and is_list(whole) do
    n = length(items)
    {whole_items, [last]} = Enum.split(items, n - 1)

    n <= length(whole) and whole_items == Enum.take(whole, n - 1) and
      start_of?(last, Enum.at(whole, n - 1))
  end

  defp start_of?(value, whole), do: value == whole

  test "each cut of a text is the start of its value, and the last one all of it" do
    for text <- @texts do
      whole = JSON.decode!(text, objects: :ordered)
      values = values(text)
      assert List.last(values) == whole

      for {value, next} <- Enum.zip(values, tl(values) ++ [whole]) do
        assert start_of?(value, whole)
        assert start_of?(value, next)
      end
    end
  end

  test "it does not matter in which pieces a text comes" do
    :rand.seed(:exsss, 4)

    for text <- @texts, _try <- 1..50 do
      characters = text |> characters() |> Enum.take(:rand.uniform(String.length(text)))
      whole = Prefix.push(%Prefix{}, Enum.join(characters))

      pieces =
        characters
        |> Enum.chunk_while([], &chunk/2, &{:cont, Enum.reverse(&1), []})
        |> Enum.map(&Enum.join/1)

      assert Enum.reduce(pieces, %Prefix{}, &Prefix.push(&2, &1)) == whole
    end
  end

  defp chunk(character, piece) do
    if :rand.uniform(3) == 1,
      do: {:cont, Enum.reverse([character | piece]), []},
      else: {:cont, [character | piece]}
  end

  defmodule Visit do
    use Espalier.Schema

    schema do
      field :name, :string
      field :on, :date
      field :size, {:enum, [:small, :smaller]}

      embeds_many :stops, Stop do
        field :place, :string
        field :minutes, :integer, required: false, default: 5
      end

      field :more, {:union, [a: [x: :integer], b: [y: {:map, :string}]]}
    end
  end

  @visit ~s({"name":"Ada","on":"2026-11-27","size":"small","stops":[{"place":"Oslo","minutes":12},{"place":"Rome"}],) <>
           ~s("more":{"type":"b","y":{"k":"v"}}})

  defp partials(schema, pieces, options \\ []) do
    Testing.stub([for(piece <- pieces, do: {:tokens, [], piece, false}) ++ [done()]])

    options = Keyword.merge([backend: Testing, partial: true, max_attempts: 1], options)
    stream = Espalier.stream(schema, "?", options)

    for {:partial, value} <- stream, do: value
  end

  defp done, do: "" |> Testing.events() |> Enum.to_list() |> List.last()

  test "the parts of a struct are of their types" do
    partials = partials(Visit, characters(@visit))
    {:ok, visit} = Espalier.Schema.read(Visit, @visit)
    assert List.last(partials) == visit
    assert hd(partials) == %Visit{}
    assert partials == Enum.dedup(partials)
    assert Enum.any?(partials, &match?(%Visit{name: "Ad", on: nil, stops: nil}, &1))
    assert Enum.any?(partials, &match?(%Visit{stops: [%{place: "Os", minutes: 5}]}, &1))
    assert Enum.any?(partials, &match?(%Visit{more: %{type: :b, y: %{"k" => ""}}}, &1))

    for partial <- partials do
      assert partial.on in [nil, ~D[2026-11-27]]
      assert partial.size in [nil, :small]
      for %{minutes: minutes} <- partial.stops || [], do: assert(minutes in [5, 12])
    end
  end

  test "what is around the value, and what can't become one, is left out" do
    schema = [age: {:integer, max: 99}, name: :string]
    fenced = ["Sure", ":\n```json\n{\"a", "ge\": 36", ", \"name\": \"A", "da\"}\n``", "`"]

    assert partials(schema, fenced) ==
             [%{}, %{age: 36, name: "A"}, %{age: 36, name: "Ada"}]

    wrong = [~s({"age": 1), ~s(000, "name": "Ada"})]
    assert_raise Espalier.ValidationError, fn -> partials(schema, wrong) end
    test = self()

    Testing.stub([Enum.join(wrong), ~s({"age": 2, "name": "C"})])

    for event <- Espalier.stream(schema, "?", backend: Testing, partial: true),
        do: send(test, event)

    assert_received {:partial, %{}}
    assert_received {:attempt, _info}
    assert_received {:partial, %{age: 2, name: "C"}}
    assert_received {:done, %{value: %{age: 2, name: "C"}}}
    refute_received {:partial, %{name: "Ada"}}
  end

  test "null for what is absent is no end" do
    schema = [
      name: {:string, required: false},
      age: {:integer, required: false},
      more: {[a: {:string, required: false}, n: {:boolean, nullable: true}], required: false},
      tags: {:array, :string}
    ]

    for {text, value} <- [
          {~s({"name":null,"age":null,"tags":["x","y"]}), %{tags: ["x", "y"]}},
          {~s({ "name" : null , "tags" : ["null", ",null"] , "age" : null }),
           %{tags: ["null", ",null"]}},
          {~s({"name":"a\\",\\"b\\":null","age":null,"more":{"a":null,"n":null},"tags":[]}),
           %{name: ~s(a","b":null), more: %{a: nil, n: nil}, tags: []}},
          {~s({"more":{"n":null,"a":null},"name":null,"tags":["z"]}),
           %{more: %{a: nil, n: nil}, tags: ["z"]}},
          {~s({"more":{"a":"nu","n":true},"age":1,"tags":[]}),
           %{more: %{a: "nu", n: true}, age: 1, tags: []}}
        ],
        pieces <- [[text], characters(text)] do
      assert List.last(partials(schema, pieces)) ==
               Map.merge(%{name: nil, age: nil, more: nil}, value)
    end
  end

  test "a local model's value grows, and JSON Schemas have parts, too" do
    schema =
      ~s({"type":"object","properties":{"a":{"type":"string","maxLength":9}},"required":["a"]})

    options = [model: MyApp.Model, partial: true, temperature: 1, seed: 3]
    events = schema |> Espalier.stream("Ada", options) |> Enum.to_list()
    assert {:done, %{value: value}} = List.last(events)
    partials = for {:partial, partial} <- events, do: partial
    assert List.last(partials) == value
    assert Enum.all?(partials, &String.starts_with?(value["a"], &1["a"] || ""))
  end

  test "there are none of a text that is no JSON, and none if nobody asks" do
    assert partials({:choice, ["yes", "no"]}, ["y", "es"]) == []
    assert partials([name: :string], [~s({"name": "a"})], partial: false) == []
  end
end
