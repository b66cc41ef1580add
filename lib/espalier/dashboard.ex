defmodule Espalier.Dashboard do
  alias Espalier.Dashboard.Address
  alias Espalier.Options

  @options [
    port: [
      type: {:custom, "integer from 0 to 65535", &Address.port?/1},
      default: 4001,
      doc: "The port; 0 takes one that is free, see `port/1`."
    ],
    ip: [
      type: {:custom, "IP address as a tuple or a text", &Address.ip?/1},
      default: {127, 0, 0, 1},
      doc: "The address that is listened on, such as `\"::1\"`."
    ],
    hosts: [
      type: {:list, :string},
      default: [],
      doc: """
      Names by which browsers or Prometheus may ask for it, beside `localhost`, addresses of the loopback interface \
      and `:ip`.\
      """
    ],
    max_connections: [
      type: :pos_integer,
      default: 64,
      doc: "How many are served at once. Each page that is open needs one."
    ],
    name: [
      type: :name,
      default: Espalier.Dashboard,
      doc: "The name, for more than one of them."
    ]
  ]

  @moduledoc """
  A page that shows what Espalier does at the moment, and what it did in the last five minutes.

      children = [
        {Espalier.Dashboard, port: 4001},
        {Espalier.Model, name: MyApp.Model, path: "path/to/model"}
      ]

  Then open <http://127.0.0.1:4001>. Or try `mix espalier.dashboard`, which serves it for a project as it is, and
  with `--demo` has something to show at once.

      iex> {:ok, _dashboard} = Espalier.Dashboard.start_link(port: 0)
      iex> Espalier.Dashboard.url() =~ ~r"\\Ahttp://127\\.0\\.0\\.1:\\d+\\z"
      true

  It needs neither `:telemetry` nor any other package, and asks for nothing from elsewhere. It counts from when it is
  started, so it comes before the models: what goes wrong when they are loaded is shown, too. Where it is not started,
  nothing is counted and nothing listens.

  | path | what is there |
  | --- | --- |
  | `/` | the page |
  | `/events` | what the page shows, once a second, as server-sent events in JSON |
  | `/snapshot.json` | the same once |
  | `/metrics` | all counters in the format of Prometheus, see `Espalier.Telemetry.Prometheus` |

  ## Who may see it

  Whoever can reach the port: there is no password. It listens on the loopback interface unless `:ip` says otherwise,
  answers only those who ask for it by a name or an address of its own, so that no page of another site can read it,
  and changes nothing. It shows names of models and schemas and kinds of errors, and never prompts, texts or messages.

  ## Options

  #{Options.docs(@options)}
  """

  use Supervisor

  alias Espalier.Dashboard.Sampler
  alias Espalier.Dashboard.Server
  alias Espalier.Dashboard.Trail
  alias Espalier.DashboardError
  alias Espalier.OptionsError
  alias Espalier.Telemetry.Aggregator

  @doc "Starts a dashboard, with the options above."
  @spec start_link(keyword) ::
          {:ok, pid}
          | {:error, OptionsError.t() | DashboardError.t() | {:already_started, pid} | term}
  def start_link(options) do
    with {:ok, options} <- Options.validate(options, @options) do
      {:ok, ip} = Address.parse(options[:ip])
      settings = options |> Map.new() |> Map.put(:ip, ip) |> Map.merge(names(options[:name]))
      __MODULE__ |> Supervisor.start_link(settings, name: options[:name]) |> result()
    end
  end

  defp result({:error, {:shutdown, {:failed_to_start_child, Server, %DashboardError{} = error}}}),
    do: {:error, error}

  defp result(result), do: result

  @doc false
  def child_spec(options) do
    id = if Keyword.keyword?(options), do: options[:name]
    start = {__MODULE__, :start_link, [options]}
    %{id: id || __MODULE__, start: start, type: :supervisor}
  end

  @doc "The port that a dashboard listens on."
  @spec port(name :: atom) :: :inet.port_number()
  def port(dashboard \\ __MODULE__), do: Server.port(names(dashboard).server)

  @doc "Where a browser on this machine finds a dashboard."
  @spec url(name :: atom) :: String.t()
  def url(dashboard \\ __MODULE__), do: Server.url(names(dashboard).server)

  # The names of what it consists of.
  defp names(dashboard) do
    for part <- [:aggregator, :trail, :sampler, :connections, :server], into: %{} do
      {part, Module.concat(dashboard, part |> Atom.to_string() |> Macro.camelize())}
    end
  end

  # What is later needs what is before it.
  @impl true
  def init(settings) do
    children = [
      {Aggregator, name: settings.aggregator},
      {Trail, settings.trail},
      {Sampler, settings},
      {Task.Supervisor, name: settings.connections, max_children: settings.max_connections},
      {Server, settings}
    ]

    Supervisor.init(children, strategy: :rest_for_one)
  end
end
