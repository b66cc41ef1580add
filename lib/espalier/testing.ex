defmodule Espalier.Testing do
  @moduledoc """
  For the tests of programs that use Espalier: a backend whose replies the test writes, and that tells what it was
  asked.

  Make it the backend in `config/test.exs`:

      config :espalier, backend: Espalier.Testing

  and say in each test what it replies:

      defmodule MyApp.TicketsTest do
        use ExUnit.Case, async: true
        import Espalier.Testing

        test "an urgent message becomes an urgent ticket" do
          stub([%{summary: "Checkout is down", priority: "high", components: []}])
          assert MyApp.Tickets.read("Help!").priority == :high
          assert_asked(prompt: ~r/Help!/, schema: Ticket)
        end
      end

      iex> Espalier.Testing.stub([%{name: ""}, %{name: "Ada"}])
      iex> Espalier.generate([name: {:string, min_length: 1}], "Ada is here.", backend: Espalier.Testing)
      {:ok, %{name: "Ada"}}
      iex> length(Espalier.Testing.asked())
      2

  Replies are checked like those of any backend that is not exact, so a wrong one is asked for again.

  ## Replies

    * a text - what the model writes
    * a map - written as JSON
    * an exception - the backend's error, before anything is written
    * a list, or another enumerable, of events - as in `c:Espalier.Backend.stream/1`, for errors in
      mid-stream and the like; `events/1` makes those of a text
    * a function of the `Espalier.Request` - gives one of the others

  ## Which test is asked

  Replies and requests belong to the process that called `stub/1`, so tests may be `async: true`. A
  request finds them from that process, from those that it started with `Task` and the like, as the
  `$callers` of a process tell, and from those that `allow/1` named.
  """

  @behaviour Espalier.Backend

  alias Espalier.Backend
  alias Espalier.Error
  alias Espalier.JSON
  alias Espalier.Request
  alias Espalier.Schema.Form
  alias Espalier.Testing.Stubs

  @compile {:no_warn_undefined, ExUnit.Assertions}

  @typedoc "What a model replies to one request."
  @type reply ::
          String.t()
          | map
          | Exception.t()
          | Enumerable.t(Backend.event())
          | (Request.t() -> reply)

  @usage %{prompt_tokens: 1, completion_tokens: 1, forced_tokens: 0, steps: 1}

  @doc """
  Says what is replied from now on: a list of replies, one for each request, or a function of the request
  for all of them.

  A request for which there is no reply raises in the process that makes it.

      iex> Espalier.Testing.stub(fn %{prompt: {:text, text}} -> String.upcase(text) end)
      iex> Espalier.generate({:regex, ".*"}, "hello", backend: Espalier.Testing)
      {:ok, "HELLO"}
  """
  @spec stub([reply] | (Request.t() -> reply)) :: :ok
  def stub(replies) when is_list(replies) or is_function(replies, 1),
    do: Stubs.put(self(), replies)

  @doc "Lets another process find the replies of this one, where `$callers` does not tell whose it is."
  @spec allow(pid) :: :ok
  def allow(pid) when is_pid(pid), do: Stubs.allow(self(), pid)

  @doc """
  The events of a text that is written as a whole, or in pieces.

      iex> Espalier.Testing.events(["4", "2"])
      [
        {:tokens, [], "4", false},
        {:tokens, [], "2", false},
        {:done, %{finish_reason: :stop, usage: %{prompt_tokens: 1, completion_tokens: 1, forced_tokens: 0, steps: 1}}}
      ]
  """
  @spec events(binary | [binary]) :: [Backend.event()]
  def events(text) do
    pieces = for piece <- List.wrap(text), do: {:tokens, [], piece, false}
    pieces ++ [{:done, %{finish_reason: :stop, usage: @usage}}]
  end

  @doc "All that was asked since `stub/1`, in order."
  @spec asked() :: [Request.t()]
  def asked, do: Stubs.asked(self())

  @doc """
  Asserts that there is one more request, and returns it: the first one that was not asserted yet.

  `expected` are fields of `Espalier.Request` with their values, and

    * `:prompt` - the text of the prompt or of one of its messages, or a regular expression that one of them matches
    * `:schema` - anything that `Espalier.generate/3` takes

        iex> Espalier.Testing.stub(["yes"])
        iex> Espalier.generate({:choice, [:yes, :no]}, "Is it late?", backend: Espalier.Testing, model: "small")
        {:ok, :yes}
        iex> Espalier.Testing.assert_asked(prompt: ~r/late/, schema: {:choice, [:yes, :no]}, model: "small").max_tokens
        512
        iex> Espalier.Testing.refute_asked()
        :ok
  """
  @spec assert_asked(keyword) :: Request.t()
  def assert_asked(expected \\ []) do
    case Stubs.next_asked(self()) do
      {:ok, request} ->
        Enum.each(expected, &assert_field(&1, request))
        request

      :none ->
        ExUnit.Assertions.flunk("expected one more request, got none")
    end
  end

  @doc "Asserts that all requests were asserted."
  @spec refute_asked() :: :ok
  def refute_asked do
    case Stubs.next_asked(self()) do
      :none ->
        :ok

      {:ok, request} ->
        ExUnit.Assertions.flunk("expected no more requests, got one: " <> show(request))
    end
  end

  defp assert_field({:prompt, expected}, request) do
    texts = texts(request.prompt)
    if not Enum.any?(texts, &same?(&1, expected)), do: differs(:prompt, expected, request.prompt)
  end

  defp assert_field({:schema, expected}, request) do
    form = expected |> Form.new() |> Error.bang!()
    if form != request.schema, do: differs(:schema, expected, request.schema)
  end

  defp assert_field({name, expected}, request) do
    case Map.fetch(request, name) do
      {:ok, ^expected} -> :ok
      {:ok, got} -> differs(name, expected, got)
      :error -> raise ArgumentError, "a request has no field #{inspect(name)}"
    end
  end

  defp texts({:text, text}), do: [text]

  defp texts({:messages, messages}) do
    for message <- messages, text <- List.wrap(elem(message, 1)), is_binary(text), do: text
  end

  defp same?(text, %Regex{} = expected), do: Regex.match?(expected, text)
  defp same?(text, expected), do: text == expected

  defp differs(name, expected, got) do
    ExUnit.Assertions.flunk(
      "expected a request with #{name} #{inspect(expected)}, got: #{inspect(got)}"
    )
  end

  defp show(request), do: inspect(Map.take(request, [:prompt, :model]))

  @doc false
  @impl true
  def stream(%Request{} = request) do
    case Stubs.ask([self() | Process.get(:"$callers", [])], request) do
      {:ok, reply} -> reply(reply, request)
      {:error, message} -> raise message
    end
  end

  defp reply(function, request) when is_function(function, 1),
    do: reply(function.(request), request)

  defp reply(text, _request) when is_binary(text), do: {:ok, events(text)}
  defp reply(error, _request) when is_exception(error), do: {:error, error}

  defp reply(map, _request) when is_map(map) and not is_struct(map),
    do: {:ok, map |> JSON.encode!() |> events()}

  defp reply(events, _request) do
    if Enumerable.impl_for(events) do
      {:ok, events}
    else
      raise ArgumentError,
            "expected a reply of Espalier.Testing to be a text, a map, an exception, events or a function, " <>
              "got: #{inspect(events)}"
    end
  end
end
