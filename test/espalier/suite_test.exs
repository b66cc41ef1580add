defmodule Espalier.SuiteTest do
  @moduledoc """
  Runs `testdata/` through the native library.

  The Rust runner tries more spellings; here each test is tried as it stands, in the tokens of every
  vocabulary that can spell it, the longest first, and as one text.
  """
  use ExUnit.Case, async: true

  alias Espalier.{Matcher, SchemaError, Testdata}

  setup_all do
    %{vocabularies: Testdata.vocabularies()}
  end

  for topic <- Testdata.topics() do
    test "#{topic}", %{vocabularies: vocabularies} do
      failures = Enum.flat_map(Testdata.groups(unquote(topic)), &failures(&1, vocabularies))
      assert failures == []
    end
  end

  defp failures(%{"error" => expected} = group, vocabularies) do
    case Testdata.compile(group, vocabularies["bytes"].vocabulary) do
      {:ok, _constraint} -> [{group["description"], :compiles}]
      {:error, error} -> if error?(error, expected), do: [], else: [{group["description"], error}]
    end
  end

  defp failures(group, vocabularies) do
    tests = Enum.flat_map(["tests", "accepted", "refused"], &(group[&1] || []))
    masks = group["masks"] || []

    for(
      {_name, vocabulary} <- vocabularies,
      failure <- wrong(group, tests, vocabulary),
      do: failure
    ) ++
      for(
        mask <- masks,
        wrong <- wrong_mask(group, mask, vocabularies),
        do: {group["description"], wrong}
      )
  end

  defp error?(%SchemaError{} = error, expected) do
    Atom.to_string(error.kind) == expected["kind"] and
      expected["keyword"] in [nil, error.keyword] and
      expected["pointer"] in [nil, error.pointer] and
      expected["name"] in [nil, error.name] and
      (expected["line"] == nil or
         {expected["line"].text, expected["column"].text} == {"#{error.line}", "#{error.column}"})
  end

  defp wrong(_group, [], _vocabulary), do: []

  defp wrong(group, tests, vocabulary) do
    {:ok, constraint} = Testdata.compile(group, vocabulary.vocabulary)
    # What is given as data is tried in a spelling that the group's options may not allow.
    {:ok, matching} = Testdata.compile(group, vocabulary.vocabulary, style: :matching)

    for test <- tests,
        constraint = if(Map.has_key?(test, "data"), do: matching, else: constraint),
        verdict <- verdicts(constraint, Testdata.bytes(test), vocabulary),
        not expected?(verdict, test),
        do: {group["description"], test["description"], verdict}
  end

  defp verdicts(constraint, bytes, vocabulary) do
    case Testdata.spell(bytes, vocabulary) do
      nil -> [text_verdict(constraint, bytes)]
      ids -> [text_verdict(constraint, bytes), token_verdict(constraint, ids, vocabulary)]
    end
  end

  defp text_verdict(constraint, bytes) do
    matcher = Matcher.new(constraint)

    case Matcher.accept_text(matcher, bytes) do
      :ok -> if Matcher.accepting?(matcher), do: :valid, else: {:rejected_at, "end"}
      {:error, %{kind: :text_not_allowed, offset: offset}} -> {:rejected_at, offset}
    end
  end

  # Each token is in the mask exactly when it is accepted, and the end exactly where it may come.
  defp token_verdict(constraint, ids, %{eos_ids: [eos | _]}) do
    matcher = Matcher.new(constraint)

    Enum.find_value(ids ++ [eos], :valid, fn id ->
      {:ok, allowed} = Matcher.allowed_tokens(matcher)
      accepted? = Matcher.accept_token(matcher, id) == :ok

      cond do
        accepted? != id in allowed -> {:mask_of, id}
        not accepted? -> :invalid
        true -> nil
      end
    end)
  end

  defp expected?(:valid, test), do: test["valid"]
  defp expected?(:invalid, test), do: not test["valid"]
  defp expected?({:mask_of, _id}, _test), do: false

  defp expected?({:rejected_at, place}, test) do
    not test["valid"] and
      case test["rejected_at"] do
        nil -> true
        "end" -> place == "end"
        number -> to_string(place) == number.text
      end
  end

  defp wrong_mask(group, mask, vocabularies) do
    %{vocabulary: vocabulary, tokens: tokens, eos_ids: eos_ids} =
      Map.fetch!(vocabularies, mask["vocabulary"])

    {:ok, constraint} = Testdata.compile(group, vocabulary)
    matcher = Matcher.new(constraint)
    :ok = Matcher.accept_text(matcher, mask["prefix"])
    {:ok, ids} = Matcher.allowed_tokens(matcher)
    {:ok, forced} = Matcher.forced_tokens(matcher)
    texts = for {token, id} <- tokens, id in ids, do: token
    allowed = Enum.map(mask["allowed"] || [], &token/1)

    [
      missing: allowed -- texts,
      forbidden: Enum.filter(Enum.map(mask["forbidden"] || [], &token/1), &(&1 in texts)),
      extra: if(mask["exact"], do: Enum.uniq(texts) -- allowed, else: []),
      eos: if(mask["eos"] in [nil, Enum.all?(eos_ids, &(&1 in ids))], do: [], else: mask["eos"]),
      forced: if(mask["forced"] in [nil, text(forced, vocabulary)], do: [], else: forced)
    ]
    |> Enum.reject(fn {_what, wrong} -> wrong == [] end)
    |> Enum.map(&{mask["prefix"], &1})
  end

  defp token(token) when is_binary(token), do: token

  defp token(bytes),
    do: bytes |> Enum.map(&String.to_integer(&1.text)) |> :erlang.list_to_binary()

  defp text(ids, vocabulary) do
    Enum.map_join(ids, &Espalier.Vocabulary.token_bytes(vocabulary, &1))
  end
end
