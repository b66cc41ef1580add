defmodule Espalier.Ecto.Rules do
  @moduledoc false
  # From the validations of a changeset to rules of a type, and what is to be said about each.
  #
  # A changeset checks a value again when it is there, so a rule that can't be told here is not lost. Where
  # Ecto counts otherwise than JSON Schema, the bound is one that implies the rule if there is such a one.

  alias Espalier.JSON
  alias Espalier.Schema.Dump
  alias Espalier.Schema.ElixirRegex
  alias Espalier.Schema.Membership
  alias Espalier.Schema.Type

  @type note :: {:tokens | :after, String.t()}

  @operators [
    less_than: :less_than,
    greater_than: :greater_than,
    less_than_or_equal_to: :max,
    greater_than_or_equal_to: :min
  ]

  @numbers [:integer, :float, :decimal]
  @scalars [:string | @numbers]
  @most_listed 1000

  @doc "The type under one validation, and the notes about it."
  @spec narrow(Type.t(), {atom, term} | term) :: {Type.t(), [note]}
  def narrow(type, {:length, options}) do
    limits =
      for {name, limit} <- options, name in [:is, :min, :max], limit != nil, do: {name, limit}

    each(type, limits, &length(&1, &2, options[:count] || :graphemes))
  end

  def narrow(%{kind: kind} = type, {:number, options}) when kind in @numbers,
    do: each(type, Keyword.delete(options, :message), &number/2)

  def narrow(%{kind: :string} = type, {:format, regex}) do
    case ElixirRegex.translate(regex, :anywhere) do
      {:ok, source} -> told(type, [format: source], "matches #{source}")
      {:error, _error} -> near(type, regex)
    end
  end

  def narrow(type, {:inclusion, values}), do: include(type, values)
  def narrow(type, {:exclusion, values}), do: exclude(type, listed(values), values)

  def narrow(%{kind: :array, argument: item} = type, {:subset, values}) do
    {item, notes} = include(item, values)
    {%{type | argument: item}, for({by, text} <- notes, do: {by, "each item " <> text})}
  end

  def narrow(%{kind: :boolean} = type, {:acceptance, _options}),
    do: {%{type | kind: :const, argument: true}, [{:tokens, "is true"}]}

  def narrow(type, {:confirmation, _options}),
    do: later(type, "is compared with its confirmation, where the params have one")

  def narrow(type, validation), do: later(type, "keeps #{show(validation)}")

  defp near(type, regex) do
    case ElixirRegex.translate_near(regex, :anywhere) do
      {:ok, source} ->
        type
        |> told([format: source], "matches #{source} as JSON Schema reads it")
        |> note({:after, "matches #{inspect(regex)} as Elixir reads it beyond ASCII"})

      {:error, error} ->
        later(
          type,
          "matches #{inspect(regex)}, which JSON Schema can't express: #{error.detail}"
        )
    end
  end

  defp each(type, options, narrow) do
    Enum.reduce(options, {type, []}, fn option, {type, notes} ->
      {type, more} = narrow.(type, option)
      {type, notes ++ more}
    end)
  end

  defp length(type, {:is, n}, count), do: each(type, [min: n, max: n], &length(&1, &2, count))

  defp length(%{kind: :array} = type, {bound, n}, _count),
    do: told(type, [{:"#{bound}_items", n}], "has #{at(bound)} #{n} items")

  defp length(%{kind: :map} = type, {bound, n}, _count),
    do: told(type, [{:"#{bound}_keys", n}], "has #{at(bound)} #{n} keys")

  defp length(%{kind: :string} = type, {bound, n}, :codepoints),
    do: told(type, [{:"#{bound}_length", n}], "has #{at(bound)} #{n} code points")

  # A grapheme has one code point or more, a code point one byte or more.
  defp length(%{kind: :string} = type, {:max, n}, :graphemes) do
    told(
      type,
      [max_length: n],
      "has at most #{n} code points, and so no more graphemes; the rule would allow more code points " <>
        "where several make one grapheme"
    )
  end

  defp length(%{kind: :string} = type, {:min, n}, :bytes),
    do: told(type, [min_length: n], "has at least #{n} code points, and so no fewer bytes")

  defp length(%{kind: :string} = type, {bound, n}, unit) do
    type
    |> told([{:"#{bound}_length", n}], "has #{at(bound)} #{n} code points")
    |> note({:after, "has #{at(bound)} #{n} #{unit}, which tokens can't count"})
  end

  defp length(type, {bound, n}, unit), do: later(type, "has #{at(bound)} #{n} #{unit}")

  defp at(:min), do: "at least"
  defp at(:max), do: "at most"

  defp number(type, {:equal_to, number}),
    do: told(type, [min: number, max: number], "is #{digits(number)}")

  defp number(type, {:not_equal_to, number}) do
    type |> told([none_of: [number]], "is not #{digits(number)}") |> rounded(:none_of, number)
  end

  defp number(type, {operator, number}) do
    rule = Keyword.fetch!(@operators, operator)

    type
    |> told([{rule, number}], "is #{words(operator)} #{digits(number)}")
    |> rounded(rule, number)
  end

  # What is generated is compared digit by digit, what is read is the nearest float.
  defp rounded({%{kind: :float}, _notes} = narrowed, rule, number)
       when rule in [:less_than, :greater_than, :none_of],
       do:
         note(
           narrowed,
           {:after, "does not become #{digits(number)} when it is rounded to a float"}
         )

  defp rounded(narrowed, _rule, _number), do: narrowed

  defp digits(number), do: number |> Dump.scalar() |> JSON.encode!()
  defp words(operator), do: operator |> Atom.to_string() |> String.replace("_", " ")

  defp include(%{kind: :integer} = type, first..last//1),
    do: told(type, [min: first, max: last], "is from #{first} to #{last}")

  defp include(type, values), do: include(type, listed(values), values)

  defp include(type, nil, values), do: later(type, "is one of #{show(values)}")

  defp include(%{kind: :enum, argument: known} = type, listed, _values),
    do: of(type, Enum.filter(known, &(&1 in listed)), listed)

  defp include(%{kind: :boolean} = type, listed, _values),
    do: of(type, Enum.filter([true, false], &(&1 in listed)), listed)

  defp include(type, listed, _values) do
    if scalars?(type, listed),
      do: told(type, [one_of: listed], "is one of #{show(listed)}"),
      else: later(type, "is one of #{show(listed)}")
  end

  defp exclude(type, nil, values), do: later(type, "is none of #{show(values)}")

  defp exclude(%{kind: :enum, argument: known} = type, listed, _values),
    do: without(type, Enum.reject(known, &(&1 in listed)), listed)

  defp exclude(type, listed, _values) do
    if scalars?(type, listed) and type.kind != :float,
      do: told(type, [none_of: listed], "is none of #{show(listed)}"),
      else: later(type, "is none of #{show(listed)}")
  end

  defp of(type, [], listed), do: later(type, "is one of #{show(listed)}, of which it has none")

  defp of(type, values, listed),
    do: {%{type | kind: :enum, argument: values}, [{:tokens, "is one of #{show(listed)}"}]}

  defp without(type, [], listed), do: later(type, "is none of #{show(listed)}")

  defp without(type, values, listed),
    do: {%{type | argument: values}, [{:tokens, "is none of #{show(listed)}"}]}

  # Ecto takes any enumerable; an endless one is left to it.
  defp listed(values) when is_list(values) and values != [], do: values
  defp listed(%MapSet{} = values), do: values |> MapSet.to_list() |> listed()

  defp listed(%Range{} = values) do
    if Range.size(values) <= @most_listed, do: values |> Enum.to_list() |> listed()
  end

  defp listed(_values), do: nil

  defp scalars?(%{kind: kind}, values) when kind in @scalars,
    do: Enum.all?(values, &Membership.member?(%Type{kind: kind}, &1))

  defp scalars?(_type, _values), do: false

  defp told(type, rules, text),
    do: {%{type | rules: type.rules ++ rules}, [{:tokens, text}]}

  defp later(type, text), do: {type, [{:after, text}]}
  defp note({type, notes}, note), do: {type, notes ++ [note]}

  defp show(term), do: inspect(term, charlists: :as_lists)
end
