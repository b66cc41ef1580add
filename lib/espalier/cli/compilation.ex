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

  @enforce_keys [:constraint, :bytes, :rules, :first, :median, :first_mask, :allowed]
  defstruct @enforce_keys

  @typedoc """
  `bytes` is the serialised constraint. `first` is the time of the first compilation, in which automata may be made
  that later ones find; `rules` are those that tokens don't keep.
  """
  @type t :: %__MODULE__{
          constraint: Constraint.t(),
          bytes: binary,
          rules: [Explanation.t()],
          first: non_neg_integer,
          median: non_neg_integer,
          first_mask: non_neg_integer,
          allowed: non_neg_integer
        }

  # Enough for a median, and as many more as a second has room for.
  @least 5
  @most 25
  @most_microseconds 1_000_000

  @doc "Compiles the schema several times."
  @spec new!(Form.t(), Vocabulary.t()) :: t
  def new!(form, vocabulary) do
    compile = fn -> form |> Form.to_constraint(vocabulary: vocabulary) |> Error.bang!() end
    {first, constraint} = :timer.tc(compile)

    {first_mask, mask} =
      :timer.tc(fn -> constraint |> Matcher.new() |> Matcher.compute_mask!() end)

    %__MODULE__{
      constraint: constraint,
      bytes: Constraint.serialize(constraint),
      rules:
        form |> Espalier.explain(Espalier.Backends.Local) |> Enum.reject(&(&1.by == :tokens)),
      first: first,
      median: compile |> times([first]) |> median(),
      first_mask: first_mask,
      allowed: mask |> Packed.bits() |> length()
    }
  end

  defp times(compile, times) do
    enough? = length(times) >= @least and Enum.sum(times) > @most_microseconds

    if enough? or length(times) == @most,
      do: times,
      else: times(compile, [compile |> :timer.tc() |> elem(0) | times])
  end

  defp median(times), do: times |> Enum.sort() |> Enum.at(div(length(times), 2))
end
