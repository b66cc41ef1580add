defmodule Espalier.Chromium do
  @moduledoc """
  A browser without a window, for tests of pages.

      {:ok, browser} = Chromium.start_link([])
      page = Chromium.open(browser, "http://127.0.0.1:4001", width: 1440, height: 900)
      Chromium.evaluate(page, "document.title")
      #=> "Espalier"

  It speaks the DevTools protocol through a pipe, and ends with the process that started it, and with the VM: without
  its input it ends by itself. `ESPALIER_CHROMIUM` names the program, or else `chromium` is looked for.
  """
  use GenServer

  alias Espalier.JSON

  @patience 60_000

  # The protocol is on the descriptors 3 and 4, and what the program says otherwise is not of interest.
  @script ~S(exec "$@" 3<&0 4>&1 </dev/null >/dev/null 2>&1)

  @arguments ~w(--headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run
                --disable-background-networking --disable-component-update --disable-sync
                --disable-default-apps --disable-extensions --remote-debugging-pipe)

  @enforce_keys [:browser, :session]
  defstruct @enforce_keys

  @doc "The program, `nil` where there is none."
  def program do
    System.get_env("ESPALIER_CHROMIUM") ||
      Enum.find_value(~w(chromium chromium-browser google-chrome), &System.find_executable/1)
  end

  def start_link(options), do: GenServer.start_link(__MODULE__, options)

  @doc "Opens a page, with `:width` and `:height` in pixels, and what `emulate/2` takes."
  def open(browser, url, options) do
    %{"targetId" => target} = call(browser, "Target.createTarget", %{url: "about:blank"})

    %{"sessionId" => session} =
      call(browser, "Target.attachToTarget", %{targetId: target, flatten: true})

    page = %__MODULE__{browser: browser, session: session}
    for domain <- ~w(Page Runtime Log Network), do: call(page, "#{domain}.enable", %{})
    resize(page, options[:width], options[:height])
    call(page, "Page.navigate", %{url: url})
    wait(page, "document.readyState === 'complete'")
    page
  end

  @doc "The size of the window in pixels; a phone's has no scrollbars beside the page."
  def resize(page, width, height) do
    size = %{width: width, height: height, deviceScaleFactor: 1, mobile: width < 500}
    call(page, "Emulation.setDeviceMetricsOverride", size)
  end

  @doc "What the system prefers, by names such as `\"prefers-color-scheme\"`."
  def emulate(page, features) do
    features = for {name, value} <- features, do: %{name: name, value: value}
    call(page, "Emulation.setEmulatedMedia", %{features: features})
  end

  @doc "The value of an expression of JavaScript, when its promise is kept if it is one."
  def evaluate(page, expression) do
    options = %{expression: expression, returnByValue: true, awaitPromise: true}

    case call(page, "Runtime.evaluate", options) do
      %{"exceptionDetails" => details} -> raise "#{expression}: #{inspect(details)}"
      %{"result" => result} -> result["value"]
    end
  end

  @doc "Waits until an expression is true."
  def wait(page, expression) do
    promise = """
    new Promise((resolve, reject) => {
      const until = Date.now() + #{@patience};
      const look = () => {
        if (#{expression}) resolve(true);
        else if (Date.now() > until) reject(new Error("it did not come true"));
        else setTimeout(look, 50);
      };
      look();
    })
    """

    evaluate(page, promise)
  end

  @doc "Presses a key, such as `\"Tab\"` or `\"p\"`."
  def press(page, key) do
    key = keys(key)
    call(page, "Input.dispatchKeyEvent", Map.put(key, :type, "keyDown"))
    call(page, "Input.dispatchKeyEvent", key |> Map.delete(:text) |> Map.put(:type, "keyUp"))
  end

  defp keys("Tab"), do: %{key: "Tab", code: "Tab", windowsVirtualKeyCode: 9}
  defp keys("Enter"), do: %{key: "Enter", code: "Enter", windowsVirtualKeyCode: 13, text: "\r"}
  defp keys(letter), do: %{key: letter, text: letter}

  @doc "The page as a PNG; with `whole: true` also what is below the window."
  def screenshot(page, options \\ []) do
    whole? = Keyword.get(options, :whole, false)
    shot = %{format: "png", captureBeyondViewport: whole?}
    Base.decode64!(call(page, "Page.captureScreenshot", shot)["data"])
  end

  @doc "What the page reported so far, as `{method, params}`: exceptions, lines of its console, and requests."
  def events(%{browser: browser, session: session}),
    do: GenServer.call(browser, {:events, session})

  @doc "Calls a method of the DevTools protocol, of the browser or a page."
  def call(%__MODULE__{browser: browser, session: session}, method, params),
    do: call(browser, method, params, session)

  def call(browser, method, params, session \\ nil) do
    case GenServer.call(browser, {:call, method, params, session}, 2 * @patience) do
      %{"result" => result} -> result
      %{"error" => error} -> raise "#{method}: #{inspect(error)}"
    end
  end

  @impl true
  def init(_options) do
    Process.flag(:trap_exit, true)

    folder =
      Path.join(
        System.tmp_dir!(),
        "espalier-chromium-#{System.unique_integer([:positive])}-#{System.pid()}"
      )

    File.mkdir_p!(folder)

    port =
      Port.open({:spawn_executable, "/bin/sh"}, [
        :binary,
        :exit_status,
        args: ["-c", @script, "sh", program() | @arguments] ++ ["--user-data-dir=#{folder}"]
      ])

    {:ok, %{port: port, folder: folder, bytes: "", n: 0, callers: %{}, events: []}}
  end

  @impl true
  def handle_call({:events, session}, _from, state) do
    events =
      for %{"sessionId" => ^session} = event <- state.events,
          do: {event["method"], event["params"]}

    {:reply, Enum.reverse(events), state}
  end

  def handle_call({:call, method, params, session}, from, state) do
    n = state.n + 1
    message = %{id: n, method: method, params: params}
    message = if session, do: Map.put(message, :sessionId, session), else: message
    Port.command(state.port, [JSON.encode!(message), 0])
    {:noreply, %{state | n: n, callers: Map.put(state.callers, n, from)}}
  end

  @impl true
  def handle_info({port, {:data, bytes}}, %{port: port} = state) do
    {messages, [rest]} = (state.bytes <> bytes) |> String.split(<<0>>) |> Enum.split(-1)
    {:noreply, Enum.reduce(messages, %{state | bytes: rest}, &hear(JSON.decode!(&1), &2))}
  end

  def handle_info({port, {:exit_status, status}}, %{port: port} = state),
    do: {:stop, "the browser ended with status #{status}", state}

  def handle_info({:EXIT, _from, reason}, state), do: {:stop, reason, state}

  # The folder is in use until the browser has ended.
  @impl true
  def terminate(_reason, %{port: port, folder: folder}) do
    if Port.info(port) do
      Port.command(port, [JSON.encode!(%{id: 0, method: "Browser.close", params: %{}}), 0])

      receive do
        {^port, {:exit_status, _status}} -> :ok
      after
        5_000 -> Port.close(port)
      end
    end

    File.rm_rf(folder)
  end

  defp hear(%{"id" => n} = answer, state) do
    {caller, callers} = Map.pop(state.callers, n)
    if caller, do: GenServer.reply(caller, answer)
    %{state | callers: callers}
  end

  defp hear(event, state), do: %{state | events: [event | state.events]}
end
