defmodule Espalier.Profile.Statement do
  @moduledoc """
  One thing that is known of a provider's mode, and from where.

    * `rule`, `value` - what is stated, see the table of `Espalier.Profile`
    * `source` - the page or the source code that says so
    * `date` - the day on which it was read there
    * `secondary?` - whether only third parties say so, and not the provider

      iex> [statement | _] = Espalier.Profile.fetch!(:anthropic).statements
      iex> {statement.rule, statement.date}
      {:takes, ~D[2026-11-27]}
  """

  @type t :: %__MODULE__{
          rule: atom,
          value: term,
          source: String.t(),
          date: Date.t(),
          secondary?: boolean
        }

  @enforce_keys [:rule, :value, :source, :date]
  defstruct @enforce_keys ++ [secondary?: false]

  @doc false
  # Statements as they are written in the files of the modes: `{rule, value}`, or `{rule, value, :secondary}`.
  @spec list(String.t(), Date.t(), [tuple]) :: [t]
  def list(source, date, statements) do
    for statement <- statements do
      [rule, value | rest] = Tuple.to_list(statement)
      secondary? = rest == [:secondary]

      %__MODULE__{rule: rule, value: value, source: source, date: date, secondary?: secondary?}
    end
  end
end
