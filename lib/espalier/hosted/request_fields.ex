defmodule Espalier.Hosted.RequestFields do
  @moduledoc false
  # What providers take in the same way: the name of the model, fields of the sampling, and a schema in words.

  alias Espalier.Hosted
  alias Espalier.Hosted.Wrapper
  alias Espalier.JSON
  alias Espalier.JSON.Object
  alias Espalier.OptionsError
  alias Espalier.Request
  alias Espalier.Sampling
  alias Espalier.Schema.Form

  @doc "The name of the model."
  @spec model(Request.t()) :: {:ok, String.t()} | {:error, OptionsError.t()}
  def model(%Request{model: model}) when is_binary(model) and model != "", do: {:ok, model}

  def model(%Request{model: nil}),
    do: {:error, %OptionsError{kind: :missing, option: :model, expected: "text"}}

  def model(%Request{model: model}),
    do: {:error, %OptionsError{kind: :invalid, option: :model, expected: "text", got: model}}

  @doc """
  The sampling that was asked for, by the provider's `names` of the options.

  What was given is sent though it be our default: the provider's may be another. Where there is no field, only
  what changes nothing is left out.
  """
  @spec sampling(Request.t(), provider :: atom, %{atom => String.t()}) ::
          {:ok, %{String.t() => number}} | {:error, OptionsError.t()}
  def sampling(%Request{sampling_options: options}, provider, names) do
    {known, others} = Keyword.split(options, Map.keys(names))

    case Enum.find(others, fn {option, value} -> value != neutral(option) end) do
      nil -> {:ok, Map.new(known, fn {option, value} -> {names[option], value} end)}
      {option, value} -> {:error, Hosted.unsupported(provider, option, value)}
    end
  end

  defp neutral(option), do: Sampling.options()[option][:default]

  @doc """
  The JSON Schema of what a mode for JSON writes, and how the value's text is found in it.

  A text that is not JSON is put into an object, and taken out again.
  """
  @spec schema(Form.t()) :: {:ok, term, Wrapper.t() | nil} | {:error, Exception.t()}
  def schema(%Form{kind: kind} = form) when kind in [:regex, :choice] do
    with {:ok, schema} <- Form.to_json_schema(form) do
      members = Enum.uniq_by([{"type", "string"} | schema.members], &elem(&1, 0))
      {:ok, Wrapper.schema(%Object{members: members}), Wrapper.new(:text)}
    end
  end

  def schema(form) do
    with {:ok, schema} <- Form.to_json_schema(form), do: {:ok, schema, nil}
  end

  @doc "What tells a model to write a value of the form, or of the schema that wraps it."
  @spec instruction(Form.t(), schema :: term, Wrapper.t() | nil) ::
          {:ok, String.t()} | {:error, Exception.t()}
  def instruction(form, _schema, nil) do
    with {:ok, words} <- Form.describe(form), do: {:ok, only(words)}
  end

  def instruction(_form, schema, _wrapper) do
    with {:ok, text} <- JSON.encode(schema),
         do: {:ok, only("A JSON value that this JSON Schema admits: " <> text)}
  end

  defp only(words),
    do: "Answer with nothing but the following, without code fences.\n\n" <> words
end
