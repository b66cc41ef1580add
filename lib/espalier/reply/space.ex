defmodule Espalier.Reply.Space do
  @moduledoc false
  # What may stand between the parts of a value: white space of all kinds, and comments.

  alias Espalier.Reply.Fixes

  @doc "The text after white space and comments, and the fixes with those for them."
  @spec skip(binary, [atom]) :: {binary, [atom]}
  def skip(<<byte, rest::binary>>, fixes) when byte in [?\s, ?\t, ?\r, ?\n], do: skip(rest, fixes)
  def skip("//" <> rest, fixes), do: rest |> line() |> skip(Fixes.put(fixes, :comment))
  def skip("/*" <> rest, fixes), do: rest |> block() |> skip(Fixes.put(fixes, :comment))
  def skip("#" <> rest, fixes), do: rest |> line() |> skip(Fixes.put(fixes, :comment))

  # Line breaks of a text that was escaped as a whole, its quotes excepted.
  def skip(<<?\\, letter, rest::binary>>, fixes) when letter in [?n, ?r, ?t],
    do: skip(rest, Fixes.put(fixes, :double_encoded))

  def skip(text, fixes) do
    case unusual(text) do
      {:ok, rest} -> skip(rest, Fixes.put(fixes, :unusual_space))
      :none -> {text, fixes}
    end
  end

  @doc "Like `skip/2`, outside of a value: there `#` begins a heading."
  @spec skip_outside(binary, [atom]) :: {binary, [atom]}
  def skip_outside(<<byte, rest::binary>>, fixes) when byte in [?\s, ?\t, ?\r, ?\n],
    do: skip_outside(rest, fixes)

  def skip_outside("//" <> rest, fixes),
    do: rest |> line() |> skip_outside(Fixes.put(fixes, :comment))

  def skip_outside("/*" <> rest, fixes),
    do: rest |> block() |> skip_outside(Fixes.put(fixes, :comment))

  def skip_outside(text, fixes) do
    case unusual(text) do
      {:ok, rest} -> skip_outside(rest, Fixes.put(fixes, :unusual_space))
      :none -> {text, fixes}
    end
  end

  @doc "The text after the white space of JSON."
  @spec trim(binary) :: binary
  def trim(<<byte, rest::binary>>) when byte in [?\s, ?\t, ?\r, ?\n], do: trim(rest)
  def trim(text), do: text

  defp line(<<?\n, rest::binary>>), do: rest
  defp line(<<_byte, rest::binary>>), do: line(rest)
  defp line(""), do: ""

  defp block("*/" <> rest), do: rest
  defp block(<<_byte, rest::binary>>), do: block(rest)
  defp block(""), do: ""

  defp unusual(<<byte, rest::binary>>) when byte in [?\v, ?\f], do: {:ok, rest}
  defp unusual(<<"\u00A0", rest::binary>>), do: {:ok, rest}
  defp unusual(<<"\u3000", rest::binary>>), do: {:ok, rest}
  defp unusual(<<"\uFEFF", rest::binary>>), do: {:ok, rest}
  defp unusual(<<"\u2060", rest::binary>>), do: {:ok, rest}

  defp unusual(<<0xE2, 0x80, byte, rest::binary>>)
       when byte in 0x80..0x8B or byte in [0xA8, 0xA9, 0xAF],
       do: {:ok, rest}

  defp unusual(_text), do: :none
end
