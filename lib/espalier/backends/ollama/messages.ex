defmodule Espalier.Backends.Ollama.Messages do
  @moduledoc false
  # A prompt as Ollama wants it: each message has one text, and its images beside it.

  alias Espalier.GenerationError
  alias Espalier.Image
  alias Espalier.Prompt

  @type message :: %{String.t() => String.t() | [String.t()]}

  @doc "The messages of a prompt, with an instruction in one of them, if there is one."
  @spec new(Prompt.t(), instruction :: String.t() | nil) ::
          {:ok, [message]} | {:error, GenerationError.t()}
  def new({:text, text}, instruction), do: new({:messages, [{"user", text}]}, instruction)

  def new({:messages, messages}, instruction) do
    case Enum.find_index(messages, fn {_role, content} -> address?(content) end) do
      nil -> {:ok, messages |> Enum.map(&message/1) |> tell(instruction)}
      index -> {:error, no_address(index + 1)}
    end
  end

  defp address?(content),
    do: is_list(content) and Enum.any?(content, &match?(%Image{data: nil}, &1))

  # Ollama fetches nothing.
  defp no_address(place) do
    detail = "message #{place} has an image by its address, and Ollama takes bytes only"
    %GenerationError{kind: :invalid_prompt, detail: detail, message: "invalid prompt: #{detail}"}
  end

  defp message({role, content}) do
    {images, texts} = content |> List.wrap() |> Enum.split_with(&is_struct(&1, Image))
    message = %{"role" => role, "content" => Enum.join(texts, "\n\n")}
    images = for image <- images, do: Base.encode64(image.data)
    if images == [], do: message, else: Map.put(message, "images", images)
  end

  defp tell(messages, nil), do: messages

  # A system message at the beginning would take the place of the model's own.
  defp tell(messages, instruction) do
    case index(messages, "system") || index(messages, "user") do
      nil -> messages ++ [message({"user", instruction})]
      index -> List.update_at(messages, index, &with_text(&1, instruction))
    end
  end

  defp index(messages, role), do: Enum.find_index(messages, &(&1["role"] == role))

  defp with_text(%{"content" => ""} = message, text), do: %{message | "content" => text}

  defp with_text(%{"content" => content} = message, text),
    do: %{message | "content" => content <> "\n\n" <> text}
end
