defmodule Espalier.Backends.OpenAI.Answer do
  @moduledoc false
  # Answers of Chat Completions, whole or in chunks, as events.

  alias Espalier.Hosted.Failure
  alias Espalier.JSON
  alias Espalier.ProviderError
  alias Espalier.RefusalError

  defstruct [:provider, :max_tokens, :reason, call?: false, usage: %{}, refusal: "", called: []]

  @typedoc """
  `call?` is there where only the call of a tool counts, `reason` as soon as the model ended, `refusal` is what it said
  against the request, and `called` what a tool was called with.
  """
  @type t :: %__MODULE__{}

  @spec read(Espalier.Hosted.Provider.part(), t) :: {[Espalier.Backend.event()], t}
  def read({:response, %{"choices" => [%{"message" => message} = choice | _]} = json}, answer) do
    {events, answer} = answer |> put_usage(json) |> read_choice(choice, message)
    {events ++ ending(%{answer | reason: answer.reason || "stop"}), answer}
  end

  def read({:event, _type, %{"choices" => [choice | _]} = json}, answer) when is_map(choice),
    do: answer |> put_usage(json) |> read_choice(choice, choice["delta"])

  # Usage comes by itself, and whatever else is without a choice means nothing here.
  def read({:event, _type, json}, answer), do: {[], put_usage(answer, json)}
  def read(:end, %{reason: nil} = answer), do: {[], answer}
  def read(:end, answer), do: {ending(answer), answer}

  def read({:response, _json}, answer),
    do: {[invalid("no choice with a message", answer)], answer}

  defp read_choice(answer, choice, message) do
    message = if is_map(message), do: message, else: %{}
    refusal = answer.refusal <> text(message["refusal"])
    answer = %{answer | refusal: refusal, reason: choice["finish_reason"] || answer.reason}
    content = if answer.call?, do: "", else: text(message["content"])
    arguments = arguments(message["tool_calls"])
    answer = %{answer | called: [answer.called | arguments]}
    {[reasoning(message), {:tokens, [], content <> arguments, false}], answer}
  end

  # Chat Completions of OpenAI itself don't tell; servers of its protocol have one name or the other.
  defp reasoning(message),
    do: {:reasoning, [], text(message["reasoning_content"] || message["reasoning"])}

  defp text(text) when is_binary(text), do: text
  defp text(_none), do: ""

  # Only one tool can be called, and once. Fields of the other kind may be there, with null.
  defp arguments([%{} = call | _]) do
    case call do
      %{"index" => index} when index not in [nil, 0] -> ""
      %{"function" => %{"arguments" => arguments}} -> text(arguments)
      %{"custom" => %{"input" => input}} -> text(input)
      _none -> ""
    end
  end

  defp arguments(_none), do: ""

  defp ending(%{refusal: refusal} = answer) when refusal != "",
    do: [{:error, %RefusalError{kind: :refused, provider: answer.provider, detail: refusal}}]

  defp ending(%{reason: "content_filter"} = answer),
    do: [{:error, %RefusalError{kind: :filtered, provider: answer.provider}}]

  defp ending(%{reason: "error"} = answer) do
    detail = "the model broke off"
    [{:error, %ProviderError{kind: :unavailable, provider: answer.provider, detail: detail}}]
  end

  defp ending(answer) do
    reason = if cut_off?(answer), do: :max_tokens, else: :stop
    usage = Map.merge(%{prompt_tokens: 0, completion_tokens: 0}, answer.usage)
    [{:done, %{finish_reason: reason, usage: usage}}]
  end

  defp cut_off?(%{reason: reason}) when reason in ["length", "model_length"], do: true

  # Some servers say of each call that it ended well.
  defp cut_off?(%{call?: false, usage: %{completion_tokens: count}} = answer)
       when count >= answer.max_tokens do
    called = IO.iodata_to_binary(answer.called)
    called != "" and match?({:error, _error}, JSON.decode(called))
  end

  defp cut_off?(_answer), do: false

  # Groq has it elsewhere in streams.
  defp put_usage(answer, %{"usage" => %{} = usage}), do: %{answer | usage: usage(usage)}

  defp put_usage(answer, %{"x_groq" => %{"usage" => %{} = usage}}),
    do: %{answer | usage: usage(usage)}

  defp put_usage(answer, _json), do: answer

  defp usage(usage) do
    counts = [
      prompt_tokens: usage["prompt_tokens"],
      completion_tokens: usage["completion_tokens"],
      cached_tokens: detail(usage["prompt_tokens_details"], "cached_tokens"),
      reasoning_tokens: detail(usage["completion_tokens_details"], "reasoning_tokens")
    ]

    for {name, count} <- counts, is_integer(count), into: %{}, do: {name, count}
  end

  defp detail(%{} = details, name), do: details[name]
  defp detail(_none, _name), do: nil

  defp invalid(detail, answer) do
    {:error, %ProviderError{kind: :invalid_response, provider: answer.provider, detail: detail}}
  end

  @doc "What is wrong, as OpenAI says it and as servers of its protocol do."
  @spec fault(term) :: Espalier.Hosted.Provider.fault() | nil
  def fault(%{"error" => %{} = error}), do: described(error)
  def fault(%{"error" => error}) when is_binary(error), do: %{detail: error}
  def fault(%{"object" => "error"} = error), do: described(error)
  def fault(%{"detail" => detail}) when is_binary(detail), do: %{detail: detail}

  def fault(%{"detail" => [%{"msg" => message} | _]}) when is_binary(message),
    do: %{detail: message}

  def fault(_json), do: nil

  defp described(error) do
    code = error["code"] || error["type"]
    fault = %{code: code && to_code(code), detail: error["message"]}

    case kind(error["code"], error["type"]) do
      nil -> fault
      kind -> Map.put(fault, :kind, kind)
    end
  end

  defp to_code(code) when is_integer(code), do: Integer.to_string(code)
  defp to_code(code), do: code

  defp kind(code, _type) when is_integer(code) and code in 400..599, do: Failure.kind(code)
  defp kind("insufficient_quota", _type), do: :quota_exceeded
  defp kind(_code, "insufficient_quota"), do: :quota_exceeded
  defp kind("rate_limit_exceeded", _type), do: :rate_limited
  defp kind("model_not_found", _type), do: :not_found

  defp kind(code, _type) when code in ["content_filter", "content_policy_violation"],
    do: :filtered

  defp kind(_code, _type), do: nil
end
