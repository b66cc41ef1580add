# How long does it take to get a vocabulary that is in the cache, in the directory or nowhere yet, and how much memory
# does one hold?
#
#     mix run bench/vocabulary_cache.exs FILE... [--eos TOKEN]
#
# Each FILE is a tiktoken rank file or a `tokenizer.json`, whose sequences end with TOKEN. A tokenizer is taken twice:
# with its way to spell forced tokens, and without. Times are medians of five, memory is what five vocabularies added to
# the resident memory, divided by five; what is counted is `Espalier.VocabularyCache.stats/0`.

Code.require_file("support/machine.exs", __DIR__)

defmodule Bench.VocabularyCache do
  alias Espalier.{Vocabulary, VocabularyCache}

  @times 5

  def run(arguments) do
    {options, files, []} = OptionParser.parse(arguments, strict: [eos: :string])
    IO.puts(Bench.Machine.describe())
    IO.puts("file | options | MB | cached, ms | directory, ms | made, ms | MB counted | MB held")

    for file <- files,
        options <- options(Path.extname(file), options[:eos]),
        do: report(file, options)
  end

  defp options(".json", eos),
    do: for(how <- [:tokenizer, :longest], do: [eos_tokens: [eos], forced_tokens: how])

  defp options(_ranks, _eos), do: [[eos_ids: [0]]]

  defp report(file, options) do
    start([])
    made = median(fn -> fetch(file, options, clear: true) end)
    fetch(file, options, [])
    counted = VocabularyCache.stats(__MODULE__).bytes
    cached = median(fn -> fetch(file, options, []) end)
    held = held(File.read!(file), options)

    row = [
      Path.basename(file),
      inspect(options),
      megabytes(File.stat!(file).size),
      cached,
      stored(file, options),
      made,
      megabytes(counted),
      held
    ]

    IO.puts(Enum.join(row, " | "))
  end

  # The process that asks ends, so that nobody has the vocabulary but the cache.
  defp fetch(file, options, clear: true) do
    VocabularyCache.clear(__MODULE__)
    VocabularyCache.stats(__MODULE__)
    fetch(file, options, [])
  end

  defp fetch(file, options, []) do
    fn -> timed(fn -> VocabularyCache.fetch!(__MODULE__, file, options) end) end
    |> Task.async()
    |> Task.await(:infinity)
  end

  defp stored(file, options) do
    directory = Path.join(System.tmp_dir!(), "espalier_#{System.unique_integer([:positive])}")
    start(directory: directory)
    fetch(file, options, [])
    Process.sleep(500)

    if File.exists?(directory),
      do: median(fn -> fetch(file, options, clear: true) end),
      else: "none"
  after
    start([])
  end

  defp start(options) do
    if Process.whereis(__MODULE__), do: GenServer.stop(__MODULE__)
    {:ok, _cache} = VocabularyCache.start_link([name: __MODULE__] ++ options)
  end

  defp held(text, options) do
    before = resident()
    vocabularies = for _ <- 1..@times, do: make(text, options)
    held = (resident() - before) / @times
    # They are in use until here.
    @times = length(vocabularies)
    Float.round(held, 1)
  end

  defp make(text, [{:eos_ids, _ids}] = options), do: Vocabulary.from_tiktoken!(text, options)
  defp make(text, options), do: Vocabulary.from_tokenizer_json!(text, options)

  defp resident do
    for process <- Process.list(), do: :erlang.garbage_collect(process)
    Process.sleep(300)
    [_, kilobytes] = Regex.run(~r/VmRSS:\s+(\d+)/, File.read!("/proc/self/status"))
    String.to_integer(kilobytes) / 1000
  end

  defp median(measure) do
    times = for _ <- 1..@times, do: measure.()
    times |> Enum.sort() |> Enum.at(div(@times, 2)) |> Float.round(1)
  end

  defp timed(fun) do
    {microseconds, _vocabulary} = :timer.tc(fun)
    microseconds / 1000
  end

  defp megabytes(bytes), do: Float.round(bytes / 1_000_000, 1)
end

Bench.VocabularyCache.run(System.argv())
