defmodule Espalier.Trace.Terminal do
  @moduledoc false
  # A trace for the terminal: its text, in colours or with lines between the tokens, the table of the tokens, and what
  # they come to. Nothing that a model wrote goes there before `Visible` has seen it.

  alias Espalier.Columns
  alias Espalier.Trace
  alias Espalier.Trace.Summary
  alias Espalier.Trace.Terminal.Palette
  alias Espalier.Trace.Terminal.Table
  alias Espalier.Trace.Terminal.Text
  alias Espalier.Trace.Visible

  @most_steered 3
  @most_columns 24

  @doc "The whole, with a line end at the end."
  @spec format(Trace.t(), %{colors: boolean, width: pos_integer, details: boolean}) :: iodata
  def format(trace, %{colors: colors?} = options) do
    summary = Summary.new(trace)

    [
      [heading(trace, colors?)],
      Text.lines(trace, summary, options),
      if(options.details, do: Table.lines(trace, options.width, colors?), else: []),
      numbers(trace, summary) ++ steered(summary),
      legend(summary, colors?, options.details)
    ]
    |> Enum.reject(&(&1 == []))
    |> Enum.map_intersperse("\n", fn lines -> Enum.map(lines, &[&1, "\n"]) end)
  end

  defp heading(trace, colors?) do
    by = "#{inspect(trace.backend)}, model: #{inspect(trace.model)}"
    [Palette.paint(line(inspect(trace.schema)), :title, colors?), " by ", line(by)]
  end

  defp numbers(trace, summary) do
    [counts(trace, summary), probabilities(summary), usage(trace) | refused(trace)]
    |> Enum.reject(&(&1 == nil))
  end

  defp counts(trace, %{tokens: count} = summary) do
    noun = if summary.pieces?, do: "piece", else: "token"
    of = if trace.size, do: " of a vocabulary of #{trace.size}"
    "#{counted(count, noun)}#{of}#{forced(summary)}#{finish(trace.finish_reason)}"
  end

  defp forced(%{forced: 0}), do: ""

  defp forced(%{forced: forced, tokens: tokens}),
    do: ", #{forced} of them forced (#{Summary.percent(forced, tokens)})"

  defp counted(1, noun), do: "1 #{noun}"
  defp counted(count, noun), do: "#{count} #{noun}s"

  defp finish(nil), do: ", not ended"
  defp finish(:stop), do: ", ended by the model"
  defp finish(:max_tokens), do: ", cut off at max_tokens"

  defp probabilities(%{lowest: nil}), do: nil

  defp probabilities(%{lowest: {place, token}} = summary) do
    "probability: mean #{Summary.probability(summary.mean)}, lowest " <>
      "#{Summary.probability(token.probability)} at #{place} #{short(token)}"
  end

  defp usage(%{usage: usage}) do
    "usage: " <> Enum.map_join(Enum.sort(usage), ", ", fn {name, count} -> "#{name} #{count}" end)
  end

  defp refused(%{error: nil}), do: []

  defp refused(%{error: error}) do
    [first | rest] = error |> Exception.message() |> String.split("\n") |> Enum.map(&line/1)
    ["refused: " <> first | rest]
  end

  defp steered(%{steered: []}), do: []

  defp steered(%{steered: steered}) do
    count = length(steered)

    [
      "the mask kept less than half of the probability at #{count} of them:"
      | for({place, token} <- Enum.take(steered, @most_steered), do: steered_line(place, token))
    ]
  end

  defp steered_line(place, token) do
    kept = Summary.probability(token.allowed_probability)
    "  at #{place} #{short(token)}: kept #{kept}#{forbidden(token)}"
  end

  defp forbidden(token) do
    case Summary.forbidden(token) do
      nil -> ""
      wanted -> ", forbade #{short(wanted)} (#{Summary.probability(wanted.probability)})"
    end
  end

  defp short(token), do: "‹" <> (token |> Summary.label() |> Columns.cut(@most_columns)) <> "›"

  # Without probabilities there is nothing to explain.
  defp legend(%{lowest: nil, forced: 0}, _colors?, _details?), do: []

  defp legend(_summary, true, details?) do
    levels = for {level, place} <- Enum.with_index(Summary.levels()), do: sample(level, place)
    forced = Palette.paint(" forced ", :forced, true)
    steered = Palette.paint(" mask kept < 0.5 ", :steered, true)
    line = [forced, "  probability ", levels, "  ", steered]
    [line | if(details?, do: Table.legend(), else: [])]
  end

  defp legend(_summary, false, true), do: Table.legend()
  defp legend(_summary, false, false), do: ["│ is between two tokens"]

  defp sample({level, bound}, place),
    do: Palette.paint(" #{bound} ", {level, false, rem(place, 2) == 1}, true)

  defp line(text), do: Visible.line(text)
end
