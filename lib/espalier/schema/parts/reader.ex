defmodule Espalier.Schema.Parts.Reader do
  @moduledoc false
  # Parts as the engine takes them, with what is captured. Each capture has a name of its own there; `counts` are how
  # often those of each name can come, at most.

  alias Espalier.JSON
  alias Espalier.JSON.Object
  alias Espalier.Schema.Form
  alias Espalier.Schema.Parts.Capture
  alias Espalier.SchemaError

  @parts "a part: a text, :text, {:text, options}, {:special_token, name}, {:regex, source}, {:choice, list}, " <>
           "{:grammar, text}, {:sequence, parts}, {:any_of, parts}, {:optional, part}, {:repeat, part}, " <>
           "{:repeat, part, options}, {:capture, name, part} or a schema of JSON"

  @spec read!(term) :: {Object.t(), %{optional(String.t()) => Capture.t()}}
  def read!(part) do
    {native, counts, captures} = part!(part, [], [])
    many = for {name, count} <- counts, count > 1, do: name

    captures =
      captures
      |> Enum.reverse()
      |> Enum.with_index()
      |> Map.new(fn {capture, index} ->
        {Integer.to_string(index), %{capture | many?: capture.name in many}}
      end)

    {native, captures}
  end

  # The part as the engine takes it, the counts, and all captures so far, the last one first.
  defp part!(text, path, captures) when is_binary(text) do
    unless String.valid?(text), do: error!(path, "text in UTF-8", text)
    {object(literal: text), %{}, captures}
  end

  defp part!(:text, _path, captures), do: {without([], nil), %{}, captures}

  defp part!({:special_token, name}, path, captures) do
    unless is_binary(name) and name != "" and String.valid?(name),
      do: error!(path, "the name of a token", name)

    {object(special_token: name), %{}, captures}
  end

  defp part!({:text, options}, path, captures) do
    {most, options} =
      options |> options!([:until, :tags, :min, :max, :max_tokens], path) |> Map.pop(:max_tokens)

    case options do
      %{until: stops} when map_size(options) == 1 ->
        stops = stops!(stops, [:until | path])
        natives = for {_stop, index} <- Enum.with_index(stops), do: until(stops, index, most)
        {choice(natives), %{}, captures}

      %{tags: tags} when not is_map_key(options, :until) ->
        options = options |> Map.delete(:tags) |> Map.put(:max_tokens, most)
        tags!(tags, options, [:tags | path], captures)

      options when options == %{} ->
        {without([], most), %{}, captures}

      options ->
        expected = "{:text, until: text}, {:text, tags: tags} or {:text, max_tokens: count}"
        error!(path, expected, Map.to_list(options))
    end
  end

  defp part!({:sequence, parts}, path, captures), do: sequence!(parts, path, captures)

  defp part!({:any_of, parts}, path, captures) do
    {natives, counts, captures} = each!(list!(parts, path), path, captures)
    {choice(natives), Enum.reduce(counts, %{}, &most/2), captures}
  end

  defp part!({:optional, part}, path, captures),
    do: repeat!(part, %{min: 0, max: 1}, path, captures)

  defp part!({:repeat, part}, path, captures), do: repeat!(part, %{}, path, captures)

  defp part!({:repeat, part, options}, path, captures),
    do: repeat!(part, options!(options, [:min, :max], path), path, captures)

  defp part!({:capture, name, part}, path, captures)
       when is_atom(name) and name not in [nil, true, false] do
    captured!(part, capture(%Capture{name: name, many?: false}, part), path, captures)
  end

  defp part!({:capture, name, _part}, path, _captures), do: error!(path, "a name (an atom)", name)

  # Of calls of tools it is told which one it was.
  defp part!({:capture, name, %Form{} = form, tag}, path, captures) do
    capture = %Capture{name: name, many?: true, form: form, tag: tag}
    {native, counts, captures} = captured!(form, capture, path, captures)
    {native, Map.update!(counts, name, &(&1 + 1)), captures}
  end

  defp part!({:choice, _choices} = choice, path, captures) do
    %{content: pairs} = form!(choice, path)
    {choice(for {text, _term} <- pairs, do: object(literal: text)), %{}, captures}
  end

  defp part!(schema, path, captures) do
    unless schema?(schema), do: error!(path, @parts, schema)

    case form!(schema, path) do
      %{kind: :regex, content: source, syntax: syntax} ->
        {object(regex: source, syntax: syntax), %{}, captures}

      %{kind: :grammar, content: {text, syntax, start}} ->
        {object(grammar: text, syntax: syntax, start: start), %{}, captures}

      %{kind: kind} when kind in [:constraint, :sequence] ->
        error!(path, @parts, schema)

      form ->
        {object(json_schema: json!(form, path)), %{}, captures}
    end
  end

  # Whether it looks like one; if it is none after all, its error says why.
  defp schema?([_ | _]), do: true
  defp schema?({kind, _source}) when kind in [:regex, :grammar], do: true
  defp schema?({kind, _source, _options}) when kind in [:regex, :grammar], do: true
  defp schema?(other), do: is_map(other) or (is_atom(other) and other not in [nil, true, false])

  defp captured!(part, %{name: name} = capture, path, captures) do
    index = length(captures)
    {native, counts, captures} = part!(part, [name | path], [capture | captures])
    native = object(capture: Integer.to_string(index), of: native)
    {native, Map.update(counts, name, 1, &(&1 + 1)), captures}
  end

  defp capture(capture, {:text, [_ | _] = options}) do
    if Keyword.keyword?(options),
      do: %{capture | stops: List.wrap(options[:until])},
      else: capture
  end

  defp capture(capture, {:choice, _choices} = choice), do: with_form(capture, choice)
  defp capture(capture, part) when is_binary(part) or part == :text, do: capture

  defp capture(capture, part)
       when is_tuple(part) and tuple_size(part) > 0 and
              elem(part, 0) in [
                :text,
                :sequence,
                :any_of,
                :optional,
                :repeat,
                :capture,
                :regex,
                :grammar,
                :special_token
              ],
       do: capture

  defp capture(capture, schema), do: with_form(capture, schema)

  # One that is none is found where the part is read.
  defp with_form(capture, schema) do
    case Form.new(schema) do
      {:ok, form} -> %{capture | form: form}
      {:error, _error} -> capture
    end
  end

  defp sequence!(parts, path, captures) do
    {natives, counts, captures} = each!(list!(parts, path), path, captures)
    {object(sequence: natives), Enum.reduce(counts, %{}, &sum/2), captures}
  end

  defp repeat!(part, options, path, captures) do
    {native, counts, captures} = part!(part, path, captures)
    {repeat(native, options, path), times(counts, options[:max]), captures}
  end

  # Free text, in it calls of the tags, and free text again.
  defp tags!(tags, options, path, captures) do
    {most, options} = Map.pop(options, :max_tokens)
    tags = list!(tags, path)
    starts = for tag <- tags, do: start!(tag, path)
    stops!(starts, path)

    {natives, counts, captures} =
      tags
      |> Enum.with_index()
      |> Enum.map(fn {{_start, part, stop}, index} -> {:tag, index, part, stop} end)
      |> each!(path, captures, fn {:tag, index, part, stop}, path, captures ->
        {native, counts, captures} = sequence!([part, stop], path, captures)

        begin = begin(Enum.at(tags, index), starts, index, most)
        {object(sequence: begin ++ [native]), counts, captures}
      end)

    counts = counts |> Enum.reduce(%{}, &most/2) |> times(options[:max])
    calls = repeat(choice(natives), options, path)
    {object(sequence: [calls, without(starts, most)]), counts, captures}
  end

  # A special token begins where it stands; its name as a text doesn't.
  defp begin({{:special_token, name}, _part, _stop}, starts, _index, most),
    do: [without(starts, most), object(special_token: name)]

  defp begin(_tag, starts, index, most), do: [until(starts, index, most)]

  defp start!({start, _part, stop} = tag, path) do
    unless text_or_token?(start) and text_or_token?(stop), do: no_tag!(tag, path)
    with {:special_token, name} <- start, do: name
  end

  defp start!(tag, path), do: no_tag!(tag, path)

  defp text_or_token?({:special_token, name}), do: is_binary(name)
  defp text_or_token?(text), do: is_binary(text)

  defp no_tag!(tag, path),
    do: error!(path, "{start, part, stop} with texts or special tokens around", tag)

  defp each!(parts, path, captures, read \\ &part!/3) do
    {read, captures} =
      parts
      |> Enum.with_index()
      |> Enum.map_reduce(captures, fn {part, index}, captures ->
        {native, counts, captures} = read.(part, [index | path], captures)
        {{native, counts}, captures}
      end)

    {natives, counts} = Enum.unzip(read)
    {natives, counts, captures}
  end

  defp list!([_ | _] = parts, path) do
    if List.improper?(parts), do: error!(path, "a list of parts", parts), else: parts
  end

  defp list!(other, path), do: error!(path, "a list of parts", other)

  defp stops!(stops, path) do
    stops = List.wrap(stops)

    unless stops != [] and Enum.all?(stops, &(is_binary(&1) and &1 != "" and String.valid?(&1))),
      do: error!(path, "texts in UTF-8 that are not empty", stops)

    for stop <- stops, other <- stops -- [stop], String.contains?(stop, other) do
      error!(path, "texts of which none has another one in it", stops)
    end

    stops
  end

  defp options!(options, names, path) do
    unless Keyword.keyword?(options) and options != [] and
             Enum.all?(options, fn {name, _value} -> name in names end),
           do: error!(path, "options among #{inspect(names)}", options)

    options = Map.new(options)
    for name <- [:min, :max, :max_tokens], do: count!(options[name], [name | path])

    if is_integer(options[:max]) and options.max < (options[:min] || 0),
      do: error!(path, ":max to be :min or more", options.max)

    options
  end

  defp count!(nil, _path), do: :ok
  defp count!(count, _path) when is_integer(count) and count in 0..0xFFFFFFFF, do: :ok
  defp count!(other, path), do: error!(path, "a number from 0 to 4294967295", other)

  defp form!(schema, path) do
    case Form.new(schema) do
      {:ok, form} -> form
      {:error, error} -> raise placed(error, path)
    end
  end

  defp placed(%SchemaError{} = error, path), do: %{error | message: error.message <> where(path)}
  defp placed(error, path), do: SchemaError.invalid(Exception.message(error) <> where(path))

  defp json!(form, path) do
    case Form.to_json_schema(form) do
      {:ok, schema} -> JSON.encode!(schema)
      {:error, error} -> raise placed(error, path)
    end
  end

  defp most(counts, others), do: Map.merge(counts, others, fn _name, n, m -> max(n, m) end)
  defp sum(counts, others), do: Map.merge(counts, others, fn _name, n, m -> n + m end)

  defp times(counts, max) when max in [0, 1], do: counts
  defp times(counts, _many), do: Map.new(counts, fn {name, count} -> {name, count + 1} end)

  defp until(stops, index, most), do: object([until: stops, end: index] ++ max_tokens(most))
  defp without(stops, most), do: object([until: stops, end: nil] ++ max_tokens(most))
  defp max_tokens(nil), do: []
  defp max_tokens(most), do: [max_tokens: most]
  defp choice([one]), do: one
  defp choice(natives), do: object(choice: natives)

  defp repeat(native, options, _path),
    do: object(repeat: native, min: options[:min] || 0, max: options[:max])

  defp object(members),
    do: %Object{members: for({name, value} <- members, do: {Atom.to_string(name), value})}

  @spec error!([atom | non_neg_integer], String.t(), term) :: no_return
  defp error!(path, expected, got) do
    got = inspect(got, limit: 5, printable_limit: 80)
    raise SchemaError.invalid("expected #{expected}, got: #{got}" <> where(path))
  end

  defp where([]), do: ""
  defp where(path), do: " (in {:sequence, parts} at #{inspect(Enum.reverse(path))})"
end
