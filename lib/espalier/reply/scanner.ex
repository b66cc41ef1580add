defmodule Espalier.Reply.Scanner do
  @moduledoc false
  # Finds the values in a reply: in its code blocks, within its sentences, one after the other.
  #
  # The reply is gone through once, from left to right. Where a bracket begins no value the search goes on right
  # behind it, as long as that is not too often and not too far back.

  alias Espalier.Reply.Escaped
  alias Espalier.Reply.Fixes
  alias Espalier.Reply.Parser
  alias Espalier.Reply.Space

  @max_failures 1_000
  @max_found 20_000

  # `prose?` says whether there is text that is part of no value, `apart?` whether there is some between two
  # values, and `gap?` whether there is some behind the last one.
  @enforce_keys [:text, :marks, :bytes_left]
  defstruct [
    :text,
    :marks,
    :bytes_left,
    failures_left: @max_failures,
    found_left: @max_found,
    fence: nil,
    found: [],
    prose?: false,
    apart?: false,
    gap?: false
  ]

  @doc "The values of a reply as JSON, with their fixes; those that follow each other also as one array."
  @spec values(binary) :: [{binary, [atom]}]
  def values(text) do
    marks = :binary.compile_pattern(["{", "[", "`", "~~~"])
    scanner = %__MODULE__{text: text, marks: marks, bytes_left: byte_size(text) + 10_000}
    region(0, scanner) |> results()
  end

  defp results(%{found: found} = scanner) do
    around = if scanner.prose?, do: [:surrounding_text], else: []

    case Enum.reverse(found) do
      [{json, fixes}] ->
        [{json, Fixes.union(fixes, around)}]

      found ->
        around = [:several_values | around]
        values = for {json, fixes} <- found, do: {json, Fixes.union(fixes, around)}
        joined(values, scanner) ++ values
    end
  end

  defp joined([_first, _second | _more] = values, %{apart?: false}) do
    json = ["[", values |> Enum.map(&elem(&1, 0)) |> Enum.intersperse(","), "]"]
    [{IO.iodata_to_binary(json), Enum.reduce(values, [], &Fixes.union(&2, elem(&1, 1)))}]
  end

  defp joined(_values, _scanner), do: []

  # The start of the reply or of a block, where a value need not be an object or an array.
  defp region(position, scanner) do
    {rest, fixes} = scanner |> from(position) |> Space.skip_outside([])
    start = byte_size(scanner.text) - byte_size(rest)

    case rest do
      <<byte, _rest::binary>> when byte in [?{, ?[] -> attempt(start, fixes, scanner)
      "#" <> _heading -> scan(position, scanner)
      _other -> alone(start, fixes, scanner) || scan(position, scanner)
    end
  end

  defp alone(start, fixes, scanner) do
    body = binary_part(scanner.text, start, region_end(start, scanner) - start)

    with {:ok, json, rest, more, _n} <- Parser.parse(body),
         {"", fixes} <- Space.skip_outside(rest, Fixes.union(fixes, more)) do
      start |> Kernel.+(byte_size(body)) |> scan(found(scanner, json, fixes))
    else
      _no_value -> nil
    end
  end

  defp region_end(start, scanner) do
    size = byte_size(scanner.text)

    with fence when fence != nil <- scanner.fence,
         {position, _n} <- :binary.match(scanner.text, fence, scope: {start, size - start}) do
      position
    else
      _open -> size
    end
  end

  defp scan(position, scanner) do
    size = byte_size(scanner.text)

    case :binary.match(scanner.text, scanner.marks, scope: {position, size - position}) do
      _any when scanner.failures_left == 0 or scanner.found_left == 0 -> given_up(scanner)
      {at, _length} -> scanner |> prose(position, at) |> mark(at)
      :nomatch -> prose(scanner, position, size)
    end
  end

  defp mark(scanner, at) do
    case :binary.at(scanner.text, at) do
      byte when byte in [?{, ?[] -> attempt(at, [], scanner)
      byte -> fence(at, run(scanner.text, at, byte), byte, scanner)
    end
  end

  defp run(text, at, byte) do
    if at < byte_size(text) and :binary.at(text, at) == byte,
      do: 1 + run(text, at + 1, byte),
      else: 0
  end

  # Marks of code

  # The end of a block, or of code within a line.
  defp fence(at, n_marks, byte, %{fence: fence} = scanner)
       when (byte_size(fence) == 3 and n_marks >= 3) or byte_size(fence) == n_marks do
    if binary_part(fence, 0, 1) == <<byte>>,
      do: scan(at + n_marks, gap(%{scanner | fence: nil})),
      else: scan(at + n_marks, scanner)
  end

  defp fence(at, n_marks, byte, %{fence: nil} = scanner) when n_marks >= 3 do
    start = at + n_marks
    region(start + label(scanner.text, start), gap(%{scanner | fence: <<byte, byte, byte>>}))
  end

  defp fence(at, n_marks, ?`, %{fence: nil} = scanner) do
    case from(scanner, at + n_marks) do
      <<byte, _rest::binary>> when byte in [?{, ?[] ->
        scan(at + n_marks, gap(%{scanner | fence: String.duplicate("`", n_marks)}))

      _other ->
        scan(at + n_marks, prose(scanner))
    end
  end

  defp fence(at, n_marks, _byte, scanner), do: scan(at + n_marks, prose(scanner))

  # The bytes of a block's language.
  defp label(text, start) do
    near = binary_part(text, start, min(byte_size(text) - start, 80))

    case Regex.run(~r/\A[ \t]*[A-Za-z][A-Za-z0-9_+.#-]*(?=[\s{\[]|\z)/, near) do
      [label] -> byte_size(label)
      nil -> 0
    end
  end

  # Values

  defp attempt(at, fixes, scanner) do
    rest = from(scanner, at)

    case Escaped.kind(rest) do
      nil -> rest |> Parser.parse(block(scanner)) |> parsed(at, fixes, scanner)
      kind -> escaped(kind, at, fixes, scanner)
    end
  end

  # Only a block ends a value that is not complete.
  defp block(%{fence: <<_, _, _>> = fence}), do: fence
  defp block(_scanner), do: nil

  defp parsed({:ok, json, rest, more, n_members}, at, fixes, scanner) do
    # An open bracket at the end of a sentence is none of JSON.
    if n_members == 0 and :truncated in more and (scanner.prose? or scanner.found != []) do
      parsed({:error, :syntax, rest, 0}, at, fixes, scanner)
    else
      {left, fixes} = Space.skip_outside(rest, Fixes.union(fixes, more))
      scan(byte_size(scanner.text) - byte_size(left), found(scanner, json, fixes))
    end
  end

  defp parsed({:error, :nested, _rest, _n}, _at, _fixes, scanner), do: prose(scanner)

  # It was a value, but one that can't be read: parts of it are not what was meant.
  defp parsed({:error, :syntax, rest, n_members}, at, _fixes, scanner) when n_members > 0 do
    position = max(byte_size(scanner.text) - byte_size(rest), at + 1)
    scanner = prose(%{scanner | failures_left: scanner.failures_left - 1})

    case :binary.match(from(scanner, position), ["\n\n", "\n\r\n", "\n```"]) do
      {offset, _length} -> scan(position + offset, scanner)
      :nomatch -> scanner
    end
  end

  defp parsed({:error, :syntax, rest, 0}, at, _fixes, scanner) do
    failed = max(byte_size(scanner.text) - byte_size(rest), at + 1)
    left = scanner.bytes_left - (failed - at)
    failures_left = scanner.failures_left - 1
    scanner = prose(%{scanner | bytes_left: left, failures_left: failures_left})
    scan(if(left > 0, do: at + 1, else: failed), scanner)
  end

  defp escaped(kind, at, fixes, scanner) do
    stop = region_end(at, scanner)
    body = scanner.text |> binary_part(at, stop - at) |> Escaped.undo(kind)

    case Parser.parse(body) do
      {:ok, json, rest, more, _n} ->
        scanner = if blank?(rest), do: scanner, else: prose(scanner)
        scan(stop, found(scanner, json, fixes |> Fixes.union(more) |> Fixes.put(kind)))

      {:error, _reason, _rest, _n} ->
        scan(stop, prose(scanner))
    end
  end

  defp found(scanner, json, fixes) do
    fixes = if scanner.fence, do: Fixes.put(fixes, :code_fence), else: fixes

    %{
      scanner
      | found: [{IO.iodata_to_binary(json), fixes} | scanner.found],
        found_left: scanner.found_left - 1,
        apart?: scanner.apart? or scanner.gap?,
        gap?: false
    }
  end

  # What is not part of a value

  # What is left is not looked at.
  defp given_up(scanner), do: %{prose(scanner) | apart?: true}

  defp prose(scanner, from, to) do
    if blank?(binary_part(scanner.text, from, to - from)), do: scanner, else: prose(scanner)
  end

  defp prose(scanner), do: gap(%{scanner | prose?: true})
  defp gap(%{found: []} = scanner), do: scanner
  defp gap(scanner), do: %{scanner | gap?: true}

  defp blank?(<<byte, rest::binary>>) when byte in [?\s, ?\t, ?\r, ?\n, ?,], do: blank?(rest)
  defp blank?(rest), do: rest == ""

  defp from(scanner, position),
    do: binary_part(scanner.text, position, byte_size(scanner.text) - position)
end
