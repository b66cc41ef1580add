defmodule Espalier.Prompt do
  @moduledoc false
  # What a caller asks the model: a text, or a list of messages.

  alias Espalier.GenerationError
  alias Espalier.Image
  alias Espalier.Prompt.Message

  @roles ["system", "user", "assistant", "tool"]

  @type t :: {:text, String.t()} | {:messages, [message]}
  @type message ::
          {role :: String.t(), content}
          | {role :: String.t(), content | nil, Message.fields()}
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
  @spec texts([message]) :: {:ok, [message]} | {:error, GenerationError.t()}
  def texts(messages) do
    case Enum.find_index(messages, &image?(elem(&1, 1))) do
      nil ->
        {:ok, for(message <- messages, do: put_elem(message, 1, text(elem(message, 1))))}

      index ->
        {:error, error("message #{index + 1} has an image, and the model takes texts only")}
    end
  end

  defp image?(content), do: is_list(content) and Enum.any?(content, &is_struct/1)

  defp text(texts) when is_list(texts), do: Enum.join(texts, "\n\n")
  defp text(content), do: content

  @doc "Whether there is nothing but texts and images, said by the system, a user or the assistant."
  @spec check_plain(t) :: :ok | {:error, GenerationError.t()}
  def check_plain({:text, _text}), do: :ok

  def check_plain({:messages, messages}) do
    messages
    |> Enum.with_index(1)
    |> Enum.find_value(:ok, fn {message, place} ->
      with what when what != nil <- beyond_plain(message) do
        {:error, error("message #{place} has #{what}, which only local models take")}
      end
    end)
  end

  defp beyond_plain({_role, _content, [{name, _value} | _]}), do: ":" <> name
  defp beyond_plain(message) when elem(message, 0) == "tool", do: "the role :tool"
  defp beyond_plain(_plain), do: nil

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

  defp check_message(%{role: role} = message, place)
       when is_map_key(message, :content) or is_map_key(message, :tool_calls) do
    with [] <- Map.keys(message) -- [:role, :content | Message.names()],
         :ok <- check_role(role, place),
         {:ok, fields} <- check_fields(message, place),
         :ok <- check_content(message, place) do
      message = {to_string(role), message[:content]}
      if fields == [], do: message, else: Tuple.append(message, fields)
    else
      {:error, detail} -> {:error, detail}
      _unknown_keys -> no_message(message, place)
    end
  end

  defp check_message(message, place), do: no_message(message, place)

  defp no_message(message, place) do
    {:error,
     "expected message #{place} to be %{role: ..., content: ...}, with or without " <>
       Enum.map_join(Message.names(), ", ", &inspect/1) <> ", got: #{inspect(message, limit: 5)}"}
  end

  defp check_role(role, place) do
    if (is_atom(role) or is_binary(role)) and to_string(role) in @roles do
      :ok
    else
      {:error,
       "expected the role of message #{place} to be :system, :user, :assistant or :tool, got: #{inspect(role)}"}
    end
  end

  defp check_fields(message, place) do
    with {:error, detail} <- Message.fields(message), do: {:error, "message #{place}: #{detail}"}
  end

  # Who calls tools need not say anything, and a tool may have nothing to tell.
  defp check_content(%{tool_calls: [_ | _]} = message, place) do
    if message[:content] in [nil, ""], do: :ok, else: check_said(message, place)
  end

  defp check_content(%{role: role, content: ""}, _place) when role in [:tool, "tool"], do: :ok
  defp check_content(message, place), do: check_said(message, place)

  defp check_said(message, place),
    do: check_parts(message[:content], "the content of message #{place}")

  defp check_parts([_ | _] = parts, what) do
    if List.improper?(parts),
      do: check_text(parts, what),
      else: Enum.find_value(parts, :ok, &part_error(&1, what))
  end

  defp check_parts(content, what), do: check_text(content, what)

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
