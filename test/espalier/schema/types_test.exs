defmodule Espalier.Schema.TypesTest do
  @moduledoc """
  Each type and rule in both directions: what the constraint lets a model write becomes a value, and what
  is no value of the type can't be written.
  """
  use ExUnit.Case, async: true

  alias Espalier.{CastError, JSON, Matcher, Schema, Vocabulary}

  defmodule Circle do
    use Espalier.Schema

    schema do
      field :radius, :float, greater_than: 0
    end
  end

  defmodule Group do
    use Espalier.Schema

    schema do
      field :parts, {:array, {:union, circle: Circle, group: Group}}, max_items: 2
    end
  end

  defmodule Span do
    use Espalier.Schema

    schema validate: &__MODULE__.in_order/1 do
      field :from, :date
      field :to, :date
    end

    def in_order(span) do
      if Date.compare(span.from, span.to) == :gt,
        do: {:error, "must not end before it begins"},
        else: :ok
    end
  end

  def even(number), do: if(rem(number, 2) == 0, do: :ok, else: {:error, "must be even"})

  # Type, then texts with the values that they stand for, then texts that are refused.
  @cases [
    {:string, [{~S("é"), "é"}], [~S(1), ~S("a)]},
    {{:string, min_length: 1, max_length: 2}, [{~S("é"), "é"}], [~S(""), ~S("abc")]},
    {{:string, format: ~r/^a+$/}, [{~S("aa"), "aa"}], [~S("ab"), ~S("")]},
    {{:string, one_of: ["a", "b"]}, [{~S("b"), "b"}], [~S("c")]},
    {{:regex, "a|b+"}, [{~S("bb"), "bb"}], [~S("ab"), ~S("c")]},
    {:integer, [{"-12", -12}], ["1.5", ~S("1")]},
    {{:integer, min: 0, max: 10, multiple_of: 5}, [{"10", 10}, {"0", 0}], ["3", "15", "-5"]},
    {{:integer, one_of: [2, 4]}, [{"4", 4}], ["3"]},
    {{:integer, nullable: true, one_of: [2]}, [{"2", 2}, {"null", nil}], ["3"]},
    {:number, [{"1", 1}, {"1.5", 1.5}], ["null"]},
    {{:float, greater_than: 0, less_than: 1}, [{"0.5", 0.5}], ["0", "1", "1.5"]},
    {:boolean, [{"true", true}], ["null", "0"]},
    {:null, [{"null", nil}], ["false"]},
    {:any, [{~S([1,{"a":null}]), [1, %{"a" => nil}]}], ["x"]},
    {:date, [{~S("2024-02-29"), ~D[2024-02-29]}], [~S("2023-02-29"), ~S("24-02-01")]},
    {:time, [{~S("23:59:59.25"), ~T[23:59:59.25]}],
     [~S("24:00:00"), ~S("23:59:60"), ~S("1:00:00")]},
    {:naive_datetime, [{~S("2000-02-29T12:30:00"), ~N[2000-02-29 12:30:00]}],
     [~S("1900-02-29T12:30:00"), ~S("2000-02-29 12:30:00"), ~S("2000-02-29T12:30:00Z")]},
    {:utc_datetime, [{~S("2024-02-29T12:30:00.5Z"), ~U[2024-02-29 12:30:00.5Z]}],
     [~S("2024-02-29T12:30:00"), ~S("2024-02-29T12:30:60Z"), ~S("2024-02-29T12:30:00+01:00")]},
    {:uuid,
     [{~S("6f1c0c1e-8f0a-4b6e-9d3a-0123456789ab"), "6f1c0c1e-8f0a-4b6e-9d3a-0123456789ab"}],
     [~S("6f1c0c1e8f0a4b6e9d3a0123456789ab")]},
    {:uri, [{~S("https://example.org/a?b#c"), URI.new!("https://example.org/a?b#c")}],
     [~S("example"), ~S("http://a b")]},
    {:email, [{~S("ada@example.org"), "ada@example.org"}], [~S("ada"), ~S("a b@example.org")]},
    {:binary, [{~S("AP8="), <<0, 255>>}, {~S(""), ""}], [~S("AP8"), ~S("A?8=")]},
    {{:enum, [:low, "high", 3]}, [{~S("low"), :low}, {~S("high"), "high"}, {"3", 3}],
     [~S("mid"), "4"]},
    {{:const, :yes}, [{~S("yes"), :yes}], [~S("no")]},
    {{{:array, :integer}, min_items: 1, max_items: 2, unique: true}, [{"[1,2]", [1, 2]}],
     ["[]", "[1,1]", "[1,2,3]"]},
    {{:tuple, [:integer, :string]}, [{~S([1,"a"]), {1, "a"}}],
     [~S([1]), ~S(["a",1]), ~S([1,"a",2])]},
    {:map, [{~S({"a":1,"b":[]}), %{"a" => 1, "b" => []}}], ["[]"]},
    {{:map, :integer}, [{~S({"a":1}), %{"a" => 1}}], [~S({"a":"1"})]},
    {{{:map, "^[a-z]$", :boolean}, min_keys: 1, max_keys: 1}, [{~S({"a":true}), %{"a" => true}}],
     ["{}", ~S({"A":true}), ~S({"a":true,"b":true})]},
    {{:union, [:integer, {:array, :date}]}, [{"1", 1}, {~S(["2024-02-29"]), [~D[2024-02-29]]}],
     [~S("a"), ~S([1])]},
    {{{:union, circle: Circle, other: [name: :string]}, discriminator: :kind},
     [
       {~S({"kind":"circle","radius":2}), {Circle, radius: 2.0}},
       {~S({"kind":"other","name":"x"}), %{kind: :other, name: "x"}}
     ], [~S({"kind":"square","radius":2}), ~S({"radius":2}), ~S({"kind":"circle","name":"x"})]},
    {Group,
     [
       {~S({"parts":[{"type":"group","parts":[]},{"type":"circle","radius":1}]}),
        {Group, parts: [{Group, parts: []}, {Circle, radius: 1.0}]}}
     ], [~S({"parts":[{"type":"circle","radius":0}]})]},
    {[a: {:integer, min: 1}], [{~S({"a":1}), %{a: 1}}], [~S({"a":0}), "{}", ~S({"a":1,"b":2})]}
  ]

  setup_all do
    %{vocabulary: Vocabulary.bytes()}
  end

  for {{type, values, refused}, index} <- Enum.with_index(@cases) do
    @type_of_case type
    @values values
    @refused refused

    test "#{index}: #{inspect(type)}", %{vocabulary: vocabulary} do
      for {text, value} <- @values do
        assert accepted?([v: @type_of_case], text, vocabulary), "#{text} is refused"
        assert {:ok, %{v: read}} = Schema.read([v: @type_of_case], ~s({"v":#{text}}))
        assert read == struct_of(value)
      end

      for text <- @refused do
        refute accepted?([v: @type_of_case], text, vocabulary), "#{text} is accepted"
      end
    end
  end

  # Structs can't stand in an attribute before their module is there.
  defp struct_of({module, fields}) when module in [Circle, Group],
    do: struct!(module, Enum.map(fields, fn {name, value} -> {name, struct_of(value)} end))

  defp struct_of(values) when is_list(values), do: Enum.map(values, &struct_of/1)
  defp struct_of(value), do: value

  defp accepted?(schema, text, vocabulary) do
    {:ok, constraint} = Schema.to_constraint(schema, vocabulary: vocabulary)
    matcher = Matcher.new(constraint)
    Matcher.accept_text(matcher, ~s({"v":#{text}})) == :ok and Matcher.accepting?(matcher)
  end

  describe "a decimal" do
    if Code.ensure_loaded?(Decimal) do
      test "loses no digit", %{vocabulary: vocabulary} do
        type = {:decimal, min: Decimal.new("0.10"), multiple_of: Decimal.new("0.01")}
        text = "12345678901234567890.10"
        assert accepted?([v: type], text, vocabulary)
        refute accepted?([v: type], "0.09", vocabulary)
        refute accepted?([v: type], "0.105", vocabulary)
        assert Schema.read([v: type], ~s({"v":#{text}})) == {:ok, %{v: Decimal.new(text)}}

        for {text, decimal} <- [{"-0.5", "-0.5"}, {"12E2", "12E+2"}, {"1.50e-3", "0.00150"}] do
          assert Schema.read([v: :decimal], ~s({"v":#{text}})) ==
                   {:ok, %{v: Decimal.new(decimal)}}
        end

        digits = "123456789." <> String.duplicate("5", 400)
        assert {:ok, %{v: long}} = Schema.read([v: :decimal], ~s({"v":#{digits}}))
        assert Decimal.to_string(long, :normal) == digits
        assert {:error, error} = Schema.read([v: :decimal], ~S({"v":1e9999999999}))
        assert Exception.message(error) =~ "expected decimal"
        assert {:ok, %{v: 1.5, d: _}} = Schema.read([v: :any, d: :decimal], ~S({"v":1.5,"d":1}))
      end
    else
      test "is refused without its package" do
        assert {:error, error} = Schema.new(v: :decimal)
        assert Exception.message(error) =~ "needs the package :decimal"
      end
    end
  end

  describe "a duration" do
    if Code.ensure_loaded?(Duration) do
      @texts [
        "P3Y6M4DT12H30M5S",
        "PT36H",
        "P4W",
        "PT0S",
        "P1Y0M2D",
        "PT1H0M5S",
        "P1MT1M",
        "P2DT5S"
      ]

      test "is written as it was read", %{vocabulary: vocabulary} do
        for text <- @texts do
          assert accepted?([v: :duration], ~s("#{text}"), vocabulary), "#{text} is refused"
          assert {:ok, %{v: duration}} = Schema.read([v: :duration], ~s({"v":"#{text}"}))
          assert example(duration) == {:ok, text}
        end

        assert {:ok, %{v: %{year: 1, month: 0, day: 2, __struct__: Duration}}} =
                 Schema.read([v: :duration], ~S({"v":"P1Y0M2D"}))

        for text <- ["P", "P1DT", "P1Y2D", "P1W2D", "PT0.5S", "P-1D", "-P1D", "1D"] do
          refute accepted?([v: :duration], ~s("#{text}"), vocabulary), "#{text} is accepted"
        end
      end

      test "is written without zeros around it" do
        for {text, short} <- [{"P0Y1M0DT0H1M0S", "P1MT1M"}, {"P0W", "PT0S"}, {"P01D", "P1D"}] do
          assert {:ok, %{v: duration}} = Schema.read([v: :duration], ~s({"v":"#{text}"}))
          assert example(duration) == {:ok, short}
        end
      end

      test "has weeks alone, or else as days" do
        assert example(duration(week: 2)) == {:ok, "P2W"}
        assert example(duration(week: 2, day: 1)) == {:ok, "P15D"}
        assert example(duration(week: 1, year: 1, hour: 3)) == {:ok, "P1Y0M7DT3H"}
      end

      test "has no sign and no fraction" do
        assert example(duration(second: 1, microsecond: {0, 6})) == {:ok, "PT1S"}

        for units <- [[day: -1], [week: -1], [second: 1, microsecond: {500_000, 1}]] do
          assert {:error, error} = example(duration(units))
          assert Exception.message(error) =~ "is not a value of its type"
        end

        assert {:error, _error} = example(3600)
        assert {:error, _error} = example("PT1H")
      end

      test "of many digits is refused without reading them" do
        text = "P" <> String.duplicate("9", 200_000) <> "D"
        {outcome, error} = Schema.cast([v: :duration], %{"v" => text})
        assert outcome == :error
        assert Exception.message(error) =~ "invalid value at v: expected duration"
      end

      test "is described by an example, and is one" do
        assert {:ok, text} = Schema.describe(v: {:duration, examples: [duration(day: 1)]})
        assert text =~ ~S[duration like "P1DT12H" (for example "P1D")]
      end

      # What is written for the value.
      defp example(value) do
        with {:ok, schema} <- Schema.to_json_schema(v: {:duration, examples: [value]}) do
          schema = schema |> JSON.encode!() |> JSON.decode!()
          [text] = schema["properties"]["v"]["examples"]
          {:ok, text}
        end
      end

      # The module is not there where this file is compiled by Elixir 1.14.
      defp duration(units), do: struct!(Duration, units)
    else
      test "is refused without its module" do
        assert {:error, error} = Schema.new(v: :duration)
        assert Exception.message(error) =~ "needs Elixir 1.17"
      end
    end
  end

  describe "what is checked after generation" do
    test "is a rejection that says where and why" do
      schema = [n: {:array, {:integer, validate: &__MODULE__.even/1}}]
      assert {:ok, %{n: [2]}} = Schema.cast(schema, %{"n" => [2]})
      assert {:error, %CastError{kind: :rejected} = error} = Schema.cast(schema, %{"n" => [2, 3]})
      assert Exception.message(error) == "invalid value at n.1: must be even, got: 3"
    end

    test "gets the whole struct" do
      assert {:ok, %Span{}} = Schema.cast(Span, %{"from" => "2024-01-01", "to" => "2024-01-02"})
      assert {:error, error} = Schema.cast(Span, %{"from" => "2024-01-03", "to" => "2024-01-02"})
      assert Exception.message(error) =~ "invalid value: must not end before it begins"
    end
  end

  test "examples are part of the JSON Schema, as JSON" do
    {:ok, schema} =
      Schema.to_json_schema(v: {:date, examples: [~D[2024-02-29]], description: "A day"})

    assert JSON.encode!(schema) =~
             ~S({"type":"string","format":"date","description":"A day","examples":["2024-02-29"]})
  end

  test "a discriminator that is a field, too, is refused" do
    clash = {:union, a: [type: :string], b: [name: :string]}
    assert {:error, error} = Schema.to_json_schema(v: clash)

    assert Exception.message(error) =~
             "the field :type of the type with the tag :a is the discriminator"
  end

  test "embeds are fields with modules" do
    defmodule Drawing do
      use Espalier.Schema

      schema do
        embeds_one(:frame, Circle, nullable: true)
        embeds_many(:circles, Circle, max_items: 3)
      end
    end

    {:ok, schema} = Schema.to_json_schema(Drawing)
    assert JSON.encode!(schema) =~ ~S("circles":{"type":"array","items":{"$ref":)

    assert {:ok, %{circles: [%Circle{}]}} =
             Schema.cast(Drawing, %{"frame" => nil, "circles" => [%{"radius" => 1}]})
  end

  test "a schema can be made once and used wherever one is taken" do
    assert {:ok, schema} = Schema.new(name: :string)
    assert {:ok, %{name: "Ada"}} = Schema.read(schema, ~S({"name":"Ada"}))
    assert {:error, error} = Schema.new(name: :strng)
    assert Exception.message(error) =~ "Did you mean :string?"
    assert_raise Espalier.SchemaError, fn -> Schema.new!(name: :strng) end
  end

  test "a description names all fields in their order" do
    assert {:ok, text} = Schema.describe(Group)

    assert text == """
           A JSON value: object (Group) with
           - "parts": list, each item: one of these, told apart by its first key "type", at most 2 items
             - "circle": object (Circle) with
               - "radius": number, above 0
             - "group": another object like the Group above\
           """
  end
end
