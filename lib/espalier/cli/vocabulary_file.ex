defmodule Espalier.CLI.VocabularyFile do
  @moduledoc false
  # A vocabulary of a file: a `tokenizer.json`, or ranks as tiktoken has them.

  alias Espalier.CLI
  alias Espalier.CLI.Input
  alias Espalier.Error
  alias Espalier.Vocabulary

  @doc """
  The vocabulary, given the tokens that end a sequence, with commas between them: texts, and for ranks, which don't
  have these tokens, texts with their ids, as in `<|endoftext|>=199999`.
  """
  @spec read!(Path.t(), String.t() | nil) :: Vocabulary.t()
  def read!(_file, nil), do: CLI.misuse!("--eos is missing, which --vocabulary needs, see --help")

  def read!(file, eos) do
    text = Input.read!(file)
    eos = String.split(eos, ",")

    if text =~ ~r/\A\s*\{/,
      do: text |> Vocabulary.from_tokenizer_json(eos_tokens: eos) |> Error.bang!(),
      else: ranks!(text, Enum.map(eos, &token!/1))
  end

  defp ranks!(text, tokens) do
    options = [special_tokens: tokens, eos_ids: Enum.map(tokens, &elem(&1, 1))]
    text |> Vocabulary.from_tiktoken(options) |> Error.bang!()
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
