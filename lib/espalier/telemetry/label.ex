defmodule Espalier.Telemetry.Label do
  @moduledoc false
  # What metrics and lines of a log call a thing, whatever term it is: a short text in UTF-8.

  @most_bytes 120

  @doc """
  The text of a term.

      iex> Enum.map([MyApp.Model, :stop, "large", nil, {:a, 1}], &Espalier.Telemetry.Label.text/1)
      ["MyApp.Model", "stop", "large", "none", "{:a, 1}"]
  """
  @spec text(term) :: String.t()
  def text(nil), do: "none"
  def text(term) when is_atom(term), do: term |> Atom.to_string() |> without_prefix() |> short()
  def text(term) when is_binary(term), do: term |> short() |> valid()

  def text(term) do
    term
    |> inspect(limit: 5, printable_limit: @most_bytes, width: :infinity)
    |> short()
    |> valid()
  end

  defp without_prefix("Elixir." <> name), do: name
  defp without_prefix(name), do: name

  defp short(text) when byte_size(text) <= @most_bytes, do: text

  # The last character may be cut.
  defp short(text) do
    {beginning, _cut} = text |> binary_part(0, @most_bytes) |> Espalier.UTF8.split()
    beginning <> "…"
  end

  defp valid(bytes) do
    {text, rest} = Espalier.UTF8.split(bytes)
    if rest == "", do: text, else: text <> "\uFFFD"
  end
end
