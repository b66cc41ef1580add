defmodule Espalier.JSONTest do
  use ExUnit.Case, async: true

  alias Espalier.{JSON, JSONError}
  alias Espalier.JSON.{Number, Object}

  doctest Espalier.JSON
  doctest Espalier.JSON.Object
  doctest Espalier.JSON.Number

  describe "decode/2" do
    test "reads each kind of value" do
      text =
        ~s( {"n": null, "b": [true, false], "i": -3, "f": 2.5e2, "s": "é\\n\\u00e9\\ud83d\\ude00"} )

      assert JSON.decode!(text) == %{
               "n" => nil,
               "b" => [true, false],
               "i" => -3,
               "f" => 250.0,
               "s" => "é\né😀"
             }
    end

    test "keeps integers of any size exact" do
      for integer <- [0, 2 ** 63 - 1, 2 ** 63, -(2 ** 63) - 1, 7 ** 400] do
        assert JSON.decode!("#{integer}") === integer
      end
    end

    test "tells 1 from 1.0" do
      assert JSON.decode!("[1, 1.0, 1e0]") === [1, 1.0, 1.0]
    end

    test "refuses numbers outside of the range of floats" do
      assert {:error, %JSONError{kind: :json_number, detail: "1e+400"}} = JSON.decode("[1e400]")
      assert JSON.decode!("1e-400") === 0.0
    end

    test "refuses integers that would take minutes to read" do
      digits = String.duplicate("9", 2_000_000)
      assert {:error, %JSONError{kind: :json_number}} = JSON.decode(digits)
    end

    test "takes the last of equal keys in maps and keeps all in objects" do
      text = ~s({"b": 1, "a": 2, "b": {"c": 3, "c": 4}})
      assert JSON.decode!(text) == %{"b" => %{"c" => 4}, "a" => 2}

      assert JSON.decode!(text, objects: :ordered) == %Object{
               members: [
                 {"b", 1},
                 {"a", 2},
                 {"b", %Object{members: [{"c", 3}, {"c", 4}]}}
               ]
             }
    end

    test "reads objects of many members" do
      map = Map.new(1..1000, &{"key#{&1}", &1})
      assert map |> JSON.encode!() |> JSON.decode!() == map
    end

    test "keeps the text of numbers on request" do
      assert [%Number{text: "1e+400"}, %Number{text: "0.10"}] =
               JSON.decode!("[1e400, 0.10]", numbers: :exact)
    end

    test "makes no atoms" do
      name = "never_an_atom_#{System.unique_integer([:positive])}"
      assert JSON.decode!(~s({"#{name}": "#{name}_either"})) == %{name => name <> "_either"}

      for text <- [name, name <> "_either"],
          do: assert_raise(ArgumentError, fn -> String.to_existing_atom(text) end)
    end

    test "points at the place of a syntax error" do
      assert {:error, error} = JSON.decode(~s({\n "a": tru}))
      assert %JSONError{kind: :json_syntax, line: 2, column: 10, detail: "expected ident"} = error
      assert Exception.message(error) == "not JSON: expected ident at line 2 column 10"
    end

    test "refuses what is not JSON" do
      for text <- [
            "",
            " ",
            "[1] 2",
            "{a: 1}",
            "[1,]",
            "'a'",
            "NaN",
            "01",
            "\"\xFF\"",
            ~S("\ud800")
          ] do
        assert {:error, %JSONError{kind: :json_syntax}} = JSON.decode(text)
      end
    end

    test "refuses deep nesting, however deep" do
      nested = fn depth -> String.duplicate("[", depth) <> String.duplicate("]", depth) end
      assert {:ok, _lists} = JSON.decode(nested.(127))
      assert {:error, %JSONError{kind: :json_depth, limit: 127}} = JSON.decode(nested.(128))
      assert {:error, %JSONError{kind: :json_depth}} = JSON.decode(nested.(1_000_000))
      objects = String.duplicate(~s({"a":), 1_000_000)
      assert {:error, %JSONError{kind: :json_depth}} = JSON.decode(objects)
    end

    test "refuses unknown options" do
      assert {:error, %Espalier.OptionsError{}} = JSON.decode("1", object: :maps)
    end

    test "raises for arguments that are not texts" do
      assert_raise FunctionClauseError, fn -> JSON.decode(:text) end
      assert_raise JSONError, fn -> JSON.decode!("[") end
    end
  end

  describe "encode/1" do
    test "writes each kind of value" do
      assert JSON.encode!([nil, true, :high, 1, 7 ** 40, 0.1, 1.0e22, "a\"\\\n\u0001é"]) ==
               ~S([null,true,"high",1,6366805760909027985741435139224001,0.1,1.0e22,"a\"\\\n\u0001é"])
    end

    test "writes maps by key and objects in their order" do
      assert JSON.encode!(%{"b" => 1, :a => 2, 10 => 3}) == ~s({"10":3,"a":2,"b":1})
      assert JSON.encode!(%Object{members: [{:b, 1}, {"a", 2}]}) == ~s({"b":1,"a":2})
      assert JSON.encode!(%Object{members: []}) == "{}"
    end

    test "gives back what was read" do
      text = ~s({"b":[1.0,{"a":null}],"a":"\\u0000\\t","é":1.10e+400})
      assert text |> JSON.decode!(objects: :ordered, numbers: :exact) |> JSON.encode!() == text
    end

    test "names the place of what has no JSON" do
      for {term, pointer} <- [
            {{1, 2}, ""},
            {%{a: %{"b/c" => [1, self()]}}, "/a/b~1c/1"},
            {[1 | 2], ""},
            {["\xFF"], "/0"},
            {%{{1} => 2}, ""},
            {%{a: Date.new!(2026, 1, 1)}, "/a"},
            {%Object{members: [{"a", 1} | :b]}, ""},
            {%Number{text: "1,5"}, ""}
          ] do
        assert {:error, %JSONError{kind: :json_term, pointer: ^pointer}} = JSON.encode(term)
      end
    end

    test "writes nesting of any depth" do
      deep = Enum.reduce(1..100_000, 1, fn _, inner -> [inner] end)
      assert deep |> JSON.encode!() |> byte_size() == 200_001
    end
  end

  describe "validate/2" do
    test "tells each violation" do
      schema =
        ~s({"properties": {"a": {"maximum": 3}, "b": {"format": "date"}}, "required": ["c"]})

      assert {:ok, violations} = JSON.validate(schema, ~s({"a": 4, "b": "yesterday"}))

      assert violations |> Enum.map(&{&1.instance_pointer, &1.schema_pointer}) |> Enum.sort() ==
               [
                 {"", "/required"},
                 {"/a", "/properties/a/maximum"},
                 {"/b", "/properties/b/format"}
               ]

      assert JSON.validate(schema, ~s({"a": 3, "c": null})) == {:ok, []}
    end

    test "compares numbers as decimals" do
      assert JSON.validate(~s({"multipleOf": 0.1}), "0.3") == {:ok, []}
      assert {:ok, [_]} = JSON.validate(~s({"maximum": 1e400}), "1.1e400")
    end

    test "refuses what is no schema and what is no JSON" do
      assert {:error, %Espalier.SchemaError{kind: :invalid_schema, pointer: "/type"}} =
               JSON.validate(~s({"type": "int"}), "1")

      assert {:error, %JSONError{kind: :json_syntax}} = JSON.validate("{", "1")
      assert {:error, %JSONError{kind: :json_syntax}} = JSON.validate("{}", "")
    end

    test "fetches nothing" do
      schema = ~s({"$ref": "https://example.com/schema.json"})
      assert {:error, %Espalier.SchemaError{}} = JSON.validate(schema, "1")
    end

    test "stands deep nesting and recursion" do
      schema =
        ~s({"$ref": "#/$defs/a", "$defs": {"a": {"items": {"$ref": "#/$defs/a"}, "allOf": [{"maxItems": 1}]}}})

      nested = String.duplicate("[", 127) <> String.duplicate("]", 127)
      assert JSON.validate(schema, nested) == {:ok, []}
      deep = Enum.reduce(1..60, "true", fn _, inner -> ~s({"not": {"allOf": [#{inner}]}}) end)
      assert {:error, %JSONError{kind: :json_depth}} = JSON.validate(deep, "1")
      deep = Enum.reduce(1..40, "true", fn _, inner -> ~s({"not": {"allOf": [#{inner}]}}) end)
      assert {:ok, _violations} = JSON.validate(deep, "1")
    end
  end
end
