defmodule Espalier.CLI.Compilation do
  @moduledoc false
  # What it takes to compile a schema for a vocabulary: times in microseconds, and sizes.

  alias Espalier.Constraint
  alias Espalier.Error
  alias Espalier.Explanation
  alias Espalier.Matcher
  alias Espalier.Packed
  alias Espalier.Schema.Form
  alias Espalier.Vocabulary

  @enforce_keys [:constraint, :bytes, :rules, :first, :median, :n_times, :first_mask, :allowed]
  defstruct @enforce_keys

  @typedoc """
  `bytes` is the serialised constraint. `first` is the time of the first compilation, in which automata may be made
  that later ones find, `median` that of all `n_times`; `rules` are those that tokens don't keep.
  """
  @type t :: %__MODULE__{
          constraint: Constraint.t(),
          bytes: binary,
          rules: [Explanation.t()],
          first: non_neg_integer,
          median: non_neg_integer,
          n_times: pos_integer,
          first_mask: non_neg_integer,
          allowed: non_neg_integer
        }

  @most_times 25
  @most_microseconds 1_000_000

  @doc "Compiles the schema several times."
  @spec new!(Form.t(), Vocabulary.t()) :: t
  def new!(form, vocabulary) do
    compile = fn -> form |> Form.to_constraint(vocabulary: vocabulary) |> Error.bang!() end
    {first, constraint} = :timer.tc(compile)
    times = times(compile, [first])

    {first_mask, mask} =
      :timer.tc(fn -> constraint |> Matcher.new() |> Matcher.compute_mask!() end)

    %__MODULE__{
      constraint: constraint,
      bytes: Constraint.serialize(constraint),
      rules:
        form |> Espalier.explain(Espalier.Backends.Local) |> Enum.reject(&(&1.by == :tokens)),
      first: first,
      median: median(times),
      n_times: length(times),
      first_mask: first_mask,
      allowed: mask |> Packed.bits() |> length()
    }
  end

  defp times(compile, times) do
    if length(times) == @most_times or Enum.sum(times) > @most_microseconds do
      times
    else
      {time, _constraint} = :timer.tc(compile)
      times(compile, [time | times])
    end
  end

  defp median(times), do: times |> Enum.sort() |> Enum.at(div(length(times), 2))
end
