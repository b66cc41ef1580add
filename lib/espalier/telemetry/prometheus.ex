defmodule Espalier.Telemetry.Prometheus do
  alias Espalier.Options
  alias Espalier.Telemetry.Aggregator

  @options Keyword.update!(Aggregator.options(), :name, fn entry ->
             entry |> Keyword.delete(:required) |> Keyword.put(:default, __MODULE__)
           end)

  @moduledoc """
  What Espalier does, as metrics for [Prometheus](https://prometheus.io), without any dependency.

  It is a child of your supervisor and counts from then on, in a table of its own and in the processes that generate:

      children = [
        Espalier.Telemetry.Prometheus,
        {Espalier.Model, name: MyApp.Model, path: "path/to/model"}
      ]

  Before the models, it counts how they are loaded, too.

  `scrape/1` is the text that Prometheus reads. A Plug serves it so:

      get "/metrics" do
        conn
        |> put_resp_content_type(Espalier.Telemetry.Prometheus.content_type())
        |> send_resp(200, Espalier.Telemetry.Prometheus.scrape())
      end

  `Espalier.Dashboard` serves it at `/metrics`, too.

      iex> {:ok, _pid} = Espalier.Telemetry.Prometheus.start_link(name: MyApp.Metrics)
      iex> Espalier.Testing.stub([%{name: "Ada"}])
      iex> Espalier.generate!([name: :string], "Who?", backend: Espalier.Testing, model: "large")
      iex> text = Espalier.Telemetry.Prometheus.scrape(MyApp.Metrics)
      iex> text =~ ~s(espalier_generations_total{backend="Espalier.Testing",model="large",schema="fields",outcome="stop"} 1)
      true

  `priv/grafana/espalier.json` is a dashboard for [Grafana](https://grafana.com) of these metrics.

  ## Options

  #{Options.docs(@options)}
  ## Metrics

  Labels have no prompts, texts or values. `outcome` is the finish reason, `ok` where there is none to tell, or the kind
  of the error, or its module if it has no kind. What is not known is `none`. Buckets are from 100 µs to 1000 s.

  #{Espalier.Telemetry.Prometheus.Text.docs()}
  """

  alias Espalier.OptionsError
  alias Espalier.Telemetry.Prometheus.Text

  @doc "Starts to count."
  @spec start_link(keyword) :: GenServer.on_start() | {:error, OptionsError.t()}
  def start_link(options \\ []) do
    with {:ok, options} <- Options.validate(options, @options), do: Aggregator.start_link(options)
  end

  @doc false
  def child_spec(options) do
    id = if Keyword.keyword?(options), do: options[:name]
    %{id: id || __MODULE__, start: {__MODULE__, :start_link, [options]}}
  end

  @doc """
  What was counted, in the text format of Prometheus, version 0.0.4.

  It raises `ArgumentError` where nothing counts by this name.
  """
  @spec scrape(atom) :: String.t()
  def scrape(name \\ __MODULE__), do: name |> Aggregator.read() |> Text.encode()

  @doc "The content type of the text."
  @spec content_type() :: String.t()
  def content_type, do: "text/plain; version=0.0.4; charset=utf-8"
end
