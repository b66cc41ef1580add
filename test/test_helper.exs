# Packages that are not dependencies here (without Hex there are none) may be built elsewhere and named
# by ERL_LIBS. Elixir 1.15 and later take them off the code path again.
for folder <- "ERL_LIBS" |> System.get_env("") |> String.split(":", trim: true),
    ebin <- Path.wildcard("#{folder}/*/ebin"),
    do: Code.append_path(ebin)

for package <- [:telemetry, :ecto] do
  case Application.ensure_all_started(package) do
    {:ok, _applications} -> :ok
    {:error, _not_there} -> IO.puts("Without #{inspect(package)}: its tests are left out.")
  end
end

unless Code.ensure_loaded?(Decimal), do: IO.puts("Without :decimal: its tests are left out.")

unless Code.ensure_loaded?(Telemetry.Metrics),
  do: IO.puts("Without :telemetry_metrics: its tests are left out.")

real_server? = System.get_env("ESPALIER_LLAMA_PYTHON") != nil

unless real_server? do
  IO.puts("Without ESPALIER_LLAMA_PYTHON: the tests against a real server are left out.")
end

hub_client? = System.get_env("ESPALIER_HUB_PYTHON") != nil

unless hub_client? do
  IO.puts("Without ESPALIER_HUB_PYTHON: the tests beside the hub's own client are left out.")
end

promtool? = System.find_executable("promtool") != nil

unless promtool? do
  IO.puts("Without promtool: the tests of metrics with it are left out.")
end

chromium? = Espalier.Chromium.program() != nil

unless chromium? do
  IO.puts("Without chromium: the tests of the dashboard in a browser are left out.")
end

cluster? =
  case Espalier.Cluster.start() do
    :ok ->
      true

    {:error, _reason} ->
      IO.puts("Without Erlang's distribution: the tests with several nodes are left out.")
      false
  end

# The model of the examples in the documentation.
{:ok, _model} = Espalier.Model.start_link(path: Espalier.Model.tiny_path(), name: MyApp.Model)

# A slow machine is no failure.
ExUnit.start(
  exclude:
    for(
      {tag, false} <- [
        llama: real_server?,
        huggingface_hub: hub_client?,
        promtool: promtool?,
        chromium: chromium?,
        cluster: cluster?
      ],
      do: tag
    ),
  timeout: 300_000,
  assert_receive_timeout: 10_000
)
