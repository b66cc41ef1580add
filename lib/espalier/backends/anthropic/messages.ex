defmodule Espalier.Backends.Anthropic.Messages do
  @moduledoc false
  # A prompt as the Messages API takes it: what the system says by itself, and turns of the others.

  alias Espalier.GenerationError
  alias Espalier.Image
  alias Espalier.Prompt

  @doc "The fields of a prompt, with a text that the system says last, if there is one."
  @spec fields(Prompt.t(), String.t() | nil) :: {:ok, map} | {:error, GenerationError.t()}
  def fields({:text, text}, told), do: fields({:messages, [{"user", text}]}, told)

  def fields({:messages, messages}, told) do
    {system, others} = Enum.split_with(messages, fn {role, _content} -> role == "system" end)
    system = Enum.flat_map(system, &parts/1) ++ List.wrap(told)

    cond do
      not Enum.all?(system, &is_binary/1) -> {:error, invalid("a system message has an image")}
      system == [] -> {:ok, %{"messages" => turns(others)}}
      true -> {:ok, %{"messages" => turns(others), "system" => Enum.join(system, "\n\n")}}
    end
  end

  defp turns(messages) do
    for [{role, _content} | _] = turn <- Enum.chunk_by(messages, &elem(&1, 0)),
        do: %{"role" => role, "content" => turn |> Enum.flat_map(&parts/1) |> content()}
  end

  defp parts({_role, content}), do: List.wrap(content)

  defp content([text]) when is_binary(text), do: text
  defp content(parts), do: Enum.map(parts, &block/1)

  defp block(%Image{url: url}) when is_binary(url),
    do: %{"type" => "image", "source" => %{"type" => "url", "url" => url}}

  defp block(%Image{} = image) do
    data = Base.encode64(image.data)
    source = %{"type" => "base64", "media_type" => image.media_type, "data" => data}
    %{"type" => "image", "source" => source}
  end

  defp block(text), do: %{"type" => "text", "text" => text}

  defp invalid(detail) do
    %GenerationError{kind: :invalid_prompt, detail: detail, message: "invalid prompt: #{detail}"}
  end
end
