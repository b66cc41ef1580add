defmodule Espalier.VocabularyCache.Recipe do
  @moduledoc false
  # A vocabulary that is asked for, as `Espalier.BuildCache` wants to know it: what is in a file, and what to make of it.

  @behaviour Espalier.BuildCache

  alias Espalier.Options
  alias Espalier.OptionsError
  alias Espalier.Telemetry
  alias Espalier.Vocabulary
  alias Espalier.VocabularyCache.Contents
  alias Espalier.VocabularyError

  @enforce_keys [:path, :contents, :format, :options]
  defstruct @enforce_keys

  @type format :: :tokenizer_json | :tiktoken | :serialized

  @type t :: %__MODULE__{
          path: String.t(),
          contents: Contents.t(),
          format: format,
          options: keyword
        }

  # Another version may make another vocabulary of a file.
  @version Mix.Project.config()[:version]

  # By the memory that those of three rank files took, of 50,000 to 200,000 tokens, and tokenizers of the same tokens.
  @least_bytes 65_536
  @bytes_for_stored 12
  @bytes_for_tokenizer 16

  @magic "ESPALIER"

  @doc "What the file is now, with the options of its format."
  @spec new(String.t(), keyword) :: {:ok, t} | {:error, VocabularyError.t() | OptionsError.t()}
  def new(path, options) do
    any = Vocabulary.options(:any)
    names = Keyword.keys(any)

    with {:ok, given} <- options |> take(names) |> Options.validate(any),
         {:ok, contents} <- Contents.fingerprint(path, given[:max_file_bytes]),
         {:ok, format} <- format(given[:format], contents.head, path),
         {:ok, options} <- Options.validate(options, any ++ Vocabulary.options(format)) do
      options = Keyword.drop(options, names)
      {:ok, %__MODULE__{path: path, contents: contents, format: format, options: options}}
    end
  end

  @doc "What a file is, by what it begins with."
  @spec format(String.t()) :: {:ok, format} | {:error, VocabularyError.t()}
  def format(path) do
    with {:ok, given} <- Options.validate([], Vocabulary.options(:any)),
         {:ok, contents} <- Contents.fingerprint(path, given[:max_file_bytes]),
         do: format(nil, contents.head, path)
  end

  # Which others there are is known with the format.
  defp take(options, names),
    do: if(Keyword.keyword?(options), do: Keyword.take(options, names), else: options)

  defp format(nil, head, path) do
    cond do
      String.starts_with?(head, @magic) -> {:ok, :serialized}
      head =~ ~r/\A\s*{/ -> {:ok, :tokenizer_json}
      head =~ ~r/\A[\w+\/]+=* [0-9]+(\s|\z)/ -> {:ok, :tiktoken}
      true -> {:error, unknown_format(path)}
    end
  end

  defp format(format, _head, _path), do: {:ok, format}

  defp unknown_format(path) do
    detail =
      "it is neither a tokenizer.json, nor a tiktoken rank file, nor a serialised vocabulary"

    message = "#{path}: #{detail}"
    %VocabularyError{kind: :invalid_tokenizer, message: message, detail: detail, path: path}
  end

  @impl true
  def tell(event, told), do: Telemetry.event([:vocabulary_cache, event], told)

  @impl true
  def noun, do: "vocabulary"

  @impl true
  def metadata(%{path: path, format: format}), do: %{path: path, format: format}

  @impl true
  def key(recipe), do: hash([], recipe)

  # What is loaded has no tokenizer and the default limits. A serialised vocabulary has no options.
  @impl true
  def file_key(%{options: options} = recipe) do
    if options[:limits] == [] and options[:forced_tokens] != :tokenizer,
      do: hash([@version], recipe)
  end

  defp hash(more, %{contents: contents, format: format, options: options}) do
    meaning = [contents.hash, format, options | more]
    :crypto.hash(:sha256, :erlang.term_to_binary(meaning, [:deterministic]))
  end

  @impl true
  def build(recipe) do
    Telemetry.span(
      :vocabulary_build,
      fn -> metadata(recipe) end,
      fn ->
        with {:ok, text} <- Contents.read(recipe.path, recipe.contents),
             do: make(recipe.format, text, recipe.options)
      end,
      fn vocabulary -> {%{vocabulary_size: vocabulary.size}, %{}} end
    )
  end

  defp make(:tokenizer_json, text, options), do: Vocabulary.from_tokenizer_json(text, options)
  defp make(:tiktoken, text, options), do: Vocabulary.from_tiktoken(text, options)
  defp make(:serialized, text, []), do: Vocabulary.deserialize(text)

  @impl true
  def serialize(vocabulary), do: Vocabulary.serialize(vocabulary)

  @impl true
  def deserialize(bytes, _recipe), do: Vocabulary.deserialize(bytes)

  @impl true
  def bytes(%{contents: contents, options: options}, stored) do
    tokenizer = if options[:forced_tokens] == :tokenizer, do: contents.size, else: 0
    @least_bytes + @bytes_for_stored * stored + @bytes_for_tokenizer * tokenizer
  end

  @impl true
  def owner(_recipe), do: nil

  # Constraints hang on it.
  @impl true
  def weak(vocabulary), do: Vocabulary.to_weak(vocabulary)

  @impl true
  def recall(weak), do: Vocabulary.from_weak(weak)
end
