defmodule Espalier.ReplyTest do
  @moduledoc "Runs `testdata/replies.jsonl`, and tries what no list has: mutations and very long replies."
  use ExUnit.Case, async: true

  alias Espalier.CastError
  alias Espalier.JSON
  alias Espalier.JSONError
  alias Espalier.Reply
  alias Espalier.Reply.Candidate
  alias Espalier.Reply.Fixes
  alias Espalier.Schema.Form
  alias Espalier.ValidationError

  doctest Reply
  doctest Candidate

  @file_path Path.expand("../../testdata/replies.jsonl", __DIR__)
  @external_resource @file_path

  defp cases do
    for line <- @file_path |> File.read!() |> String.split("\n", trim: true),
        do: JSON.decode!(line, numbers: :exact)
  end

  defp schema(%{"choice" => choices}), do: {:choice, choices}
  defp schema(%{"regex" => source}), do: {:regex, source}
  defp schema(%{"schema" => schema}), do: JSON.encode!(schema)
  defp schema(_any), do: "{}"

  defp reply(%{"hex" => hex}), do: Base.decode16!(hex, case: :lower)
  defp reply(%{"reply" => reply}), do: reply

  describe "testdata/replies.jsonl" do
    test "holds for all cases" do
      failures =
        for case <- cases(), got = outcome(case), want = wanted(case), got != want do
          {case["name"], got: got, want: want}
        end

      assert failures == []
    end

    test "has names that differ, and every fix" do
      names = Enum.map(cases(), & &1["name"])
      assert names -- Enum.uniq(names) == []

      fixes = cases() |> Enum.flat_map(&(&1["fixes"] || [])) |> Enum.uniq()
      assert Enum.map(Fixes.all(), &Atom.to_string/1) -- fixes == []
    end

    test "is refused or taken as it is when reading is strict" do
      for case <- cases() do
        case Reply.read(schema(case), reply(case), strict: true) do
          {:ok, text, []} -> assert {text, case["fixes"]} == {reply(case), []}
          {:error, _error} -> assert case["fixes"] != []
        end
      end
    end
  end

  defp outcome(case) do
    case Reply.read(schema(case), reply(case), lossy: case["lossy"] == true) do
      {:ok, text, fixes} -> {value(case, text), Enum.map(fixes, &Atom.to_string/1)}
      {:error, %JSONError{}} -> "json"
      {:error, %ValidationError{violations: [_ | _]}} -> "validation"
      {:error, %CastError{}} -> "cast"
    end
  end

  defp value(%{"choice" => _choices}, text), do: text
  defp value(%{"regex" => _source}, text), do: text
  defp value(_json, text), do: JSON.decode!(text, numbers: :exact)

  defp wanted(%{"error" => error}), do: error
  defp wanted(%{"value" => value, "fixes" => fixes}), do: {value, fixes}

  describe "candidates/1" do
    test "has valid JSON as it is" do
      for text <- [~s({"b" : [1.0, "\\u00e9"]}), "[]", "1", "null", ~s("[1,]"), "1e999"] do
        assert Reply.candidates("\n\t #{text}\r\n") == [%Candidate{text: text, fixes: []}]
      end
    end

    test "comes in order: fewer fixes, then longer, then first" do
      reply = "{'a': 1} and [22] and [3] and [4] and [55, 6]"

      assert for(c <- Reply.candidates(reply), do: c.text) ==
               ["[55,6]", "[22]", "[3]", "[4]", ~s({"a":1})]
    end

    test "has no more than eight" do
      assert length(Reply.candidates(Enum.map_join(1..50, " and ", &"[#{&1}]"))) == 8
    end
  end

  describe "read/3" do
    @schema [name: :string, age: {:integer, min: 0}]

    test "has the error of the candidate with the fewest violations" do
      reply = ~s([1] is not {"name": 1.5, "age": -1, "x": 0} but {"name": "Ada", "age": -1})
      assert {:error, %ValidationError{violations: [violation]}} = Reply.read(@schema, reply)
      assert {violation.path, violation.keyword} == {["age"], "minimum"}
    end

    test "takes a form, and refuses schemas and options that are none" do
      {:ok, form} = Form.new(@schema)
      assert {:ok, ~s({"name":"Ada","age":3}), [_]} = Reply.read(form, "{name: \"Ada\", age: 3}")
      assert {:error, %Espalier.SchemaError{}} = Reply.read(%{"type" => "x"}, "{a: 1}")
      assert {:error, %Espalier.OptionsError{}} = Reply.read(@schema, "{}", strikt: true)
    end

    test "asserts formats unless they are ignored" do
      schema = %{"type" => "array", "items" => %{"format" => "date"}}
      assert {:error, %ValidationError{}} = Reply.read(schema, "['x']")
      assert {:ok, ~s(["x"]), [:single_quotes]} = Reply.read(schema, "['x']", format: :ignore)
    end

    test "tries a text for a constraint without what is around it" do
      constraint = Espalier.Constraint.regex!("a+", vocabulary: Espalier.Vocabulary.bytes())
      assert Reply.read(constraint, "`aaa`\n") == {:ok, "aaa", [:surrounding_space, :code_fence]}
      assert {:error, %ValidationError{}} = Reply.read(constraint, "b")
    end
  end

  describe "the documentation" do
    test "has each fix once" do
      {:docs_v1, _, _, _, %{"en" => doc}, _, _} = Code.fetch_docs(Reply)

      documented =
        for [_, name] <- Regex.scan(~r/^\| `:(\w+)` \|/m, doc), do: String.to_atom(name)

      assert documented == Fixes.all()
    end
  end

  describe "mutations of valid JSON" do
    @values [
      ~s({"name":"Ada Lovelace","age":36,"tags":["x","y \\"z\\""],"more":{"a":[1,2.5e3,null,true]}}),
      ~s([{"a":"it's, well","b":[]},{"a":"","b":[[1],[2,3]]},{"a":"\\u00e9\\n","b":[-0.5]}]),
      ~s({\n  "text": "```json\\n{}\\n```",\n  "höhe": 1e10,\n  "leer": {}\n}),
      ~s(```json\n{"a": {"b": {"c": [1, 2, {"d": "e"}]}}}\n```\nThat is it.)
    ]

    test "never raise, and what is read is JSON of the schema" do
      schema = ~s({"type":["object","array"]})
      seed = {7, 8, 9}

      Enum.reduce(1..4_000, :rand.seed_s(:exsss, seed), fn n, state ->
        {text, state} = @values |> Enum.at(rem(n, length(@values))) |> mutated(state)

        for %Candidate{text: json} <- Reply.candidates(text),
            do: assert({:ok, _value} = JSON.decode(json, numbers: :exact))

        case Reply.read(schema, text) do
          {:ok, json, fixes} ->
            assert JSON.validate(schema, json) == {:ok, []}
            assert fixes == Fixes.sort(fixes)
            if match?({:ok, _}, JSON.decode(text)), do: assert({fixes, json} == {[], json})

          {:error, error} ->
            assert is_binary(Exception.message(error))
        end

        state
      end)
    end

    test "are read where they are still valid as they are" do
      for value <- Enum.take(@values, 3) do
        assert Reply.read("{}", value) == {:ok, value, []}
        assert Reply.candidates(value) == [%Candidate{text: value}]
      end
    end

    test "lose nothing but the end when they are cut" do
      [value | _more] = @values

      for size <- 1..(byte_size(value) - 1) do
        assert {:ok, text, fixes} = Reply.read("{}", binary_part(value, 0, size))
        assert :truncated in fixes
        assert String.starts_with?(value, common(text, value))
        assert byte_size(common(text, value)) >= size - byte_size(~s(,"age":36))
      end
    end
  end

  # How far the texts agree; what closes the text comes after it.
  defp common(text, value) do
    length = :binary.longest_common_prefix([text, value])
    binary_part(text, 0, length)
  end

  # Eight times as long: of work that grows as the square it would be 64 times as much.
  defp linear?(start, piece) do
    [once, eight_times] =
      for size <- [50_000, 400_000],
          do: reductions(start <> String.duplicate(piece, div(size, byte_size(piece))))

    eight_times < 24 * once + 100_000
  end

  # What the virtual machine counts of the work of a process. Native functions count by their time.
  defp reductions(text) do
    count = fn ->
      assert length(Reply.candidates(text)) <= 8
      :erlang.process_info(self(), :reductions)
    end

    {:reductions, n_reductions} = count |> Task.async() |> Task.await(:infinity)
    n_reductions
  end

  defp mutated(text, state) do
    {n, state} = :rand.uniform_s(4, state)
    Enum.reduce(1..n, {text, state}, fn _step, {text, state} -> mutation(text, state) end)
  end

  defp mutation(text, state) do
    {kind, state} = :rand.uniform_s(6, state)
    {at, state} = :rand.uniform_s(max(byte_size(text) - 2, 1), state)
    {byte, state} = :rand.uniform_s(256, state)
    {change(kind, text, min(at, byte_size(text)), byte - 1), state}
  end

  defp change(1, text, at, _byte), do: binary_part(text, 0, at) <> from(text, at + 1)
  defp change(2, text, at, byte), do: binary_part(text, 0, at) <> <<byte>> <> from(text, at)

  defp change(3, text, at, byte) do
    mark = Enum.at(["\"", "'", ",", "{", "]", "\\", "```", "//", "…", "\n"], rem(byte, 10))
    binary_part(text, 0, at) <> mark <> from(text, at)
  end

  defp change(4, text, at, byte) do
    piece = text |> from(at) |> String.slice(0, rem(byte, 20))
    binary_part(text, 0, at) <> piece <> from(text, at)
  end

  defp change(5, text, at, _byte) do
    case from(text, at) do
      <<a, b, rest::binary>> -> binary_part(text, 0, at) <> <<b, a>> <> rest
      _short -> text
    end
  end

  defp change(6, text, at, byte) do
    if rem(byte, 4) == 0, do: binary_part(text, 0, at), else: text
  end

  defp from(text, at) when at >= byte_size(text), do: ""
  defp from(text, at), do: binary_part(text, at, byte_size(text) - at)

  describe "the work for a long reply" do
    for piece <-
          ["[", "{", "\"", "'", "`", "` ", "```", "```\n", "```json\n[", "{\"", "[\"", "\\"] ++
            ["{\"a\":", "[1,", "{a:1 ", "[1 x] ", "/*", "[/*", "//\n", "#", "\"/*", "“"] ++
            ["{\"a\": \"", "\" \"", "[\" ", "[\"a\" \"b\"", "<think>", "</think>", "]"] ++
            ["&quot;", "{&quot;", "{\\\"", "[1] ", "{} {", "...", "[...", "\u00A0", <<0xFF>>] ++
            ["é", " ", "\n", "a", "1", "0", "[\"a\",", "{\"a\":1},", "[+1,", "~~~", "NaN "] do
      test "of #{inspect(piece)} grows as its length does" do
        for start <- ["", "[", "{\"a\": \""],
            do: assert(Enum.any?(1..30, fn _try -> linear?(start, unquote(piece)) end))
      end
    end
  end
end
