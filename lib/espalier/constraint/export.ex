defmodule Espalier.Constraint.Export do
  @moduledoc false
  # What a schema or a constraint is in the notation of another engine.

  alias Espalier.{Constraint, Error, Limits, Native, Options, Vocabulary}
  alias Espalier.Schema.Form

  @repeated_keys [
    repeated_keys: [
      type: {:in, [:refuse, :allow]},
      default: :refuse,
      doc: """
      No grammar can say that endlessly many keys differ from each other. `:refuse` makes an object with keys that \
      the schema has no name for an error. `:allow` takes texts in which such a key comes more than once; each of \
      them is still the JSON of a value of the schema, as what comes last counts.\
      """
    ]
  ]
  @depth [
    depth: [
      type: {:range, 0, 1000},
      doc: """
      How many objects, arrays or rules that lead back to themselves may lie within each other; texts that are nested \
      deeper don't match. Without it such a schema is an error.\
      """
    ]
  ]

  @doc "The options, without those on how the text may look."
  @spec options(:regex | :gbnf | :lark) :: Options.schema()
  def options(:regex), do: @depth ++ @repeated_keys
  def options(_target), do: @repeated_keys

  @doc "Writes a schema or a constraint."
  @spec export(term, :regex | :gbnf | :lark, keyword) ::
          {:ok, String.t()} | {:error, Exception.t()}
  def export(schema, target, options) do
    with {:ok, form} <- Form.new(schema),
         {:ok, own, others} <- split(target, options),
         {:ok, constraint} <- constraint(form, others) do
      allowed? = own[:repeated_keys] == :allow
      constraint.ref |> Native.constraint_export(target, own[:depth], allowed?) |> Error.wrap()
    end
  end

  # An option that neither knows is told with those of both.
  defp split(target, options) do
    if Keyword.keyword?(options) do
      {own, others} = Keyword.split(options, Keyword.keys(options(target)))
      with {:ok, own} <- Options.validate(own, options(target)), do: {:ok, own, others}
    else
      Options.validate(options, options(target))
    end
  end

  defp constraint(%Form{kind: :constraint, content: constraint}, options) do
    with {:ok, []} <- Options.validate(options, []), do: {:ok, constraint}
  end

  defp constraint(form, options) do
    with {:ok, _options} <- Options.validate(options, allowed(form)),
         do: Form.to_constraint(form, [vocabulary: Vocabulary.bytes()] ++ options)
  end

  # What is no JSON looks in one way only.
  defp allowed(%Form{kind: kind}) when kind in [:regex, :choice], do: Limits.constraint_option()

  defp allowed(%Form{kind: kind}) when kind in [:grammar, :sequence],
    do: Keyword.delete(Constraint.style_options(), :documents)

  defp allowed(_form), do: Constraint.style_options()
end
