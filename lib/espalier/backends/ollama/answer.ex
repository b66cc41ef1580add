defmodule Espalier.Backends.Ollama.Answer do
  @moduledoc false
  # Answers of `/api/chat`, whole or line by line, as events. A line looks like a whole answer, and the last one is
  # `done`. What the model thinks is apart from its text, and of no interest here.

  alias Espalier.Hosted.Wrapper
  alias Espalier.ProviderError

  defstruct [:wrapper]

  @typedoc "`wrapper` is there where the value is inside of an object."
  @type t :: %__MODULE__{wrapper: Wrapper.t() | nil}

  @spec read(Espalier.Hosted.Provider.part(), t) :: {[Espalier.Backend.event()], t}
  def read({:response, %{"message" => %{}} = json}, answer), do: read_line(json, answer)

  def read({:response, _json}, answer),
    do: {[failed(:invalid_response, "no message")], answer}

  def read({:event, _type, %{} = json}, answer), do: read_line(json, answer)
  def read(_nothing, answer), do: {[], answer}

  defp read_line(json, answer) do
    {events, answer} = json["message"] |> text() |> tokens(answer)
    ending = if json["done"] == true, do: ending(json, answer), else: []
    {events ++ ending, answer}
  end

  defp text(%{"content" => text}) when is_binary(text), do: text
  defp text(_none), do: ""

  defp tokens("", answer), do: {[], answer}
  defp tokens(text, %{wrapper: nil} = answer), do: {[{:tokens, [], text, false}], answer}

  defp tokens(text, answer) do
    {text, wrapper} = Wrapper.read(answer.wrapper, text)
    events = if text == "", do: [], else: [{:tokens, [], text, false}]
    {events, %{answer | wrapper: wrapper}}
  end

  # Older servers give no reason.
  defp ending(%{"done_reason" => reason}, _answer) when reason not in ["stop", "length", nil],
    do: [failed(:unavailable, "no text was written: #{inspect(reason)}")]

  defp ending(json, answer) do
    reason = if json["done_reason"] == "length", do: :max_tokens, else: :stop

    usage = %{
      prompt_tokens: count(json["prompt_eval_count"]),
      completion_tokens: count(json["eval_count"])
    }

    rest(answer.wrapper) ++ [{:done, %{finish_reason: reason, usage: usage}}]
  end

  # 0 is left out there.
  defp count(count) when is_integer(count), do: count
  defp count(_none), do: 0

  defp rest(nil), do: []

  defp rest(wrapper) do
    case Wrapper.finish(wrapper) do
      "" -> []
      text -> [{:tokens, [], text, false}]
    end
  end

  defp failed(kind, detail),
    do: {:error, %ProviderError{kind: kind, provider: :ollama, detail: detail}}

  @doc "What is wrong, in the body of an error or in a line among others."
  @spec fault(term) :: Espalier.Hosted.Provider.fault() | nil
  def fault(%{"error" => error}) when is_binary(error), do: %{detail: error}
  def fault(_json), do: nil
end
