defmodule Espalier.Schema.InlineTest do
  use ExUnit.Case, async: true

  alias Espalier.{CastError, JSON, Matcher, Schema, ValidationError, Vocabulary}

  # Not the one that an order has.
  alias Espalier.Elsewhere.Address, warn: false

  defmodule Order do
    use Espalier.Schema

    schema description: "An order" do
      field :customer, :string

      embeds_one :address, Address, nullable: true, description: "Where to" do
        field :street, :string

        embeds_one :country, Country do
          field :code, {:enum, [:no, :se]}
        end

        field :city, :string, min_length: 1
      end

      embeds_many :items, Item, min_items: 1, description: "What is ordered" do
        field :product, :string
        field :more, {:array, Order}
      end

      embeds_one :billing, Address, required: false
    end

    def abroad?(%Address{country: %Address.Country{code: code}}), do: code != :no
    def item(product, more), do: %Item{product: product, more: more}
  end

  @address ~S({"street":"Nygata 1","country":{"code":"no"},"city":"Bergen"})
  @item ~S({"product":"lamp","more":[]})

  defp order(parts \\ []) do
    parts = Keyword.merge([address: "null", items: "[#{@item}]", rest: ""], parts)
    ~s({"customer":"Ada","address":#{parts[:address]},"items":#{parts[:items]}#{parts[:rest]}})
  end

  describe "an inline module" do
    test "is a schema module within the other one, with a struct" do
      assert Map.keys(%Order.Address{}) == [:__struct__, :city, :country, :street]
      assert Schema.read(Order.Address.Country, ~S({"code":"se"})) == {:ok, country(:se)}
      assert Order.Item.__espalier_schema__().module == Order.Item
    end

    test "has its alias in the rest of the other one" do
      assert Order.item("lamp", []) == %Order.Item{product: "lamp", more: []}
      assert Order.abroad?(%Order.Address{country: country(:se)})
    end

    test "has a type" do
      # Without debug information no types are kept.
      code = """
      defmodule Espalier.Schema.InlineTest.Typed do
        use Espalier.Schema
        @compile :debug_info
        schema do
          embeds_many :a, A do
            @compile :debug_info
            field :b, :string
          end
        end
      end
      """

      types =
        for {module, beam} <- Code.compile_string(code), into: %{} do
          {:ok, [type: type]} = Code.Typespec.fetch_types(beam)
          {module, type |> Code.Typespec.type_to_quoted() |> Macro.to_string()}
        end

      name = "Espalier.Schema.InlineTest.Typed"

      assert types == %{
               __MODULE__.Typed => "t() :: %#{name}{a: [#{name}.A.t()]}",
               __MODULE__.Typed.A => "t() :: %#{name}.A{b: String.t()}"
             }
    end

    test "leaves the words of a schema to its block" do
      defmodule Words do
        use Espalier.Schema

        schema do
          embeds_one :a, A do
            field :b, :string
          end
        end

        def words, do: {field(1, 2), embeds_one(1, 2)}
        defp field(name, type), do: {name, type}
        defp embeds_one(name, module), do: {name, module}
      end

      assert Words.words() == {{1, 2}, {1, 2}}
    end
  end

  describe "an embed with a block" do
    test "takes its options behind the module, in an attribute and beside the block" do
      defmodule Options do
        use Espalier.Schema
        @many [min_items: 1, max_items: 2]

        schema do
          embeds_many :a, A, @many do
            field :x, :string
          end

          embeds_many(:b, B, min_items: 1, max_items: 2, do: field(:x, :string))
          embeds_many(:c, :"Elixir.C", [min_items: 1, max_items: 2], do: field(:x, :string))
        end
      end

      for {field, module} <-
            Enum.zip(Options.__espalier_schema__().fields, [Options.A, Options.B, Options.C]) do
        assert field.type.rules == [min_items: 1, max_items: 2]
        assert field.type.argument.argument == module
      end
    end

    test "is a reference in the JSON Schema, with the fields in order and the field's description" do
      assert {:ok, schema} = Schema.to_json_schema(Order)
      text = JSON.encode!(schema)
      defs = "#/$defs/Espalier.Schema.InlineTest.Order"

      assert text =~
               ~s("properties":{"customer":{"type":"string"},) <>
                 ~s("address":{"anyOf":[{"$ref":"#{defs}.Address"},{"type":"null"}],"description":"Where to"},) <>
                 ~s("items":{"type":"array","items":{"$ref":"#{defs}.Item"},"minItems":1,) <>
                 ~s("description":"What is ordered"},"billing":{"$ref":"#{defs}.Address"}},) <>
                 ~s("required":["customer","address","items"],"additionalProperties":false,"description":"An order")

      assert text =~
               ~s("Espalier.Schema.InlineTest.Order.Address":{"type":"object","properties":{) <>
                 ~s("street":{"type":"string"},"country":{"$ref":"#{defs}.Address.Country"},) <>
                 ~s("city":{"type":"string","minLength":1}})

      assert text =~ ~S("more":{"type":"array","items":{"$ref":"#"}})
    end
  end

  describe "a value" do
    test "inside is accepted and cast to the structs" do
      text = order(address: @address, rest: ~s(,"billing":#{@address}))
      assert accepted?(text)
      assert {:ok, %Order{} = order} = Schema.read(Order, text)
      assert order.address == order.billing

      assert order.address ==
               %Order.Address{street: "Nygata 1", country: country(:no), city: "Bergen"}
    end

    test "may have the outer module in the inner one" do
      text = order(items: ~s([{"product":"box","more":[#{order()}]}]))
      assert accepted?(text)
      lamp = Order.item("lamp", [])
      assert {:ok, %Order{items: [box]}} = Schema.read(Order, text)
      assert box == Order.item("box", [%Order{customer: "Ada", items: [lamp]}])
    end

    test "outside is refused by the constraint and by cast" do
      for {parts, path} <- [
            {[address: String.replace(@address, ~s("no"), ~s("dk"))],
             ["address", "country", "code"]},
            {[address: String.replace(@address, ~s({"code":"no"}), "{}")],
             ["address", "country"]},
            {[address: "[]"], ["address"]},
            {[items: ~S([{"product":1,"more":[]}])], ["items", 0, "product"]},
            {[items: ~S([{"product":"box","more":[{}]}])], ["items", 0, "more", 0]},
            {[items: @item], ["items"]},
            {[rest: ~S(,"billing":null)], ["billing"]},
            {[rest: ~S(,"gift":true)], ["gift"]}
          ] do
        refute accepted?(order(parts)), "#{inspect(parts)} is accepted"
        assert {:error, %ValidationError{}} = Schema.read(Order, order(parts))
        json = parts |> order() |> JSON.decode!()
        assert {:error, %CastError{path: ^path}} = Schema.cast(Order, json)
      end
    end

    test "keeps the rules and the order of the fields in the constraint" do
      refute accepted?(order(items: "[]"))
      refute accepted?(order(address: String.replace(@address, "Bergen", "")))

      refute accepted?(order(address: ~S({"city":"Bergen","street":"","country":{"code":"no"}})))
    end
  end

  describe "a block that can't be" do
    test "names its module and the field" do
      assert {5, message} = compile_error("embeds_one :a, A do\nfield :b, :strng\nend")

      assert message =~
               "Espalier.Schema.InlineTest.Wrong.A: field :b: unknown type :strng. Did you mean :string?"

      assert {6, message} =
               compile_error(
                 "embeds_one :a, A do\nembeds_many :b, B do\nfield :c, :string, max_lenght: 1\nend\nend"
               )

      assert message ==
               "Espalier.Schema.InlineTest.Wrong.A.B: field :c: unknown option :max_lenght. Did you mean :max_length?"

      assert {4, "Espalier.Schema.InlineTest.Wrong.A: the field :b is there twice"} =
               compile_error("embeds_one :a, A do\nfield :b, :string\nfield :b, :string\nend")
    end

    test "leaves the field of the embed to the outer module" do
      assert {4, "field :a: unknown option :nulable. Did you mean :nullable?"} =
               compile_error("embeds_one :a, A, nulable: true do\nfield :b, :string\nend")

      assert {4, "field :a: unknown option :min_items for the type" <> _} =
               compile_error("embeds_one :a, A, min_items: 1 do\nfield :b, :string\nend")
    end

    test "has a module that is no alias" do
      for module <- [~S("A"), ":a", "nil", "{:array, A}", "a", "__MODULE__", "__MODULE__.A"] do
        assert {4, message} = compile_error("embeds_one :a, #{module} do\nfield :b, :string\nend")

        assert message ==
                 "Espalier.Schema.InlineTest.Wrong: field :a: " <>
                   "expected an alias before the block, like Address, got: #{module}"
      end
    end

    test "defines a module twice" do
      block = "A do\nfield :x, :string\nend\n"

      assert {7, message} = compile_error("embeds_one :a, #{block}embeds_many :b, #{block}")

      assert message ==
               "Espalier.Schema.InlineTest.Wrong: field :b: the module Espalier.Schema.InlineTest.Wrong.A " <>
                 "is there twice: leave out the second block"
    end

    test "has no fields" do
      for block <- ["do\nend", "do\n@moduledoc false\nend"] do
        assert {4,
                "Espalier.Schema.InlineTest.Wrong.A: expected fields in the block, like field :name, :string"} =
                 compile_error("embeds_one :a, A #{block}")
      end
    end
  end

  defp accepted?(text) do
    tokens = for(byte <- 0..255, do: <<byte>>) ++ [""]
    vocabulary = Vocabulary.from_tokens!(tokens, eos_ids: [256])
    {:ok, constraint} = Schema.to_constraint(Order, vocabulary: vocabulary)
    matcher = Matcher.new(constraint)
    Matcher.accept_text(matcher, text) == :ok and Matcher.accepting?(matcher)
  end

  defp country(code), do: %Order.Address.Country{code: code}

  defp compile_error(fields) do
    code = """
    defmodule Espalier.Schema.InlineTest.Wrong do
      use Espalier.Schema
      schema do
        #{fields}
      end
    end
    """

    error = assert_raise CompileError, fn -> Code.compile_string(code, "wrong.ex") end
    assert error.file =~ "wrong.ex"
    # The inner module may have been compiled before the outer one was refused.
    :code.purge(__MODULE__.Wrong.A)
    :code.delete(__MODULE__.Wrong.A)
    {error.line, error.description}
  end
end
