defmodule Espalier.Reply.Parser do
  @moduledoc false
  # One JSON value at the start of a text, read with patience and written as strict JSON.
  #
  # What is missing at the end is closed. Reading never goes back, and nesting is bounded as that of
  # `Espalier.JSON.decode/2` is.

  alias Espalier.Reply.Fixes
  alias Espalier.Reply.Literal
  alias Espalier.Reply.Quoted
  alias Espalier.Reply.Space

  @max_depth 127

  # `stack` has the kinds of the open objects and arrays, `members` counts what they got so far.
  defstruct [:fence, stack: [], depth: 0, members: 0, fixes: []]

  @doc """
  The value, what follows it, the fixes and the number of its members.

  `fence` is what ends the block that the text is in. An error has the place, and `:nested` where it is too deep.
  """
  @spec parse(binary, binary | nil) ::
          {:ok, iodata, rest :: binary, [atom], n_members :: non_neg_integer}
          | {:error, :nested | :syntax, rest :: binary, n_members :: non_neg_integer}
  def parse(text, fence \\ nil) do
    case value(text, %__MODULE__{fence: fence}) do
      {nil, rest, state} -> {:error, :syntax, rest, state.members}
      {json, rest, state} -> {:ok, json, rest, state.fixes, state.members}
    end
  catch
    {__MODULE__, reason, rest, n_members} -> {:error, reason, rest, n_members}
  end

  # A value of which too little is there is `nil`.
  defp value(text, state) do
    {text, state} = space(text, state)

    case text do
      "{" <> rest -> nested(rest, :object, state)
      "[" <> rest -> nested(rest, :array, state)
      _other -> scalar(text, state)
    end
  end

  defp nested(rest, _kind, %{depth: @max_depth} = state), do: refuse(:nested, rest, state)

  defp nested(rest, kind, state) do
    inside = %{state | stack: [kind | state.stack], depth: state.depth + 1}
    {items, rest, inside} = items(rest, [], false, inside)
    items = items |> Enum.reverse() |> Enum.intersperse(?,)
    {brackets(kind, items), rest, %{inside | stack: state.stack, depth: state.depth}}
  end

  # As one binary: many small lists are much to collect.
  defp brackets(:object, items), do: IO.iodata_to_binary([?{, items, ?}])
  defp brackets(:array, items), do: IO.iodata_to_binary([?[, items, ?]])

  # The items of an array or the members of an object, from the place of the next one on.
  defp items(text, items, comma?, state) do
    case space(text, state) do
      {<<byte, _rest::binary>> = text, state} when byte in [?{, ?[, ?"] or byte in ?0..?9 ->
        item(text, items, state)

      {text, state} ->
        no_plain_item(text, items, comma?, state)
    end
  end

  defp no_plain_item(text, items, comma?, state) do
    cond do
      rest = closed(text, state) -> {items, rest, trailing_comma(state, comma?)}
      ended?(text, state) -> {items, text, fix(state, :truncated)}
      rest = ellipsis(text) -> next(rest, items, fix(state, :ellipsis))
      closes_outer?(text, state) -> {items, text, fix(state, :missing_bracket)}
      rest = extra_comma(text, state) -> items(rest, items, comma?, fix(state, :extra_comma))
      true -> item(text, items, state)
    end
  end

  defp item(text, items, state) do
    case read_item(text, state) do
      {nil, rest, state} -> next(rest, items, state)
      {json, rest, state} -> next(rest, [json | items], %{state | members: state.members + 1})
    end
  end

  defp read_item(text, %{stack: [:object | _outer]} = state), do: member(text, state)
  defp read_item(text, state), do: value(text, state)

  # What comes after an item.
  defp next(text, items, state) do
    case space(text, state) do
      {<<?,, rest::binary>>, state} -> items(rest, items, true, state)
      {text, state} -> no_comma(text, items, state)
    end
  end

  defp no_comma(text, items, state) do
    cond do
      rest = closed(text, state) -> {items, rest, state}
      ended?(text, state) -> {items, text, fix(state, :truncated)}
      rest = ellipsis(text) -> next(rest, items, fix(state, :ellipsis))
      closes_outer?(text, state) -> {items, text, fix(state, :missing_bracket)}
      begins_item?(text, state) -> items(text, items, false, fix(state, :missing_comma))
      true -> refuse(:syntax, text, state)
    end
  end

  defp closed(<<?}, rest::binary>>, %{stack: [:object | _outer]}), do: rest
  defp closed(<<?], rest::binary>>, %{stack: [:array | _outer]}), do: rest
  defp closed(_text, _state), do: nil

  defp closes_outer?(<<?}, _rest::binary>>, state), do: :object in state.stack
  defp closes_outer?(<<?], _rest::binary>>, state), do: :array in state.stack
  defp closes_outer?(_text, _state), do: false

  defp ellipsis("..." <> rest), do: rest
  defp ellipsis("…" <> rest), do: rest
  defp ellipsis(_text), do: nil

  # Two commas of an array may have an item between them.
  defp extra_comma(<<?,, rest::binary>>, %{stack: [:object | _outer]}), do: rest
  defp extra_comma(_text, _state), do: nil

  defp trailing_comma(state, true), do: fix(state, :trailing_comma)
  defp trailing_comma(state, false), do: state

  defp begins_item?(text, %{stack: [:object | _outer]}), do: Quoted.opens?(text)

  defp begins_item?(<<byte, _rest::binary>> = text, _state),
    do: byte in [?{, ?[, ?-] or byte in ?0..?9 or Quoted.opens?(text)

  defp ended?("", _state), do: true
  defp ended?(_text, %{fence: nil}), do: false
  defp ended?(text, %{fence: fence}), do: String.starts_with?(text, fence)

  defp member(text, state) do
    with {key, rest, state} when key != nil <- key(text, state),
         {:ok, rest, state} <- colon(rest, state),
         {value, rest, state} when value != nil <- value(rest, state) do
      {[key, ?:, value], rest, state}
    end
  end

  defp key(text, state) do
    if Quoted.opens?(text) do
      with {:cut, json, rest, state} <- quoted(text, :key, state), do: cut_key(json, rest, state)
    else
      text |> Literal.take() |> unquoted_key(text, state)
    end
  end

  # With these in it, it is a key that lacks its closing quote, and not the end of the text.
  defp cut_key(json, rest, state) do
    if IO.iodata_to_binary(json) =~ ~r/[{}:]|\\n/,
      do: refuse(:syntax, rest, state),
      else: {nil, rest, state}
  end

  defp unquoted_key({"", _rest}, text, state), do: refuse(:syntax, text, state)
  defp unquoted_key({_key, ""}, _text, state), do: {nil, "", fix(state, :truncated)}

  defp unquoted_key({key, rest}, text, state) do
    if key =~ ~r/\A[\p{L}\p{N}_$][\p{L}\p{M}\p{N}_$.-]*\z/u,
      do: {[?", key, ?"], rest, fix(state, :unquoted_key)},
      else: refuse(:syntax, text, state)
  end

  defp colon(text, state) do
    {text, state} = space(text, state)

    case text do
      ":" <> rest -> {:ok, rest, state}
      "=>" <> rest -> {:ok, rest, fix(state, :key_sign)}
      "=" <> rest -> {:ok, rest, fix(state, :key_sign)}
      _other -> cut_or_refuse(text, state)
    end
  end

  defp cut_or_refuse(text, state) do
    if ended?(text, state),
      do: {nil, text, fix(state, :truncated)},
      else: refuse(:syntax, text, state)
  end

  defp scalar(text, state) do
    cond do
      ended?(text, state) -> {nil, text, fix(state, :truncated)}
      Quoted.opens?(text) -> text_value(text, state)
      true -> text |> Literal.take() |> word(text, state)
    end
  end

  defp text_value(text, state) do
    case quoted(text, role(state), state) do
      {:cut, json, rest, state} -> {json, rest, state}
      {json, rest, state} -> {json, rest, state}
    end
  end

  defp role(%{stack: []}), do: :alone
  defp role(%{stack: [:object | _outer]}), do: :member
  defp role(%{stack: [:array | _outer]}), do: :item

  defp quoted(text, role, state) do
    case Quoted.read(text, role, state.fence) do
      {:ok, json, rest, fixes} -> {json, rest, fixes(state, fixes)}
      {:cut, json, rest, fixes} -> {:cut, json, rest, state |> fixes(fixes) |> fix(:truncated)}
      {:error, rest} -> refuse(:syntax, rest, state)
    end
  end

  # What ends with the text may lack its end: 12 of 128, tru of true.
  defp word({word, ""}, _text, %{stack: [_kind | _outer]} = state) when word != "",
    do: {nil, "", fix(state, :truncated)}

  defp word({word, rest}, text, state) do
    case Literal.read(word) do
      {:ok, json, fixes} -> {json, rest, fixes(state, fixes)}
      :error -> unquoted_text(word, rest, text, state)
    end
  end

  # Outside of objects brackets around a word are mostly not meant as JSON.
  defp unquoted_text(word, rest, text, state) do
    if :object in state.stack and word =~ ~r/\A[\p{L}_][\p{L}\p{M}\p{N}_-]*\z/u,
      do: {[?", word, ?"], rest, fix(state, :unquoted_text)},
      else: refuse(:syntax, text, state)
  end

  defp space(text, state) do
    case Space.skip(text, state.fixes) do
      {text, fixes} when fixes == state.fixes -> {text, state}
      {text, fixes} -> {text, %{state | fixes: fixes}}
    end
  end

  defp fix(%{fixes: [fix | _others]} = state, fix), do: state
  defp fix(state, fix), do: %{state | fixes: Fixes.put(state.fixes, fix)}
  defp fixes(state, []), do: state
  defp fixes(state, fixes), do: %{state | fixes: Fixes.union(state.fixes, fixes)}

  @spec refuse(atom, binary, struct) :: no_return
  defp refuse(reason, rest, state), do: throw({__MODULE__, reason, rest, state.members})
end
