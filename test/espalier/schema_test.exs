defmodule Espalier.SchemaTest do
  use ExUnit.Case, async: true

  alias Espalier.CastError
  alias Espalier.JSON
  alias Espalier.OptionsError
  alias Espalier.Schema
  alias Espalier.SchemaError

  doctest Schema

  defmodule Item do
    use Espalier.Schema

    schema do
      field :product, :string, min_length: 1
      field :quantity, :integer, min: 1
    end
  end

  defmodule Order do
    use Espalier.Schema

    schema description: "An order" do
      field :customer, :string, max_length: 80, description: "Who ordered"
      field :status, {:enum, [:new, :paid]}, default: :new
      field :items, {:array, Item}, min_items: 1, max_items: 4
      field :total, :float, nullable: true
      field :note, :string, required: false
      field :gift, :boolean, required: false, default: false
    end
  end

  defmodule Tree do
    use Espalier.Schema

    schema do
      field :name, :string
      field :children, {:array, __MODULE__}
      field :parent, Tree, nullable: true
    end
  end

  defmodule Even do
    use Espalier.Schema

    schema do
      field :odd, Espalier.SchemaTest.Odd, nullable: true
    end
  end

  defmodule Odd do
    use Espalier.Schema

    schema do
      field :even, Espalier.SchemaTest.Even, nullable: true
    end
  end

  defp json_schema(schema) do
    assert {:ok, json_schema} = Schema.to_json_schema(schema)
    JSON.encode!(json_schema)
  end

  defp properties(type), do: [a: type] |> json_schema() |> property()

  defp property(text) do
    [_, property] =
      Regex.run(~r/^{"type":"object","properties":{"a":(.*)},"required":\["a"\],"addit/, text)

    property
  end

  defp order(changes \\ %{}) do
    Map.merge(
      %{
        "customer" => "Ada",
        "status" => "paid",
        "items" => [%{"product" => "lamp", "quantity" => 2}],
        "total" => 12
      },
      changes
    )
  end

  defp cast_error(schema, json) do
    assert {:error, %CastError{} = error} = Schema.cast(schema, json)
    error
  end

  describe "a schema module" do
    test "is a struct with the fields in order and their defaults" do
      assert %Order{}.status == :new
      assert %Order{}.gift == false
      assert %Order{}.note == nil

      assert Enum.map(Order.__espalier_schema__().fields, & &1.name) ==
               [:customer, :status, :items, :total, :note, :gift]
    end

    test "has a type for each field" do
      defmodule Typed do
        use Espalier.Schema

        schema do
          field :level, {:enum, [:low, "high", 3]}
          field :items, {:array, Item}, required: false
          field :point, x: :integer, y: {:float, nullable: true}
        end
      end

      types =
        for field <- Typed.__espalier_schema__().fields do
          field |> Espalier.Schema.Typespec.field() |> Macro.to_string()
        end

      assert types == [
               ":low | String.t() | 3",
               "[Espalier.SchemaTest.Item.t()] | nil",
               "%{x: integer(), y: float() | nil}"
             ]
    end

    test "may be empty" do
      defmodule Empty do
        use Espalier.Schema

        schema do
        end
      end

      assert Schema.cast(Empty, %{}) == {:ok, struct(Empty)}
    end
  end

  describe "a declaration that can't be" do
    defp compile_error(field, more \\ "") do
      code = """
      defmodule Espalier.SchemaTest.Wrong do
        use Espalier.Schema
        schema do
          #{field}
          #{more}
        end
      end
      """

      error = assert_raise CompileError, fn -> Code.compile_string(code, "wrong.ex") end
      assert error.file =~ "wrong.ex"
      {error.line, error.description}
    end

    test "tells an unknown type the known ones, and the nearest" do
      assert {4, message} = compile_error("field :name, :strng")
      assert message =~ "field :name: unknown type :strng. Did you mean :string?"
      assert message =~ "{:array, type}"
      assert {4, message} = compile_error("field :day, :weekday")
      assert message =~ "unknown type :weekday. The types are :string, :integer"
      assert {4, message} = compile_error("field :level, :enum")
      assert message =~ "Did you mean {:enum, ...}?"
    end

    test "names an option that is unknown, or that the type does not take" do
      assert {4, "field :age: unknown option :max_lenght. Did you mean :max_length?"} =
               compile_error("field :age, :string, max_lenght: 1")

      assert {4, "field :age: unknown option :requierd. Did you mean :required?"} =
               compile_error("field :age, :integer, requierd: false")

      assert {4, message} = compile_error("field :name, :string, min_items: 1")
      assert message =~ "field :name: unknown option :min_items"
    end

    test "names a value that an option does not take" do
      assert {4, message} = compile_error("field :name, :string, max_length: -1")

      assert message =~
               "invalid value for :max_length option: expected non-negative integer, got: -1"

      assert {4, message} = compile_error("field :name, :string, format: :a")
      assert message =~ "expected a text or a Regex"
      assert {4, message} = compile_error("field :name, :string, format: ~r/(a)\\1/")
      assert message =~ "field :name: "
      assert message =~ "a backreference at byte 3"
      assert {4, message} = compile_error("field :age, :integer, min: 0.5")
      assert message =~ "expected integer"
      assert {4, message} = compile_error("field :age, :integer, min: 5, max: 3")
      assert message =~ ":min is above :max: 5 and 3"
    end

    test "refuses a default that is not a value" do
      for field <- [
            "field :a, {:enum, [:low]}, default: :high",
            "field :a, :integer, default: \"1\"",
            "field :a, :integer, min: 3, default: 2",
            "field :a, :string, max_length: 1, default: \"ab\"",
            "field :a, :string, format: \"^a\", default: \"b\"",
            "field :a, {:array, :string}, default: [1]"
          ] do
        assert {4, message} = compile_error(field)
        assert message =~ "is not a value of its type", field
      end
    end

    test "refuses wrong lists of values and types" do
      assert {4, message} = compile_error("field :a, {:enum, []}")
      assert message =~ "expected {:enum, values} with a list of values, got: []"
      assert {4, message} = compile_error("field :a, {:enum, [:a, \"a\"]}")
      assert message =~ ~s("a" is twice)
      assert {4, message} = compile_error("field :a, {:enum, [1.5]}")
      assert message =~ "expected atom, text or integer, got: 1.5"
      assert {4, message} = compile_error("field :a, {:union, :string}")
      assert message =~ "expected {:union, types} with a list of types"
      assert {4, message} = compile_error("field :a, {:union, a: :string, b: :integer}")
      assert message =~ "expected a schema module or a keyword list of fields for the tag :a"
      assert {4, message} = compile_error("field :a, {:tuple, []}")
      assert message =~ "expected {:tuple, types} with a list of types"
    end

    test "takes a default by its digits" do
      assert {:ok, _schema} =
               Espalier.Schema.new(a: {:float, multiple_of: 0.1, examples: [0.3, 1.0e-1, -2.0]})

      assert {4, message} = compile_error("field :a, :float, multiple_of: 0.1, default: 0.35")
      assert message =~ "is not a value of its type"
    end

    test "refuses examples and checks that can't be" do
      assert {4, message} = compile_error("field :a, :date, examples: [~D[2024-02-29], 1]")
      assert message =~ "the example 1 is not a value of its type"
      assert {4, message} = compile_error("field :a, :integer, validate: fn _ -> :ok end")
      assert message =~ "expected a function of a module, like &Accounts.check_name/1"
    end

    test "refuses a name twice, and a name that is no atom" do
      assert {_line, "the field :a is there twice"} =
               compile_error("field :a, :string", "field :a, :integer")

      assert {4, message} = compile_error("field \"a\", :string")
      assert message =~ ~s(expected an atom as the name of a field, got: "a")
    end

    test "names an option of schema that is unknown" do
      code =
        "defmodule Espalier.SchemaTest.Wrong do use Espalier.Schema; schema descripton: \"a\" do end end"

      error = assert_raise CompileError, fn -> Code.compile_string(code) end
      assert error.description == "unknown option :descripton. Did you mean :description?"
    end
  end

  describe "to_json_schema/1" do
    test "keeps the order of the fields and puts other modules into $defs" do
      assert json_schema(Order) ==
               ~S({"type":"object","properties":{) <>
                 ~S("customer":{"type":"string","maxLength":80,"description":"Who ordered"},) <>
                 ~S("status":{"enum":["new","paid"]},) <>
                 ~S("items":{"type":"array","items":{"$ref":"#/$defs/Espalier.SchemaTest.Item"},"minItems":1,"maxItems":4},) <>
                 ~S("total":{"type":["number","null"]},"note":{"type":"string"},"gift":{"type":"boolean"}},) <>
                 ~S("required":["customer","status","items","total"],"additionalProperties":false,) <>
                 ~S("description":"An order","$defs":{"Espalier.SchemaTest.Item":{"type":"object","properties":{) <>
                 ~S("product":{"type":"string","minLength":1},"quantity":{"type":"integer","minimum":1}},) <>
                 ~S("required":["product","quantity"],"additionalProperties":false}}})
    end

    test "spells each type" do
      assert properties(:any) == "{}"
      assert properties(:float) == ~S({"type":"number"})
      assert properties({:const, :a}) == ~S({"const":"a"})

      assert properties({:union, [:string, {:array, :null}]}) ==
               ~S({"anyOf":[{"type":"string"},{"type":"array","items":{"type":"null"}}]})

      assert properties({:number, greater_than: 0, less_than: 1.5}) ==
               ~S({"type":"number","exclusiveMinimum":0,"exclusiveMaximum":1.5})

      assert properties({:string, format: ~r/^a+$/u}) == ~S({"type":"string","pattern":"^a+$"})

      assert properties({:string, format: ~r/ ^ a+ \Z /ix}) ==
               ~S({"type":"string","pattern":"^[aA]+$"})

      assert properties({:regex, ~r/\d{2}|é/u}) ==
               ~S|{"type":"string","pattern":"^([\\p{Nd}]{2}\|é)$"}|

      assert properties(b: :string) =~ ~S({"type":"object","properties":{"b":{"type":"string"}})
    end

    test "adds null to a nullable type" do
      assert properties({{:enum, [:a]}, nullable: true}) == ~S({"enum":["a",null]})

      assert properties({{:const, 1}, nullable: true}) ==
               ~S({"anyOf":[{"const":1},{"type":"null"}]})

      assert properties({:any, nullable: true}) == "{}"
      assert properties({:null, nullable: true}) == ~S({"type":"null"})

      assert properties({Item, nullable: true}) ==
               ~S({"anyOf":[{"$ref":"#/$defs/Espalier.SchemaTest.Item"},{"type":"null"}]})
               |> String.trim()
    end

    test "refers to the root for a module that contains itself" do
      assert json_schema(Tree) =~ ~S("children":{"type":"array","items":{"$ref":"#"}})
      assert json_schema(Tree) =~ ~S("parent":{"anyOf":[{"$ref":"#"},{"type":"null"}]})
      refute json_schema(Tree) =~ "$defs"
      assert json_schema(tree: Tree) =~ ~S("$defs":{"Espalier.SchemaTest.Tree":)
    end

    test "follows modules that contain each other" do
      assert json_schema(Even) =~ ~S("$defs":{"Espalier.SchemaTest.Odd":)
      assert json_schema(Even) =~ ~S("even":{"anyOf":[{"$ref":"#"},{"type":"null"}]})
    end

    test "describes choices and regular expressions as strings" do
      assert json_schema({:choice, [:yes, 1]}) == ~S({"enum":["yes","1"]})
      assert json_schema({:regex, ~r/a|b/}) == ~S[{"type":"string","pattern":"^(a|b)$"}]

      assert json_schema({:regex, "(?!b)[ab]", syntax: :ecma}) ==
               ~S|{"type":"string","pattern":"^(?!b)[ab]$"}|
    end
  end

  describe "what is no schema" do
    test "is an error that says what would be one" do
      assert {:error, %SchemaError{kind: :invalid_schema} = error} = Schema.cast(42, %{})
      assert Exception.message(error) =~ "expected a schema module"
      assert {:error, %SchemaError{} = error} = Schema.cast(String, %{})
      assert Exception.message(error) =~ "String is not a schema module"
      assert {:error, %SchemaError{} = error} = Schema.to_json_schema(item: String)
      assert Exception.message(error) =~ "String is not a schema module"
      assert {:error, %SchemaError{} = error} = Schema.cast([name: :strng], %{})
      assert Exception.message(error) =~ "field :name: unknown type :strng"
      assert {:error, %SchemaError{}} = Schema.cast([1, 2], %{})
      assert {:error, %SchemaError{}} = Schema.cast([], %{})
      assert {:error, %SchemaError{}} = Schema.cast(nil, %{})
      assert {:error, %SchemaError{kind: :empty_choice}} = Schema.cast({:choice, []}, "a")
      assert {:error, %SchemaError{}} = Schema.cast({:choice, [:a, "a"]}, "a")
      assert {:error, %SchemaError{}} = Schema.cast({:choice, [1.5]}, "a")
      assert {:error, %SchemaError{}} = Schema.cast({:choice, [:a | :b]}, "a")
      assert {:error, %SchemaError{}} = Schema.cast({:choice, :a}, "a")
      assert {:error, %SchemaError{kind: :invalid_schema}} = Schema.cast({:regex, :a}, "a")

      assert {:error, %SchemaError{kind: :unsupported_regex}} =
               Schema.cast({:regex, ~r/(a)\1/}, "aa")

      for schema <- [{:regex, "a", syntax: :perl}, {:regex, ~r/a/, syntax: :ecma}],
          do: assert({:error, %OptionsError{option: :syntax}} = Schema.cast(schema, "a"))

      assert {:error, %OptionsError{option: :flags}} = Schema.cast({:regex, "a", flags: "i"}, "a")
    end
  end

  describe "cast/2" do
    test "makes structs, atoms and floats" do
      assert Schema.cast(Order, order()) ==
               {:ok,
                %Order{
                  customer: "Ada",
                  status: :paid,
                  items: [%Item{product: "lamp", quantity: 2}],
                  total: 12.0,
                  note: nil,
                  gift: false
                }}
    end

    test "takes what is there of an optional field, and null of a nullable one" do
      assert {:ok, %Order{note: "Hi", gift: true, total: nil}} =
               Schema.cast(Order, order(%{"note" => "Hi", "gift" => true, "total" => nil}))
    end

    test "follows recursion" do
      leaf = %{"name" => "b", "children" => [], "parent" => nil}

      assert {:ok, %Tree{children: [%Tree{name: "b"}]}} =
               Schema.cast(Tree, %{"name" => "a", "children" => [leaf], "parent" => nil})
    end

    test "takes 1.0 for an integer, and no other fraction" do
      assert Schema.cast([a: :integer], %{"a" => 1.0}) == {:ok, %{a: 1}}
      assert cast_error([a: :integer], %{"a" => 1.5}).expected == "integer"
    end

    test "gives enums and consts back as they were given" do
      assert Schema.cast([a: {:enum, [:x, "y", 3]}], %{"a" => "x"}) == {:ok, %{a: :x}}
      assert Schema.cast([a: {:enum, [:x, "y", 3]}], %{"a" => "y"}) == {:ok, %{a: "y"}}
      assert Schema.cast([a: {:enum, [:x, "y", 3]}], %{"a" => 3}) == {:ok, %{a: 3}}
      assert Schema.cast([a: {:enum, [true, nil]}], %{"a" => nil}) == {:ok, %{a: nil}}
      assert Schema.cast([a: {:const, :go}], %{"a" => "go"}) == {:ok, %{a: :go}}
    end

    test "takes the first member of a union that fits" do
      schema = [a: {:union, [Item, :integer, [b: :string]]}]
      assert Schema.cast(schema, %{"a" => 3}) == {:ok, %{a: 3}}
      assert Schema.cast(schema, %{"a" => %{"b" => "c"}}) == {:ok, %{a: %{b: "c"}}}
      assert cast_error(schema, %{"a" => nil}).path == ["a"]
    end

    test "leads to the place of what does not fit" do
      error =
        cast_error(Order, order(%{"items" => [order()["items"] |> hd(), %{"product" => 1}]}))

      assert error.path == ["items", 1, "product"]

      assert Exception.message(error) ==
               "invalid value at items.1.product: expected string, got: 1"

      assert cast_error(Order, order(%{"status" => "lost"})).expected == ~s(one of "new", "paid")
      assert cast_error(Order, order(%{"colour" => 1})).path == ["colour"]
      assert cast_error(Order, Map.delete(order(), "items")).expected == ~s(the key "items")
      assert cast_error(Order, []).path == []
      assert cast_error([a: :float], %{"a" => Integer.pow(10, 400)}).path == ["a"]
    end

    test "makes no atoms" do
      key = "never_seen_#{System.unique_integer([:positive])}"
      cast_error([a: {:enum, [:x]}], %{"a" => key})
      cast_error([a: :string], %{key => 1})
      assert_raise ArgumentError, fn -> String.to_existing_atom(key) end
    end

    test "leaves the JSON of a JSON Schema as it is" do
      assert Schema.cast(%{"type" => "object"}, %{"a" => [1]}) == {:ok, %{"a" => [1]}}
    end
  end

  describe "read/2" do
    test "gives the chosen term, and the text of a regular expression" do
      assert Schema.read({:choice, [:low, "high", 3]}, "low") == {:ok, :low}
      assert Schema.read({:choice, [:low, "high", 3]}, "high") == {:ok, "high"}
      assert Schema.read({:choice, [:low, "high", 3]}, "3") == {:ok, 3}
      assert Schema.read({:regex, "[0-9]+"}, "42") == {:ok, "42"}
      assert Schema.read({:regex, "\\d", syntax: :rust}, "٣") == {:ok, "٣"}
      assert Schema.read({:regex, "(?=.b)\\w+", syntax: :ecma}, "ab") == {:ok, "ab"}
      assert {:error, _error} = Schema.read({:regex, "(?=.b)\\w+", syntax: :ecma}, "ba")
      assert {:error, _error} = Schema.read({:regex, "\\d", syntax: :ecma}, "٣")

      assert {:error, %CastError{expected: ~s(one of "low")}} =
               Schema.read({:choice, [:low]}, "high")
    end

    test "reads JSON" do
      assert Schema.read([a: :integer], ~S({"a": 1})) == {:ok, %{a: 1}}
      assert {:error, %Espalier.JSONError{}} = Schema.read([a: :integer], "{")
    end
  end
end
