defmodule Espalier.Schema.ElixirRegex.Bytes do
  @moduledoc false
  # What a part of a pattern without the flag `u` says about the bytes of characters beyond ASCII.
  #
  # | reach | |
  # | --- | --- |
  # | `:characters` | nothing, or it reads characters |
  # | `:literal` | it is such a character as it stands |
  # | `{:wide, place}` | it takes each of these bytes |
  # | `{:within, place}` | it takes some bytes that no character begins with |
  #
  # A part that takes other bytes is refused. PCRE is asked for the bytes, as its tables are those of Latin-1.

  alias Espalier.Schema.ElixirRegex.Pattern

  @type reach :: :characters | :literal | {:wide | :within, place :: String.t()}

  @high for byte <- 0x80..0xFF, into: "", do: <<byte>>

  @spec literal(char, rest :: String.t(), Pattern.t()) :: :characters | :literal
  def literal(char, from, %{reading: :bytes} = pattern) when char > 0x7F do
    if pattern.flags.caseless,
      do: Pattern.refuse_bytes(pattern, from, "the flag i changes the bytes of a character"),
      else: :literal
  end

  def literal(_char, _from, _pattern), do: :characters

  @doc "The reach of the part that is between `from` and `rest`."
  @spec reach(from :: String.t(), rest :: String.t(), Pattern.t()) :: reach
  def reach(from, rest, %{reading: :bytes} = pattern) do
    part = binary_part(from, 0, byte_size(from) - byte_size(rest))

    case part |> matched(pattern.flags) |> Enum.sort() do
      [] ->
        :characters

      bytes when length(bytes) == byte_size(@high) ->
        {:wide, place(part, from, pattern)}

      bytes ->
        if List.last(bytes) < 0xC0,
          do: {:within, place(part, from, pattern)},
          else:
            Pattern.refuse_bytes(
              pattern,
              from,
              "#{part} takes some bytes of other characters than those of ASCII"
            )
    end
  end

  def reach(_from, _rest, _pattern), do: :characters

  defp place(part, from, pattern), do: "#{part} at byte #{Pattern.place(pattern, from)}"

  defp matched(part, flags) do
    options = for name <- [:caseless, :dotall], Map.fetch!(flags, name), do: name
    {:ok, compiled} = :re.compile(part, [{:newline, flags.newline} | options])

    case :re.run(@high, compiled, [:global, capture: :first]) do
      {:match, matches} -> for [{start, 1}] <- matches, do: :binary.at(@high, start)
      :nomatch -> []
    end
  end
end
