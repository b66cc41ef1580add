defmodule Mix.Tasks.Espalier.DashboardTest do
  # Standard error is one for all processes, and all dashboards are told of all events.
  use Espalier.TaskCase, async: false

  alias Espalier.JSON
  alias Mix.Tasks.Espalier.Dashboard

  defp run(arguments), do: run_task(Dashboard, arguments)

  # It runs until it is stopped, which `stop/1` does.
  defp serve(arguments) do
    {:ok, output} = StringIO.open("")

    {pid, monitor} =
      spawn_monitor(fn ->
        Process.group_leader(self(), output)
        Dashboard.run(arguments)
      end)

    %{pid: pid, monitor: monitor, url: url(output)}
  end

  defp url(output) do
    {_input, text} = StringIO.contents(output)

    case Regex.run(~r"at (http://\S+)\n", text) do
      [_all, url] ->
        url

      nil ->
        Process.sleep(20)
        url(output)
    end
  end

  # What is linked to it ends a moment later.
  defp stop(%{pid: pid, monitor: monitor}) do
    {:links, linked} = Process.info(pid, :links)
    monitors = [monitor | for(other <- linked, is_pid(other), do: Process.monitor(other))]
    Process.exit(pid, :kill)
    for monitor <- monitors, do: assert_receive({:DOWN, ^monitor, :process, _pid, _reason})
  end

  defp get(url) do
    {:ok, {{_version, status, _phrase}, _headers, body}} =
      :httpc.request(:get, {String.to_charlist(url), []}, [], body_format: :binary)

    {status, body}
  end

  defp snapshot(url, so?) do
    {200, body} = get(url <> "/snapshot.json")
    snapshot = JSON.decode!(body)

    if so?.(snapshot) do
      snapshot
    else
      Process.sleep(100)
      snapshot(url, so?)
    end
  end

  setup_all do
    {:ok, _applications} = Application.ensure_all_started(:inets)
    :ok
  end

  describe "arguments" do
    test "that are wrong are told on standard error" do
      for {arguments, told} <- [
            {["--prot", "1"], "unknown option --prot. Did you mean --port?"},
            {["--port", "many"], "wrong value for --port: many"},
            {["--port"], "--port needs a value"},
            {["4001"], "unexpected argument 4001"},
            {["--port", "70000"], "invalid value for :port option"},
            {["--ip", "localhost"], "invalid value for :ip option"}
          ] do
        assert {2, "", "mix espalier.dashboard: " <> errors} = run(arguments)
        assert errors =~ told
      end
    end

    test "--help prints the help" do
      assert {0, output, ""} = run(["--help"])
      assert output =~ "--port N"
    end
  end

  test "a port that is in use is told on standard error" do
    {:ok, socket} = :gen_tcp.listen(0, ip: {127, 0, 0, 1})
    {:ok, port} = :inet.port(socket)
    {result, _log} = ExUnit.CaptureLog.with_log(fn -> run(["--port", "#{port}"]) end)
    assert {1, "", errors} = result
    assert errors =~ "can't listen on 127.0.0.1:#{port}: the port is in use"
  end

  @tag :capture_log
  test "it serves the page until it is stopped" do
    server = serve(["--port", "0"])
    assert {200, "<!doctype html>" <> _rest} = get(server.url)
    stop(server)
    assert {:error, {:failed_connect, _reason}} = :httpc.request(String.to_charlist(server.url))
  end

  @tag :capture_log
  test "one that the application started is told, and another one beside it where that is asked for" do
    start_supervised!({Espalier.Dashboard, port: 0})
    server = serve([])
    assert server.url == Espalier.Dashboard.url()
    stop(server)
    assert {200, _page} = get(server.url)

    other = serve(["--port", "0"])
    assert other.url != server.url
    stop(other)
  end

  @tag :capture_log
  test "the demo has something to show" do
    server = serve(["--port", "0", "--demo"])

    %{"traffic" => traffic} =
      snapshot(server.url, fn told ->
        told["totals"]["generations"] != nil and told["totals"]["failed"] > 0 and
          length(told["traffic"]) == 2 and length(told["batches"]["rows"]) > 0
      end)

    assert ["Espalier.Backends.Local", "Espalier.Backends.OpenAI"] ==
             traffic |> Enum.map(& &1["backend"]) |> Enum.sort()

    stop(server)
  end
end
