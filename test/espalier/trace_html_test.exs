defmodule Espalier.TraceHTMLTest do
  use ExUnit.Case, async: true

  import Espalier.Traces

  alias Espalier.GenerationError
  alias Espalier.Trace
  alias Espalier.Trace.Token

  # Elixir 1.15 and later take what is no dependency off the code path.
  setup_all do
    Code.append_path(hd(Path.wildcard("#{:code.root_dir()}/lib/xmerl-*/ebin")))
    :ok
  end

  # The elements of a page in order, each as its name, attributes and all text in it; it fails where the page is not
  # well-formed.
  defp elements(trace) do
    html = Trace.to_html(trace)
    options = [event_fun: &event/3, event_state: {[], []}]
    assert {:ok, {[], elements}, rest} = :xmerl_sax_parser.stream(html, options)
    assert String.trim(rest) == ""
    Enum.reverse(elements)
  end

  defp event({:startElement, _uri, name, _qualified, attributes}, _place, {open, done}) do
    attributes =
      for {_uri, _prefix, name, value} <- attributes, do: {to_string(name), to_string(value)}

    {[{to_string(name), Map.new(attributes), ""} | open], done}
  end

  defp event({kind, text}, _place, {open, done}) when kind in [:characters, :ignorableWhitespace],
    do:
      {for({name, attributes, before} <- open, do: {name, attributes, before <> to_string(text)}),
       done}

  defp event({:endElement, _uri, _name, _qualified}, _place, {[element | open], done}),
    do: {open, [element | done]}

  defp event(_other, _place, state), do: state

  defp all(elements, name, class \\ nil) do
    for {^name, attributes, text} <- elements,
        class == nil or class in String.split(attributes["class"] || ""),
        do: {attributes, text}
  end

  defp options(elements),
    do:
      for({"span", %{"role" => "option"} = attributes, text} <- elements, do: {attributes, text})

  defp classes({attributes, _text}), do: String.split(attributes["class"])

  defp cells(elements), do: for({"td", _attributes, text} <- elements, do: text)

  defp assert_whole(trace, options) do
    assert length(options) == length(trace.tokens)

    for {{_attributes, shown}, token} <- Enum.zip(options, trace.tokens),
        token.text != "" and not (token.text =~ "\\x41") do
      # A line end is there as itself after its mark.
      assert shown |> String.replace("⏎\n", "⏎") |> unmarked() == token.text
    end
  end

  defp assert_nothing_of_a_model(elements) do
    assert [{%{}, _script}] = all(elements, "script")
    for {_name, attributes, _text} <- elements, do: refute(Map.has_key?(attributes, "onclick"))
  end

  describe "to_html/1" do
    test "is well-formed, and has each token once in the text and once in the table" do
      each_random(fn trace ->
        elements = elements(trace)
        assert_whole(trace, options(elements))
        assert elements |> all("tr") |> length() == length(trace.tokens) + 1
        assert_nothing_of_a_model(elements)
      end)
    end

    test "lets nothing run or load but its own script and style" do
      elements = elements(trace([steered()]))

      [policy] =
        for {"meta", %{"http-equiv" => "Content-Security-Policy", "content" => policy}, _} <-
              elements,
            do: policy

      assert policy =~ "default-src 'none'"
      refute policy =~ "unsafe"

      for name <- ["script", "style"] do
        [{attributes, text}] = all(elements, name)
        assert attributes == %{}
        assert policy =~ "#{name}-src 'sha256-#{Base.encode64(:crypto.hash(:sha256, text))}'"
      end

      for {_name, attributes, _text} <- elements, {name, value} <- attributes do
        refute name in ["src", "style"]
        if name == "href", do: assert(value =~ ~r/^#row-\d+$/)
      end
    end

    test "says of each token how it came about" do
      elements = elements(trace([forced("{"), steered(), sampled("}")]))

      assert elements |> options() |> Enum.map(&classes/1) == [
               ["token", "forced"],
               ["token", "improbable", "p1", "steered"],
               ["token", "fair", "p5"]
             ]

      assert elements |> cells() |> Enum.chunk_every(8) == [
               ["1", "{", "6", "forced", "–", "–", "–", "–"],
               [
                 "2",
                 "no",
                 "5",
                 "sampled",
                 "0.04",
                 "12 of 2048",
                 "0.10",
                 " Yes 0.80 ✗ forbiddenno 0.04 written"
               ],
               ["3", "}", "5", "sampled", "0.50", "12 of 2048", "0.90", "–"]
             ]
    end

    test "lets one token be reached by the tab key, and the others from there" do
      tokens = for _place <- 1..9, do: sampled("word ")

      indices =
        for {attributes, _text} <- options(elements(trace(tokens))), do: attributes["tabindex"]

      assert indices == ["0" | List.duplicate("-1", 8)]
    end

    test "leads to what the mask steered" do
      elements = elements(trace([forced("{"), steered(), sampled("}")]))

      assert [{_attributes, "2: no kept 0.10, forbade  Yes (0.80)"}] =
               for({_a, text} = li <- all(elements, "li"), text =~ "forbade", do: li)

      rows = for {"tr", %{"id" => id}, _text} <- elements, do: "#" <> id
      for {%{"href" => href}, _text} <- all(elements, "a"), do: assert(href in rows)
    end

    test "shows the pieces of a hosted backend without a chart" do
      elements = elements(trace([%Token{text: "{\"a\""}, %Token{text: ":1}"}], size: nil))
      assert Enum.map(options(elements), &elem(&1, 1)) == ["{\"a\"", ":1}"]
      assert all(elements, "svg") == []
    end

    test "shows a trace without tokens, and why it was refused" do
      error = %GenerationError{kind: :truncated, message: "<cut>\e off"}
      elements = elements(trace([], text: "be\ngun", error: error))
      assert options(elements) == []
      assert [{_attributes, "Refused: <cut>\\u{1B} off"}] = all(elements, "p", "refused")
      assert [{_attributes, "be⏎\ngun"}] = all(elements, "span", "begun")
    end

    test "draws a text of 5,000 tokens in at most 500 bars, and marks each bar with a steered token" do
      tokens = for place <- 1..5000, do: if(place == 4321, do: steered(), else: sampled("word "))
      elements = elements(trace(tokens))
      assert length(options(elements)) == 5000
      [%{"d" => fair}] = for {attributes, _text} <- all(elements, "path", "fair"), do: attributes
      assert fair |> String.split("M", trim: true) |> length() == 499

      [%{"d" => steered}] =
        for {attributes, _text} <- all(elements, "path", "steered"), do: attributes

      assert steered =~ ~r/^M432 [^M]*$/
    end
  end

  describe "write_html/2" do
    @describetag :tmp_dir

    test "writes the page", %{tmp_dir: folder} do
      trace = trace([steered()])
      path = Path.join(folder, "trace é.html")
      assert Trace.write_html(trace, path) == :ok
      assert File.read!(path) == Trace.to_html(trace)
    end

    test "says why it can't", %{tmp_dir: folder} do
      path = Path.join([folder, "missing", "trace.html"])

      assert {:error, %File.Error{reason: :enoent, path: ^path} = error} =
               Trace.write_html(trace([]), path)

      assert Exception.message(error) =~ "no such file"
    end
  end
end
