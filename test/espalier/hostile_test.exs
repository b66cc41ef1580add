defmodule Espalier.HostileTest do
  @moduledoc """
  Runs `testdata/hostile/` through the native library: each case gives a value or a typed error.

  The Rust runner bounds the memory and the time of each.
  """
  use ExUnit.Case, async: true

  alias Espalier.{Constraint, Matcher, Testdata, Vocabulary}

  setup_all do
    %{boundaries: Testdata.vocabularies()["boundaries"].vocabulary}
  end

  for file <- Testdata.hostile_files() do
    @tag timeout: 600_000
    test "#{file}", %{boundaries: boundaries} do
      failures = Enum.flat_map(Testdata.hostile_cases(unquote(file)), &failures(&1, boundaries))
      assert failures == []
    end
  end

  defp failures(%{"name" => name} = case, boundaries) do
    for style <- styles(case), failure <- failures(case, boundaries, style), do: {name, failure}
  end

  defp styles(%{"options" => "generating"}), do: [:generating]
  defp styles(%{"options" => "matching"}), do: [:matching]
  defp styles(%{"schema" => _schema}), do: [:generating, :matching]
  defp styles(%{"schema_text" => _text}), do: [:generating, :matching]
  defp styles(_plain), do: [:generating]

  defp failures(case, boundaries, style) do
    compiled =
      with {:ok, vocabulary} <- vocabulary(case["vocabulary"], boundaries),
           do: compile(case, vocabulary, style)

    case {compiled, case["error"]} do
      {{:ok, constraint}, nil} -> Enum.flat_map(case["texts"] || [""], &read(&1, constraint))
      {{:error, error}, expected} -> unexpected(error, expected)
      {{:ok, _constraint}, expected} -> [{:compiles, expected}]
    end
  end

  defp vocabulary(nil, boundaries), do: {:ok, boundaries}

  defp vocabulary(%{"tokens" => tokens, "eos" => eos}, _boundaries) do
    tokens =
      Enum.flat_map(tokens, fn
        %{"token" => token, "times" => n} -> token |> Testdata.generate() |> List.duplicate(n)
        token -> [Testdata.generate(token)]
      end)

    Vocabulary.from_tokens(tokens, eos_ids: eos)
  end

  defp compile(%{"regex" => regex}, vocabulary, _style) do
    Constraint.regex(Testdata.generate(regex), vocabulary: vocabulary)
  end

  defp compile(%{"grammar" => grammar, "syntax" => syntax}, vocabulary, _style) do
    options = [vocabulary: vocabulary, syntax: String.to_existing_atom(syntax)]
    grammar |> Testdata.generate() |> Constraint.grammar(options)
  end

  defp compile(%{"choice" => choice}, vocabulary, _style) do
    Constraint.choice(Testdata.generate_list(choice), vocabulary: vocabulary)
  end

  defp compile(case, vocabulary, style) do
    text = Testdata.generate(case["schema_text"])
    Constraint.json_schema(text, vocabulary: vocabulary, style: style)
  end

  defp read(text, constraint) do
    generator = if is_map(text) and is_map_key(text, "text"), do: text["text"], else: text
    matcher = Matcher.new(constraint)

    result =
      with :ok <- Matcher.accept_text(matcher, Testdata.generate(generator)),
           {:ok, _mask} <- Matcher.compute_mask(matcher),
           do: Matcher.forced_tokens(matcher)

    expected = if is_map(text), do: text["error"]

    case result do
      {:ok, _tokens} -> if expected, do: [{:accepted, expected}], else: []
      {:error, error} -> unexpected(error, expected)
    end
  end

  defp unexpected(error, nil), do: [error]

  defp unexpected(error, expected) do
    as_expected? =
      Atom.to_string(error.kind) == expected["kind"] and
        expected["limit"] in [nil, Map.get(error, :limit)]

    if as_expected?, do: [], else: [{error, expected}]
  end
end
