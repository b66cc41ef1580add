defmodule Espalier.Backends.Gemini.Contents do
  @moduledoc false
  # A prompt as Gemini wants it: turns of a user and a model in `contents`, and apart from them what the system says.

  alias Espalier.Image
  alias Espalier.Prompt

  @media_types %{
    ".png" => "image/png",
    ".jpg" => "image/jpeg",
    ".jpeg" => "image/jpeg",
    ".webp" => "image/webp",
    ".heic" => "image/heic",
    ".heif" => "image/heif"
  }

  @doc "The fields of a prompt, with an instruction from the system after it, if there is one."
  @spec new(Prompt.t(), instruction :: String.t() | nil) :: %{String.t() => term}
  def new({:text, text}, instruction), do: new({:messages, [{"user", text}]}, instruction)

  def new({:messages, messages}, instruction) do
    {system, turns} = Enum.split_with(messages, fn {role, _content} -> role == "system" end)
    told = for {_role, content} <- system, part <- parts(content), do: part
    told = if instruction, do: told ++ parts(instruction), else: told
    contents = %{"contents" => turns |> Enum.map(&turn/1) |> joined()}
    if told == [], do: contents, else: Map.put(contents, "systemInstruction", %{"parts" => told})
  end

  defp turn({"assistant", content}), do: {"model", parts(content)}
  defp turn({"user", content}), do: {"user", parts(content)}

  # Turns alternate.
  defp joined(turns) do
    turns
    |> Enum.chunk_by(&elem(&1, 0))
    |> Enum.map(fn [{role, _parts} | _] = turns ->
      %{"role" => role, "parts" => Enum.flat_map(turns, &elem(&1, 1))}
    end)
  end

  defp parts(content), do: content |> List.wrap() |> Enum.map(&part/1)

  defp part(%Image{url: nil} = image) do
    %{"inlineData" => %{"mimeType" => image.media_type, "data" => Base.encode64(image.data)}}
  end

  defp part(%Image{url: url} = image) do
    file = %{"fileUri" => url}

    case image.media_type || media_type(url) do
      nil -> %{"fileData" => file}
      type -> %{"fileData" => Map.put(file, "mimeType", type)}
    end
  end

  defp part(text), do: %{"text" => text}

  # Google's own clients send one with each address.
  defp media_type(url) do
    extension = Path.extname(URI.parse(url).path || "")
    @media_types[String.downcase(extension)]
  end
end
