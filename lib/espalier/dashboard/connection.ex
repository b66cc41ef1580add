defmodule Espalier.Dashboard.Connection do
  @moduledoc false
  # One connection, in a process of its own: a request is read, answered, and the connection closed. That of a reader of
  # events lasts until one side ends.

  alias Espalier.Dashboard.Address
  alias Espalier.Dashboard.Page
  alias Espalier.Dashboard.Request
  alias Espalier.Dashboard.Response
  alias Espalier.Dashboard.Sampler
  alias Espalier.Deadline
  alias Espalier.Telemetry.Prometheus

  @request_milliseconds 5_000

  # What a client sends after its request is read for so long, and no more of it, as a reset could overtake the answer.
  @drain_milliseconds 500
  @drain_bytes 65_536

  @type settings :: %{
          ip: Address.ip(),
          hosts: [String.t()],
          sampler: atom,
          aggregator: atom
        }

  @spec serve(:gen_tcp.socket(), settings) :: :ok
  def serve(socket, settings) do
    case read(socket, "", Deadline.new(@request_milliseconds)) do
      {:ok, request} -> route(socket, request, settings)
      {:error, status} -> finish(socket, Response.plain(status))
      :closed -> :gen_tcp.close(socket)
    end
  end

  @doc "Tells one who came when there was no more room."
  @spec refuse(:gen_tcp.socket()) :: :ok
  def refuse(socket) do
    {head, body} = Response.plain(503)
    :gen_tcp.send(socket, [head, body])
    :gen_tcp.close(socket)
  end

  defp read(socket, bytes, deadline) do
    with :more <- Request.read(bytes) do
      case :gen_tcp.recv(socket, 0, Deadline.left(deadline)) do
        {:ok, more} -> read(socket, bytes <> more, deadline)
        {:error, :timeout} -> {:error, 408}
        {:error, _closed} -> :closed
      end
    end
  end

  defp route(socket, request, settings) do
    if Address.host?(request.host, settings.ip, settings.hosts),
      do: answer(request.method, request.path, socket, settings),
      else: finish(socket, Response.plain(403))
  end

  defp answer("GET", "/events", socket, settings), do: events(socket, settings)

  defp answer(method, path, socket, settings) when method in ["GET", "HEAD"] do
    {head, body} = resource(path, settings)
    finish(socket, {head, if(method == "GET", do: body, else: "")})
  end

  defp answer(_method, path, socket, _settings) do
    known? = path in ["/", "/events", "/snapshot.json", "/metrics"]
    finish(socket, Response.plain(if known?, do: 405, else: 404))
  end

  defp resource("/", _settings),
    do:
      Response.whole(200, "text/html; charset=utf-8", Page.html(), [
        {"Content-Security-Policy", Page.policy()}
      ])

  defp resource("/snapshot.json", settings),
    do: Response.whole(200, "application/json", Sampler.snapshot(settings.sampler))

  defp resource("/metrics", settings) do
    Response.whole(200, Prometheus.content_type(), Prometheus.scrape(settings.aggregator))
  end

  defp resource("/events", _settings), do: {Response.head(200, "text/event-stream", []), ""}
  defp resource(_path, _settings), do: Response.plain(404)

  defp finish(socket, {head, body}) do
    with :ok <- :gen_tcp.send(socket, [head, body]),
         :ok <- :gen_tcp.shutdown(socket, :write),
         do: drain(socket, @drain_bytes, Deadline.new(@drain_milliseconds))

    :gen_tcp.close(socket)
  end

  defp drain(socket, bytes, deadline) when bytes > 0 do
    with {:ok, more} <- :gen_tcp.recv(socket, 0, Deadline.left(deadline)),
         do: drain(socket, bytes - byte_size(more), deadline)
  end

  defp drain(_socket, _bytes, _deadline), do: :ok

  # A browser that lost us asks again after that time.
  defp events(socket, settings) do
    with :ok <- :gen_tcp.send(socket, Response.head(200, "text/event-stream", [])),
         :ok <- :gen_tcp.send(socket, "retry: 2000\n\n"),
         :ok <- :inet.setopts(socket, active: :once) do
      Sampler.subscribe(settings.sampler)
      tell(socket)
    end

    :gen_tcp.close(socket)
  end

  # A reader has nothing more to say: who does is cut off, as is one who doesn't read.
  defp tell(socket) do
    receive do
      {:snapshot, json} ->
        with :ok <- :gen_tcp.send(socket, ["data: ", newest(json), "\n\n"]), do: tell(socket)

      _closed_or_said ->
        :ok
    end
  end

  defp newest(json) do
    receive do
      {:snapshot, newer} -> newest(newer)
    after
      0 -> json
    end
  end
end
