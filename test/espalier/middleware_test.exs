defmodule Tagged do
  @moduledoc "The middleware in the documentation of `Espalier.Middleware`."
  @behaviour Espalier.Middleware

  @impl true
  def call(request, next, options) do
    given = request.backend_options[:headers] || fn -> [] end
    headers = fn -> [{"x-team", options[:team]} | given.()] end
    next.(%{request | backend_options: Keyword.put(request.backend_options, :headers, headers)})
  end
end

defmodule Espalier.MiddlewareTest do
  use ExUnit.Case, async: true

  import Espalier.Testing

  alias Espalier.GenerationError
  alias Espalier.OptionsError
  alias Espalier.TransportError

  doctest Espalier.Middleware

  @schema [name: {:string, min_length: 1}]
  @right ~s({"name":"Ada"})

  defmodule Checked do
    @moduledoc "Takes one option only."
    @behaviour Espalier.Middleware

    @impl true
    def validate(options),
      do: Espalier.Options.validate(options, level: [type: :pos_integer, default: 3])

    @impl true
    def call(request, next, options) do
      send(self(), {:checked, options})
      next.(request)
    end
  end

  # Tells the test when it is called and what it sees at last.
  defp observe(name) do
    fn request, next ->
      send(self(), {name, :called})

      with {:ok, events} <- next.(request) do
        {:ok, Stream.each(events, &send(self(), {name, elem(&1, 0)}))}
      end
    end
  end

  defp generate(options),
    do: Espalier.generate(@schema, "?", [backend: Espalier.Testing, retry_delay: 0] ++ options)

  defp messages do
    receive do
      message -> [message | messages()]
    after
      0 -> []
    end
  end

  test "the first one is the outermost" do
    stub([@right])
    assert {:ok, _value} = generate(middleware: [observe(:outer), observe(:inner)])

    assert messages() == [
             {:outer, :called},
             {:inner, :called},
             {:inner, :tokens},
             {:outer, :tokens},
             {:inner, :done},
             {:outer, :done}
           ]
  end

  test "it is called for each request" do
    broken = %TransportError{kind: :closed, url: "http://127.0.0.1"}
    stub([broken, ~s({"name":""}), @right])
    called = fn request, next -> send(self(), :called) && next.(request) end
    assert {:ok, _value} = generate(middleware: [called])
    assert messages() == [:called, :called, :called]
    assert length(asked()) == 3
  end

  test "it changes requests and events, answers itself, and fails" do
    stub(fn %{prompt: {:text, text}} -> text end)
    prompt = fn request, next -> next.(%{request | prompt: {:text, @right}}) end
    assert generate(middleware: [prompt]) == {:ok, %{name: "Ada"}}

    grace = fn request, next ->
      {:ok, events} = next.(request)

      {:ok,
       Stream.map(events, fn
         {:tokens, ids, text, forced?} ->
           {:tokens, ids, String.replace(text, "Ada", "Grace"), forced?}

         event ->
           event
       end)}
    end

    assert generate(middleware: [grace, prompt]) == {:ok, %{name: "Grace"}}

    stub([])
    answer = fn _request, _next -> {:ok, events(@right)} end
    assert generate(middleware: [answer]) == {:ok, %{name: "Ada"}}

    error = %GenerationError{kind: :computation_failed, message: "no"}
    assert generate(middleware: [fn _request, _next -> {:error, error} end]) == {:error, error}
    refute_asked()
  end

  test "the backend gets the time that is left" do
    stub(fn _request -> @right end)
    slow = fn request, next -> Process.sleep(5) && next.(request) end
    assert {:ok, _value} = generate(middleware: [slow], timeout: 10_000)
    assert assert_asked().timeout <= 9_995

    assert {:error, %GenerationError{kind: :timeout}} = generate(middleware: [slow], timeout: 1)
    refute_asked()
  end

  test "options are checked before anything is asked" do
    stub([@right])

    for wrong <- [String, NoSuchModule, {Checked, :level}, fn _request -> :ok end, "log", nil] do
      assert {:error, %OptionsError{kind: :invalid, option: :middleware, got: ^wrong}} =
               generate(middleware: [wrong])
    end

    assert {:error, %OptionsError{option: :middleware}} = generate(middleware: Checked)

    assert {:error, %OptionsError{kind: :unknown, suggestion: :level}} =
             generate(middleware: [{Checked, levl: 1}])

    assert {:ok, _value} = generate(middleware: [Checked])
    assert_received {:checked, [level: 3]}
    assert length(asked()) == 1
  end

  test "what gives no result is told" do
    for wrong <- [:ok, nil, {:error, :closed}, %{}] do
      assert {:error, %OptionsError{option: :middleware, got: ^wrong}} =
               generate(middleware: [fn _request, _next -> wrong end])
    end
  end

  test "what a stream's reader does not read is let go of" do
    stub(fn _request -> Stream.repeatedly(fn -> {:tokens, [], "a", false} end) end)

    undo = fn request, next ->
      {:ok, events} = next.(request)

      {:ok,
       Stream.transform(events, fn -> nil end, &{[&1], &2}, fn _ -> send(self(), :undone) end)}
    end

    stream = Espalier.stream(@schema, "?", backend: Espalier.Testing, middleware: [undo])
    assert [{:text, "a"}] = stream |> Stream.filter(&match?({:text, _}, &1)) |> Enum.take(1)
    assert_received :undone
    refute_received :undone
  end

  test "a raise passes through, and what is held is let go of once" do
    failing = fn request, next ->
      {:ok, events} = next.(request)
      undo = fn _ -> send(self(), :undone) end
      {:ok, Stream.transform(events, fn -> nil end, fn _, _ -> raise "no" end, undo)}
    end

    stub(fn _request -> @right end)
    assert_raise RuntimeError, "no", fn -> generate(middleware: [failing]) end
    assert_received :undone
    refute_received :undone
  end
end
