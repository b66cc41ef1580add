defmodule Espalier.Prompt do
  @moduledoc false
  # What a caller asks the model: a text, or a list of messages.

  alias Espalier.GenerationError
  alias Espalier.Image

  @roles ["system", "user", "assistant"]

  @type t :: {:text, String.t()} | {:messages, [{role :: String.t(), content}]}
  @type content :: String.t() | [String.t() | Image.t()]

  @doc "The prompt that a caller's term stands for."
  @spec new(term) :: {:ok, t} | {:error, GenerationError.t()}
  def new(prompt) do
    case check(prompt) do
      {:error, detail} -> {:error, error(detail)}
      prompt -> {:ok, prompt}
    end
  end

  @doc "The prompt with a model's answer after it, and what is said to that."
  @spec reply(t, String.t(), String.t()) :: t
  def reply({:text, prompt}, answer, message),
    do: {:text, [prompt, answer, message] |> Enum.reject(&blank?/1) |> Enum.join("\n\n")}

  # No provider takes a message without a text.
  def reply({:messages, messages}, answer, message) do
    answer = if blank?(answer), do: [], else: [{"assistant", answer}]
    {:messages, messages ++ answer ++ [{"user", message}]}
  end

  defp blank?(text), do: String.trim(text) == ""

  @doc "The prompt with an instruction before all else, if there is one."
  @spec instructed(t, String.t() | nil) :: t
  def instructed(prompt, nil), do: prompt

  def instructed({:text, text}, instruction),
    do: instructed({:messages, [{"user", text}]}, instruction)

  def instructed({:messages, [{"system", content} | messages]}, instruction)
      when is_binary(content),
      do: {:messages, [{"system", content <> "\n\n" <> instruction} | messages]}

  def instructed({:messages, messages}, instruction),
    do: {:messages, [{"system", instruction} | messages]}

  @doc "The messages with texts as contents, for a backend whose models don't see."
  @spec texts([{String.t(), content}]) ::
          {:ok, [{String.t(), String.t()}]} | {:error, GenerationError.t()}
  def texts(messages) do
    case Enum.find_index(messages, fn {_role, content} -> image?(content) end) do
      nil ->
        {:ok, for({role, content} <- messages, do: {role, text(content)})}

      index ->
        {:error, error("message #{index + 1} has an image, and the model takes texts only")}
    end
  end

  defp image?(content), do: is_list(content) and Enum.any?(content, &is_struct/1)

  defp text(text) when is_binary(text), do: text
  defp text(texts), do: Enum.join(texts, "\n\n")

  defp check(text) when is_binary(text) do
    with :ok <- check_text(text, "the prompt"), do: {:text, text}
  end

  defp check([_ | _] = messages) do
    if List.improper?(messages), do: no_prompt(messages), else: check_messages(messages)
  end

  defp check([]), do: {:error, "the list of messages is empty"}
  defp check(prompt), do: no_prompt(prompt)

  defp no_prompt(prompt) do
    {:error, "expected a text or a list of messages, got: #{inspect(prompt, limit: 5)}"}
  end

  defp check_messages(messages) do
    messages
    |> Enum.with_index(1)
    |> Enum.reduce_while([], fn {message, place}, done ->
      case check_message(message, place) do
        {:error, detail} -> {:halt, {:error, detail}}
        message -> {:cont, [message | done]}
      end
    end)
    |> case do
      {:error, detail} -> {:error, detail}
      messages -> {:messages, Enum.reverse(messages)}
    end
  end

  defp check_message(%{role: role, content: content} = message, place)
       when map_size(message) == 2 do
    with :ok <- check_role(role, place),
         :ok <- check_content(content, "the content of message #{place}") do
      {to_string(role), content}
    end
  end

  defp check_message(message, place) do
    {:error,
     "expected message #{place} to be %{role: ..., content: ...}, got: #{inspect(message, limit: 5)}"}
  end

  defp check_role(role, place) do
    if (is_atom(role) or is_binary(role)) and to_string(role) in @roles do
      :ok
    else
      {:error,
       "expected the role of message #{place} to be :system, :user or :assistant, got: #{inspect(role)}"}
    end
  end

  defp check_content([_ | _] = parts, what) do
    if List.improper?(parts),
      do: check_text(parts, what),
      else: Enum.find_value(parts, :ok, &part_error(&1, what))
  end

  defp check_content(content, what), do: check_text(content, what)

  defp part_error(%Image{url: url}, _what) when is_binary(url), do: nil

  defp part_error(%Image{data: data, media_type: media_type}, _what)
       when is_binary(data) and is_binary(media_type),
       do: nil

  defp part_error(part, what) do
    with :ok <- check_text(part, "a part of #{what}", "a text or an image"), do: nil
  end

  defp check_text(text, what, expected \\ "a text")
  defp check_text("", what, _expected), do: {:error, "#{what} is empty"}

  defp check_text(text, what, _expected) when is_binary(text) do
    if String.valid?(text), do: :ok, else: {:error, "#{what} is not UTF-8"}
  end

  defp check_text(text, what, expected),
    do: {:error, "expected #{what} to be #{expected}, got: #{inspect(text, limit: 5)}"}

  defp error(detail) do
    %GenerationError{kind: :invalid_prompt, detail: detail, message: "invalid prompt: #{detail}"}
  end
end
