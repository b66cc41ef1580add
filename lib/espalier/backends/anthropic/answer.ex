defmodule Espalier.Backends.Anthropic.Answer do
  @moduledoc false
  # Answers of the Messages API, whole or as events, as those of a backend.
  # (https://platform.claude.com/docs/en/build-with-claude/streaming, as of November 2026, and
  # https://github.com/anthropics/anthropic-sdk-python, src/anthropic/types, as of August 2026)
  #
  # A message has blocks, one after the other: of text, of calls of tools, of what the model thought. A whole block is
  # read as one that begins and ends.

  alias Espalier.JSON
  alias Espalier.ProviderError
  alias Espalier.RefusalError

  defstruct [:call, :reason, :details, usage: %{}, aside: ""]

  @typedoc """
  `reason` is there as soon as the model ended, with `details`.

  `call` is how far the call of the tool is: awaited, begun with an input, written, or ended; `nil` where the value is
  the text. Where it isn't, the text is kept `aside`.
  """
  @type t :: %__MODULE__{
          call: nil | :awaited | {:begun, input :: term} | :written | :ended,
          reason: String.t() | nil,
          details: term,
          usage: map,
          aside: String.t()
        }

  @doc "Before the answer to a request of a mode."
  @spec new(mode :: atom) :: t
  def new(mode) when mode in [:tool, :strict_tool], do: %__MODULE__{call: :awaited}
  def new(_mode), do: %__MODULE__{}

  @spec read(Espalier.Hosted.Provider.part(), t) :: {[Espalier.Backend.event()], t}
  def read({:response, %{"content" => blocks} = message}, answer) when is_list(blocks) do
    {events, answer} = Enum.flat_map_reduce(blocks, answer, &block/2)
    {ending, answer} = answer |> put_usage(message) |> put_reason(message) |> finish()
    {events ++ ending, answer}
  end

  def read({:response, _json}, answer), do: {[invalid("no message with content")], answer}

  def read({:event, _type, %{"type" => type} = event}, answer), do: event(type, event, answer)
  def read({:event, _type, _json}, answer), do: {[], answer}
  def read(:end, %{reason: nil} = answer), do: {[], answer}
  def read(:end, answer), do: finish(answer)

  defp event("message_start", %{"message" => message}, answer),
    do: {[], put_usage(answer, message)}

  defp event("content_block_start", %{"content_block" => block}, answer), do: start(block, answer)
  defp event("content_block_delta", %{"delta" => delta}, answer), do: delta(delta, answer)
  defp event("content_block_stop", _event, answer), do: stop(answer)

  defp event("message_delta", event, answer),
    do: {[], answer |> put_usage(event) |> put_reason(event["delta"])}

  defp event("message_stop", _event, answer), do: finish(answer)

  # Pings, and what there may be one day: by the documentation neither means an error.
  defp event(_other, _event, answer), do: {[], answer}

  defp block(block, answer) do
    {begun, answer} = start(block, answer)
    {ended, answer} = stop(answer)
    {begun ++ ended, answer}
  end

  defp start(%{"type" => "text", "text" => text}, answer) when is_binary(text),
    do: text(text, answer)

  defp start(%{"type" => "thinking", "thinking" => text}, answer) when is_binary(text),
    do: {[{:reasoning, [], text}], answer}

  defp start(%{"type" => "tool_use"} = call, %{call: :awaited} = answer),
    do: {[], %{answer | call: {:begun, call["input"]}}}

  defp start(_other, answer), do: {[], answer}

  defp delta(%{"type" => "text_delta", "text" => text}, answer) when is_binary(text),
    do: text(text, answer)

  defp delta(%{"type" => "thinking_delta", "thinking" => text}, answer) when is_binary(text),
    do: {[{:reasoning, [], text}], answer}

  defp delta(%{"type" => "input_json_delta", "partial_json" => ""}, answer), do: {[], answer}

  defp delta(%{"type" => "input_json_delta", "partial_json" => json}, %{call: call} = answer)
       when is_binary(json) and call not in [nil, :awaited, :ended],
       do: tokens(json, %{answer | call: :written})

  defp delta(_other, answer), do: {[], answer}

  # An input without members may come without a delta.
  defp stop(%{call: {:begun, input}} = answer),
    do: tokens(JSON.encode!(input), %{answer | call: :ended})

  defp stop(%{call: :written} = answer), do: {[], %{answer | call: :ended}}
  defp stop(answer), do: {[], answer}

  defp text(text, %{call: nil} = answer), do: tokens(text, answer)
  defp text(text, answer), do: {[], %{answer | aside: answer.aside <> text}}

  defp tokens(text, answer), do: {[{:tokens, [], text, false}], answer}

  defp put_usage(answer, %{"usage" => %{} = usage}) do
    told = for {name, count} <- usage, count != nil, into: %{}, do: {name, count}
    %{answer | usage: Map.merge(answer.usage, told)}
  end

  defp put_usage(answer, _message), do: answer

  defp put_reason(answer, %{"stop_reason" => reason} = message) when is_binary(reason),
    do: %{answer | reason: reason, details: message["stop_details"]}

  defp put_reason(answer, _message), do: answer

  # Who didn't call the tool may have written the value all the same.
  defp finish(%{call: :awaited, aside: text} = answer) do
    {events, answer} = tokens(text, %{answer | call: :ended})
    {events ++ ending(answer), answer}
  end

  defp finish(answer), do: {ending(answer), answer}

  defp ending(%{reason: "refusal", details: details}),
    do: [{:error, %RefusalError{kind: :refused, provider: :anthropic, detail: why(details)}}]

  # Only tools of the provider pause, and none was offered.
  defp ending(%{reason: "pause_turn"}), do: [invalid("a turn that paused")]

  defp ending(answer) do
    cut_off? = answer.reason in ["max_tokens", "model_context_window_exceeded"]
    reason = if cut_off?, do: :max_tokens, else: :stop
    [{:done, %{finish_reason: reason, usage: usage(answer.usage)}}]
  end

  defp why(%{"explanation" => explanation}) when is_binary(explanation), do: explanation
  defp why(%{"category" => category}) when is_binary(category), do: category
  defp why(_none), do: nil

  # What was read from a cache or written into one is not among the input.
  defp usage(usage) do
    read = usage["cache_read_input_tokens"]
    input = [usage["input_tokens"], usage["cache_creation_input_tokens"], read]
    details = usage["output_tokens_details"]

    counts = [
      prompt_tokens: input |> Enum.filter(&is_integer/1) |> Enum.sum(),
      completion_tokens: usage["output_tokens"],
      cached_tokens: read,
      reasoning_tokens: if(is_map(details), do: details["thinking_tokens"])
    ]

    for {name, count} <- counts,
        is_integer(count),
        into: %{completion_tokens: 0},
        do: {name, count}
  end

  defp invalid(detail) do
    {:error, %ProviderError{kind: :invalid_response, provider: :anthropic, detail: detail}}
  end
end
