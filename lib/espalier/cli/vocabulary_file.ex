defmodule Espalier.CLI.VocabularyFile do
  @moduledoc false
  # A vocabulary of a file, of any format that `Espalier.Vocabulary.load/2` takes.

  alias Espalier.CLI
  alias Espalier.Error
  alias Espalier.Vocabulary
  alias Espalier.VocabularyCache

  @doc """
  The vocabulary, given the tokens that end a sequence, with commas between them: texts, and for ranks, which don't
  have these tokens, texts with their ids, as in `<|endoftext|>=199999`. A serialised vocabulary knows its own.
  """
  @spec read!(Path.t(), String.t() | nil) :: Vocabulary.t()
  def read!(file, eos) do
    format = file |> VocabularyCache.format() |> Error.bang!()
    Vocabulary.load!(file, [format: format] ++ options(format, eos))
  end

  defp options(:serialized, nil), do: []
  defp options(:serialized, _eos), do: CLI.misuse!("--eos is not for a serialised vocabulary")

  defp options(_format, nil),
    do: CLI.misuse!("--eos is missing, which --vocabulary needs, see --help")

  defp options(:tokenizer_json, eos), do: [eos_tokens: String.split(eos, ",")]

  defp options(:tiktoken, eos) do
    tokens = eos |> String.split(",") |> Enum.map(&token!/1)
    [special_tokens: tokens, eos_ids: Enum.map(tokens, &elem(&1, 1))]
  end

  defp token!(text) do
    with [_, token, id] <- Regex.run(~r/\A(.+)=(\d{1,9})\z/s, text) do
      {token, String.to_integer(id)}
    else
      nil ->
        CLI.misuse!("wrong value for --eos: expected TEXT=ID for a file of ranks, got #{text}")
    end
  end
end
