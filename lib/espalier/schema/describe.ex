defmodule Espalier.Schema.Describe do
  @moduledoc false
  # A type in words, for a prompt: one line for each field, in the order in which they are written.

  alias Espalier.JSON
  alias Espalier.Schema.Definition
  alias Espalier.Schema.Dump
  alias Espalier.Schema.Text
  alias Espalier.Schema.Type

  @text_kinds Text.kinds()

  @doc "The lines that describe a type."
  @spec describe(Type.t()) :: String.t()
  def describe(type) do
    [first | rest] = lines(type, [])
    Enum.join(["A JSON value: " <> first | rest], "\n")
  end

  @doc "The rules of a type and of what it is made of, as in its description."
  @spec rules(Type.t()) :: [String.t()]
  def rules(type) do
    own_rules(type) ++ Enum.flat_map(Type.children(type), &rules/1)
  end

  defp own_rules(type), do: for(rule <- type.rules, words = rule(rule), do: words)

  # What stands behind the name of a field, and the lines below it. `above` are the modules on the way.
  defp lines(type, above) do
    {noun, below} = noun(type, above)
    nullable = if type.nullable, do: " or null", else: ""
    words = Enum.join([noun | own_rules(type)], ", ")
    [words <> nullable <> note(description(type)) <> examples(type) | below]
  end

  defp noun(%{kind: :module, argument: module}, above) do
    if module in above,
      do: {"another object like the #{title(module)} above", []},
      else:
        {"object (#{title(module)}) with",
         fields(Definition.fetch!(module).fields, [module | above])}
  end

  defp noun(%{kind: :object, argument: fields}, above), do: {"object with", fields(fields, above)}

  defp noun(%{kind: :array, argument: item}, above) do
    [first | rest] = lines(item, above)
    {"list, each item: " <> first, rest}
  end

  defp noun(%{kind: :map, argument: type}, above) do
    [first | rest] = lines(type, above)
    {"object with any keys, each value: " <> first, rest}
  end

  defp noun(%{kind: :tuple, argument: types}, above) do
    {"list of exactly these items", types |> Enum.map(&{nil, &1}) |> bullets(above)}
  end

  defp noun(%{kind: :union, argument: types}, above) do
    {"one of these", types |> Enum.map(&{nil, &1}) |> bullets(above)}
  end

  defp noun(%{kind: :tagged, argument: types, rules: rules}, above) do
    {"one of these, told apart by its first key #{quoted(rules[:discriminator])}",
     types |> Enum.map(fn {tag, type} -> {quoted(tag) <> ": ", type} end) |> bullets(above)}
  end

  defp noun(%{kind: :enum, argument: values}, _above), do: {"one of " <> json_list(values), []}
  defp noun(%{kind: :const, argument: value}, _above), do: {json(value), []}
  defp noun(%{kind: :integer}, _above), do: {"whole number", []}
  defp noun(%{kind: kind}, _above) when kind in [:float, :decimal], do: {"number", []}
  defp noun(%{kind: :any}, _above), do: {"any value", []}
  defp noun(%{kind: :boolean}, _above), do: {"true or false", []}
  defp noun(%{kind: :uuid}, _above), do: {"UUID", []}
  defp noun(%{kind: :uri}, _above), do: {"URI", []}
  defp noun(%{kind: :email}, _above), do: {"email address", []}
  defp noun(%{kind: :date}, _above), do: {"date like \"2024-02-29\"", []}
  defp noun(%{kind: :time}, _above), do: {"time like \"12:30:00\"", []}

  defp noun(%{kind: :naive_datetime}, _above),
    do: {"date and time like \"2024-02-29T12:30:00\"", []}

  defp noun(%{kind: :utc_datetime}, _above),
    do: {"date and time in UTC like \"2024-02-29T12:30:00Z\"", []}

  defp noun(%{kind: :duration}, _above), do: {"duration like \"P1DT12H\"", []}
  defp noun(%{kind: :binary}, _above), do: {"bytes in Base64", []}

  defp noun(%{kind: simple}, _above) when simple not in @text_kinds,
    do: {Atom.to_string(simple), []}

  defp fields(fields, above) do
    fields
    |> Enum.map(
      &{quoted(&1.key) <> if(&1.required, do: ": ", else: " (may be left out): "), &1.type}
    )
    |> bullets(above)
  end

  defp bullets(entries, above) do
    Enum.flat_map(entries, fn {label, type} ->
      [first | rest] = lines(type, above)
      ["- #{label}#{first}" | Enum.map(rest, &("  " <> &1))]
    end)
  end

  defp rule({:min_length, n}), do: "at least #{count(n, "character")}"
  defp rule({:max_length, n}), do: "at most #{count(n, "character")}"
  defp rule({:format, source}), do: "that matches #{source}"
  defp rule({:one_of, values}), do: "one of " <> json_list(values)
  defp rule({:none_of, values}), do: "none of " <> json_list(values)
  defp rule({:not_blank, true}), do: "not blank"
  defp rule({:min, bound}), do: "at least #{json(bound)}"
  defp rule({:max, bound}), do: "at most #{json(bound)}"
  defp rule({:greater_than, bound}), do: "above #{json(bound)}"
  defp rule({:less_than, bound}), do: "below #{json(bound)}"
  defp rule({:multiple_of, divisor}), do: "a multiple of #{json(divisor)}"
  defp rule({:min_items, n}), do: "at least #{count(n, "item")}"
  defp rule({:max_items, n}), do: "at most #{count(n, "item")}"
  defp rule({:unique, true}), do: "no two equal"
  defp rule({:unique, false}), do: nil
  defp rule({:key_format, source}), do: "keys that match #{source}"
  defp rule({:min_keys, n}), do: "at least #{count(n, "key")}"
  defp rule({:max_keys, n}), do: "at most #{count(n, "key")}"
  defp rule({:discriminator, _key}), do: nil

  defp count(1, noun), do: "1 #{noun}"
  defp count(n, noun), do: "#{n} #{noun}s"

  defp description(%{description: nil, kind: :module, argument: module}),
    do: Definition.fetch!(module).description

  defp description(%{description: description}), do: description

  defp note(nil), do: ""
  defp note(description), do: " - " <> description

  defp examples(%{examples: []}), do: ""

  defp examples(type),
    do: " (for example " <> Enum.map_join(type.examples, ", ", &json(Dump.dump(type, &1))) <> ")"

  defp title(module), do: module |> Definition.module() |> Module.split() |> List.last()
  defp quoted(name), do: JSON.encode!(name)
  defp json_list(values), do: Enum.map_join(values, ", ", &json/1)
  defp json(value), do: value |> Dump.scalar() |> JSON.encode!()
end
