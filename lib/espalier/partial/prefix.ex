defmodule Espalier.Partial.Prefix do
  @moduledoc false
  # The start of a JSON text as it comes, and how it is closed so that it can be decoded.
  #
  # Each byte is seen once. What has no value yet, such as a key alone or the start of a number, is left out.

  # `n` bytes of the text were seen, `safe` of them can be closed with the brackets in `stack`. In a string
  # `whole` bytes end with a whole character.
  defstruct text: "",
            n: 0,
            safe: 0,
            whole: 0,
            stack: [],
            next: :value,
            mode: :outside,
            string: nil

  @type t :: %__MODULE__{}

  @space [?\s, ?\t, ?\r, ?\n]

  @doc "The prefix with more bytes. They are those of JSON."
  @spec push(t, binary) :: t
  def push(prefix, bytes), do: scan(bytes, %{prefix | text: prefix.text <> bytes})

  @doc "The text closed, and how many of its brackets and quotes had to be."
  @spec closed(t) :: {:ok, String.t(), n_open :: non_neg_integer} | :none
  def closed(%{mode: mode, string: :value, stack: stack} = prefix)
      when mode not in [:outside, :literal],
      do:
        {:ok, [binary_part(prefix.text, 0, prefix.whole), ?" | stack] |> text(),
         length(stack) + 1}

  def closed(%{safe: 0}), do: :none

  def closed(%{stack: stack} = prefix),
    do: {:ok, [binary_part(prefix.text, 0, prefix.safe) | stack] |> text(), length(stack)}

  defp text(parts), do: IO.iodata_to_binary(parts)

  defp scan("", prefix), do: prefix

  defp scan(<<byte, rest::binary>> = bytes, %{mode: :literal} = prefix) do
    if byte in @space or byte in [?,, ?}, ?]],
      do: scan(bytes, %{prefix | mode: :outside, safe: prefix.n}),
      else: scan(rest, %{prefix | n: prefix.n + 1})
  end

  defp scan(<<byte, rest::binary>>, prefix) do
    prefix = %{prefix | n: prefix.n + 1}
    scan(rest, if(prefix.mode == :outside, do: outside(byte, prefix), else: inside(byte, prefix)))
  end

  defp outside(byte, prefix) when byte in @space, do: prefix
  defp outside(?{, prefix), do: open(?}, :key, prefix)
  defp outside(?[, prefix), do: open(?], :value, prefix)
  defp outside(?:, prefix), do: %{prefix | next: :value}
  defp outside(?,, %{stack: [?} | _]} = prefix), do: %{prefix | next: :key}
  defp outside(?,, prefix), do: %{prefix | next: :value}
  defp outside(?", prefix), do: %{prefix | mode: :string, string: prefix.next, whole: prefix.n}

  defp outside(byte, %{stack: [_ | stack]} = prefix) when byte in [?}, ?]],
    do: %{prefix | stack: stack, safe: prefix.n}

  defp outside(_byte, prefix), do: %{prefix | mode: :literal}

  defp open(bracket, next, prefix),
    do: %{prefix | stack: [bracket | prefix.stack], next: next, safe: prefix.n}

  defp inside(?\\, %{mode: :string} = prefix), do: %{prefix | mode: :escape}

  defp inside(?", %{mode: :string, string: :value} = prefix),
    do: %{prefix | mode: :outside, safe: prefix.n}

  defp inside(?", %{mode: :string} = prefix), do: %{prefix | mode: :outside}
  defp inside(_byte, %{mode: :string} = prefix), do: %{prefix | whole: prefix.n}
  defp inside(?u, %{mode: :escape} = prefix), do: %{prefix | mode: {:unicode, ""}}
  defp inside(_byte, %{mode: :escape} = prefix), do: %{prefix | mode: :string, whole: prefix.n}

  defp inside(byte, %{mode: {:unicode, <<_, _, _>> = digits}} = prefix) do
    # The first half of a pair is no character by itself.
    whole = if <<digits::binary, byte>> =~ ~r/^d[89ab]/i, do: prefix.whole, else: prefix.n
    %{prefix | mode: :string, whole: whole}
  end

  defp inside(byte, %{mode: {:unicode, digits}} = prefix),
    do: %{prefix | mode: {:unicode, digits <> <<byte>>}}
end
