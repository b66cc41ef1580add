defmodule Espalier.Testdata do
  @moduledoc """
  The groups and vocabularies of `testdata/`; its README.md defines the format.
  """

  alias Espalier.{Constraint, JSON, Vocabulary}
  alias Espalier.JSON.Object

  @root Path.expand("../../testdata", __DIR__)

  @doc "The names of the files of groups."
  def topics, do: names("*.json")

  @doc "The groups of a file, as maps; schemas and data keep the order of keys and the text of numbers."
  def groups(topic) do
    groups = @root |> Path.join("#{topic}.json") |> read!()
    Enum.map(groups, &group/1)
  end

  @doc "All vocabularies by name. Those with all bytes can spell any text."
  def vocabularies do
    for name <- names("vocabularies/*.json"), into: %{} do
      {name, [@root, "vocabularies", "#{name}.json"] |> Path.join() |> read!() |> vocabulary()}
    end
  end

  @doc "Compiles the constraint of a group under its options, or under those given."
  def compile(group, vocabulary, options \\ nil) do
    case group do
      %{"regex" => regex} -> Constraint.regex(regex, vocabulary: vocabulary)
      %{"choice" => choice} -> Constraint.choice(choice, vocabulary: vocabulary)
      %{"schema_text" => text} -> schema(text, vocabulary, options || options(group))
      %{"schema" => schema} -> schema(JSON.encode!(schema), vocabulary, options || options(group))
    end
  end

  @doc "The bytes that a test tries: its text, or its value in its shortest spelling."
  def bytes(%{"text" => text}), do: text
  def bytes(%{"hex" => hex}), do: Base.decode16!(hex, case: :mixed)
  def bytes(%{"data" => data}), do: JSON.encode!(data)

  @doc "The bytes as ids, the longest token first, or `nil` where some byte has no token."
  def spell(bytes, vocabulary), do: spell(bytes, tokens(vocabulary), [])

  defp spell("", _tokens, ids), do: Enum.reverse(ids)

  defp spell(bytes, tokens, ids) do
    case Enum.find(tokens, fn {token, _id} -> String.starts_with?(bytes, token) end) do
      {token, id} ->
        rest = binary_part(bytes, byte_size(token), byte_size(bytes) - byte_size(token))
        spell(rest, tokens, [id | ids])

      nil ->
        nil
    end
  end

  # The longest first, and without those whose text has no meaning.
  defp tokens(%{tokens: tokens}) do
    tokens |> Enum.reject(&(elem(&1, 0) == "")) |> Enum.sort_by(&(-byte_size(elem(&1, 0))))
  end

  defp schema(text, vocabulary, options) do
    Constraint.json_schema(text, [vocabulary: vocabulary] ++ options)
  end

  defp options(%{"options" => "generating"}), do: [style: :generating]

  defp options(%{"options" => %Object{members: members}}) do
    [style: :matching] ++ for {name, value} <- members, do: {atom(name), option(value)}
  end

  defp options(_matching), do: [style: :matching]

  defp option(%Object{members: [{"max", number}]}), do: {:max, String.to_integer(number.text)}
  defp option(name), do: atom(name)

  defp atom(name), do: String.to_existing_atom(name)

  defp group(%Object{members: members}) do
    Map.new(members, fn
      {name, tests} when name in ["tests", "masks"] ->
        {name, Enum.map(tests, &Map.new(&1.members))}

      {"error", error} ->
        {"error", Map.new(error.members)}

      member ->
        member
    end)
  end

  defp vocabulary(%Object{members: members}) do
    %{"all_bytes" => all_bytes, "tokens" => tokens, "eos" => eos, "special" => special} =
      Map.new(members)

    bytes = if all_bytes, do: for(byte <- 0..255, do: <<byte>>), else: []
    tokens = bytes ++ Enum.map(tokens, &token/1)
    [eos_ids, special_ids] = [integers(eos), integers(special)]
    vocabulary = Vocabulary.from_tokens!(tokens, eos_ids: eos_ids, special_ids: special_ids)
    textless = eos_ids ++ special_ids
    tokens = for {token, id} <- Enum.with_index(tokens), id not in textless, do: {token, id}
    %{vocabulary: vocabulary, tokens: tokens, eos_ids: eos_ids}
  end

  defp token(token) when is_binary(token), do: token
  defp token(bytes), do: bytes |> integers() |> :erlang.list_to_binary()

  defp integers(numbers), do: Enum.map(numbers, &String.to_integer(&1.text))

  defp read!(path), do: path |> File.read!() |> JSON.decode!(objects: :ordered, numbers: :exact)

  defp names(pattern) do
    @root |> Path.join(pattern) |> Path.wildcard() |> Enum.map(&Path.basename(&1, ".json"))
  end
end
