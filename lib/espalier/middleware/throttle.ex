defmodule Espalier.Middleware.Throttle do
  alias Espalier.Options

  @options [
    at_once: [type: :pos_integer, doc: "The most requests that run at the same time."],
    rate: [
      type: {:tuple, [:pos_integer, :pos_integer]},
      doc: """
      `{requests, milliseconds}`: a token bucket that holds so many requests, and is filled from empty in that time.\
      """
    ],
    max_wait: [
      type: :timeout,
      default: :infinity,
      doc: "The most milliseconds to wait, if the time of the generation lasts so long."
    ]
  ]

  @moduledoc """
  A middleware that lets only so many requests through: at once, and in a span of time.

      Espalier.generate(Ticket, text,
        model: "large",
        middleware: [{Espalier.Middleware.Throttle, at_once: 8, rate: {500, 60_000}}]
      )

  It counts for each backend with its options and model, in this VM. The others wait in the order in which
  they came, and the time counts as that of the generation. Who gets no room in time has an
  `Espalier.ThrottleError`, and another backend of a list is asked.

  A request runs until its last event was read. A reader that stops early, or dies, makes room.

      iex> Espalier.Testing.stub(fn _request -> %{name: "Ada"} end)
      iex> throttle = {Espalier.Middleware.Throttle, rate: {2, 60_000}, max_wait: 0}
      iex> options = [backend: {Espalier.Testing, id: 2}, middleware: [throttle]]
      iex> for _request <- 1..2, do: {:ok, _ada} = Espalier.generate([name: :string], "Ada", options)
      iex> {:error, error} = Espalier.generate([name: :string], "Ada", options)
      iex> error.kind
      :rate

  ## Options

  At least one of the first two is given. All requests for a model are counted together, whatever each of them
  says is the most: say it in one place, for example in the application environment.

  #{Options.docs(@options)}
  """

  @behaviour Espalier.Middleware

  alias Espalier.Deadline
  alias Espalier.Middleware
  alias Espalier.Middleware.Throttle.Gates
  alias Espalier.OptionsError
  alias Espalier.Request
  alias Espalier.ThrottleError

  @impl true
  def validate(options) do
    with {:ok, options} <- Options.validate(options, @options) do
      if options[:at_once] || options[:rate],
        do: {:ok, options},
        else: {:error, %OptionsError{kind: :missing, option: :at_once, expected: "it or :rate"}}
    end
  end

  @impl true
  def call(request, next, options) do
    enter = fn -> enter(request, options) end
    {:ok, Stream.transform([request], enter, &ask(&1, &2, next), &leave/1)}
  end

  defp enter(request, options) do
    limits = %{at_once: options[:at_once], rate: options[:rate]}
    wait = min(Deadline.left(request.deadline), options[:max_wait])
    started = System.monotonic_time(:millisecond)

    with {:full, kind} <- Gates.enter(Request.destination(request), limits, wait) do
      waited = System.monotonic_time(:millisecond) - started

      {:error,
       %ThrottleError{kind: kind, backend: request.backend, model: request.model, waited: waited}}
    end
  end

  defp ask(request, {:ok, _place} = entered, next),
    do: {request |> next.() |> Middleware.flat(), entered}

  defp ask(_request, {:error, error} = entered, _next), do: {[{:error, error}], entered}

  defp leave({:ok, place}), do: Gates.leave(place)
  defp leave({:error, _error}), do: :ok
end
