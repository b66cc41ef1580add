defmodule Espalier.LimitsTest do
  use ExUnit.Case, async: true
  doctest Espalier.Limits

  alias Espalier.{Constraint, Limits, Matcher, Native, OptionsError, SchemaError, Vocabulary}
  alias Espalier.VocabularyError

  setup_all do
    %{vocabulary: Vocabulary.bytes()}
  end

  test "names and defaults are those of the engine" do
    native = for {name, default} <- Native.limits_default(), into: %{}, do: {name, default}
    assert Map.new(Limits.defaults(), fn {name, value} -> {to_string(name), value} end) == native
  end

  test "an error names the limit, its value and the place", %{vocabulary: vocabulary} do
    options = [vocabulary: vocabulary, limits: [enum_members: 2]]
    schema = %{properties: %{a: %{enum: [1, 2, 3]}}}
    assert {:error, %SchemaError{} = error} = Constraint.json_schema(schema, options)
    assert %{kind: :limit_exceeded, limit: "enum_members", value: 2} = error
    assert error.pointer == "/properties/a"
    assert error.message =~ "limits: [enum_members: ...]"
  end

  test "limits are raised by their names", %{vocabulary: vocabulary} do
    choice = Enum.map(1..200_001, &Integer.to_string/1)
    assert {:error, %{limit: "enum_members"}} = Constraint.choice(choice, vocabulary: vocabulary)
    options = [vocabulary: vocabulary, limits: [enum_members: 300_000]]
    assert {:ok, _constraint} = Constraint.choice(choice, options)
  end

  test "unknown limits and values that can't be are refused", %{vocabulary: vocabulary} do
    compile = &Constraint.regex("a", vocabulary: vocabulary, limits: &1)
    assert {:error, %OptionsError{} = error} = compile.(regex_byte: 1)
    assert error.suggestion == :regex_bytes
    assert {:error, %OptionsError{option: :regex_bytes}} = compile.(regex_bytes: "1")
    assert {:error, %OptionsError{option: :regex_nesting}} = compile.(regex_nesting: 251)
    assert {:error, %OptionsError{kind: :not_keyword}} = compile.(3)
  end

  test "vocabularies have limits" do
    options = [eos_ids: [0], limits: [token_bytes: 2]]
    assert {:error, %VocabularyError{} = error} = Vocabulary.from_tokens(["", "abc"], options)
    assert %{kind: :limit_exceeded, limit: "token_bytes", value: 2} = error

    assert {:error, %OptionsError{}} =
             Vocabulary.from_tokens(["a"], eos_ids: [0], limits: [clauses: 1])
  end

  test "a call without fuel changes nothing", %{vocabulary: vocabulary} do
    options = [vocabulary: vocabulary, limits: [mask_fuel: 2000]]
    matcher = %{type: :array} |> Constraint.json_schema!(options) |> Matcher.new()
    assert :ok = Matcher.accept_text(matcher, "[")
    text = String.duplicate("[", 5000)
    assert {:error, %SchemaError{limit: "mask_fuel"}} = Matcher.accept_text(matcher, text)
    assert :ok = Matcher.accept_text(matcher, "1]")
    assert Matcher.accepting?(matcher)
  end

  test "a compile is given up when its process ends", %{vocabulary: vocabulary} do
    # Takes minutes when it is let run.
    pattern = "[ab]*a[ab]{13}"

    branches =
      for n <- 1..5000, do: %{required: ["k"], properties: %{k: %{pattern: pattern <> "#{n}"}}}

    limits = [compile_fuel: 1_000_000_000_000, regex_work: 1_000_000_000_000]
    options = [vocabulary: vocabulary, limits: limits]

    compile = fn -> Constraint.json_schema(%{type: :object, oneOf: branches}, options) end
    # As many as there are schedulers for them.
    compiling = for _ <- 1..System.schedulers_online(), do: spawn(compile)
    Process.sleep(500)
    assert Enum.all?(compiling, &Process.alive?/1)
    Enum.each(compiling, &Process.exit(&1, :kill))
    # They are free again.
    1..(2 * System.schedulers_online())
    |> Enum.map(fn _ -> Task.async(fn -> Constraint.regex!("a", vocabulary: vocabulary) end) end)
    |> Task.await_many(20_000)
  end
end
