defmodule Espalier.Reply.Quoted do
  @moduledoc false
  # A text in quotes of any kind, as a JSON string.
  #
  # A quote ends the text where what follows it can follow a text in this place. Other quotes are part of the
  # text and lack their backslash. Where that leaves a doubt the text is refused.

  alias Espalier.Reply.Fixes
  alias Espalier.Reply.Literal
  alias Espalier.Reply.Space

  @enforce_keys [:class, :role, :fence]
  defstruct [:class, :role, :fence, n_inner: 0, fixes: [], done: []]

  # How far it is looked ahead for the end of a key.
  @max_key 128

  # As many quotes may lack their backslash.
  @max_inner 10_000

  @typedoc "What the text is: a key, the value of a member, an item of an array, or all there is."
  @type role :: :key | :member | :item | :alone

  defguardp is_space(byte) when byte in [?\s, ?\t, ?\r, ?\n]
  defguardp is_control(byte) when byte < 0x20

  @doc "Whether a text in quotes begins here."
  @spec opens?(binary) :: boolean
  def opens?(<<byte, _rest::binary>>) when byte in [?", ?'], do: true
  def opens?(<<0xE2, 0x80, byte, _rest::binary>>) when byte in 0x98..0x9F, do: true
  def opens?(_text), do: false

  @doc """
  The JSON string, and what follows it.

  `:cut` says that the closing quote was not there; `fence` is what ends the block that the text is in.
  """
  @spec read(binary, role, binary | nil) ::
          {:ok | :cut, iodata, binary, [atom]} | {:error, binary}
  # Neither an empty text nor a quote is sure to be meant.
  def read("\"\"\"" <> _rest = text, _role, _fence), do: {:error, text}
  def read("'''" <> _rest = text, _role, _fence), do: {:error, text}

  def read(text, role, fence) do
    {class, rest} = open(text)
    quoted = %__MODULE__{class: class, role: role, fence: fence, fixes: class_fixes(class)}

    with {:cut, _json, "", _fixes} = cut <- scan(rest, rest, 0, quoted) do
      read_within_fence(text, role, fence) || cut
    end
  end

  # A text that runs over the end of its block ends with the block.
  defp read_within_fence(_text, _role, nil), do: nil

  defp read_within_fence(text, role, fence) do
    with {position, _length} <- :binary.match(text, "\n" <> fence) do
      <<text::binary-size(position), left::binary>> = text

      with {:cut, json, "", fixes} <- read(text, role, nil), do: {:cut, json, left, fixes}
    else
      :nomatch -> nil
    end
  end

  defp open(<<?", rest::binary>>), do: {:double, rest}
  defp open(<<?', rest::binary>>), do: {:single, rest}

  defp open(<<0xE2, 0x80, byte, rest::binary>>) when byte in 0x98..0x9B,
    do: {:smart_single, rest}

  defp open(<<0xE2, 0x80, _byte, rest::binary>>), do: {:smart_double, rest}

  defp class_fixes(:double), do: []
  defp class_fixes(:single), do: [:single_quotes]
  defp class_fixes(_smart), do: [:smart_quotes]

  # Runs of characters that stand for themselves are taken in one piece.
  defp scan(<<byte, rest::binary>>, run, length, quoted)
       when not is_control(byte) and byte not in [?", ?', ?\\, 0xE2],
       do: scan(rest, run, length + 1, quoted)

  defp scan(text, run, length, quoted),
    do: special(text, push(quoted, binary_part(run, 0, length)))

  defp special("", quoted), do: finish_cut(quoted)
  defp special(<<?\\, rest::binary>>, quoted), do: escape(rest, quoted)

  defp special(<<byte, rest::binary>>, quoted) when is_control(byte) do
    quoted |> push(control(byte)) |> fix(:unescaped_control) |> continue(rest)
  end

  defp special(text, quoted) do
    {mark, class, rest} = mark(text)

    cond do
      not closing?(quoted.class, class) -> quoted |> push(content(mark)) |> continue(rest)
      ends?(rest, quoted) -> finish(:ok, rest, quoted)
      looks_like_key?(rest, quoted) or quoted.n_inner == @max_inner -> {:error, text}
      true -> quoted |> inner(class) |> push(content(mark)) |> continue(rest)
    end
  end

  defp continue(quoted, rest), do: scan(rest, rest, 0, quoted)

  defp finish(kind, rest, quoted),
    do: {kind, [?", Enum.reverse(quoted.done), ?"], rest, quoted.fixes}

  defp push(quoted, ""), do: quoted
  defp push(quoted, text), do: %{quoted | done: [text | quoted.done]}
  defp fix(quoted, fix), do: %{quoted | fixes: Fixes.put(quoted.fixes, fix)}

  defp mark(<<?", rest::binary>>), do: {"\"", :double, rest}
  defp mark(<<?', rest::binary>>), do: {"'", :single, rest}

  defp mark(<<0xE2, 0x80, byte, rest::binary>>) when byte in 0x98..0x9B,
    do: {<<0xE2, 0x80, byte>>, :smart_single, rest}

  defp mark(<<0xE2, 0x80, byte, rest::binary>>) when byte in 0x9C..0x9F,
    do: {<<0xE2, 0x80, byte>>, :smart_double, rest}

  defp mark(<<byte, rest::binary>>), do: {<<byte>>, :none, rest}

  defp content("\""), do: "\\\""
  defp content(mark), do: mark

  defp closing?(class, class), do: true
  defp closing?(:smart_double, :double), do: true
  defp closing?(:smart_single, :single), do: true
  defp closing?(_class, _mark), do: false

  # An apostrophe within single smart quotes is no mistake.
  defp inner(%{class: class, n_inner: 0} = quoted, class) when class in [:double, :single],
    do: fix(%{quoted | n_inner: 1}, :unescaped_quote)

  defp inner(%{class: class} = quoted, class) when class in [:double, :single],
    do: %{quoted | n_inner: quoted.n_inner + 1}

  defp inner(quoted, _mark), do: quoted

  defp control(?\n), do: "\\n"
  defp control(?\r), do: "\\r"
  defp control(?\t), do: "\\t"
  defp control(byte), do: code_point(byte)

  defp code_point(number),
    do: "\\u" <> (number |> Integer.to_string(16) |> String.pad_leading(4, "0"))

  # What may follow

  defp ends?(_rest, %{role: role}) when role in [:key, :alone], do: true

  defp ends?(rest, quoted) do
    next = Space.trim(rest)
    follows?(next, byte_size(next) < byte_size(rest), quoted)
  end

  defp follows?("", _spaced?, quoted), do: quoted.n_inner == 0

  defp follows?("," <> rest, _spaced?, quoted) do
    next = Space.trim(rest)
    goes_on?(next, quoted.role) or (quoted.n_inner == 0 and cut?(next))
  end

  defp follows?("//" <> _rest, _spaced?, _quoted), do: true
  defp follows?("/*" <> _rest, _spaced?, _quoted), do: true
  defp follows?("#" <> _rest, spaced?, _quoted), do: spaced?
  defp follows?("```" <> _rest, _spaced?, quoted), do: quoted.fence == "```"
  defp follows?("...", _spaced?, _quoted), do: true

  defp follows?(<<byte, rest::binary>>, _spaced?, quoted) when byte in [?}, ?]],
    do: quoted.n_inner == 0 or ends_well?(rest)

  defp follows?(<<byte, _rest::binary>>, spaced?, %{role: :item} = quoted)
       when byte in [?{, ?[],
       do: spaced? and quoted.n_inner == 0

  defp follows?(next, true, %{role: :item} = quoted),
    do: opens?(next) and quoted.n_inner == 0

  defp follows?(next, true, %{role: :member}), do: opens?(next) and key?(next)
  defp follows?(_next, _spaced?, _quoted), do: false

  defp ends_well?(<<byte, rest::binary>>) when byte in [?}, ?], ?,] or is_space(byte),
    do: ends_well?(rest)

  defp ends_well?(""), do: true
  defp ends_well?(<<byte, _rest::binary>>), do: byte in [?", ?', ?{, ?`]

  # What follows a comma.
  defp goes_on?("//" <> _rest, _role), do: true
  defp goes_on?("/*" <> _rest, _role), do: true
  defp goes_on?("..." <> _rest, _role), do: true
  defp goes_on?("…" <> _rest, _role), do: true
  defp goes_on?(<<byte, _rest::binary>>, _role) when byte in [?}, ?], ?#, ?`, ?,], do: true
  defp goes_on?(<<byte, _rest::binary>>, :item) when byte in [?{, ?[], do: true

  defp goes_on?(next, :member), do: opens?(next) or key?(next)

  defp goes_on?(next, :item) do
    opens?(next) or match?({:ok, _json, _fixes}, next |> near() |> Literal.take() |> word())
  end

  defp word({word, _rest}), do: Literal.read(word)

  # Whether the text ends within a word.
  defp cut?(next) when byte_size(next) < @max_key, do: match?({_word, ""}, Literal.take(next))
  defp cut?(_next), do: false

  # Whether a key with its colon begins here.
  defp key?(<<quote, rest::binary>>) when quote in [?", ?'], do: colon?(rest, [quote], @max_key)

  defp key?(<<0xE2, 0x80, byte, rest::binary>>) when byte in 0x98..0x9B,
    do: colon?(rest, [0x98, 0x99], @max_key)

  defp key?(<<0xE2, 0x80, byte, rest::binary>>) when byte in 0x9C..0x9F,
    do: colon?(rest, [0x9C, 0x9D], @max_key)

  defp key?(next) do
    case next |> near() |> Literal.take() do
      {"", _rest} -> false
      {_word, rest} -> sign?(rest)
    end
  end

  defp colon?(_text, _closing, 0), do: false

  defp colon?(<<byte, rest::binary>>, [byte], _left),
    do: sign?(rest)

  defp colon?(<<0xE2, 0x80, byte, rest::binary>>, [_first, _second] = closing, left) do
    if byte in closing,
      do: sign?(rest),
      else: colon?(rest, closing, left - 1)
  end

  defp colon?(<<byte, rest::binary>>, closing, left) when byte not in [?\n, ?\\],
    do: colon?(rest, closing, left - 1)

  defp colon?(_text, _closing, _left), do: false

  defp sign?(rest), do: match?(<<sign, _more::binary>> when sign in [?:, ?=], Space.trim(rest))

  defp looks_like_key?(rest, %{class: class}) when class in [:double, :single],
    do: match?(":" <> _rest, Space.trim(rest))

  defp looks_like_key?(_rest, _quoted), do: false

  defp near(text), do: binary_part(text, 0, min(byte_size(text), @max_key))

  # Escapes, after the backslash

  defp escape("", quoted), do: finish_cut(quoted)
  defp escape(<<?u, rest::binary>>, quoted), do: unicode(rest, quoted)

  defp escape(<<byte, rest::binary>>, quoted) when byte in [?", ?\\, ?/, ?b, ?f, ?n, ?r, ?t],
    do: quoted |> push(<<?\\, byte>>) |> continue(rest)

  defp escape(<<?', rest::binary>>, %{class: :single} = quoted),
    do: quoted |> push("'") |> continue(rest)

  defp escape(<<?', rest::binary>>, quoted),
    do: quoted |> push("'") |> fix(:invalid_escape) |> continue(rest)

  # A line that goes on in the next one.
  defp escape("\r\n" <> rest, quoted), do: quoted |> fix(:invalid_escape) |> continue(rest)
  defp escape("\n" <> rest, quoted), do: quoted |> fix(:invalid_escape) |> continue(rest)

  defp escape(<<?x, digits::binary-size(2), rest::binary>> = text, quoted) do
    case hexadecimal(digits) do
      {:ok, number} ->
        quoted |> push(code_point(number)) |> fix(:invalid_escape) |> continue(rest)

      :error ->
        backslash(text, quoted)
    end
  end

  defp escape(text, quoted), do: backslash(text, quoted)

  defp backslash(text, quoted),
    do: quoted |> push("\\\\") |> fix(:invalid_escape) |> continue(text)

  defp finish_cut(%{n_inner: 0} = quoted), do: finish(:cut, "", quoted)
  defp finish_cut(_doubtful), do: {:error, ""}

  defp unicode(<<digits::binary-size(4), rest::binary>> = text, quoted) do
    case hexadecimal(digits) do
      {:ok, number} when number in 0xD800..0xDBFF -> pair(digits, rest, quoted)
      {:ok, number} when number in 0xDC00..0xDFFF -> lone(rest, quoted)
      {:ok, _number} -> quoted |> push("\\u" <> digits) |> continue(rest)
      :error -> backslash("u" <> text, quoted)
    end
  end

  defp unicode(digits, quoted) do
    if digits == "" or match?({:ok, _number}, hexadecimal(digits)),
      do: finish_cut(quoted),
      else: backslash("u" <> digits, quoted)
  end

  defp pair(high, <<"\\u", low::binary-size(4), rest::binary>> = text, quoted) do
    case hexadecimal(low) do
      {:ok, number} when number in 0xDC00..0xDFFF ->
        quoted |> push("\\u#{high}\\u#{low}") |> continue(rest)

      _other ->
        lone(text, quoted)
    end
  end

  defp pair(_high, rest, quoted) do
    if rest =~ ~r/\A(\\(u[0-9a-fA-F]{0,3})?)?\z/, do: finish_cut(quoted), else: lone(rest, quoted)
  end

  defp lone(rest, quoted), do: quoted |> push("\\uFFFD") |> fix(:invalid_escape) |> continue(rest)

  defp hexadecimal(digits) do
    if digits =~ ~r/\A[0-9a-fA-F]+\z/, do: {:ok, String.to_integer(digits, 16)}, else: :error
  end
end
