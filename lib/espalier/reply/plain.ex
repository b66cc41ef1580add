defmodule Espalier.Reply.Plain do
  @moduledoc false
  # Replies that are a text of a regular expression, a choice or a constraint, rather than JSON.

  alias Espalier.Reply.Completion
  alias Espalier.Reply.Reasoning
  alias Espalier.Schema.Form

  @fence ~r/\A(`{3,}|~{3,})[ \t]*[A-Za-z0-9_+.#-]*\r?\n(.*?)\r?\n?[ \t]*\1\z/s
  @quotes [{"```", "```"}, {"`", "`"}, {"\"", "\""}, {"'", "'"}, {"“", "”"}, {"‘", "’"}]

  @doc "The first text that the reply may stand for and the schema has, or the error of the reply itself."
  @spec read(Form.t(), binary, keyword) :: {:ok, String.t(), [atom]} | {:error, Exception.t()}
  def read(form, text, options) do
    with {:error, error} <- check_as_is(form, text, options) do
      variants = variants(text)

      Enum.find_value(variants, fn {text, fixes} ->
        if check(form, text, options) == :ok, do: {:ok, text, fixes}
      end) || Enum.find_value(variants, &other_case(form, &1)) ||
        Enum.find_value(variants, &completed(form, &1, options)) || {:error, error}
    end
  end

  defp completed(_form, {"", _fixes}, _options), do: nil

  defp completed(form, {text, fixes}, options) do
    with {:ok, text} <- Completion.complete(form, text, options),
         do: {:ok, text, fixes ++ [:completed]},
         else: (:error -> nil)
  end

  defp check_as_is(form, text, options) do
    with :ok <- check(form, text, options), do: {:ok, text, []}
  end

  @doc "Whether the schema has the text."
  @spec check(Form.t(), binary, keyword) :: :ok | {:error, Exception.t()}
  def check(%Form{kind: :choice} = form, text, _options) do
    with {:ok, _choice} <- Form.cast(form, text), do: :ok
  end

  def check(form, text, options), do: Form.validate(form, text, options)

  # Each has the fixes of the one before it, and another.
  defp variants(text) do
    {trimmed, fixes} = step({text, []}, :surrounding_space, &trim/1)
    answer = step({trimmed, fixes}, :reasoning, &reasoning/1)
    bare = step(answer, :code_fence, &unfenced/1)
    Enum.uniq([{text, []}, {trimmed, fixes}, answer, bare, unquoted(bare)])
  end

  defp step({text, fixes}, fix, change) do
    case change.(text) do
      ^text -> {text, fixes}
      changed -> {changed, fixes ++ [fix]}
    end
  end

  defp trim(text), do: if(String.valid?(text), do: String.trim(text), else: text)

  defp reasoning(text) do
    case Reasoning.remove(text) do
      {:ok, answer} -> trim(answer)
      _none -> text
    end
  end

  defp unfenced(text) do
    case Regex.run(@fence, text) do
      [_all, _fence, body] -> trim(body)
      nil -> text
    end
  end

  defp unquoted({text, fixes}) do
    Enum.find_value(@quotes, {text, fixes}, fn {left, right} ->
      length = byte_size(text) - byte_size(left) - byte_size(right)

      if length > 0 and String.starts_with?(text, left) and String.ends_with?(text, right),
        do: {binary_part(text, byte_size(left), length), fixes ++ [quote_fix(left)]}
    end)
  end

  defp quote_fix("`" <> _more), do: :code_fence
  defp quote_fix(_quote), do: :surrounding_quotes

  defp other_case(%Form{kind: :choice, content: pairs}, {text, fixes}) do
    if String.valid?(text) do
      folded = String.downcase(text)

      case for({choice, _term} <- pairs, String.downcase(choice) == folded, do: choice) do
        [choice] -> {:ok, choice, fixes ++ [:enum_case]}
        _none_or_several -> nil
      end
    end
  end

  defp other_case(_form, _variant), do: nil
end
