defmodule Espalier.Middleware do
  @moduledoc """
  Functions around one request to a backend: the behaviour behind the `:middleware` option of
  `Espalier.generate/3`.

    * `Espalier.Middleware.CircuitBreaker` - asks no more while requests keep failing
    * `Espalier.Middleware.Throttle` - so many requests at once, so many in a span of time

  A middleware gets the request and `next`, the function of what it is around. It may change the request, look at
  the events, put others in their place, or not call `next` at all. It gives what `next` gives: `{:ok, events}`
  as in `c:Espalier.Backend.stream/1`, or `{:error, exception}`.

  One that logs how each request ended:

      log = fn request, next ->
        with {:ok, events} <- next.(request) do
          {:ok,
           Stream.each(events, fn
             {:done, %{usage: usage}} -> Logger.info("\#{inspect(request.model)}: \#{inspect(usage)}")
             {:error, error} -> Logger.warning(Exception.message(error))
             _tokens -> :ok
           end)}
        end
      end

      Espalier.generate(Ticket, text, model: MyApp.Model, middleware: [log])

  One that adds an option of the backend, as a module with an option of its own. Options that are shown nowhere, as
  these, are functions if they were given:

      defmodule Tagged do
        @behaviour Espalier.Middleware

        @impl true
        def call(request, next, options) do
          given = request.backend_options[:headers] || fn -> [] end
          headers = fn -> [{"x-team", options[:team]} | given.()] end
          next.(%{request | backend_options: Keyword.put(request.backend_options, :headers, headers)})
        end
      end

      iex> show = fn request, _next -> {:ok, Espalier.Testing.events(inspect(request.backend_options[:headers].()))} end
      iex> Espalier.generate({:regex, ".*"}, "?", backend: Espalier.Testing, middleware: [{Tagged, team: "search"}, show])
      {:ok, ~S([{"x-team", "search"}])}

  ## The order

  The first one in the list is the outermost: it sees the request first and the events last. All of them are
  called for each request that is made, so also where a value is asked for again, after a failure, and for
  another backend of a list; none is called where a value comes from a cache. They are called, and the events read,
  in the process that reads the stream. Events are lazy, and a reader may stop before the last one: what
  has to be undone belongs into the last function of `Stream.transform/5`.

  Defaults are those of the application environment, `config :espalier, middleware: [...]`, where functions
  are given as `&MyApp.log/2`.
  """

  alias Espalier.Backend
  alias Espalier.Deadline
  alias Espalier.GenerationError
  alias Espalier.OptionsError
  alias Espalier.Request
  alias Espalier.Telemetry

  @typedoc "What the option takes a list of."
  @type t :: module | {module, keyword} | (Request.t(), next -> result)

  @typedoc "What a middleware is around: the next one, and at last the backend."
  @type next :: (Request.t() -> result)

  @type result :: {:ok, Enumerable.t(Backend.event())} | {:error, Exception.t()}

  @doc "Makes one request, in whatever way it likes."
  @callback call(Request.t(), next, options :: keyword) :: result

  @doc "Checks the options that were given in the list, and fills in the defaults; without it all are taken."
  @callback validate(options :: keyword) :: {:ok, keyword} | {:error, Exception.t()}

  @optional_callbacks validate: 1

  @doc false
  # The list with checked options.
  @spec new([t]) :: {:ok, [t]} | {:error, Exception.t()}
  def new(list) do
    list
    |> Enum.reduce_while([], fn middleware, done ->
      case check(middleware) do
        {:ok, middleware} -> {:cont, [middleware | done]}
        {:error, error} -> {:halt, {:error, error}}
      end
    end)
    |> case do
      {:error, error} -> {:error, error}
      done -> {:ok, Enum.reverse(done)}
    end
  end

  defp check(function) when is_function(function, 2), do: {:ok, function}

  defp check({module, options} = given) when is_atom(module), do: check(module, options, given)
  defp check(module) when is_atom(module), do: check(module, [], module)
  defp check(given), do: {:error, invalid(given)}

  defp check(module, options, given) do
    cond do
      not (Keyword.keyword?(options) and Backend.exports?(module, :call, 3)) ->
        {:error, invalid(given)}

      Backend.exports?(module, :validate, 1) ->
        with {:ok, options} <- module.validate(options), do: {:ok, {module, options}}

      true ->
        {:ok, {module, options}}
    end
  end

  defp invalid(got) do
    expected = "a module with call/3, {module, options} or a function of two arguments"
    %OptionsError{kind: :invalid, option: :middleware, expected: expected, got: got}
  end

  @doc false
  # The events of a request that goes through all of its middleware; an error is one of them.
  @spec events(Request.t()) :: Enumerable.t(Backend.event())
  def events(%Request{middleware: []} = request),
    do: request |> Telemetry.Request.stream() |> flat()

  def events(%Request{middleware: list} = request) do
    next = List.foldr(list, &ask/1, fn outer, next -> &call(outer, &1, next) end)
    request |> next.() |> flat()
  end

  defp call({module, options}, request, next), do: module.call(request, next, options)
  defp call(function, request, next), do: function.(request, next)

  # What was around may have taken its time.
  defp ask(request) do
    case Deadline.left(request.deadline) do
      0 -> {:error, not_asked()}
      left -> Telemetry.Request.stream(%{request | timeout: left})
    end
  end

  defp not_asked do
    detail = "no time was left to ask"
    %GenerationError{kind: :timeout, message: detail, detail: detail}
  end

  @doc false
  @spec flat(result) :: Enumerable.t(Backend.event())
  def flat({:ok, events}), do: events
  def flat({:error, error}) when is_exception(error), do: [{:error, error}]

  def flat(other) do
    expected = "middleware, and a backend, that give {:ok, events} or {:error, exception}"
    [{:error, %OptionsError{kind: :invalid, option: :middleware, expected: expected, got: other}}]
  end
end
