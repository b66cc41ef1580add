defmodule Espalier.Reply.Completion do
  @moduledoc false
  # The end of a text that is the start of one value only: what is missing is what the schema leaves no choice of.

  alias Espalier.ConstraintCache
  alias Espalier.Matcher
  alias Espalier.Schema.Form
  alias Espalier.Vocabulary

  # The vocabulary of bytes: the id of each is the byte.
  @space [?\s, ?\t, ?\r, ?\n]

  # Escapes of other characters than those that need one would be other ways to write the same value.
  @style [style: :matching, escapes: :minimal]

  @most_bytes 10_000

  @doc "The text with its end, where there is one way to go on; white space between the parts of JSON is none."
  @spec complete(Form.t(), binary, keyword) :: {:ok, String.t()} | :error
  def complete(form, text, options) do
    with {:ok, constraint} <- constraint(form, options),
         matcher = Matcher.new(constraint),
         :ok <- Matcher.accept_text(matcher, text) do
      json? = form.kind in [:typed, :json_schema]
      complete(matcher, [text], if(json?, do: @space, else: []), @most_bytes)
    else
      {:error, _error} -> :error
    end
  end

  defp constraint(%Form{kind: :constraint}, _options), do: {:error, :another_vocabulary}

  defp constraint(form, options) do
    options = Keyword.take(options, [:format, :documents])
    ConstraintCache.fetch(form, [vocabulary: Vocabulary.bytes()] ++ @style ++ options)
  end

  defp complete(_matcher, _written, _space, 0), do: :error

  defp complete(matcher, written, space, left) do
    with {:ok, allowed} <- Matcher.allowed_tokens(matcher) do
      case {Enum.filter(allowed, &(&1 < 256)) -- space, Matcher.accepting?(matcher)} do
        {[], true} -> {:ok, IO.iodata_to_binary(written)}
        {[byte], false} -> go_on(matcher, byte, written, space, left)
        _several_ways -> :error
      end
    else
      {:error, _error} -> :error
    end
  end

  defp go_on(matcher, byte, written, space, left) do
    with :ok <- Matcher.accept_token(matcher, byte),
         do: complete(matcher, [written, byte], space, left - 1),
         else: ({:error, _error} -> :error)
  end
end
