defmodule Espalier.Hub.Progress do
  @moduledoc false
  # How far a download is: told to a function, or shown on standard error.

  alias Espalier.ProgressBar

  # More often nobody sees it.
  @milliseconds 100

  @enforce_keys [:way, :repository, :total, :started]
  defstruct @enforce_keys ++ [file: nil, base: 0, told: nil]

  @typedoc """
  `base` are the bytes of the files before this one, `told` is when it was told last, `nil` if never of this file.
  """
  @type t :: %__MODULE__{}

  @doc "Whether a download can be told to it."
  @spec function?(term) :: boolean
  def function?(term), do: is_function(term, 1)

  @doc "That a download of so many bytes begins."
  @spec new(boolean | (map -> term), String.t(), non_neg_integer) :: t
  def new(wanted, repository, total) do
    way = if total > 0, do: ProgressBar.way(wanted)
    %__MODULE__{way: way, repository: repository, total: total, started: now()}
  end

  @doc "That a file begins, after the whole of those before."
  @spec file(t, String.t()) :: t
  def file(progress, file), do: tell(%{progress | file: file, told: nil}, 0)

  @doc "That the file is there, all its bytes."
  @spec finish(t, non_neg_integer) :: t
  def finish(progress, size) do
    long_ago = now() - @milliseconds
    %{tell(%{progress | told: long_ago}, size) | base: progress.base + size}
  end

  @doc "Tells how many bytes of the file are there, if that was not told a moment ago."
  @spec tell(t, non_neg_integer) :: t
  def tell(%{way: nil} = progress, _bytes), do: progress

  def tell(progress, bytes) do
    now = now()

    if progress.told == nil or now - progress.told >= @milliseconds do
      say(progress.way, counts(progress, bytes, now), progress.told == nil)
      %{progress | told: now}
    else
      progress
    end
  end

  defp counts(progress, bytes, now) do
    done = progress.base + bytes
    elapsed = now - progress.started

    progress
    |> Map.take([:repository, :file, :total])
    |> Map.merge(%{done: done, elapsed: elapsed})
  end

  @doc "Ends the line of a bar."
  @spec close(t) :: :ok
  def close(progress), do: ProgressBar.close(progress.way)

  # A shorter line leaves nothing of a longer one before it.
  defp say({:bar, columns}, counts, _begins?) do
    bar = ProgressBar.bar(counts.done, counts.total, line(counts), columns)
    bar |> String.pad_trailing(columns - 1) |> ProgressBar.draw()
  end

  # A line for each file, when it begins.
  defp say(:lines, counts, begins?), do: if(begins?, do: IO.puts(:stderr, line(counts)))
  defp say(function, counts, _begins?), do: function.(counts)

  @doc "A download so far, in words."
  @spec line(map) :: String.t()
  def line(%{file: file, done: done, total: total, elapsed: elapsed}),
    do: "#{amount(done)} of #{amount(total)}, #{div(elapsed, 1000)} s, #{file}"

  defp amount(bytes) when bytes < 1000, do: "#{bytes} B"
  defp amount(bytes) when bytes < 1_000_000, do: "#{div(bytes, 1000)} kB"
  defp amount(bytes) when bytes < 1_000_000_000, do: "#{Float.round(bytes / 1.0e6, 1)} MB"
  defp amount(bytes), do: "#{Float.round(bytes / 1.0e9, 2)} GB"

  defp now, do: System.monotonic_time(:millisecond)
end
