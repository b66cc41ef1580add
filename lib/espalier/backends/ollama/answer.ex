defmodule Espalier.Backends.Ollama.Answer do
  @moduledoc false
  # Answers of `/api/chat`, whole or line by line, as events. A line looks like a whole answer, and the last one is
  # `done`. What the model thinks is apart from its text.

  alias Espalier.ProviderError

  @spec read(Espalier.Hosted.Provider.part(), nil) :: {[Espalier.Backend.event()], nil}
  def read({:response, %{"message" => %{}} = json}, nil), do: {line(json), nil}
  def read({:response, _json}, nil), do: {[failed(:invalid_response, "no message")], nil}
  def read({:event, _type, %{} = json}, nil), do: {line(json), nil}
  def read(_nothing, nil), do: {[], nil}

  defp line(json) do
    ending = if json["done"] == true, do: [ending(json)], else: []
    message = if is_map(json["message"]), do: json["message"], else: %{}
    tokens = {:tokens, [], text(message["content"]), false}
    [{:reasoning, [], text(message["thinking"])}, tokens | ending]
  end

  defp text(text) when is_binary(text), do: text
  defp text(_none), do: ""

  # Older servers give no reason.
  defp ending(%{"done_reason" => reason}) when reason not in ["stop", "length", nil],
    do: failed(:unavailable, "no text was written: #{inspect(reason)}")

  defp ending(json) do
    reason = if json["done_reason"] == "length", do: :max_tokens, else: :stop

    usage = %{
      prompt_tokens: count(json["prompt_eval_count"]),
      completion_tokens: count(json["eval_count"])
    }

    {:done, %{finish_reason: reason, usage: usage}}
  end

  # 0 is left out there.
  defp count(count) when is_integer(count), do: count
  defp count(_none), do: 0

  defp failed(kind, detail),
    do: {:error, %ProviderError{kind: kind, provider: :ollama, detail: detail}}

  @doc "What is wrong, in the body of an error or in a line among others."
  @spec fault(term) :: Espalier.Hosted.Provider.fault() | nil
  def fault(%{"error" => error}) when is_binary(error), do: %{detail: error}
  def fault(_json), do: nil
end
