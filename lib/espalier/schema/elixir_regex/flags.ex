defmodule Espalier.Schema.ElixirRegex.Flags do
  @moduledoc false
  # What the flags of a `Regex` say. Those that a group may change are in a pattern's parts, see the parser.

  alias Espalier.Schema.ElixirRegex.Refusal

  defstruct caseless: false,
            dotall: false,
            multiline: false,
            extended: false,
            firstline: false,
            unicode: false,
            newline: :lf

  @type t :: %__MODULE__{
          caseless: boolean,
          dotall: boolean,
          multiline: boolean,
          extended: boolean,
          firstline: boolean,
          unicode: boolean,
          newline: :lf | :anycrlf
        }

  # How often is tried first makes no difference to what matches.
  @without_effect [:ungreedy, :dupnames]
  @flags [:caseless, :dotall, :multiline, :extended, :firstline]

  @spec new(Regex.t()) :: t
  def new(regex) do
    flags = regex |> Regex.opts() |> options() |> Enum.reduce(%__MODULE__{}, &set/2)

    if flags.unicode and not unicode_classes?(regex),
      do: Refusal.refuse("the option :unicode without :ucp; use the flag u")

    flags
  end

  # As Elixir translates them for `:re`.
  defp options(letters) when is_binary(letters) do
    letters
    |> String.to_charlist()
    |> Enum.flat_map(fn
      ?i -> [:caseless]
      ?s -> [:dotall, {:newline, :anycrlf}]
      ?m -> [:multiline]
      ?x -> [:extended]
      ?f -> [:firstline]
      ?u -> [:unicode, :ucp]
      letter when letter in ~c"Ur" -> [:ungreedy]
      letter -> [letter]
    end)
  end

  defp options(options), do: options

  defp set(flag, flags) when flag in @flags, do: Map.put(flags, flag, true)
  defp set(:unicode, flags), do: %{flags | unicode: true}
  defp set(:ucp, flags), do: flags
  defp set(flag, flags) when flag in @without_effect, do: flags

  defp set({:newline, newline}, flags) when newline in [:lf, :anycrlf],
    do: %{flags | newline: newline}

  defp set(option, _flags), do: Refusal.refuse("the option #{inspect(option)}")

  defp unicode_classes?(regex),
    do: Regex.match?(Regex.compile!("[[:alpha:]]", Regex.opts(regex)), "Ā")
end
