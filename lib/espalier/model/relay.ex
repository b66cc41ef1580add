defmodule Espalier.Model.Relay do
  @moduledoc false
  # The process of one request whose reader is on another node. Native code knows the processes of its own node only,
  # so this one gets what the model sends, and hands it on.
  #
  # A reader that is slow is not flooded: only so many events are on their way to it.

  alias Espalier.Backends.Local
  alias Espalier.Middleware
  alias Espalier.Request

  @window 64

  @typedoc "Which function of the local backend is called."
  @type work :: :stream | :compile

  @doc "Sends `{reader, event}`, or `{reader, result}` of a compilation."
  @spec run(work, Request.t(), reader :: reference) :: term
  def run(:compile, request, reader), do: send(reader, {reader, Local.compile(request)})

  def run(:stream, request, reader) do
    request
    |> Local.stream()
    |> Middleware.flat()
    |> Enum.reduce(@window, &hand_on(&1, &2, reader))
  end

  @doc "After how many events a reader says that it took them, with `more/2`."
  @spec half() :: pos_integer
  def half, do: div(@window, 2)

  @spec more(relay :: pid, reader :: reference) :: term
  def more(relay, reader), do: send(relay, {reader, :more})

  defp hand_on(event, 0, reader) do
    receive do
      {^reader, :more} -> hand_on(event, half(), reader)
    end
  end

  defp hand_on(event, room, reader) do
    send(reader, {reader, event})
    room - 1
  end
end
