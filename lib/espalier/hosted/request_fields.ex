defmodule Espalier.Hosted.RequestFields do
  @moduledoc false
  # What providers take in the same way: the name of the model, a key, and fields of the sampling.

  alias Espalier.Hosted
  alias Espalier.OptionsError
  alias Espalier.Request
  alias Espalier.Sampling

  @doc "The name of the model."
  @spec model(Request.t()) :: {:ok, String.t()} | {:error, OptionsError.t()}
  def model(%Request{model: model}) when is_binary(model) and model != "", do: {:ok, model}

  def model(%Request{model: nil}),
    do: {:error, %OptionsError{kind: :missing, option: :model, expected: "text"}}

  def model(%Request{model: model}),
    do: {:error, %OptionsError{kind: :invalid, option: :model, expected: "text", got: model}}

  @doc "The header that has a key, if there is one."
  @spec bearer((() -> String.t()) | nil) :: [Espalier.HTTP.header()]
  def bearer(nil), do: []
  def bearer(key), do: [{"authorization", fn -> "Bearer " <> key.() end}]

  @doc """
  The sampling that was asked for, by the provider's `names` of the options; it takes seeds up to `most_seed`.

  What was given is sent though it be our default: the provider's may be another. Where there is no field, only
  what changes nothing is left out.
  """
  @spec sampling(Request.t(), provider :: atom, %{atom => String.t()}, most_seed :: pos_integer) ::
          {:ok, %{String.t() => number | map | [String.t()]}} | {:error, OptionsError.t()}
  def sampling(request, provider, names, most_seed \\ 0xFFFFFFFFFFFFFFFF)

  def sampling(%Request{sampling_options: options}, provider, names, most_seed) do
    {known, others} = Keyword.split(options, Map.keys(names))
    others = Enum.reject(others, fn {option, value} -> value == neutral(option) end)

    case others ++ Enum.filter(known, &match?({:seed, seed} when seed > most_seed, &1)) do
      [] -> {:ok, Map.new(known, fn {option, value} -> {names[option], field(value)} end)}
      [{option, value} | _] -> {:error, Hosted.unsupported(provider, option, value)}
    end
  end

  # The keys of an object are texts.
  defp field(biases) when is_map(biases),
    do: Map.new(biases, fn {id, bias} -> {Integer.to_string(id), bias} end)

  defp field(value), do: value

  defp neutral(option), do: Sampling.options()[option][:default]
end
