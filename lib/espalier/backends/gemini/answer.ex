defmodule Espalier.Backends.Gemini.Answer do
  @moduledoc false
  # Answers of `generateContent`, whole or in chunks, as events. A chunk looks like a whole answer.

  alias Espalier.Hosted.Failure
  alias Espalier.ProviderError
  alias Espalier.RefusalError

  defstruct [:reason, :blocked, usage: %{}]

  @typedoc """
  `reason` is there as soon as the model ended, and `blocked` is why the prompt was not taken.
  """
  @type t :: %__MODULE__{}

  # https://github.com/googleapis/python-genai, `FinishReason` in google/genai/types.py, August 2026. Asking again
  # helps with none of these.
  @filtered ~w(SAFETY RECITATION LANGUAGE BLOCKLIST PROHIBITED_CONTENT SPII IMAGE_SAFETY IMAGE_PROHIBITED_CONTENT
               IMAGE_RECITATION)

  @spec read(Espalier.Hosted.Provider.part(), t) :: {[Espalier.Backend.event()], t}
  def read({:response, json}, answer) do
    {events, answer} = read_chunk(json, answer)

    case {answer, json} do
      {%{reason: nil, blocked: nil}, %{"candidates" => [%{"content" => _content} | _]}} ->
        {events ++ ending(%{answer | reason: "STOP"}), answer}

      {%{reason: nil, blocked: nil}, _json} ->
        {[failed(:invalid_response, "no candidate with a content")], answer}

      _ended ->
        {events ++ ending(answer), answer}
    end
  end

  def read({:event, _type, json}, answer), do: read_chunk(json, answer)
  def read(:end, %{reason: nil, blocked: nil} = answer), do: {[], answer}
  def read(:end, answer), do: {ending(answer), answer}

  defp read_chunk(json, answer) when is_map(json) do
    answer
    |> put_usage(json["usageMetadata"])
    |> put_blocked(json["promptFeedback"])
    |> read_candidate(json["candidates"])
  end

  defp read_chunk(_json, answer), do: {[], answer}

  defp put_blocked(answer, %{"blockReason" => reason}) when is_binary(reason),
    do: %{answer | blocked: reason}

  defp put_blocked(answer, _none), do: answer

  # Only one is asked for.
  defp read_candidate(answer, [%{} = candidate | _]) do
    answer = put_reason(answer, candidate["finishReason"])
    {thoughts, texts} = candidate["content"] |> parts() |> Enum.split_with(& &1["thought"])
    {tokens, answer} = texts |> written() |> tokens(answer)
    {[{:reasoning, [], written(thoughts)} | tokens], answer}
  end

  defp read_candidate(answer, _none), do: {[], answer}

  defp put_reason(answer, reason) when is_binary(reason), do: %{answer | reason: reason}
  defp put_reason(answer, _none), do: answer

  defp parts(%{"parts" => parts}) when is_list(parts), do: Enum.filter(parts, &is_map/1)
  defp parts(_none), do: []

  defp written(parts), do: for(%{"text" => text} <- parts, into: "", do: text(text))

  defp text(text) when is_binary(text), do: text
  defp text(_other), do: ""

  defp tokens(text, answer), do: {[{:tokens, [], text, false}], answer}

  defp ending(%{blocked: blocked}) when blocked != nil, do: [filtered(blocked)]
  defp ending(%{reason: reason}) when reason in @filtered, do: [filtered(reason)]

  defp ending(%{reason: reason} = answer) when reason in ["STOP", "MAX_TOKENS"] do
    reason = if reason == "STOP", do: :stop, else: :max_tokens
    usage = Map.merge(%{prompt_tokens: 0, completion_tokens: 0}, answer.usage)
    [{:done, %{finish_reason: reason, usage: usage}}]
  end

  # A call of a function that nobody offered, and whatever else is no one's fault.
  defp ending(%{reason: reason}), do: [failed(:unavailable, "the model broke off: #{reason}")]

  defp filtered(reason),
    do: {:error, %RefusalError{kind: :filtered, provider: :gemini, detail: reason}}

  defp failed(kind, detail),
    do: {:error, %ProviderError{kind: kind, provider: :gemini, detail: detail}}

  # Each chunk has all so far. Thoughts are not counted among the candidates.
  defp put_usage(answer, %{} = usage) do
    thoughts = usage["thoughtsTokenCount"]

    counts = [
      prompt_tokens: usage["promptTokenCount"],
      completion_tokens: sum(usage["candidatesTokenCount"], thoughts),
      cached_tokens: usage["cachedContentTokenCount"],
      reasoning_tokens: thoughts
    ]

    counts = for {name, count} <- counts, is_integer(count), into: %{}, do: {name, count}
    %{answer | usage: Map.merge(answer.usage, counts)}
  end

  defp put_usage(answer, _none), do: answer

  defp sum(written, thoughts) when is_integer(written) and is_integer(thoughts),
    do: written + thoughts

  defp sum(written, thoughts), do: if(is_integer(written), do: written, else: thoughts)

  @doc "What is wrong. Some errors of streams come in a list."
  @spec fault(term) :: Espalier.Hosted.Provider.fault() | nil
  def fault([%{"error" => _error} = json | _]), do: fault(json)

  def fault(%{"error" => %{} = error}) do
    details = details(error)

    fault = %{
      code: error["status"],
      detail: error["message"],
      retry_after: Enum.find_value(details, &retry_after/1)
    }

    case kind(error, details) do
      nil -> fault
      kind -> Map.put(fault, :kind, kind)
    end
  end

  def fault(_json), do: nil

  defp details(%{"details" => details}) when is_list(details), do: Enum.filter(details, &is_map/1)
  defp details(_error), do: []

  # A wrong key is a wrong argument there, and what is used up for the day is not told apart from what passes.
  # https://github.com/google-gemini/gemini-cli, packages/core/src/utils/googleQuotaErrors.ts, November 2026
  defp kind(error, details) do
    cond do
      Enum.any?(details, &(&1["reason"] == "API_KEY_INVALID")) -> :unauthorized
      Enum.any?(details, &used_up?/1) -> :quota_exceeded
      is_integer(error["code"]) -> Failure.kind(error["code"])
      true -> nil
    end
  end

  defp used_up?(%{"violations" => violations}) when is_list(violations),
    do: Enum.any?(violations, &daily?/1)

  defp used_up?(_detail), do: false

  defp daily?(%{"quotaId" => id}) when is_binary(id), do: id =~ ~r/PerDay|Daily/
  defp daily?(_violation), do: false

  # A `google.protobuf.Duration` in JSON: seconds, with a fraction or not.
  defp retry_after(%{"retryDelay" => delay}) when is_binary(delay) do
    case Float.parse(delay) do
      {seconds, "s"} when seconds >= 0 and seconds < 1.0e9 -> ceil(seconds * 1000)
      _other -> nil
    end
  end

  defp retry_after(_detail), do: nil
end
