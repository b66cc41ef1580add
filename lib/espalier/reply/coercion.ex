defmodule Espalier.Reply.Coercion do
  @moduledoc false
  # Makes a value that is nearly one of a schema one of it, where there is one way to do it.
  #
  # What is changed is what the validator names. The result counts only if it is a value of the schema.

  alias Espalier.JSON
  alias Espalier.JSON.Object
  alias Espalier.JSON.Pointer
  alias Espalier.Reply.Fixes
  alias Espalier.Reply.Proposals
  alias Espalier.Schema.Form

  # Each violation is seen by itself, at most a hundred in a round.
  @max_rounds 8

  @doc "The text of the value that is one of the schema, with the fixes."
  @spec coerce(Form.t(), String.t(), keyword) :: {:ok, String.t(), [atom]} | :error
  def coerce(form, text, options) do
    with {:ok, schema} <- Form.to_json_schema(form),
         {:ok, schema_text} <- schema_text(form, schema),
         {:ok, schema} <- JSON.decode(schema_text, numbers: :exact),
         {:ok, value} <- JSON.decode(text, objects: :ordered, numbers: :exact) do
      {lossy?, options} = Keyword.pop!(options, :lossy)
      validate = &JSON.validate(schema_text, &1, options)

      # Where two things could be done both are tried: only one may succeed.
      [:first, :last]
      |> Enum.map(&round(value, [], @max_rounds, {{schema, lossy?}, &1, validate}))
      |> only()
    else
      {:error, _error} -> :error
    end
  end

  defp schema_text(%Form{kind: :json_schema, content: text}, _schema), do: {:ok, text}
  defp schema_text(_form, schema), do: JSON.encode(schema)

  defp only([same, same]), do: same
  defp only([:error, other]), do: other
  defp only([one, :error]), do: one
  defp only([_one, _other]), do: :error

  defp round(value, fixes, n_rounds, {schema, choice, validate} = context) do
    text = JSON.encode!(value)

    case validate.(text) do
      {:ok, []} ->
        {:ok, text, Fixes.sort(fixes)}

      {:ok, violations} when n_rounds > 0 ->
        case changes(violations, value, schema, choice) do
          [] -> :error
          changes -> changes |> apply_all(value, fixes) |> next_round(n_rounds, context)
        end

      _too_often ->
        :error
    end
  end

  defp next_round({value, fixes}, n_rounds, context),
    do: round(value, fixes, n_rounds - 1, context)

  # What the root needs comes first: everything else is within it.
  defp changes(violations, value, {schema, lossy?}, choice) do
    changes =
      for %{instance_pointer: pointer} = violation <- violations,
          tokens = Pointer.tokens(pointer),
          [_ | _] = proposals <-
            [Proposals.of(violation, at(value, tokens), tokens, schema, lossy?)],
          do: {tokens, choose(proposals, choice)}

    changes = Enum.uniq_by(changes, &elem(&1, 0))
    if root = List.keyfind(changes, [], 0), do: [root], else: changes
  end

  defp choose(proposals, :first), do: hd(proposals)
  defp choose(proposals, :last), do: List.last(proposals)

  defp apply_all(changes, value, fixes) do
    Enum.reduce(changes, {value, fixes}, fn {tokens, {fix, change}}, {value, fixes} ->
      {put(value, tokens, change), Fixes.put(fixes, fix)}
    end)
  end

  defp at(value, []), do: value

  defp at(%Object{members: members}, [key | tokens]) do
    {_key, value} = members |> Enum.reverse() |> List.keyfind(key, 0, {key, nil})
    at(value, tokens)
  end

  defp at(list, [index | tokens]) when is_list(list),
    do: list |> Enum.at(String.to_integer(index)) |> at(tokens)

  defp at(_value, _tokens), do: nil

  # All members of one name: the last is the one that counts, and the others would be in its place.
  defp put(%Object{members: members} = object, [key], :drop),
    do: %{object | members: Enum.reject(members, &(elem(&1, 0) == key))}

  defp put(_value, [], {:value, value}), do: value

  defp put(%Object{members: members} = object, [key | tokens], change) do
    members =
      for {name, value} <- members,
          do: {name, if(name == key, do: put(value, tokens, change), else: value)}

    %{object | members: members}
  end

  defp put(list, [index | tokens], change) when is_list(list),
    do: List.update_at(list, String.to_integer(index), &put(&1, tokens, change))

  defp put(value, _tokens, _change), do: value
end
