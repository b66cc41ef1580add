defmodule Espalier.Ecto.Fields do
  @moduledoc false
  # The fields of an Ecto schema with all that is known about them: reflection gives their types, the
  # changeset of empty params their rules.

  @compile {:no_warn_undefined, Ecto.Changeset}

  alias Espalier.Ecto.Casting
  alias Espalier.Ecto.Rule
  alias Espalier.Ecto.Rules
  alias Espalier.Ecto.Selection
  alias Espalier.Ecto.Types
  alias Espalier.Schema.Describe
  alias Espalier.Schema.Field
  alias Espalier.Schema.Type
  alias Espalier.SchemaError

  @unseen "functions given to validate_change/3, rules behind conditions on the params and prepared changes " <>
            "leave no trace; and a field that the function does not cast is written and then dropped: " <>
            "leave it out with :except"

  @doc "Each field, and the rules about it."
  @spec list(Espalier.Ecto.t()) :: {[{Field.t(), [Rule.t()]}], general :: [Rule.t()]}
  def list(%Espalier.Ecto{} = schema) do
    seen = see(schema)
    {names, uncast} = schema |> Selection.names() |> Enum.split_with(&cast?(&1, schema, seen))
    check_required!(schema, names, seen)

    {Enum.map(names, &field(&1, schema, seen)),
     general(schema, seen) ++ Enum.map(uncast, &uncast/1)}
  end

  defp see(schema) do
    case Casting.empty(schema) do
      {:ok, changeset} ->
        %{
          required: changeset.required,
          errors: changeset.errors,
          types: changeset.types,
          validations: changeset |> Ecto.Changeset.validations() |> Enum.reverse(),
          failure: nil
        }

      {:error, failure} ->
        %{required: [], errors: [], types: %{}, validations: [], failure: failure}
    end
  end

  # The function of a relation that is cast stands in the changeset's types.
  defp cast?(name, schema, %{types: types}) do
    case types do
      %{^name => {tag, %{on_cast: nil}}} when tag in [:embed, :assoc] ->
        Selection.named?(schema, name)

      _types ->
        true
    end
  end

  defp uncast(name),
    do: rule([name], :cast, :unseen, "is left out, as the changeset function does not cast it")

  # What is missing from empty params and never written would be missing for ever.
  defp check_required!(schema, names, seen) do
    for {name, {_message, options}} <- seen.errors,
        options[:validation] in [:required, :acceptance] and name not in names do
      error!(
        "the changeset function of #{inspect(schema.module)} asks for #{inspect(name)}, which is left out: " <>
          "take it in with :include, or give a :changeset function that does not ask for it"
      )
    end
  end

  defp general(_schema, %{failure: failure}) when failure != nil,
    do: [
      rule([], :changeset, :unseen, "the changeset function #{failure}: no rule of it is known")
    ]

  defp general(schema, _seen),
    do: if(Casting.function?(schema), do: [rule([], :changeset, :unseen, @unseen)], else: [])

  defp field(name, %{module: module} = schema, seen) do
    validations = for {^name, validation} <- seen.validations, do: validation
    required = name in seen.required or Enum.any?(validations, &match?({:acceptance, _}, &1))
    default = Map.get(struct!(module), name)

    {type, rules} =
      type!(name, schema, seen)
      |> narrow(validations, name)
      |> require_value(name, required)

    type = %{type | nullable: not required and default == nil and type.kind != :any}
    key = Atom.to_string(name)
    {%Field{name: name, key: key, type: type, default: default, required: required}, rules}
  rescue
    error in SchemaError ->
      message = "field #{inspect(name)} of #{inspect(schema.module)}: #{error.message}"
      reraise %{error | message: message, detail: message}, __STACKTRACE__
  end

  defp type!(name, %{module: module}, seen) do
    case Casting.relation(module, name) do
      nil -> plain(name, module.__schema__(:type, name) || module.__schema__(:virtual_type, name))
      {_tag, relation} -> {relation!(relation, seen.types[name]), []}
    end
  end

  defp plain(name, ecto_type) do
    type = Types.new!(ecto_type)
    ["A JSON value: " <> words | _lines] = type |> Describe.describe() |> String.split("\n")
    {type, [rule([name], :type, :tokens, "is written as: #{words}") | custom(name, ecto_type)]}
  end

  defp custom(name, ecto_type) do
    case Types.custom(ecto_type) do
      nil -> []
      module -> [rule([name], :type, :unseen, "what #{inspect(module)} casts can't be seen")]
    end
  end

  defp relation!(%{cardinality: :many} = relation, cast),
    do: %Type{kind: :array, argument: relation!(%{relation | cardinality: :one}, cast)}

  defp relation!(%{related: related}, {_tag, %{on_cast: function}}),
    do: %Type{kind: :module, argument: Casting.related(related, function)}

  defp relation!(%{related: related}, nil), do: %Type{kind: :module, argument: related}

  defp relation!(_through, _cast), do: error!("an association through another can't be cast")

  defp narrow(typed, validations, name) do
    Enum.reduce(validations, typed, fn validation, {type, rules} ->
      {type, notes} = Rules.narrow(type, validation)
      {type, rules ++ for({by, text} <- notes, do: rule([name], validation, by, text))}
    end)
  end

  defp require_value(typed, _name, false), do: typed

  defp require_value({type, rules}, name, true) do
    {more, text} =
      case type.kind do
        :string -> {[not_blank: true], "is there and not blank"}
        :array -> {many(type), "is there"}
        _kind -> {[], "is there"}
      end

    {%{type | rules: more ++ type.rules}, rules ++ [rule([name], :required, :tokens, text)]}
  end

  # An empty list of structs counts as missing, one of values does not.
  defp many(%{argument: %{kind: :module}}), do: [min_items: 1]
  defp many(_type), do: []

  defp rule(path, rule, by, text), do: %Rule{path: path, rule: rule, by: by, text: text}

  defp error!(detail) do
    raise SchemaError.invalid(detail)
  end
end
