defmodule Espalier.CLI.Input do
  @moduledoc false
  # What a command line names as input: a file, or `-` for standard input.

  alias Espalier.CLI

  @doc "All of it."
  @spec read!(Path.t()) :: String.t()
  def read!("-") do
    case IO.read(:stdio, :eof) do
      text when is_binary(text) -> text
      :eof -> ""
      {:error, reason} -> unreadable!("standard input", reason)
    end
  end

  def read!(file) do
    case File.read(file) do
      {:ok, text} -> text
      {:error, reason} -> unreadable!(file, reason)
    end
  end

  @doc "Its lines: a list for a file, a stream that reads on for standard input."
  @spec lines!(Path.t()) :: Enumerable.t(String.t())
  def lines!("-"), do: Stream.resource(fn -> nil end, &next_line/1, fn _state -> :ok end)

  def lines!(file) do
    text = file |> read!() |> String.replace_suffix("\n", "")
    if text == "", do: [], else: text |> String.split("\n") |> Enum.map(&trim/1)
  end

  defp next_line(state) do
    case IO.read(:stdio, :line) do
      line when is_binary(line) -> {[line |> String.replace_suffix("\n", "") |> trim()], state}
      :eof -> {:halt, state}
      {:error, reason} -> unreadable!("standard input", reason)
    end
  end

  defp trim(line), do: String.replace_suffix(line, "\r", "")

  @spec unreadable!(String.t(), term) :: no_return
  defp unreadable!(name, {:no_translation, _from, _to}),
    do: CLI.fail!("can't read #{name}: it is not UTF-8")

  defp unreadable!(name, :collect_line), do: CLI.fail!("can't read #{name}: it is not UTF-8")

  defp unreadable!(name, reason),
    do: CLI.fail!("can't read #{name}: #{:file.format_error(reason)}")
end
