defmodule Espalier.TraceInBrowserTest do
  # The page of a trace in a real browser, from a file, with its policy.
  use ExUnit.Case, async: false

  import Espalier.Traces

  alias Espalier.Chromium
  alias Espalier.Trace
  alias Espalier.Trace.Token

  @moduletag :chromium
  @moduletag :tmp_dir

  setup_all do
    %{browser: start_supervised!(Chromium)}
  end

  defp open(context, trace, options \\ [width: 1440, height: 900]) do
    path = Path.join(context.tmp_dir, "trace.html")
    :ok = Trace.write_html(trace, path)
    Chromium.open(context.browser, "file://" <> path, options)
  end

  defp shown(page),
    do: Chromium.evaluate(page, "document.querySelector('.panel small').textContent")

  defp focused(page), do: Chromium.evaluate(page, "document.activeElement.textContent")

  defp press(page, key),
    do: Chromium.call(page, "Input.dispatchKeyEvent", %{type: "rawKeyDown", key: key, code: key})

  defp point(page, element) do
    box = "((box) => [box.x + box.width / 2, box.y + box.height / 2])"
    place = "#{box}(document.querySelector('#{element}').getBoundingClientRect())"
    [x, y] = Chromium.evaluate(page, place)
    Chromium.call(page, "Input.dispatchMouseEvent", %{type: "mouseMoved", x: x, y: y})
  end

  defp faults(page) do
    for {method, params} <- Chromium.events(page),
        method in ["Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"],
        do: params
  end

  test "the panel shows what the mask steered most, with bars", context do
    page = open(context, trace([forced("{"), steered(), sampled("}")]))
    assert shown(page) == "token 2 of 3"

    items =
      "[...document.querySelectorAll('.panel li')].map((item) => [item.textContent, item.style.getPropertyValue('--part')])"

    assert Chromium.evaluate(page, items) == [
             [" Yes 0.80 ✗ forbidden", "80%"],
             ["no 0.04 written", "4%"]
           ]

    assert faults(page) == []
  end

  test "the panel shows the token that is pointed at", context do
    page = open(context, trace([forced("{"), steered(), sampled("}")]))
    point(page, "[role=option]:nth-child(3)")
    assert shown(page) == "token 3 of 3"
    point(page, "h1")
    assert shown(page) == "token 2 of 3"
  end

  test "keys go from token to token", context do
    words = for place <- 1..200, do: sampled("word#{place} ")
    page = open(context, trace(words))
    Chromium.evaluate(page, "document.querySelector('[role=option]').focus()")
    assert focused(page) == "word1 "

    for {key, word} <- [
          {"ArrowRight", "word2 "},
          {"End", "word200 "},
          {"ArrowLeft", "word199 "},
          {"Home", "word1 "}
        ] do
      press(page, key)
      assert focused(page) == word
      assert shown(page) == "token #{word |> String.trim() |> String.replace("word", "")} of 200"
    end

    top = "document.activeElement.getBoundingClientRect().top"
    before = Chromium.evaluate(page, top)
    press(page, "ArrowDown")
    assert Chromium.evaluate(page, top) > before
    press(page, "ArrowUp")
    assert focused(page) == "word1 "

    assert Chromium.evaluate(
             page,
             "document.querySelectorAll('[role=option][tabindex=\"0\"]').length"
           ) == 1

    assert faults(page) == []
  end

  test "what a model wrote runs nothing", context do
    attack =
      "</script><script>document.title = 'attacked'</script><img src=x onerror='document.title = 1'>"

    tokens = [sampled(attack), forced(attack), %Token{text: attack}]
    page = open(context, trace(tokens, model: attack))
    assert Chromium.evaluate(page, "document.title") == ":fields · trace"
    assert faults(page) == []
  end

  test "nothing is wider than the window", context do
    long = String.duplicate("unbroken", 100)

    tokens = [
      forced("{\n\t"),
      steered(),
      sampled(long),
      %{steered() | text: long} | for(_ <- 1..700, do: sampled("x "))
    ]

    for width <- [375, 1440] do
      page = open(context, trace(tokens, model: long), width: width, height: 800)
      assert Chromium.evaluate(page, "document.documentElement.scrollWidth") <= width
    end
  end
end
