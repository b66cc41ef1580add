defmodule Espalier.Profile.Grammar do
  @moduledoc false
  # A schema as the grammar that a server is to keep to.

  alias Espalier.Constraint
  alias Espalier.Schema.Form

  # What comes twice in a text is read as its last value, and validated as that.
  @keys [repeated_keys: :allow]

  @doc "The grammar in GBNF. Of the options those count that say how the text of such a schema may look."
  @spec gbnf(Form.t() | term, keyword) :: {:ok, String.t()} | {:error, Exception.t()}
  def gbnf(%Form{kind: kind} = form, _options) when kind in [:regex, :choice, :constraint],
    do: Constraint.to_gbnf(form, @keys)

  def gbnf(%Form{kind: kind} = form, options) when kind in [:grammar, :sequence],
    do: Constraint.to_gbnf(form, @keys ++ Keyword.delete(options, :documents))

  def gbnf(schema, options), do: Constraint.to_gbnf(schema, @keys ++ options)
end
