defmodule Espalier.Reply.Reasoning do
  @moduledoc false
  # What a model wrote for itself before its answer, between tags such as `<think>` and `</think>`.

  @tags "think|thinking|thought|reasoning|reflection|scratchpad"
  @opening Regex.compile!("\\A\\s*<(#{@tags})>", "i")
  @closing Regex.compile!("</(?:#{@tags})>", "i")

  @doc "The text behind the reasoning; `:unfinished` where that has no end."
  @spec remove(binary) :: {:ok, binary} | :none | :unfinished
  def remove(text) do
    case Regex.run(@opening, text, return: :index) do
      [{_start, length}, {name_start, name_length}] ->
        closing = "</" <> binary_part(text, name_start, name_length) <> ">"
        <<_opening::binary-size(length), rest::binary>> = text
        rest |> behind(closing) |> others()

      nil ->
        unopened(text)
    end
  end

  defp behind(text, closing) do
    case :binary.split(text, closing) do
      [_reasoning, answer] -> {:ok, answer}
      [_all] -> :unfinished
    end
  end

  defp others({:ok, answer}) do
    with :none <- remove(answer), do: {:ok, answer}
  end

  defp others(:unfinished), do: :unfinished

  # The opening tag is often part of the prompt. A tag in a text of a value is not meant.
  defp unopened(text) do
    if text =~ ~r/\A\s*[{\["'`]/ do
      :none
    else
      case Regex.scan(@closing, text, return: :index) |> List.last() do
        [{start, length}] ->
          stop = start + length
          {:ok, binary_part(text, stop, byte_size(text) - stop)}

        nil ->
          :none
      end
    end
  end
end
