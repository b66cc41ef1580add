defmodule Espalier.DashboardInBrowserTest do
  # The page of `Espalier.Dashboard` in a real browser. With ESPALIER_SCREENSHOTS as the name of a folder, pictures of it
  # are written there.
  use ExUnit.Case, async: false

  alias Espalier.Chromium
  alias Espalier.Dashboard
  alias Espalier.Telemetry

  @moduletag :chromium

  @order [customer: :string, quantity: :integer]
  @texts [
    "Hi, Ada here. Two oak desks, please.",
    "Grace wants 5 blue lamps.",
    "Three boxes for Marek."
  ]

  setup_all do
    %{browser: start_supervised!(Chromium)}
  end

  setup context do
    name = Module.concat(__MODULE__, "#{context.line}")
    start_supervised!({Dashboard, name: name, port: 0})
    page = Chromium.open(context.browser, Dashboard.url(name), width: 1440, height: 900)
    Chromium.wait(page, state("live"))
    %{page: page, name: name, url: Dashboard.url(name)}
  end

  defp state(name), do: "document.getElementById('status')?.dataset.state === '#{name}'"
  defp figure(id), do: "document.getElementById('figure-#{id}').textContent"

  defp busy do
    stream = Stream.cycle(@texts)

    task = fn ->
      stream
      |> Espalier.stream_batch(@order, model: MyApp.Model, max_concurrency: 2)
      |> Stream.run()
    end

    start_supervised!({Task, task}, id: make_ref())
  end

  # What a page must not do, whatever it shows.
  defp assert_calm(%{page: page, url: url}) do
    events = Chromium.events(page)
    assert [] == for({"Runtime.exceptionThrown", told} <- events, do: told)
    assert [] == for({"Runtime.consoleAPICalled", told} <- events, do: told)
    assert [] == for({"Log.entryAdded", %{"entry" => entry}} <- events, do: entry)

    asked = for {"Network.requestWillBeSent", told} <- events, do: told["request"]["url"]
    assert (url <> "/") in asked and (url <> "/events") in asked
    assert [] == Enum.reject(asked, &String.starts_with?(&1, [url, "data:"]))
  end

  test "figures move while a batch runs", context do
    assert Chromium.evaluate(context.page, figure(:generations)) =~ "no events yet"
    busy()
    Chromium.wait(context.page, figure(:generations) <> ".match(/^[1-9][0-9.]*\\/s$/)")
    Chromium.wait(context.page, figure(:latency_p50) <> ".match(/^[0-9.]+(ms|s)$/)")

    Chromium.wait(
      context.page,
      "document.querySelector('#tables').textContent.includes('MyApp.Model')"
    )

    path = "document.querySelector('.spark path.first').getAttribute('d')"
    before = Chromium.evaluate(context.page, path)
    Chromium.wait(context.page, "#{path} !== '#{before}'")
    assert_calm(context)
  end

  test "all controls can be reached and used by keyboard", %{page: page} = context do
    reached =
      for _ <- 1..30 do
        Chromium.press(page, "Tab")

        Chromium.evaluate(page, """
        (() => {
          const at = document.activeElement;
          const seen = getComputedStyle(at).outlineStyle !== "none";
          return [at.id || at.getAttribute("aria-labelledby") || at.textContent, seen];
        })()
        """)
      end

    for {name, seen?} <- Enum.map(reached, &List.to_tuple/1),
        do: assert(seen? or name =~ "Espalier", name)

    names = Enum.map(reached, &hd/1)

    controls =
      Chromium.evaluate(page, """
      [...document.querySelectorAll("button, a[href], [tabindex='0']")].map((at) => at.id || at.getAttribute("aria-labelledby") || at.textContent)
      """)

    assert controls -- names == []

    assert Enum.take_while(names, &(&1 != "table-traffic")) == [
             "To the figures",
             "pause",
             "theme"
           ]

    assert_calm(context)
  end

  test "it can be paused and goes on", %{page: page} = context do
    busy()
    Chromium.wait(page, figure(:generations) <> ".endsWith('/s')")
    Chromium.press(page, "p")
    assert Chromium.evaluate(page, state("paused"))
    clock = Chromium.evaluate(page, "document.getElementById('clock').textContent")

    # Snapshots still come, and are not shown.
    Chromium.evaluate(page, "new Promise((later) => setTimeout(later, 2500))")
    assert Chromium.evaluate(page, "document.getElementById('clock').textContent") == clock

    Chromium.press(page, "Tab")
    Chromium.press(page, "Tab")
    assert Chromium.evaluate(page, "document.activeElement.id") == "pause"
    Chromium.press(page, "Enter")
    assert Chromium.evaluate(page, state("live"))
    Chromium.wait(page, "document.getElementById('clock').textContent !== '#{clock}'")
    assert_calm(context)
  end

  test "colours are the system's, or those that were chosen", %{page: page} = context do
    colour = "getComputedStyle(document.body).backgroundColor"
    Chromium.emulate(page, %{"prefers-color-scheme" => "light"})
    light = Chromium.evaluate(page, colour)
    Chromium.emulate(page, %{"prefers-color-scheme" => "dark"})
    dark = Chromium.evaluate(page, colour)
    assert light != dark

    choose = "document.getElementById('theme').click()"
    Chromium.evaluate(page, choose)
    assert Chromium.evaluate(page, colour) == light
    Chromium.evaluate(page, choose)
    Chromium.emulate(page, %{"prefers-color-scheme" => "light"})
    assert Chromium.evaluate(page, colour) == dark

    # It is kept.
    Chromium.call(page, "Page.reload", %{})

    Chromium.wait(
      page,
      state("live") <> " && document.getElementById('theme').textContent.endsWith('dark')"
    )

    assert Chromium.evaluate(page, colour) == dark
    Chromium.evaluate(page, choose)
    assert Chromium.evaluate(page, colour) == light
    assert_calm(context)
  end

  test "a lost connection is told, and made again", %{page: page, name: name} = context do
    port = Dashboard.port(name)
    stop_supervised!(name)
    Chromium.wait(page, state("lost"))
    start_supervised!({Dashboard, name: name, port: port})
    Chromium.wait(page, state("live"))

    asked =
      for {"Network.requestWillBeSent", told} <- Chromium.events(page), do: told["request"]["url"]

    assert [] == Enum.reject(asked, &String.starts_with?(&1, [context.url, "data:"]))
    assert [] == for({"Runtime.exceptionThrown", told} <- Chromium.events(page), do: told)
  end

  test "a pointer over a sparkline shows what was then, in all of them",
       %{page: page} = context do
    busy()
    history = "document.querySelector('.spark path.first').getAttribute('d').split('L').length"
    Chromium.wait(page, "#{history} >= 3")

    place =
      "(({ right, top }) => [right - 4, top + 4])(document.querySelector('.spark').getBoundingClientRect())"

    [x, y] = Chromium.evaluate(page, place)
    Chromium.call(page, "Input.dispatchMouseEvent", %{type: "mouseMoved", x: x, y: y})

    shown =
      "[...document.querySelectorAll('.peak')].filter((at) => /, [0-9] s ago$/.test(at.textContent)).length"

    Chromium.wait(page, "#{shown} === 12")
    Chromium.call(page, "Input.dispatchMouseEvent", %{type: "mouseMoved", x: 1, y: 1})
    Chromium.wait(page, "#{shown} === 0")
    assert_calm(context)
  end

  test "names are shown as texts, whatever they are", %{page: page} = context do
    name = ~S{<img src=x onerror="alert(1)"></td><script>alert(2)</script>}
    target = %{backend: name, model: name, schema: name, reason: name, error_kind: name, total: 2}
    metadata = Map.put(target, :telemetry_span_context, make_ref())

    Telemetry.event([:generate, :exception], fn -> {%{duration: 1}, metadata} end)
    Telemetry.event([:validate, :exception], fn -> {%{duration: 1}, metadata} end)
    Telemetry.event([:batch, :start], fn -> {%{}, metadata} end)
    Telemetry.event([:circuit], fn -> {%{system_time: 1}, Map.put(target, :to, :open)} end)

    shown =
      "[...document.querySelectorAll('#tables span')].filter((at) => at.textContent.startsWith('<img src=x')).length"

    Chromium.wait(page, "#{shown} >= 9")
    assert Chromium.evaluate(page, "document.querySelectorAll('img, td script').length") == 0
    assert_calm(context)
  end

  # The relative luminance and contrast of the Web Content Accessibility Guidelines.
  @contrast """
  (() => {
    const linear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    const rgb = (colour) => colour.match(/[0-9.]+/g).map(Number);
    const luminance = ([r, g, b]) => 0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
    const behind = (at) => {
      const [r, g, b, a = 1] = rgb(getComputedStyle(at).backgroundColor);
      return a === 1 ? [r, g, b] : behind(at.parentElement);
    };
    const poor = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const at = walker.currentNode.parentElement;
      if (walker.currentNode.textContent.trim() === "" || at.closest("script, noscript")) continue;
      const [one, other] = [luminance(rgb(getComputedStyle(at).color)), luminance(behind(at))].sort((a, b) => b - a);
      const contrast = (one + 0.05) / (other + 0.05);
      if (contrast < 4.5) poor.push([walker.currentNode.textContent, contrast]);
    }
    return poor;
  })()
  """

  @tag timeout: :infinity
  test "it can be read at all sizes, in both colours", %{page: page} = context do
    busy()

    Telemetry.event([:circuit], fn ->
      {%{system_time: 1}, %{backend: Espalier.Backends.OpenAI, model: "large", to: :open}}
    end)

    Telemetry.event([:circuit], fn ->
      {%{system_time: 1}, %{backend: Espalier.Backends.Gemini, model: "small", to: :half_open}}
    end)

    Chromium.wait(page, figure(:generations) <> ".endsWith('/s')")

    Chromium.wait(
      page,
      "document.querySelectorAll('[data-level=bad], [data-level=warn]').length >= 2"
    )

    for {width, height} <- [{375, 812}, {1440, 900}], colours <- ~w(light dark) do
      Chromium.resize(page, width, height)

      Chromium.emulate(page, %{
        "prefers-color-scheme" => colours,
        "prefers-reduced-motion" => "reduce"
      })

      assert Chromium.evaluate(page, "document.documentElement.scrollWidth") <=
               Chromium.evaluate(page, "document.documentElement.clientWidth")

      assert Chromium.evaluate(page, @contrast) == []
      assert Chromium.evaluate(page, "document.getAnimations().length") == 0
      picture = Chromium.screenshot(page, whole: true)
      folder = System.get_env("ESPALIER_SCREENSHOTS") || System.tmp_dir!()
      File.mkdir_p!(folder)
      File.write!(Path.join(folder, "espalier-dashboard-#{width}-#{colours}.png"), picture)
    end

    assert_calm(context)
  end

  test "tables and landmarks are named", %{page: page} do
    assert Chromium.evaluate(page, "document.querySelectorAll('header, main, footer, h1').length") ==
             4

    unnamed = """
    [...document.querySelectorAll("table")].filter((at) => !at.caption || at.querySelector("th:not([scope])")).length
      + [...document.querySelectorAll("[aria-labelledby]")].filter((at) => !document.getElementById(at.getAttribute("aria-labelledby"))).length
      + [...document.querySelectorAll("button")].filter((at) => at.textContent === "").length
    """

    assert Chromium.evaluate(page, unnamed) == 0
    assert Chromium.evaluate(page, "document.querySelectorAll('[aria-live]').length") == 1
  end
end
