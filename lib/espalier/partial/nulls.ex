defmodule Espalier.Partial.Nulls do
  @moduledoc false
  # Finds the members of JSON objects that are null, in a text that comes bit by bit, so that they may be left out:
  # some modes of providers write null for what is absent.
  #
  # Each member is held back until the start of its value tells.

  alias __MODULE__

  # `held` is the start of a member, with the comma before it. `bare?` says that the first member was left out,
  # so that the next comma is too much.
  defstruct stack: [], place: :outside, held: "", bare?: false

  @type t :: %__MODULE__{}

  @doc """
  The text up to the next member that is null, that member, and what follows it; or all of the text that need not be
  held back.
  """
  @spec next(t, binary) ::
          {:text, binary, t} | {:null, binary, member :: binary, rest :: binary, t}
  def next(%Nulls{} = nulls, bytes), do: scan(bytes, "", nulls)

  @doc "After a member that was left out."
  @spec left_out(t, binary) :: t
  def left_out(nulls, "," <> _member), do: nulls
  def left_out(nulls, _first_member), do: %{nulls | bare?: true}

  defp scan("", done, nulls), do: {:text, done, nulls}

  defp scan(<<byte, rest::binary>> = bytes, done, %{place: place} = nulls) do
    case step(place, byte, nulls) do
      {:pass, nulls} ->
        scan(rest, <<done::binary, byte>>, nulls)

      {:leave, nulls} ->
        scan(rest, done, nulls)

      {:hold, nulls} ->
        scan(rest, done, %{nulls | held: <<nulls.held::binary, byte>>})

      # It was no null.
      :let_go ->
        scan(bytes, <<done::binary, nulls.held::binary>>, %{nulls | held: "", place: :outside})

      :null ->
        {:null, done, <<nulls.held::binary, byte>>, rest, %{nulls | held: "", place: :outside}}
    end
  end

  defp step(:outside, ?", nulls), do: {:pass, %{nulls | place: :string}}

  defp step(:outside, ?{, nulls),
    do: {:pass, %{nulls | stack: [:object | nulls.stack], place: :head}}

  defp step(:outside, ?[, nulls), do: {:pass, %{nulls | stack: [:array | nulls.stack]}}

  defp step(:outside, byte, nulls) when byte in [?}, ?]],
    do: {:pass, %{nulls | stack: Enum.drop(nulls.stack, 1), bare?: false}}

  defp step(:outside, ?,, %{bare?: true} = nulls),
    do: {:leave, %{nulls | place: :head, bare?: false}}

  defp step(:outside, ?,, %{stack: [:object | _outer]} = nulls),
    do: {:hold, %{nulls | place: :head}}

  defp step(:outside, _byte, nulls), do: {:pass, nulls}

  defp step(:string, ?\\, nulls), do: {:pass, %{nulls | place: :escape}}
  defp step(:string, ?", nulls), do: {:pass, %{nulls | place: :outside}}
  defp step(:string, _byte, nulls), do: {:pass, nulls}
  defp step(:escape, _byte, nulls), do: {:pass, %{nulls | place: :string}}

  defp step(place, byte, nulls) when place in [:head, :value] and byte in [?\s, ?\t, ?\r, ?\n],
    do: {:hold, nulls}

  defp step(:head, ?", nulls), do: {:hold, %{nulls | place: :key}}
  defp step(:head, ?:, nulls), do: {:hold, %{nulls | place: :value}}
  defp step(:key, ?\\, nulls), do: {:hold, %{nulls | place: :key_escape}}
  defp step(:key, ?", nulls), do: {:hold, %{nulls | place: :head}}
  defp step(:key, _byte, nulls), do: {:hold, nulls}
  defp step(:key_escape, _byte, nulls), do: {:hold, %{nulls | place: :key}}

  defp step(:value, ?n, nulls), do: {:hold, %{nulls | place: {:null, "ull"}}}
  defp step({:null, "l"}, ?l, _nulls), do: :null

  defp step({:null, <<byte, left::binary>>}, byte, nulls),
    do: {:hold, %{nulls | place: {:null, left}}}

  defp step(_place, _byte, _nulls), do: :let_go
end
