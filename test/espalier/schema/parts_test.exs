defmodule Espalier.Schema.PartsTest do
  use ExUnit.Case, async: true

  alias Espalier.Backends.OpenAI
  alias Espalier.Constraint
  alias Espalier.Matcher
  alias Espalier.Model
  alias Espalier.Schema
  alias Espalier.SchemaError
  alias Espalier.ValidationError
  alias Espalier.Vocabulary

  defmodule City do
    use Espalier.Schema

    schema do
      field :city, {:enum, [:lisbon, :ghent]}
    end
  end

  defp read(parts, text), do: Schema.read({:sequence, parts}, text)

  defp accepts?(parts, text) do
    matcher = Matcher.new(Constraint.sequence!(parts, vocabulary: Vocabulary.bytes()))
    Matcher.accept_text(matcher, text) == :ok and Matcher.accepting?(matcher)
  end

  describe "a part" do
    test "has the texts that it says" do
      for {part, right, wrong} <- [
            {"a", ["a"], ["", "b", "aa"]},
            {:text, ["", "a\nß"], []},
            {{:text, until: "ab"}, ["ab", "aab", "xab"], ["a", "abab", ""]},
            {{:text, until: ["ab", "c"]}, ["ab", "xc"], ["abc", "cab", "a"]},
            {{:text, max_tokens: 2}, ["", "a", "aaaa"], []},
            {{:text, until: "ab", max_tokens: 1}, ["ab", "xxxxxab"], ["a", "abab"]},
            {{:text, until: ["ab", "c"], max_tokens: 0}, ["ab", "c"], ["xc", "a"]},
            {{:regex, "[0-9]+"}, ["1", "12"], ["", "a"]},
            {{:regex, "(?!0)\\d+", syntax: :ecma}, ["1", "20"], ["01", "", "٣"]},
            {{:choice, [:yes, 2, "no"]}, ["yes", "2", "no"], ["", "yesno"]},
            {[age: :integer], [~s({"age":36})], [~s({"age":"x"}), "36", ""]},
            {City, [~s({"city":"ghent"})], [~s({"city":"x"})]},
            {%{type: "integer"}, ["36"], ["x"]},
            {{:any_of, ["a", {:regex, "b+"}]}, ["a", "bb"], ["", "ab"]},
            {{:optional, "a"}, ["", "a"], ["aa"]},
            {{:repeat, "ab"}, ["", "ab", "abab"], ["a"]},
            {{:repeat, {:any_of, ["a", "b"]}, min: 2, max: 3}, ["ab", "bba"], ["a", "abab"]},
            {{:sequence, ["a", {:optional, "b"}]}, ["a", "ab"], ["b"]},
            {{:capture, :x, "a"}, ["a"], ["b"]},
            {{:grammar, "start: \"(\" start \")\" | \"1\""}, ["1", "((1))"], ["(1", ""]},
            {{:grammar, "root ::= a\na ::= \"1\" a | \"2\"", syntax: :gbnf}, ["2", "12"], ["1"]},
            {{:grammar, "start: \"a\"\nb: \"b\"", start: "b"}, ["b"], ["a"]}
          ] do
        for text <- right, do: assert(accepts?([part], text), inspect({part, text}))
        for text <- wrong, do: refute(accepts?([part], text), inspect({part, text}))
        for text <- right, do: assert({:ok, _value} = read([part], text))
        for text <- wrong, do: assert({:error, %ValidationError{}} = read([part], text))
      end
    end

    test "that is none is an error that says where" do
      for {parts, told} <- [
            {5, "a list of parts"},
            {[], "a list of parts"},
            {["a" | "b"], "a list of parts"},
            {[5], "at [0]"},
            {[{:foo, 1}],
             "expected a part: a text, :text, {:text, options}, {:special_token, name}"},
            {[{:capture, :x, {:foo, 1}}],
             "{:capture, name, part} or a schema of JSON, got: {:foo, 1}"},
            {[{:repeat, "a", [max: 2], 3}], "expected a part: "},
            {[[]], "expected a part: "},
            {[nil], "expected a part: "},
            {[[x: :strng]], "Did you mean :string?"},
            {["a", {:optional, {:any_of, ["a", 7]}}], "at [1, 1]"},
            {[{:text, until: ""}], "at [0, :until]"},
            {[{:text, until: ["a", "bab"]}], "has another one in it"},
            {[{:text, []}], "options"},
            {[{:text, min: 1}], "{:text, until: text}"},
            {[{:text, max_tokens: 3, min: 1}], "{:text, until: text}"},
            {[{:text, max_tokens: -1}], "at [0, :max_tokens]"},
            {[{:text, until: "a", max_tokens: :many}], "a number from 0"},
            {[{:text, until: "a", tags: []}], "{:text, until: text}"},
            {[{:text, tags: [{"a", "b"}]}], "{start, part, stop}"},
            {[{:text, tags: [{"<a>", :text, "</>"}, {"<a>", "b", "</>"}]}], "another one in it"},
            {[{:repeat, "a", min: 2, max: 1}], ":max to be :min or more"},
            {[{:repeat, "a", most: 2}], "options among [:min, :max]"},
            {[{:repeat, "a", min: -1}], "a number from 0"},
            {[{:capture, "name", "a"}], "a name (an atom)"},
            {[{:capture, nil, "a"}], "a name (an atom)"},
            {[{:choice, []}], "a choice needs"},
            {[<<255>>], "text in UTF-8"},
            {[{:regex, 5}], "a text or a Regex"},
            {[Constraint.regex!("a", vocabulary: Vocabulary.bytes())], "expected a part: "},
            {[{:grammar, "start: 5"}], ~s(line 1, column 8\) at "/sequence/0/grammar")},
            {[{:grammar, "start: a", syntax: :ebnf}], ":syntax"},
            {[String], "Espalier.Schema"}
          ] do
        assert {:error, %SchemaError{} = error} =
                 Constraint.sequence(parts, vocabulary: Vocabulary.bytes())

        assert Exception.message(error) =~ told
      end

      for form <- [{:sequence, ["a"]}, {:grammar, "start: \"a\""}] do
        options = [vocabulary: Vocabulary.bytes(), documents: %{"https://a.b/c" => true}]
        assert {:error, error} = Schema.to_constraint(form, options)
        assert {error.kind, error.option} == {:unknown, :documents}
      end

      assert {:error, %SchemaError{kind: :invalid_regex}} =
               Constraint.sequence([{:regex, "("}], vocabulary: Vocabulary.bytes())

      assert {:error, %SchemaError{kind: :unsatisfiable}} =
               Constraint.sequence([%{type: "string", const: 5}], vocabulary: Vocabulary.bytes())
    end
  end

  test "parts may lie deep in each other" do
    nested = fn depth -> [Enum.reduce(1..depth, "a", fn _, part -> {:sequence, [part]} end)] end
    assert read(nested.(999), "a") == {:ok, "a"}

    assert {:error, %{kind: :limit_exceeded, limit: "grammar_nesting", value: 1000}} =
             Constraint.sequence(nested.(1000), vocabulary: Vocabulary.bytes())
  end

  test "what is wrong with an expression or a schema has its place" do
    refused = fn parts ->
      {:error, error} = Constraint.sequence(parts, vocabulary: Vocabulary.bytes())
      {error.kind, error.pointer}
    end

    assert refused.(["a", {:any_of, ["b", {:regex, "("}]}]) ==
             {:invalid_regex, "/sequence/1/choice/1/regex"}

    never = %{type: :integer, minimum: 3, maximum: 1}

    assert refused.(["a", {:optional, never}]) ==
             {:unsatisfiable, "/sequence/1/repeat/json_schema"}

    assert refused.([%{"type" => "integr"}]) ==
             {:invalid_schema, "/sequence/0/json_schema/type"}

    assert {:invalid_regex, "/sequence/0/" <> _} =
             refused.([{:text, tags: [{"<a>", {:regex, "("}, "</a>"}]}])

    long = {:grammar, "start: A\nA: \"a\" ~ 1000000\n"}
    assert {:error, error} = Constraint.sequence([long], vocabulary: Vocabulary.bytes())
    assert %{kind: :limit_exceeded, limit: "regex_" <> _, line: 2, column: 1} = error
    assert error.pointer == "/sequence/0/grammar"
  end

  describe "the value" do
    test "is the text where nothing is captured" do
      assert read(["a", :text], "abc") == {:ok, "abc"}
    end

    test "has what is captured, as the values that it stands for" do
      parts = [
        {:capture, :thoughts, {:text, until: "</think>"}},
        {:capture, :answer, {:choice, [:yes, :no, 7]}},
        ": ",
        {:capture, :city, City},
        {:capture, :rest, {:regex, "!*"}}
      ]

      assert read(parts, ~s(Hm.</think>7: {"city":"ghent"}!!)) ==
               {:ok, %{thoughts: "Hm.", answer: 7, city: %City{city: :ghent}, rest: "!!"}}
    end

    test "has lists where several may come, and nil where none did" do
      item = {:sequence, ["- ", {:capture, :items, {:regex, "[a-z]+"}}, "\n"]}
      parts = [{:optional, {:capture, :title, {:text, until: ":\n"}}}, {:repeat, item}]
      assert read(parts, "List:\n- a\n- b\n") == {:ok, %{title: "List", items: ["a", "b"]}}
      assert read(parts, "") == {:ok, %{title: nil, items: []}}

      either = {:any_of, [{:capture, :x, {:regex, "a"}}, {:capture, :x, {:regex, "b"}}]}
      assert read([either], "b") == {:ok, %{x: "b"}}
      assert read([either, either], "ba") == {:ok, %{x: ["b", "a"]}}
      assert read([{:repeat, either, max: 1}], "") == {:ok, %{x: nil}}
    end

    test "has the calls among free text, in their order" do
      calls =
        {:text,
         tags: [
           {"<find>", {:capture, :calls, [name: :string]}, "</find>"},
           {"<go>", {:capture, :calls, City}, "</go>"}
         ]}

      text = ~s(Well, <go>{"city":"ghent"}</go> <b> <find>{"name":"<go>"}</find>.)
      assert read([calls], text) == {:ok, %{calls: [%City{city: :ghent}, %{name: "<go>"}]}}
      assert read([calls], "none") == {:ok, %{calls: []}}
      assert {:error, %ValidationError{}} = read([calls], "<go>ghent</go>")

      {:text, tags: tags} = calls
      assert {:error, _error} = read([{:text, tags: tags, min: 1}], "none")
      assert {:error, _error} = read([{:text, tags: tags, max: 1}], text)
    end

    test "has the texts of grammars, which may lead to themselves and share names" do
      sums = {:grammar, ~S{start: start "+" x | x} <> "\n" <> ~S{x: /[0-9]+/ | "(" start ")"}}
      names = {:grammar, "start: x (\",\" x)*\nx: /[a-z]+/"}

      item = {:sequence, [{:capture, :sum, sums}, " = ", {:capture, :names, names}, "\n"]}

      assert read([{:repeat, item}], "1+(2+3) = a,b\n4 = c\n") ==
               {:ok, %{sum: ["1+(2+3)", "4"], names: ["a,b", "c"]}}

      assert {:error, %ValidationError{}} = read([{:repeat, item}], "1+(2+3 = a\n")
      calls = {:text, tags: [{"<sum>", {:capture, :sums, sums}, "</sum>"}]}

      assert read([calls], "one: <sum>1+1</sum>, <sum>(2)</sum>") ==
               {:ok, %{sums: ["1+1", "(2)"]}}

      assert {:error, error} =
               Constraint.sequence(["a", {:optional, {:grammar, "start: a\na: b\n"}}],
                 vocabulary: Vocabulary.bytes()
               )

      assert %{kind: :undefined_name, name: "b", line: 2, column: 4} = error
      assert error.pointer == "/sequence/1/repeat/grammar"
    end

    test "leaves white space behind JSON to what follows" do
      integer = {:capture, :n, %{type: :integer}}
      rest = {:capture, :rest, :text}
      assert read([integer, rest], "12 \n34") == {:ok, %{n: 12, rest: " \n34"}}
      assert read([integer], "12 \n") == {:ok, %{n: 12}}

      parts = [{:capture, :line, {:sequence, ["v=", %{type: :integer}]}}, rest]
      assert read(parts, "v=1\n\nhello") == {:ok, %{line: "v=1", rest: "\n\nhello"}}

      grammar = {:grammar, ~s(start: "v=" %json {"type": "integer"})}

      assert read([{:capture, :line, grammar}, rest], "v=1\nhello") ==
               {:ok, %{line: "v=1", rest: "\nhello"}}
    end

    test "is there at once, however often nothing may come" do
      assert read([{:repeat, {:optional, "a"}, max: 4_294_967_295}], "aa") == {:ok, "aa"}
      part = {:repeat, {:sequence, [optional: "a", optional: "b"]}, min: 4_294_967_295}
      assert read([{:capture, :all, part}], "abba") == {:ok, %{all: "abba"}}
    end

    test "that can't be cast is an error" do
      parts = [{:capture, :day, [day: :date]}]
      assert {:ok, %{day: %{day: ~D[2024-02-29]}}} = read(parts, ~s({"day":"2024-02-29"}))
      assert {:error, _error} = read(parts, ~s({"day":"2023-02-29"}))
    end
  end

  describe "a local model" do
    @think [
      "<think>",
      {:capture, :thoughts, {:regex, "[a-z ]{5,30}"}},
      "</think>",
      {:capture, :city, City}
    ]

    test "writes a section before JSON, and what is captured is in the result" do
      {:ok, model} = Model.start_link(path: Model.tiny_path())

      for seed <- 1..5 do
        options = [model: model, seed: seed, temperature: 1, max_tokens: 60]
        stream = Espalier.stream({:sequence, @think}, "Where is Ada?", options)
        events = Enum.to_list(stream)
        {:done, result} = List.last(events)
        assert for({:text, text} <- events, into: "", do: text) == result.text
        assert %{thoughts: thoughts, city: %City{city: city}} = result.value
        assert thoughts =~ ~r/\A[a-z ]{5,30}\z/
        json = ~s({"city":"#{city}"})
        assert result.text == "<think>#{thoughts}</think>#{json}"

        assert result.captures == [
                 %{name: :thoughts, text: thoughts, value: thoughts},
                 %{name: :city, text: json, value: %City{city: city}}
               ]
      end
    end

    test "calls two tools among free text" do
      {:ok, model} = Model.start_link(path: Model.tiny_path())

      tags = [
        {"<find>", {:capture, :calls, [name: {:string, max_length: 8}]}, "</find>"},
        {"<go>", {:capture, :calls, City}, "</go>"}
      ]

      # The calls are forced, as this model was not trained to make any.
      parts = [{:text, tags: tags, min: 2, max: 2}]

      for seed <- 1..5 do
        options = [model: model, seed: seed, temperature: 1.5, max_tokens: 80]
        assert {:ok, result} = Espalier.generate_result({:sequence, parts}, "Find Ada!", options)
        assert [_first, _second] = result.value.calls
        assert Enum.map(result.captures, & &1.value) == result.value.calls
      end
    end

    test "writes a text of a grammar between others" do
      {:ok, model} = Model.start_link(path: Model.tiny_path())
      sums = {:grammar, ~s(start: start ("+" | "-"\) x | x\nx: /[0-9]{1,3}/)}
      parts = ["SUM: ", {:capture, :sum, sums}, {:capture, :city, City}]

      for seed <- 1..5 do
        options = [model: model, seed: seed, temperature: 1, max_tokens: 60]
        assert {:ok, value} = Espalier.generate({:sequence, parts}, "Where is Ada?", options)
        assert value.sum =~ ~r/\A[0-9]{1,3}([+-][0-9]{1,3})*\z/
        assert %City{} = value.city
      end
    end

    test "writes at most so many tokens of free text" do
      {:ok, model} = Model.start_link(path: Model.tiny_path())

      for most <- [0, 1, 5] do
        think = {:text, until: "</think>", max_tokens: most}
        parts = ["<think>", {:capture, :thoughts, think}, {:capture, :city, City}]

        lie_in =
          for seed <- 1..4 do
            options = [model: model, seed: seed, temperature: 2, max_tokens: 80, trace: true]
            assert {:ok, result} = Espalier.generate_result({:sequence, parts}, "Ada?", options)
            assert %{thoughts: thoughts, city: %City{}} = result.value
            assert result.text =~ "<think>#{thoughts}</think>{"
            tokens_within(result.trace, byte_size("<think>"), byte_size(thoughts))
          end

        # Without the bound this model goes on for longer.
        assert Enum.max(lie_in) == most
      end
    end

    test "ends each text between calls in time, and fits into the tokens that there are" do
      {:ok, model} = Model.start_link(path: Model.tiny_path())
      tags = [{"<go>", {:capture, :calls, City}, "</go>"}]
      parts = [{:text, tags: tags, max_tokens: 3, min: 2, max: 2}, {:text, max_tokens: 4}]

      for seed <- 1..5, max_tokens <- [80, 40] do
        options = [model: model, seed: seed, temperature: 2, max_tokens: max_tokens, trace: true]
        assert {:ok, result} = Espalier.generate_result({:sequence, parts}, "Ada?", options)
        assert [%City{}, %City{}] = result.value.calls
        assert result.usage.completion_tokens <= max_tokens
        [before, between, behind] = Regex.split(~r{<go>.*?</go>}s, result.text)
        assert tokens_within(result.trace, 0, byte_size(before)) <= 3

        at = byte_size(result.text) - byte_size(behind)
        assert tokens_within(result.trace, at, byte_size(behind)) <= 3 + 4
        [{first, size} | _] = Regex.run(~r{<go>.*?</go>}s, result.text, return: :index)
        assert tokens_within(result.trace, first + size, byte_size(between)) <= 3
      end
    end

    # How many tokens have some of these bytes of the text, and do more than finish a character.
    defp tokens_within(trace, at, size) do
      {places, _size} =
        Enum.map_reduce(trace.tokens, 0, fn %{text: text}, from ->
          {{text, from, from + byte_size(text)}, from + byte_size(text)}
        end)

      Enum.count(places, fn {text, from, till} ->
        from < at + size and till > at and text =~ ~r/[^\x80-\xBF]/
      end)
    end

    test "says which part is none" do
      {:ok, model} = Model.start_link(path: Model.tiny_path())
      assert {:error, %SchemaError{}} = Espalier.generate({:sequence, [5]}, "?", model: model)
    end
  end

  test "hosted models are told the parts, and what they write is checked" do
    parts = ["Answer: ", {:capture, :answer, {:choice, [:yes, :no]}}]
    options = [backend: {Espalier.Testing, []}]
    stub = fn replies -> Espalier.Testing.stub(replies) end
    stub.(["Answer: maybe", "Answer: yes"])

    assert {:ok, result} = Espalier.generate_result({:sequence, parts}, "Late?", options)
    assert {result.value, length(result.attempts)} == {%{answer: :yes}, 2}
    assert Code.ensure_loaded?(OpenAI)
    [rule] = Espalier.explain({:sequence, parts})
    assert {rule.keyword, rule.by} == {"sequence", :tokens}
  end
end
