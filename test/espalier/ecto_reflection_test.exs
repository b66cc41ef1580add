defmodule Espalier.EctoReflectionTest do
  @moduledoc "Modules that answer as Ecto's do: no package is needed, and no changeset function asked."
  use ExUnit.Case, async: true

  alias Espalier.Schema
  alias Espalier.SchemaError

  defmodule Colour do
    def type, do: :map
    def espalier_type, do: {:enum, [:red, :green]}
  end

  defmodule Cents do
    def type, do: :integer
  end

  defmodule Scaled do
    def type(%{as: type}), do: type
  end

  defmodule Address do
    def type, do: :inet
  end

  defmodule Tree do
    defstruct [:id, :name, :secret, :hidden, :left, children: [], owner: nil, owner_id: nil]

    def __schema__(:fields), do: [:id, :name, :secret, :left, :children, :owner_id]
    def __schema__(:primary_key), do: [:id]
    def __schema__(:autogenerate_fields), do: []
    def __schema__(:virtual_fields), do: [:hidden]
    def __schema__(:redact_fields), do: [:secret]
    def __schema__(:embeds), do: [:left, :children]
    def __schema__(:associations), do: [:owner]

    def __schema__(:embed, :left), do: %{cardinality: :one, related: __MODULE__}
    def __schema__(:embed, :children), do: %{cardinality: :many, related: __MODULE__}

    def __schema__(:association, :owner),
      do: %{cardinality: :one, related: __MODULE__, relationship: :parent, owner_key: :owner_id}

    def __schema__(:type, :id), do: :id
    def __schema__(:type, :owner_id), do: :id
    def __schema__(:type, name) when name in [:name, :secret], do: :string
    def __schema__(:type, _name), do: nil
    def __schema__(:virtual_type, :hidden), do: :any
  end

  @types %{
    a: {:array, :date},
    b: {:map, :integer},
    c: Colour,
    d: Cents,
    e: {:parameterized, Scaled, %{as: :float}},
    f: {:parameterized, {Scaled, %{as: :float}}},
    g: :utc_datetime_usec,
    h: :binary_id,
    i: :binary,
    j: {:array, :string}
  }

  defmodule Everything do
    @names [:a, :b, :c, :d, :e, :f, :g, :h, :i, :j]
    defstruct @names

    def __schema__(:fields), do: @names
    def __schema__(list) when is_atom(list), do: []
    def __schema__(:type, name), do: Espalier.EctoReflectionTest.types()[name]
  end

  defmodule Odd do
    defstruct [:address]

    def __schema__(:fields), do: [:address]
    def __schema__(list) when is_atom(list), do: []
    def __schema__(:type, :address), do: Address
  end

  def types, do: @types

  defp json(schema) do
    assert {:ok, schema} = Schema.to_json_schema(schema)
    Espalier.JSON.encode!(schema)
  end

  test "embeds refer to the module, and what a model can't know is left out" do
    assert json(Tree) ==
             ~S({"type":"object","properties":{"name":{"type":["string","null"]},) <>
               ~S("left":{"anyOf":[{"$ref":"#"},{"type":"null"}]},) <>
               ~S("children":{"type":"array","items":{"$ref":"#"}}},"required":[],"additionalProperties":false})
  end

  test "fields are chosen by name, and stay in the order of the struct" do
    keys = fn options ->
      assert {:ok, schema} = Schema.to_json_schema(Espalier.Ecto.schema(Tree, options))
      {"properties", properties} = List.keyfind(schema.members, "properties", 0)
      Enum.map(properties.members, &elem(&1, 0))
    end

    assert keys.(only: [:hidden, :name]) == ["name", "hidden"]
    assert keys.(include: [:id, :secret]) == ["id", "name", "secret", "left", "children"]
    assert keys.(except: [:left, :children]) == ["name"]
    assert keys.(include: [:owner], except: [:left]) == ["name", "children", "owner"]
  end

  test "an unknown field and an unknown option name the nearest" do
    assert {:error, %SchemaError{message: message}} =
             Schema.to_json_schema(Espalier.Ecto.schema(Tree, only: [:nam]))

    assert message =~ "has no field :nam. Did you mean :name?"
    assert_raise Espalier.OptionsError, ~r/:only/, fn -> Espalier.Ecto.schema(Tree, onyl: []) end
  end

  test "types of users are what they say, or what they are in the database" do
    assert {:ok, schema} = Schema.to_json_schema(Everything)
    {"properties", properties} = List.keyfind(schema.members, "properties", 0)

    text = fn key ->
      properties.members |> List.keyfind(key, 0) |> elem(1) |> Espalier.JSON.encode!()
    end

    assert text.("a") == ~S({"type":["array","null"],"items":{"type":"string","format":"date"}})
    assert text.("b") == ~S({"type":["object","null"],"additionalProperties":{"type":"integer"}})
    assert text.("c") == ~S({"enum":["red","green",null]})
    assert text.("d") == ~S({"type":["integer","null"]})
    assert text.("e") == ~S({"type":["number","null"]})
    assert text.("f") == text.("e")
    assert text.("g") =~ ~S("format":"date-time")
    assert text.("h") == ~S({"type":["string","null"],"format":"uuid"})
    assert text.("i") =~ "base64"
    assert text.("j") =~ ~S("items":{"type":"string","pattern":"[^\\s\\u0085]"})
  end

  test "a type without JSON is refused with the way out" do
    assert {:error, %SchemaError{message: message}} = Schema.to_json_schema(Odd)
    assert message =~ "field :address of Espalier.EctoReflectionTest.Odd"
    assert message =~ "the Ecto type :inet has no JSON"
  end

  test "explain/2 says that nothing is known where the function can't be asked" do
    rules = Espalier.Ecto.explain(Everything)
    assert %{by: :unseen, text: text} = Enum.find(rules, &(&1.rule == :changeset))
    assert text =~ "no rule of it is known"
    assert Enum.any?(rules, &(&1.path == [:d] and &1.by == :unseen and &1.text =~ "Cents"))
  end

  test "a module of neither kind is refused" do
    assert {:error, %SchemaError{message: message}} = Schema.to_json_schema(String)
    assert message =~ "String is not a schema module"
    assert_raise SchemaError, fn -> Espalier.Ecto.explain(String) end
  end
end
