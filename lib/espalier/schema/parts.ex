defmodule Espalier.Schema.Parts do
  @moduledoc false
  # Texts made of parts: what `{:sequence, parts}` says, and what of such a text was captured.

  alias Espalier.JSON
  alias Espalier.JSON.Object
  alias Espalier.Schema.Form
  alias Espalier.Schema.Parts.Capture
  alias Espalier.Schema.Parts.Reader

  @enforce_keys [:parts, :native, :captures]
  defstruct @enforce_keys

  @typedoc """
  `parts` is what was given, `native` the same as the engine takes it, in JSON. `captures` are those by the names that
  they have there.
  """
  @type t :: %__MODULE__{
          parts: term,
          native: String.t(),
          captures: %{optional(String.t()) => Capture.t()}
        }

  @doc "Reads the parts; raises an `Espalier.SchemaError` that says which one is none."
  @spec new!(term) :: t
  def new!(parts) do
    {native, captures} = Reader.read!({:sequence, parts})
    %__MODULE__{parts: parts, native: JSON.encode!(native), captures: captures}
  end

  @doc "What was captured of a text, given the names and texts that the engine found: the value of the parts."
  @spec value(t, String.t(), [{String.t(), String.t()}]) :: {:ok, term} | {:error, Exception.t()}
  def value(%{captures: captures}, text, _found) when captures == %{}, do: {:ok, text}

  def value(parts, _text, found) do
    with {:ok, found} <- captured(parts, found) do
      values = Enum.group_by(found, & &1.name, & &1.value)
      {:ok, for({name, many?} <- names(parts), into: %{}, do: {name, shape(values[name], many?)})}
    end
  end

  @doc "What was captured, in the order of the text: names, texts and values."
  @spec captured(t, [{String.t(), String.t()}]) ::
          {:ok, [%{name: atom, text: String.t(), value: term}]} | {:error, Exception.t()}
  def captured(%{captures: captures}, found) do
    Enum.reduce_while(found, {:ok, []}, fn {id, text}, {:ok, before} ->
      case Capture.cast(captures[id], text) do
        {:ok, captured} -> {:cont, {:ok, [captured | before]}}
        {:error, error} -> {:halt, {:error, error}}
      end
    end)
    |> reversed()
  end

  defp reversed({:ok, captured}), do: {:ok, Enum.reverse(captured)}
  defp reversed(error), do: error

  defp names(%{captures: captures}) do
    for {_id, %{name: name, many?: many?}} <- captures, uniq: true, do: {name, many?}
  end

  defp shape(values, true), do: values || []
  defp shape(nil, false), do: nil
  defp shape([value], false), do: value

  @doc "The parts in words, for a prompt."
  @spec describe(t) :: String.t()
  def describe(%{parts: parts}), do: "A text of these parts, one after the other: " <> list(parts)

  defp list(parts), do: Enum.map_join(parts, "; ", &words/1)

  defp words(text) when is_binary(text), do: "the text " <> inspect(text)
  defp words(:text), do: "any text"
  defp words({:special_token, name}), do: "the token " <> inspect(name)
  defp words({:sequence, parts}), do: "(" <> list(parts) <> ")"
  defp words({:any_of, parts}), do: "one of (" <> list(parts) <> ")"
  defp words({:optional, part}), do: "perhaps " <> words(part)
  defp words({:repeat, part}), do: "any number of times " <> words(part)
  defp words({:repeat, part, options}), do: "#{times(options)} #{words(part)}"
  defp words({:capture, _name, part}), do: words(part)
  defp words({:capture, _name, part, _tag}), do: words(part)
  defp words({:text, options}), do: text(Map.new(options))

  defp words(schema) do
    {:ok, form} = Form.new(schema)
    {:ok, words} = Form.describe(form)
    if is_struct(words, Object), do: JSON.encode!(words), else: words
  end

  defp times(options),
    do: "#{options[:min] || 0} to #{options[:max] || "any number of"} times"

  defp text(%{until: stops} = options) do
    stops = Enum.map_join(List.wrap(stops), " or ", &inspect/1)
    "any text#{most(options)} up to " <> stops
  end

  defp text(%{tags: tags} = options) do
    tags = Enum.map_join(tags, "; ", fn {start, part, stop} -> list([start, part, stop]) end)

    "any text#{most(options)}, and in it wherever it is needed one of (" <> tags <> ")"
  end

  defp text(options), do: "any text#{most(options)}"

  defp most(%{max_tokens: most}), do: " of at most #{most} tokens"
  defp most(_options), do: ""
end
