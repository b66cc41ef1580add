defmodule Espalier.Ecto.Casting do
  @moduledoc false
  # The changeset function of an Ecto schema: what it says of a struct without changes, and the struct that
  # it makes of params.

  @compile {:no_warn_undefined, [Decimal, Ecto.Changeset]}

  alias Espalier.ChangesetError
  alias Espalier.Ecto.Selection

  @doc "The changeset of empty params, which has the rules; a reason why there is none."
  @spec empty(Espalier.Ecto.t()) :: {:ok, struct} | {:error, String.t()}
  def empty(schema) do
    case changeset(schema, %{}) do
      %{__struct__: Ecto.Changeset} = changeset -> {:ok, changeset}
      other -> {:error, "returned #{Espalier.Error.show(other)}"}
    end
  rescue
    error -> {:error, "raised #{inspect(error.__struct__)} for empty params"}
  catch
    kind, _reason -> {:error, "stopped with #{kind} for empty params"}
  end

  @doc "The struct that passed the changeset function."
  @spec struct(Espalier.Ecto.t(), map) :: {:ok, struct} | {:error, ChangesetError.t()}
  def struct(schema, params) do
    with {:error, changeset} <-
           schema |> changeset(params) |> Ecto.Changeset.apply_action(:insert) do
      {:error, %ChangesetError{changeset: changeset, diagnostics: diagnostics(changeset)}}
    end
  end

  defp changeset(schema, params) do
    struct = struct!(schema.module)

    case function(schema) do
      {module, function, arguments} -> apply(module, function, [struct, params | arguments])
      function when is_function(function, 3) -> function.(struct, params, 0)
      function -> function.(struct, params)
    end
  end

  @doc "Whether a changeset function was given, or the module has one."
  @spec function?(Espalier.Ecto.t()) :: boolean
  def function?(%{changeset: nil, module: module}),
    do: Code.ensure_loaded?(module) and function_exported?(module, :changeset, 2)

  def function?(_schema), do: true

  defp function(schema) do
    cond do
      schema.changeset -> schema.changeset
      function?(schema) -> &schema.module.changeset/2
      true -> &plain(schema, &1, &2)
    end
  end

  # Where there is no function: everything is cast, and what has no default is required.
  defp plain(%{module: module} = schema, struct, params) do
    {relations, fields} = schema |> Selection.names() |> Enum.split_with(&relation(module, &1))
    required = Enum.filter(fields, &(Map.get(struct, &1) == nil))
    changeset = struct |> Ecto.Changeset.cast(params, fields)

    relations
    |> Enum.reduce(changeset, &cast_relation(&2, &1, relation(module, &1)))
    |> Ecto.Changeset.validate_required(required)
  end

  defp cast_relation(changeset, name, {tag, %{related: related, cardinality: cardinality}}) do
    options = [required: cardinality == :one and related != changeset.data.__struct__]
    inner = %Espalier.Ecto{module: related}
    with_plain = if function?(inner), do: [], else: [with: &plain(inner, &1, &2)]

    case tag do
      :embed -> Ecto.Changeset.cast_embed(changeset, name, options ++ with_plain)
      :assoc -> Ecto.Changeset.cast_assoc(changeset, name, options ++ with_plain)
    end
  end

  @doc "What the schema says of a relation, or `nil` for another field."
  @spec relation(module, atom) :: {:embed | :assoc, map} | nil
  def relation(module, name) do
    cond do
      name in module.__schema__(:embeds) -> {:embed, module.__schema__(:embed, name)}
      name in module.__schema__(:associations) -> {:assoc, module.__schema__(:association, name)}
      true -> nil
    end
  end

  @doc "The schema of a relation, given the function that casts it."
  @spec related(module, term) :: module | Espalier.Ecto.t()
  def related(module, function) do
    if default?(function), do: module, else: %Espalier.Ecto{module: module, changeset: function}
  end

  # Ecto wraps the module's own function.
  defp default?(function) when is_function(function) do
    Function.info(function)[:module] in [Ecto.Changeset, Ecto.Changeset.Relation, __MODULE__]
  end

  defp default?(function), do: function == nil

  defp diagnostics(changeset) do
    changeset |> Ecto.Changeset.traverse_errors(&message/1) |> flatten([])
  end

  defp message({message, options}) do
    Regex.replace(~r/%\{(\w+)\}/, message, fn whole, name ->
      case Enum.find(options, fn {key, _value} -> Atom.to_string(key) == name end) do
        {_key, value} -> show(value)
        nil -> whole
      end
    end)
  end

  defp show(value) when is_binary(value), do: value
  defp show(%{__struct__: Decimal} = value), do: Decimal.to_string(value)
  defp show(value), do: inspect(value)

  # Maps are structs or lists of structs with errors, keyed by field; the paths grow at their end.
  defp flatten(%{} = errors, path) do
    Enum.flat_map(errors, fn {field, inner} -> flatten(inner, path ++ [Atom.to_string(field)]) end)
  end

  defp flatten(errors, path) when is_list(errors) do
    errors
    |> Enum.with_index()
    |> Enum.flat_map(fn
      {message, _idx} when is_binary(message) -> [%{path: path, message: message}]
      {inner, idx} -> flatten(inner, path ++ [idx])
    end)
  end
end
