defmodule Espalier.Hosted.Wrapper do
  @moduledoc false
  # Modes that write JSON objects only get a schema of one with one member, whose value is the one that was asked
  # for. Of what is written, the value's text is passed on.

  alias Espalier.JSON
  alias Espalier.JSON.Object

  @key "value"
  @head ~s({"#{@key}":)
  @head_text ~r/\A\s*\{\s*"#{@key}"\s*:\s*/
  @data ~w(const enum default examples)
  @named ~w(properties patternProperties dependentSchemas dependencies $defs definitions)

  @typedoc """
  How far the text of a wrapper was read: before the value, in a value of JSON at a depth and in a string or not,
  in one that stands for a text, behind it, or in a text that is no wrapper.
  """
  @type t ::
          {:head, :json | :text, text :: iodata, bare :: binary}
          | {:json, depth :: non_neg_integer, :outside | :string | :escape}
          | {:text, binary}
          | :behind
          | :none

  @doc "The schema of an object whose member is the value."
  @spec schema(term) :: Object.t()
  def schema(schema) do
    %Object{
      members: [
        {"type", "object"},
        {"properties", %Object{members: [{@key, moved(schema)}]}},
        {"required", [@key]},
        {"additionalProperties", false}
      ]
    }
  end

  # References to places of the schema lead to its new place.
  defp moved(%Object{members: members}), do: %Object{members: Enum.map(members, &moved_member/1)}
  defp moved(list) when is_list(list), do: Enum.map(list, &moved/1)
  defp moved(other), do: other

  defp moved_member({reference, "#" <> pointer})
       when reference in ["$ref", "$dynamicRef", "$recursiveRef"] and
              (pointer == "" or binary_part(pointer, 0, 1) == "/"),
       do: {reference, "#/properties/#{@key}" <> pointer}

  defp moved_member({keyword, data}) when keyword in @data, do: {keyword, data}

  # The names there are no keywords.
  defp moved_member({keyword, %Object{members: members}}) when keyword in @named do
    {keyword, %Object{members: for({name, schema} <- members, do: {name, moved(schema)})}}
  end

  defp moved_member({keyword, schema}), do: {keyword, moved(schema)}

  @doc "Before the text of a wrapper. Of a `:text` what the JSON string stands for is passed on."
  @spec new(:json | :text) :: t
  def new(kind), do: {:head, kind, "", ""}

  @doc "The text of the value in the next bytes of a wrapper; without one it is all of them."
  @spec read(t | nil, binary) :: {binary, t | nil}
  def read(nil, bytes), do: {bytes, nil}

  def read({:head, kind, before, bare}, bytes) do
    text = [before | bytes]
    bare = bare <> String.replace(bytes, ~r/\s/, "")

    cond do
      # One more character shows that the head has no more white space.
      bare != @head and String.starts_with?(bare, @head) ->
        read_value(kind, IO.iodata_to_binary(text))

      String.starts_with?(@head, bare) ->
        {"", {:head, kind, text, bare}}

      true ->
        {IO.iodata_to_binary(text), :none}
    end
  end

  def read({:text, before}, bytes), do: {"", {:text, before <> bytes}}
  def read({:json, depth, place}, bytes), do: json(bytes, bytes, 0, depth, place)
  def read(:behind, _bytes), do: {"", :behind}
  def read(:none, bytes), do: {bytes, :none}

  defp read_value(:text, text), do: {"", {:text, text}}

  defp read_value(:json, text) do
    case Regex.split(@head_text, text, parts: 2) do
      ["", value] -> read({:json, 0, :outside}, value)
      _other -> {text, :none}
    end
  end

  # `length` bytes of the text are the value's.
  defp json("", text, _length, depth, place), do: {text, {:json, depth, place}}

  defp json("}" <> _rest, text, length, 0, :outside),
    do: {binary_part(text, 0, length), :behind}

  defp json(<<byte, rest::binary>>, text, length, depth, place) do
    {depth, place} = json_byte(byte, depth, place)
    json(rest, text, length + 1, depth, place)
  end

  defp json_byte(?", depth, :outside), do: {depth, :string}
  defp json_byte(byte, depth, :outside) when byte in [?{, ?[], do: {depth + 1, :outside}
  defp json_byte(byte, depth, :outside) when byte in [?}, ?]], do: {depth - 1, :outside}
  defp json_byte(?", depth, :string), do: {depth, :outside}
  defp json_byte(?\\, depth, :string), do: {depth, :escape}
  defp json_byte(_byte, depth, :escape), do: {depth, :string}
  defp json_byte(_byte, depth, place), do: {depth, place}

  @doc "The text that is left when no more comes."
  @spec finish(t | nil) :: binary
  def finish({:text, text}) do
    case JSON.decode(text) do
      {:ok, %{@key => value}} when is_binary(value) -> value
      _other -> text
    end
  end

  def finish({:head, _kind, text, _bare}), do: IO.iodata_to_binary(text)
  def finish(_value), do: ""
end
