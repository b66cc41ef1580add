defmodule Espalier.Ecto.Selection do
  @moduledoc false
  # Which fields of an Ecto schema a model is to write, in the order of the struct.

  alias Espalier.Options
  alias Espalier.SchemaError

  @doc "The names of the fields."
  @spec names(Espalier.Ecto.t()) :: [atom]
  def names(%Espalier.Ecto{module: module} = schema) do
    known = known(module)
    Enum.each((schema.only || []) ++ schema.except ++ schema.include, &check!(&1, known, module))
    left_out = left_out(module) -- schema.include
    chosen = schema.only || known -- left_out
    in_order(module, chosen -- schema.except)
  end

  @doc "Whether a caller asked for the field by its name."
  @spec named?(Espalier.Ecto.t(), atom) :: boolean
  def named?(schema, name), do: name in (schema.only || []) or name in schema.include

  defp known(module) do
    module.__schema__(:fields) ++
      module.__schema__(:virtual_fields) ++ module.__schema__(:associations)
  end

  defp left_out(module) do
    module.__schema__(:primary_key) ++
      module.__schema__(:autogenerate_fields) ++
      module.__schema__(:virtual_fields) ++
      module.__schema__(:redact_fields) ++
      module.__schema__(:associations) ++ foreign_keys(module)
  end

  defp foreign_keys(module) do
    for name <- module.__schema__(:associations),
        %{relationship: :parent, owner_key: key} <- [module.__schema__(:association, name)],
        do: key
  end

  # Fields, virtual ones and associations are told apart by the reflection; the struct knows their order.
  defp in_order(module, names) do
    for %{field: name} <- module.__info__(:struct), name in names, do: name
  end

  defp check!(name, known, module) do
    unless name in known do
      nearest = Options.nearest(name, known)
      hint = if nearest, do: ". Did you mean #{inspect(nearest)}?", else: ""
      detail = "#{inspect(module)} has no field #{inspect(name)}#{hint}"
      raise SchemaError.invalid(detail)
    end
  end
end
