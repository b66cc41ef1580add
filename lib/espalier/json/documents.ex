defmodule Espalier.JSON.Documents do
  @moduledoc false
  # JSON Schemas by URI, to which another one refers.

  alias Espalier.JSON
  alias Espalier.SchemaError

  @doc "Whether a term is a map of something by URI: what an option takes."
  @spec documents?(term) :: boolean
  def documents?(documents) do
    is_map(documents) and not is_struct(documents) and
      Enum.all?(documents, fn {uri, _schema} -> is_binary(uri) and String.valid?(uri) end)
  end

  @doc "Each URI with the text of its schema."
  @spec texts(map) :: {:ok, [{String.t(), String.t()}]} | {:error, Exception.t()}
  def texts(documents) do
    Enum.reduce_while(documents, {:ok, []}, fn {uri, schema}, {:ok, texts} ->
      case text(schema) do
        {:ok, text} -> {:cont, {:ok, [{uri, text} | texts]}}
        {:error, error} -> {:halt, {:error, error}}
      end
    end)
  end

  @doc "The text of a schema that is one, or its terms."
  @spec text(term) :: {:ok, String.t()} | {:error, Exception.t()}
  def text(text) when is_binary(text) do
    if String.valid?(text), do: {:ok, text}, else: {:error, SchemaError.not_utf8("a schema")}
  end

  def text(term), do: JSON.encode(term)
end
