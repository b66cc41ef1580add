defmodule Espalier.JSON.Writer do
  @moduledoc false
  # Terms as JSON. `path` holds the keys and indices from the term up to the root, for the error,
  # which is thrown.

  alias Espalier.JSON.Pointer
  alias Espalier.JSON.{Number, Object}
  alias Espalier.JSONError

  @number ~r/\A-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?\z/

  @spec value(term, [String.t() | atom | non_neg_integer]) :: iodata
  def value(nil, _path), do: "null"
  def value(true, _path), do: "true"
  def value(false, _path), do: "false"
  def value(atom, path) when is_atom(atom), do: atom |> Atom.to_string() |> text(path)
  def value(text, path) when is_binary(text), do: text(text, path)
  def value(integer, _path) when is_integer(integer), do: Integer.to_string(integer)
  def value(float, _path) when is_float(float), do: Float.to_string(float)
  def value([], _path), do: "[]"
  def value(list, path) when is_list(list), do: list(list, path)
  def value(%Object{members: members}, path), do: object(members, path)

  def value(%Number{text: text} = number, path) do
    if is_binary(text) and text =~ @number, do: text, else: refuse(number, path)
  end

  def value(map, path) when is_map(map) and not is_struct(map) do
    map
    |> Enum.map(fn {key, value} -> {name(key, map, path), value} end)
    |> Enum.sort_by(&elem(&1, 0))
    |> object(path)
  end

  def value(term, path), do: refuse(term, path)

  defp list(list, path) do
    if List.improper?(list), do: refuse(list, path)

    items =
      list
      |> Enum.with_index()
      |> Enum.map_intersperse(?,, fn {item, index} -> value(item, [index | path]) end)

    [?[, items, ?]]
  end

  defp object(members, path) do
    [?{, members |> members(path) |> Enum.intersperse(?,), ?}]
  end

  defp members([], _path), do: []

  defp members([{key, value} | members], path) do
    name = name(key, key, path)
    [[text(name, path), ?:, value(value, [name | path])] | members(members, path)]
  end

  defp members(term, path), do: refuse(term, path)

  defp name(key, _term, _path) when is_binary(key), do: key
  defp name(key, _term, _path) when is_atom(key), do: Atom.to_string(key)
  defp name(key, _term, _path) when is_integer(key), do: Integer.to_string(key)
  defp name(_key, term, path), do: refuse(term, path)

  defp text(text, path) do
    if String.valid?(text), do: [?", escape(text, text, 0, 0), ?"], else: refuse(text, path)
  end

  # Runs of characters that stand for themselves are taken from the text in one piece: `start` and
  # `length` are those of the run that is being read.
  defp escape(<<byte, rest::binary>>, text, start, length)
       when byte >= 0x20 and byte != ?" and byte != ?\\ do
    escape(rest, text, start, length + 1)
  end

  defp escape(<<byte, rest::binary>>, text, start, length) do
    run = binary_part(text, start, length)
    [run, escaped(byte) | escape(rest, text, start + length + 1, 0)]
  end

  defp escape(<<>>, text, start, length), do: [binary_part(text, start, length)]

  defp escaped(?"), do: ~S(\")
  defp escaped(?\\), do: ~S(\\)
  defp escaped(?\n), do: ~S(\n)
  defp escaped(?\r), do: ~S(\r)
  defp escaped(?\t), do: ~S(\t)
  defp escaped(?\b), do: ~S(\b)
  defp escaped(?\f), do: ~S(\f)

  defp escaped(byte) do
    [~S(\u), byte |> Integer.to_string(16) |> String.downcase() |> String.pad_leading(4, "0")]
  end

  @spec refuse(term, list) :: no_return
  defp refuse(term, path) do
    detail = inspect(term, limit: 10, printable_limit: 100)
    pointer = pointer(path)

    throw(
      {__MODULE__,
       %JSONError{
         kind: :json_term,
         message: "no JSON for the term at #{inspect(pointer)}: #{detail}",
         pointer: pointer,
         detail: detail
       }}
    )
  end

  defp pointer(path), do: path |> Enum.reverse() |> Enum.map_join(&("/" <> Pointer.escape(&1)))
end
