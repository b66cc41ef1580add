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

  alias Espalier.Schema.ElixirRegex.CharacterSet
  alias Espalier.Schema.ElixirRegex.Pattern
  alias Espalier.Schema.ElixirRegex.Refusal

  @type reach :: :characters | :literal | {:wide | :within, place :: String.t()}

  @bytes for byte <- 0..0xFF, into: "", do: <<byte>>

  @spec literal(char, rest :: String.t(), Pattern.t()) :: :characters | :literal
  def literal(char, from, %{reading: :bytes} = pattern) when char > 0x7F do
    if pattern.flags.caseless,
      do: Pattern.refuse_bytes(pattern, from, "the flag i changes the bytes of a character"),
      else: :literal
  end

  def literal(_char, _from, _pattern), do: :characters

  @doc "The set of the part that is between `from` and `rest`, and its reach."
  @spec set(CharacterSet.t(), from :: String.t(), rest :: String.t(), Pattern.t()) ::
          {CharacterSet.t(), reach}
  def set(set, from, rest, %{reading: :bytes} = pattern) do
    part = binary_part(from, 0, byte_size(from) - byte_size(rest))
    place = "#{part} at byte #{Pattern.place(pattern, from)}"
    {low, high} = part |> matched(pattern.flags) |> Enum.split_with(&(&1 < 0x80))

    cond do
      high == [] ->
        {within_ascii(set, low), :characters}

      length(high) == 0x80 ->
        {beyond_ascii(set, low), {:wide, place}}

      List.last(high) < 0xC0 ->
        {within_ascii(set, low), {:within, place}}

      true ->
        Refusal.refuse_bytes("#{place} takes some bytes of other characters than those of ASCII")
    end
  end

  def set(set, _from, _rest, _pattern), do: {set, :characters}

  # The set of characters as it is written, where these are the ones that it has.
  defp within_ascii(%{negated: false, properties: [], outside: []} = set, _low), do: set
  defp within_ascii(_set, low), do: singles(low)

  defp beyond_ascii(%{negated: true, properties: [], outside: []} = set, _low), do: set
  defp beyond_ascii(_set, low), do: CharacterSet.negate(singles(Enum.to_list(0..0x7F) -- low))

  defp singles(characters), do: characters |> Enum.map(&{&1, &1}) |> CharacterSet.of()

  defp matched(part, flags) do
    options = for name <- [:caseless, :dotall], Map.fetch!(flags, name), do: name
    {:ok, compiled} = :re.compile(part, [{:newline, flags.newline} | options])

    case :re.run(@bytes, compiled, [:global, capture: :first]) do
      {:match, matches} -> for [{start, 1}] <- matches, do: start
      :nomatch -> []
    end
  end
end
