defmodule Espalier.Backends.OpenAI.Grammar do
  @moduledoc false
  # Texts as grammars of OpenAI's custom tools, which are regular expressions of Rust's `regex` crate, as ours are.
  #
  # They have to be on one line, without verbose mode, lazy quantifiers and lookaround:
  # https://platform.openai.com/docs/guides/function-calling#context-free-grammars, as of November 2026. It names
  # LLGuidance as what enforces them. To that one word boundaries and anchors are lookaround, too, but for one `^` at the
  # start and one `$` at the end, and a group may have a name that means more:
  # https://github.com/microsoft/derivre, `src/syntax.rs`. What was an Elixir `Regex` is spelled so that it means the same
  # in Rust's syntax, unless it looks around.

  alias Espalier.Constraint
  alias Espalier.Hosted
  alias Espalier.Schema.Form
  alias Espalier.SchemaError
  alias Espalier.Vocabulary

  @quantifiers [?*, ?+, ??]

  @doc "The expression or grammar for a tool, and what the tool is said to do."
  @spec tool(Form.t(), provider :: atom) ::
          {:ok, %{syntax: String.t(), definition: String.t(), description: String.t()}}
          | {:error, Exception.t()}
  def tool(form, provider) do
    with {:ok, definition} <- definition(form),
         {:ok, words} <- Form.describe(form) do
      description = "Takes the answer, which is the following and nothing else. " <> words
      syntax = if form.kind == :grammar, do: "lark", else: "regex"
      {:ok, %{syntax: syntax, definition: definition, description: description}}
    else
      :none -> {:error, Hosted.unsupported(provider, :mode, :grammar)}
      error -> error
    end
  end

  @doc "The expression of a choice or of a regular expression, the text of a grammar; other schemas have none."
  @spec definition(Form.t()) :: {:ok, String.t()} | {:error, SchemaError.t()} | :none
  def definition(%{kind: :choice, content: pairs}),
    do: {:ok, "^(?:" <> choice(Enum.map(pairs, &elem(&1, 0))) <> ")$"}

  def definition(%{kind: :regex, content: source, syntax: syntax}) do
    with :ok <- check_same(source, syntax),
         {:ok, _constraint} <- Constraint.regex(source, vocabulary: Vocabulary.bytes()),
         {:ok, written} <- rewrite(source),
         do: {:ok, "^(?:" <> written <> ")$"}
  end

  def definition(%{kind: :grammar, content: {text, :lark, "start"}}) do
    with {:ok, _constraint} <- Constraint.grammar(text, vocabulary: Vocabulary.bytes()),
         do: {:ok, text}
  end

  def definition(_form), do: :none

  @doc "An expression that matches these texts."
  @spec choice([String.t()]) :: String.t()
  def choice(texts), do: Enum.map_join(texts, "|", &escape/1)

  defp escape(text) do
    text
    |> String.replace(~r/[\\.^$|?*+()\[\]{}]/, "\\\\\\0")
    |> String.replace("\n", "\\n")
    |> String.replace("\r", "\\r")
  end

  # What is in the syntax of ECMA 262, as far as it means the same in Rust's.
  defp check_same(_source, :rust), do: :ok

  defp check_same(source, :ecma) do
    tokens = ~r/\\.|\[(?:\\.|[^\]\\])*+\]|./su |> Regex.scan(source) |> List.flatten()

    case Enum.find(tokens, &other_in_rust?/1) do
      nil -> :ok
      token -> {:error, refused(source, "in ECMA 262 #{token} means something else than there")}
    end
  end

  defp other_in_rust?("."), do: true
  defp other_in_rust?(<<?\\, letter>>), do: letter in ~c"dDwWsS"
  defp other_in_rust?(class) when class in ["[\\s\\S]", "[^\\s\\S]"], do: false
  defp other_in_rust?("[" <> class), do: class =~ ~r/\\[dDwWsS]|(?<!\\)\[|&&|--|~~/
  defp other_in_rust?(_token), do: false

  # An expression that can be parsed, without what need not be there: the anchors of the whole text, names of groups,
  # and line ends as they are. Of the rest, what grammars can't have is refused.
  defp rewrite(source) do
    {:ok, source |> scan([], 0, :start) |> Enum.reverse() |> IO.iodata_to_binary()}
  catch
    {:refused, detail} -> {:error, refused(source, detail)}
  end

  # `depth` counts groups. The place is the `:start` as long as nothing but anchors and flags are before it in an
  # alternative of the whole.
  defp scan("", written, _depth, _place), do: written

  defp scan(<<?\\, letter, _rest::binary>>, _written, _depth, _place) when letter in ~c"bB<>",
    do: throw({:refused, "it has word boundaries"})

  defp scan("\\A" <> rest, written, depth, place), do: first(rest, written, depth, place)
  defp scan("^" <> rest, written, depth, place), do: first(rest, written, depth, place)
  defp scan("\\z" <> rest, written, depth, _place), do: last(rest, written, depth)
  defp scan("$" <> rest, written, depth, _place), do: last(rest, written, depth)

  defp scan(<<?\\, letter, ?{, _rest::binary>> = text, written, depth, _place)
       when letter in ~c"pPxuU" do
    {name, rest} = until(text, "}")
    scan(rest, [name | written], depth, :within)
  end

  defp scan(<<?\\, char::utf8, rest::binary>>, written, depth, _place),
    do: scan(rest, [escaped(char) | written], depth, :within)

  defp scan("[" <> rest, written, depth, _place) do
    {class, rest} = class(rest, ["["], 1)
    scan(rest, [class | written], depth, :within)
  end

  defp scan(<<"(?", next, _rest::binary>> = text, written, depth, _place) when next in ~c"P<" do
    {_name, rest} = until(text, ">")
    scan(rest, ["(" | written], depth + 1, :within)
  end

  defp scan("(?" <> text, written, depth, place) do
    [flags] = Regex.run(~r/\A[^:)]*/, text)
    check_flags(flags)

    case String.replace_prefix(text, flags, "") do
      ")" <> rest -> scan(rest, [["(?", flags, ")"] | written], depth, place)
      ":" <> rest -> scan(rest, [["(?", flags, ":"] | written], depth + 1, :within)
    end
  end

  defp scan("(" <> rest, written, depth, _place),
    do: scan(rest, ["(" | written], depth + 1, :within)

  defp scan(")" <> rest, written, depth, _place),
    do: scan(rest, [")" | written], depth - 1, :within)

  defp scan("|" <> rest, written, 0, _place), do: scan(rest, ["|" | written], 0, :start)

  defp scan(<<quantifier, rest::binary>>, written, depth, _place) when quantifier in @quantifiers,
    do: scan(greedy(rest), [quantifier | written], depth, :within)

  defp scan("{" <> _rest = text, written, depth, _place) do
    {quantifier, rest} = until(text, "}")
    scan(greedy(rest), [quantifier | written], depth, :within)
  end

  defp scan(<<char::utf8, rest::binary>>, written, depth, _place),
    do: scan(rest, [literal(char) | written], depth, :within)

  defp first(<<next, _rest::binary>>, _written, _depth, _place)
       when next in [?{ | @quantifiers],
       do: inner_anchor()

  defp first(rest, written, 0, :start), do: scan(rest, written, 0, :start)
  defp first(_rest, _written, _depth, _place), do: inner_anchor()

  defp last(rest, written, 0) do
    if rest == "" or String.starts_with?(rest, ["|", "$", "\\z"]),
      do: scan(rest, written, 0, :within),
      else: inner_anchor()
  end

  defp last(_rest, _written, _depth), do: inner_anchor()

  defp inner_anchor, do: throw({:refused, "it has anchors that are not at the ends of the whole"})

  # A class, from behind its bracket on; the bracket that is the first in it is a literal.
  defp class(rest, written, 0), do: {Enum.reverse(written), rest}
  defp class("^]" <> rest, ["[" | _] = written, depth), do: class(rest, ["^]" | written], depth)
  defp class("]" <> rest, ["[" | _] = written, depth), do: class(rest, ["]" | written], depth)
  defp class("]" <> rest, written, depth), do: class(rest, ["]" | written], depth - 1)
  defp class("[" <> rest, written, depth), do: class(rest, ["[" | written], depth + 1)

  defp class(<<?\\, char::utf8, rest::binary>>, written, depth),
    do: class(rest, [escaped(char) | written], depth)

  defp class(<<char::utf8, rest::binary>>, written, depth),
    do: class(rest, [literal(char) | written], depth)

  defp check_flags(flags) do
    [on | _off] = String.split(flags, "-")
    if on =~ "x", do: throw({:refused, "it is in verbose mode"})
    if on =~ "U", do: throw({:refused, "it makes quantifiers lazy"})
  end

  defp greedy("?" <> _rest),
    do: throw({:refused, "it has lazy quantifiers; greedy ones match the same texts as a whole"})

  defp greedy(rest), do: rest

  defp until(text, last) do
    [part, rest] = String.split(text, last, parts: 2)
    {part <> last, rest}
  end

  defp escaped(char) when char in [?\n, ?\r], do: literal(char)
  defp escaped(char), do: <<?\\, char::utf8>>

  defp literal(?\n), do: "\\n"
  defp literal(?\r), do: "\\r"
  defp literal(char), do: <<char::utf8>>

  defp refused(source, detail) do
    message = "OpenAI's grammars can't have the regular expression #{inspect(source)}: #{detail}"
    %SchemaError{kind: :unsupported_regex, pattern: source, detail: detail, message: message}
  end
end
