defmodule Espalier.Schema.ElixirRegex.Pattern do
  @moduledoc false
  # A pattern while it is parsed: its source, the flags at this place, and how characters are read.

  alias Espalier.Schema.ElixirRegex.Flags
  alias Espalier.Schema.ElixirRegex.Refusal

  @enforce_keys [:source, :flags, :reading]
  defstruct @enforce_keys ++ [n_groups: 0]

  @typedoc """
  The `reading` is `:unicode` with the flag `u`. Without it PCRE reads `:bytes`; `:near` takes them for characters,
  of which those of ASCII are in classes with names.
  """
  @type t :: %__MODULE__{
          source: String.t(),
          flags: Flags.t(),
          reading: :unicode | :bytes | :near,
          n_groups: non_neg_integer
        }

  @doc "Which characters named sets have."
  @spec named(t) :: :unicode | :ascii
  def named(%{reading: :unicode}), do: :unicode
  def named(_pattern), do: :ascii

  @doc "The byte from which on so much of the pattern is left."
  @spec place(t, rest :: String.t()) :: non_neg_integer
  def place(pattern, rest), do: byte_size(pattern.source) - byte_size(rest)

  @doc "Ends the translation at the place where so much of the pattern is left."
  @spec refuse(t, rest :: String.t(), what :: String.t(), spelling :: String.t() | nil) ::
          no_return
  def refuse(pattern, rest, what, spelling \\ nil) do
    spelling = if spelling, do: ", #{spelling}"
    Refusal.refuse("#{what} at byte #{place(pattern, rest)}#{spelling}")
  end

  @doc "The same for what PCRE reads as bytes."
  @spec refuse_bytes(t, rest :: String.t(), what :: String.t()) :: no_return
  def refuse_bytes(pattern, rest, what) do
    Refusal.refuse_bytes("#{what} at byte #{place(pattern, rest)}")
  end
end
