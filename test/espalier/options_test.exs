defmodule Espalier.OptionsTest do
  use ExUnit.Case, async: true

  alias Espalier.Options
  alias Espalier.OptionsError

  doctest Options

  @schema [
    name: [type: :string, required: true, doc: "The name."],
    count: [type: :pos_integer, default: 1, doc: "How many."],
    style: [type: {:or, [{:in, [:short, :long]}, {:tuple, [{:in, [:max]}, :integer]}]}],
    share: [type: {:range, 0, 1}],
    sizes: [type: {:list, :integer}]
  ]

  defp message(options) do
    assert {:error, %OptionsError{} = error} = Options.validate(options, @schema)
    Exception.message(error)
  end

  describe "validate/2" do
    test "does not tell a secret" do
      schema = [key: [type: :string, secret: true]]

      assert {:error, %OptionsError{option: :key, got: :hidden}} =
               Options.validate([key: 'sk-1'], schema)
    end

    test "keeps the order of the schema and fills in defaults" do
      assert Options.validate([share: 0.5, name: "a"], @schema) ==
               {:ok, [name: "a", count: 1, share: 0.5]}
    end

    test "takes each alternative of a type" do
      assert {:ok, _options} = Options.validate([name: "a", style: :short], @schema)
      assert {:ok, _options} = Options.validate([name: "a", style: {:max, 2}], @schema)
    end

    test "lets the first of two equal names count" do
      assert {:ok, options} = Options.validate([name: "a", name: 1], @schema)
      assert options[:name] == "a"
    end

    test "suggests the nearest name for an unknown one, and none that is far" do
      assert message(name: "a", cuont: 2) == "unknown option :cuont. Did you mean :count?"
      assert message(name: "a", weather: 2) == "unknown option :weather"
    end

    test "names a required option that is missing" do
      assert message([]) == "required option :name not found: expected text in UTF-8"
    end

    test "says what was expected and what was given" do
      assert message(name: "a", count: 0) ==
               "invalid value for :count option: expected positive integer, got: 0"

      assert message(name: <<255>>) =~ "expected text in UTF-8"
      assert message(name: "a", sizes: [1, :b]) =~ "expected list of integer, got: [1, :b]"
      assert message(name: "a", sizes: [1 | 2]) =~ "expected list of integer, got: [1 | 2]"
      assert message(name: "a", share: 1.5) =~ "expected number from 0 to 1, got: 1.5"

      assert message(name: "a", style: {:max, "2"}) ==
               "invalid value for :style option: " <>
                 "expected one of :short, :long or {one of :max, integer}, got: {:max, \"2\"}"
    end

    test "refuses what is no keyword list" do
      assert message(%{name: "a"}) =~ "invalid options: expected keyword list, got: %{"
      assert message([{"name", "a"}]) =~ "expected keyword list"
    end
  end

  test "validate!/2 raises the error" do
    assert Options.validate!([name: "a"], @schema) == [name: "a", count: 1]
    assert_raise OptionsError, fn -> Options.validate!([], @schema) end
  end

  test "docs/1 lists type, text, requirement and default" do
    assert Options.docs(@schema) =~ "  * `:name` (text in UTF-8) - The name. Required.\n"

    assert Options.docs(@schema) =~
             "  * `:count` (positive integer) - How many. The default is `1`.\n"
  end
end
