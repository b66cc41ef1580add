defmodule Espalier.VocabularyCache do
  @options [
    name: [type: :name, default: Espalier.VocabularyCache, doc: "The name of the cache."],
    max_bytes: [
      type: :non_neg_integer,
      default: 536_870_912,
      doc: "The most bytes of all vocabularies together, as they are counted here."
    ],
    max_entries: [type: :non_neg_integer, default: 32, doc: "The most vocabularies."],
    directory: [
      type: {:or, [:string, {:in, [nil]}]},
      default: nil,
      doc: "Where vocabularies are stored, too. It is made if it isn't there."
    ]
  ]

  @moduledoc """
  The vocabularies of files, so that a tokenizer is read once and not by each process that needs it.

  Espalier starts it, and `Espalier.Vocabulary.load/2` asks it. Since constraints are kept for one vocabulary, all who
  load the same file share these, too:

      iex> path = Path.join(Espalier.Model.tiny_path(), "tokenizer.json")
      iex> load = fn -> Espalier.Vocabulary.load!(path, eos_tokens: ["<|end|>"]) end
      iex> [one, other] = [load, load] |> Enum.map(&Task.async/1) |> Task.await_many()
      iex> {:ok, constraint} = Espalier.ConstraintCache.fetch([age: :integer], vocabulary: one)
      iex> Espalier.ConstraintCache.fetch([age: :integer], vocabulary: other) == {:ok, constraint}
      true

  The vocabulary of a served model, `Espalier.Model.vocabulary/1`, is not among them.

  ## What is the same

  What is in the file, by its SHA-256, the format, and the options with their limits; not where the file is. The file is
  read each time that somebody asks, as neither its name nor its time and size tell what is in it. That takes some
  milliseconds for a file of some megabytes, so those who need a vocabulary often ask once and hold it. A file that is
  written to meanwhile is read again.

  ## Who waits for whom

  A vocabulary that isn't there is made by a process of its own, once for all who ask for it meanwhile. When the last of
  them has ended, that process is stopped. An error goes to all who wait, and is not kept. A cache that does not run
  costs another vocabulary and nothing else.

  ## Bounds

      config :espalier, vocabulary_cache: [max_bytes: 100_000_000, directory: "/var/cache/my_app/vocabularies"]

  Those that were asked for least recently make room for new ones. One that was dropped while others still use it, or
  that didn't fit, is found again as long as they do: there are never two of the same.

  The bytes are an estimate: 64 KiB, twelve times the size of `Espalier.Vocabulary.serialize/1`, and for a vocabulary
  with a tokenizer sixteen times the size of its file. That is about what `bench/vocabulary_cache.exs` measured with the
  tokens of `r50k_base`, `cl100k_base` and `o200k_base`: 9, 18 and 33 MB without a tokenizer, 26, 70 and 147 MB with one.

  ## The directory

  With a `:directory`, vocabularies are stored there, too, and found again after a restart: that takes a tenth of
  the time of making one from a `tokenizer.json`. Stored are those of `forced_tokens: :longest` only, as a tokenizer
  can't be. From a rank file a vocabulary is made in little more time than one is loaded. The
  directory has the same bounds, in bytes and in files. Files that are damaged, or were written by another version, are
  replaced. What is loaded has the tokens that its file says: let nobody else write there. Vocabularies with `:limits`
  of their own are not stored.

  ## Options

  #{Espalier.Options.docs(@options)}
  A cache of your own is a child of your supervisor, `{Espalier.VocabularyCache, name: MyApp.Vocabularies}`; the first
  argument of the functions below names it.
  """

  alias Espalier.BuildCache
  alias Espalier.Error
  alias Espalier.Options
  alias Espalier.SerializationError
  alias Espalier.Vocabulary
  alias Espalier.VocabularyCache.Recipe
  alias Espalier.VocabularyError

  @typedoc "The name of a cache."
  @type cache :: atom

  # How often a file is read that is another one each time.
  @most_tries 3

  @doc "The vocabulary of a file, made if it isn't there. The options are those of `Espalier.Vocabulary.load/2`."
  @spec fetch(cache, String.t(), keyword) :: {:ok, Vocabulary.t()} | {:error, Exception.t()}
  def fetch(cache \\ __MODULE__, path, options) when is_binary(path),
    do: fetch(cache, path, options, @most_tries)

  defp fetch(cache, path, options, tries) do
    with {:ok, recipe} <- Recipe.new(path, options),
         {:error, error} <- BuildCache.fetch(cache, recipe) do
      # The file may be that of the one who asked first.
      if match?(%VocabularyError{kind: :file_changed}, error) and tries > 1,
        do: fetch(cache, path, options, tries - 1),
        else: {:error, name(error, path)}
    end
  end

  defp name(%module{} = error, path) when module in [VocabularyError, SerializationError],
    do: %{error | path: path, message: "#{path}: #{error.message}"}

  defp name(error, _path), do: error

  @doc "Like `fetch/3`, but returns the vocabulary and raises the error."
  @spec fetch!(cache, String.t(), keyword) :: Vocabulary.t()
  def fetch!(cache \\ __MODULE__, path, options),
    do: cache |> fetch(path, options) |> Error.bang!()

  @doc """
  What is there, and what was done since the cache started.

  `hits` and `misses` are those of callers, `builds` how often a process made a vocabulary, and `evictions` how many
  were dropped.
  """
  @spec stats(cache) :: %{
          entries: non_neg_integer,
          bytes: non_neg_integer,
          hits: non_neg_integer,
          misses: non_neg_integer,
          builds: non_neg_integer,
          evictions: non_neg_integer
        }
  def stats(cache \\ __MODULE__), do: BuildCache.stats(cache)

  @doc "Drops all vocabularies. Those that are in use stay with their users, and files stay."
  @spec clear(cache) :: :ok
  def clear(cache \\ __MODULE__), do: BuildCache.clear(cache)

  @doc "Starts an empty cache, with the options above."
  @spec start_link(keyword) :: GenServer.on_start() | {:error, Espalier.OptionsError.t()}
  def start_link(options) do
    with {:ok, options} <- Options.validate(options, @options),
         do: BuildCache.start_link(Recipe, options)
  end

  @doc false
  @spec format(String.t()) :: {:ok, Recipe.format()} | {:error, VocabularyError.t()}
  defdelegate format(path), to: Recipe

  @doc false
  @spec options() :: Options.schema()
  def options, do: @options

  @doc false
  def child_spec(options) do
    id = if Keyword.keyword?(options), do: options[:name]
    %{id: id || __MODULE__, start: {__MODULE__, :start_link, [options]}}
  end
end
