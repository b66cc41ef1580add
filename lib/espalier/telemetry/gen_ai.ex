defmodule Espalier.Telemetry.GenAI do
  @moduledoc false
  # Attributes by the semantic conventions of OpenTelemetry for generative AI, as of version 1.37:
  # https://opentelemetry.io/docs/specs/semconv/registry/attributes/gen-ai/

  alias Espalier.Backends.Local
  alias Espalier.Hosted
  alias Espalier.Request
  alias Espalier.Result
  alias Espalier.Telemetry.Label

  # Where the conventions have another name for a provider than we do.
  @providers %{azure: "azure.ai.openai", gemini: "gcp.gemini", mistral: "mistral_ai"}

  @given [temperature: "temperature", top_p: "top_p", top_k: "top_k", seed: "seed"]

  @doc "What is known of a request before it is made."
  @spec request(Request.t()) :: %{String.t() => term}
  def request(%Request{} = request) do
    given =
      for {option, name} <- @given,
          Keyword.has_key?(request.sampling_options, option),
          into: %{},
          do: {"gen_ai.request." <> name, request.sampling_options[option]}

    Map.merge(given, %{
      "gen_ai.operation.name" => if(request.template, do: "chat", else: "text_completion"),
      "gen_ai.provider.name" => provider(request.backend, request.backend_options),
      "gen_ai.request.model" => model(request.model),
      "gen_ai.request.max_tokens" => request.max_tokens,
      "gen_ai.output.type" => output_type(request.schema)
    })
  end

  defp provider(Local, _options), do: "espalier"

  defp provider(backend, options) do
    if Hosted.provider?(backend) do
      name = backend.name(options)
      Map.get_lazy(@providers, name, fn -> Label.text(name) end)
    else
      inspect(backend)
    end
  end

  defp model(model) when is_binary(model), do: model
  defp model(model), do: inspect(model)

  defp output_type(%{kind: kind}) when kind in [:typed, :json_schema], do: "json"
  defp output_type(_text), do: "text"

  @doc "What is known more when it has ended well."
  @spec stopped(map, Result.usage(), atom) :: %{String.t() => term}
  def stopped(attributes, usage, finish_reason) do
    Map.merge(attributes, %{
      "gen_ai.response.finish_reasons" => [finish_reason(finish_reason)],
      "gen_ai.usage.input_tokens" => usage.prompt_tokens,
      "gen_ai.usage.output_tokens" => usage.completion_tokens
    })
  end

  defp finish_reason(:max_tokens), do: "length"
  defp finish_reason(reason), do: Atom.to_string(reason)

  @doc "What is known more when it has failed."
  @spec failed(map, Exception.t()) :: %{String.t() => term}
  def failed(attributes, %module{}), do: Map.put(attributes, "error.type", inspect(module))
end
