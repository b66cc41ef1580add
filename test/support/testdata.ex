defmodule Espalier.Testdata do
  @moduledoc """
  The groups and vocabularies of `testdata/`; its README.md defines the format.
  """

  alias Espalier.{Constraint, JSON, Vocabulary}
  alias Espalier.JSON.Object

  @root Path.expand("../../testdata", __DIR__)

  @doc "The names of the files of groups."
  def topics, do: names("*.json") ++ Enum.map(names("grammars/*.json"), &"grammars/#{&1}")

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
      %{"regex" => regex} -> regex(regex, group, vocabulary)
      %{"grammar" => _text} -> grammar(group, vocabulary, options || options(group))
      %{"grammar_file" => _file} -> grammar(group, vocabulary, options || options(group))
      %{"choice" => choice} -> Constraint.choice(choice, vocabulary: vocabulary)
      %{"schema_text" => text} -> schema(text, vocabulary, options || options(group))
      %{"schema" => schema} -> schema(JSON.encode!(schema), vocabulary, options || options(group))
    end
  end

  defp regex(regex, %{"syntax" => "ecma"}, vocabulary),
    do: Constraint.regex(regex, syntax: :ecma, vocabulary: vocabulary)

  defp regex(regex, group, vocabulary) when not is_map_key(group, "syntax"),
    do: Constraint.regex(regex, vocabulary: vocabulary)

  @doc "The bytes that a test tries: its text, or its value in its shortest spelling."
  def bytes(%{"text" => text}), do: text
  def bytes(%{"hex" => hex}), do: Base.decode16!(hex, case: :mixed)
  def bytes(%{"data" => data}), do: JSON.encode!(data)

  @doc "The bytes as ids, the longest token first, or `nil` where some byte has no token."
  def spell(bytes, vocabulary), do: spell(bytes, tokens(vocabulary), [])

  @doc "The names of the files of hostile input."
  def hostile_files, do: names("hostile/*.json")

  @doc "The cases of a file of hostile input; a schema is there as its text, under `schema_text`."
  def hostile_cases(file) do
    @root |> Path.join("hostile/#{file}.json") |> read!() |> Enum.map(&hostile_case(&1.members))
  end

  defp hostile_case(members) do
    Map.new(members, fn
      {"schema", schema} -> {"schema_text", JSON.encode!(schema)}
      {name, value} -> {name, plain(value)}
    end)
  end

  defp plain(%Object{members: members}), do: Map.new(members, fn {k, v} -> {k, plain(v)} end)
  defp plain(list) when is_list(list), do: Enum.map(list, &plain/1)
  defp plain(%{text: number}), do: String.to_integer(number)
  defp plain(other), do: other

  @doc "The text that a generator describes."
  def generate(text) when is_binary(text), do: text
  def generate(parts) when is_list(parts), do: Enum.map_join(parts, &generate/1)
  def generate(%{"hex" => hex}), do: Base.decode16!(hex, case: :mixed)
  def generate(%{"repeat" => part, "times" => n}), do: part |> generate() |> String.duplicate(n)

  def generate(%{"each" => _template} = generator) do
    generator |> generate_list() |> Enum.join(generator["separator"] || ",")
  end

  @doc "The texts of a list of generators, or of one with numbers."
  def generate_list(generators) when is_list(generators), do: Enum.map(generators, &generate/1)

  def generate_list(%{"each" => template, "from" => from, "to" => to}) do
    template = generate(template)
    for n <- from..(to - 1)//1, do: fill(template, n)
  end

  defp fill(template, n) do
    Regex.replace(~r/\{n(?:\+(\d+))?\}/, template, fn
      _place, "" -> Integer.to_string(n)
      _place, more -> Integer.to_string(n + String.to_integer(more))
    end)
  end

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

  defp grammar(group, vocabulary, options) do
    text = group["grammar"] || File.read!(Path.join([@root, "grammars", group["grammar_file"]]))
    start = if group["start"], do: [start: group["start"]], else: []
    syntax = [syntax: String.to_existing_atom(group["syntax"])]
    Constraint.grammar(text, [vocabulary: vocabulary] ++ syntax ++ start ++ options)
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

      {name, texts} when name in ["accepted", "refused"] ->
        {name,
         Enum.map(texts, &%{"text" => &1, "description" => name, "valid" => name == "accepted"})}

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
