defmodule Espalier.Traces do
  @moduledoc "Traces for tests: made by hand, and at random of what an attacker may write."

  alias Espalier.GenerationError
  alias Espalier.Trace
  alias Espalier.Trace.Token

  @cases if(cases = System.get_env("ESPALIER_CASES"), do: String.to_integer(cases), else: 200)

  # What an attacker, or a model that has gone astray, may write.
  @pieces [
    "{\"",
    "name",
    "</script><script>alert(1)</script>",
    "<b onclick='x'>",
    "&amp;]]>-->",
    "\e[2J\e]0;title\a",
    "\r\n\t\0\d\b",
    "\u009B31m",
    "\u202Eright\u2066",
    "zero\u200Bwidth\uFEFF",
    "\uFFFE\u{1FFFF}\u{E0041}",
    "日本語 ",
    "👩‍👩‍👧",
    "e\u0301",
    <<0xE2>>,
    <<0x82, 0xAC>>,
    <<0xFF, 0xC0, 0xED, 0xA0, 0x80>>,
    " ",
    "│⟨",
    "\\x41",
    ""
  ]

  def trace(tokens, fields \\ []) do
    struct!(
      %Trace{
        backend: Espalier.Backends.Local,
        model: MyApp.Model,
        schema: :fields,
        text: tokens |> Enum.map_join(& &1.text) |> decoded(),
        size: 2048,
        usage: %{prompt_tokens: 3, completion_tokens: length(tokens)},
        finish_reason: :stop,
        tokens: tokens
      },
      fields
    )
  end

  defp decoded(bytes), do: bytes |> Espalier.UTF8.split() |> elem(0)

  def sampled(text, fields \\ []) do
    struct!(
      %Token{id: 5, text: text, allowed: 12, probability: 0.5, allowed_probability: 0.9},
      fields
    )
  end

  def forced(text), do: %Token{id: 6, text: text, forced?: true}

  def steered do
    sampled("no",
      probability: 0.04,
      allowed_probability: 0.1,
      alternatives: [
        %{id: 7, text: " Yes", probability: 0.8, allowed?: false},
        %{id: 5, text: "no", probability: 0.04, allowed?: true}
      ]
    )
  end

  defp random_trace do
    tokens = for _place <- 1..:rand.uniform(30), do: random_token()
    trace(tokens, model: Enum.random(@pieces), error: Enum.random([nil, random_error()]))
  end

  def random_error, do: %GenerationError{kind: :truncated, message: random_text()}

  defp random_text, do: Enum.map_join(0..:rand.uniform(3), fn _ -> Enum.random(@pieces) end)

  defp random_token do
    case :rand.uniform(3) do
      1 -> forced(random_text())
      2 -> %Token{text: random_text()}
      3 -> random_sampled()
    end
  end

  defp random_sampled do
    alternatives =
      for _ <- 1..3,
          do: %{
            id: :rand.uniform(9),
            text: random_text(),
            probability: :rand.uniform(),
            allowed?: :rand.uniform() < 0.5
          }

    sampled(random_text(),
      id: :rand.uniform(9),
      probability: Enum.random([0.0, 1.0, 1.0e-9, :rand.uniform()]),
      allowed_probability: Enum.random([nil, 1.0, :rand.uniform()]),
      alternatives: Enum.take(alternatives, :rand.uniform(4) - 1)
    )
  end

  def each_random(check) do
    for case_number <- 1..@cases do
      :rand.seed(:exsss, case_number)
      check.(random_trace())
    end
  end

  # What marks stand for, by the documentation: U+23CE and U+21E5 stand for a line end and a tab, `\x..` for a byte.
  def unmarked(text) do
    marks = ~r/⏎|⇥|\\x[0-9A-F]{2}|\\u\{[0-9A-F]+\}/u
    Regex.replace(marks, text, &unmark/1)
  end

  defp unmark("⏎"), do: "\n"
  defp unmark("⇥"), do: "\t"
  defp unmark("\\x" <> hex), do: <<String.to_integer(hex, 16)>>

  defp unmark("\\u{" <> hex),
    do: <<hex |> String.trim_trailing("}") |> String.to_integer(16)::utf8>>
end
