defmodule Espalier.CLI.Explanations do
  @moduledoc false
  # The rules of a schema as lines: a table by paths, with what it means who keeps them, or JSON.

  alias Espalier.CLI.Table
  alias Espalier.Explanation
  alias Espalier.JSON
  alias Espalier.JSON.Object

  @meanings [
    tokens: "no text that breaks it can be written",
    provider: "the provider's mode enforces it; the text is checked all the same",
    description:
      "the provider's mode does not enforce it: the model reads of it, and the text is checked",
    validation: "the text is checked when it is there",
    function: "your function is asked when the value is there",
    unseen: "your function may ask for more than can be told",
    nothing:
      "the keyword states nothing: JSON Schema does not know it, or another is missing. Is it misspelt?"
  ]

  @colors [
    tokens: :green,
    provider: :green,
    description: :yellow,
    validation: :cyan,
    function: :cyan,
    unseen: :yellow,
    nothing: :red
  ]

  @doc "A table, what its words mean, and a summary; no wider than the columns, if there are any."
  @spec text([Explanation.t()], pos_integer | nil, boolean) :: [iodata]
  def text(rules, columns, colors?) do
    options = [columns: columns, colors: colors?]
    counts = Enum.frequencies_by(rules, & &1.by)
    meanings = for {by, meaning} <- @meanings, counts[by], do: [by(by), meaning]
    table = if rules == [], do: [], else: Table.lines(rows(rules), options) ++ [""]
    legend = if rules == [], do: [], else: Table.lines(meanings, options) ++ [""]
    table ++ legend ++ [summary(length(rules), counts)]
  end

  # Rules of one path come together; where they are first met is where they stand.
  defp rows(rules) do
    paths = rules |> Enum.map(& &1.path) |> Enum.uniq()
    groups = Enum.group_by(rules, & &1.path)
    heading = for title <- ["at", "rule", "value", "kept by"], do: {:faint, title}
    [heading | Enum.flat_map(paths, fn path -> path |> path() |> group(groups[path]) end)]
  end

  defp group(path, [first | others]), do: [row(path, first) | Enum.map(others, &row("", &1))]

  defp row(path, rule), do: [path, rule.keyword, value(rule), by(rule.by)]

  defp path([]), do: "(value)"
  defp path(path), do: Enum.map_join(path, ".", &step/1)

  defp step(:*), do: "*"
  defp step(step) when is_integer(step), do: Integer.to_string(step)
  # A key that looks like something else is told as one.
  defp step(key), do: if(key =~ ~r/\A[^\s."*\d][^\s."*]*\z/u, do: key, else: inspect(key))

  defp value(%{keyword: "changeset", value: sentence}), do: sentence
  defp value(%{value: value}), do: value |> term() |> JSON.encode!()

  defp by(by), do: {@colors[by], Atom.to_string(by)}

  defp summary(0, _counts), do: "no rule: any JSON value is one of this schema"

  defp summary(n, counts) do
    by = for {by, _meaning} <- @meanings, count = counts[by], do: "#{count} by #{by}"
    "#{n} #{if n == 1, do: "rule", else: "rules"}: #{Enum.join(by, ", ")}"
  end

  @doc "A rule as a JSON object."
  @spec object(Explanation.t()) :: Object.t()
  def object(rule) do
    %Object{
      members: [
        {"path", Enum.map(rule.path, &if(&1 == :*, do: nil, else: &1))},
        {"keyword", rule.keyword},
        {"value", term(rule.value)},
        {"by", rule.by}
      ]
    }
  end

  # Functions have no JSON.
  defp term(function) when is_function(function), do: inspect(function)
  defp term(value), do: value
end
