defmodule Espalier.Backends.OpenAIResponses.Answer do
  @moduledoc false
  # Answers of the Responses API, whole or as its events, as events of a backend.
  # https://platform.openai.com/docs/api-reference/responses-streaming, as of November 2026.
  #
  # An answer is a list of items: reasoning, messages, calls of tools. The value is in those of one type; others, and
  # what a model says on its way, are left out. Of reasoning there is a summary, if one was asked for; servers of models
  # with open weights have its text.

  alias Espalier.Backends.OpenAI
  alias Espalier.ProviderError
  alias Espalier.RefusalError

  @enforce_keys [:provider, :from]
  defstruct @enforce_keys ++ [skipped: [], called?: false, refusal: ""]

  @typedoc """
  `from` is the type of the items with the value, `skipped` are the places of those that are left out. Of calls only
  the first one counts. `refusal` is what the model said against the request.
  """
  @type t :: %__MODULE__{
          provider: atom,
          from: String.t(),
          skipped: [term],
          called?: boolean,
          refusal: String.t()
        }

  @deltas %{
    "message" => "response.output_text.delta",
    "function_call" => "response.function_call_arguments.delta",
    "custom_tool_call" => "response.custom_tool_call_input.delta"
  }

  @thoughts ["response.reasoning_summary_text.delta", "response.reasoning_text.delta"]

  @last ["response.completed", "response.incomplete", "response.failed"]

  @spec new(atom, mode :: atom) :: t
  def new(provider, mode), do: %__MODULE__{provider: provider, from: from(mode)}

  defp from(:tool), do: "function_call"
  defp from(:grammar), do: "custom_tool_call"
  defp from(_mode), do: "message"

  @spec read(Espalier.Hosted.Provider.part(), t) :: {[Espalier.Backend.event()], t}
  def read({:response, %{"output" => items} = response}, answer) when is_list(items) do
    answer = %{answer | refusal: refusal(items)}
    events = [{:reasoning, [], reasoning(items)}, tokens(text(items, answer.from))]
    {events ++ ending(response, answer), answer}
  end

  def read({:response, _json}, answer),
    do: {[{:error, error(:invalid_response, "no response with output", answer)}], answer}

  def read({:event, _type, %{"type" => type, "response" => %{} = response}}, answer)
      when type in @last,
      do: {ending(response, answer), answer}

  def read(
        {:event, _type, %{"type" => "response.output_item.added", "item" => item} = json},
        answer
      ),
      do: {[], added(item, json["output_index"], answer)}

  def read({:event, _type, %{"type" => "response.refusal.delta", "delta" => delta}}, answer)
      when is_binary(delta),
      do: {[], %{answer | refusal: answer.refusal <> delta}}

  def read({:event, _type, %{"type" => type, "delta" => delta}}, answer)
      when is_binary(delta) and type in @thoughts,
      do: {[{:reasoning, [], delta}], answer}

  def read({:event, _type, %{"type" => type, "delta" => delta} = json}, answer)
      when is_binary(delta) do
    if type == @deltas[answer.from] and json["output_index"] not in answer.skipped,
      do: {[tokens(delta)], answer},
      else: {[], answer}
  end

  # Others tell what these told.
  def read(_part, answer), do: {[], answer}

  defp added(%{"phase" => "commentary"}, index, answer), do: skip(index, answer)

  defp added(%{"type" => from}, index, %{from: from, called?: true} = answer),
    do: skip(index, answer)

  defp added(%{"type" => from}, _index, %{from: from} = answer),
    do: %{answer | called?: from != "message"}

  defp added(_item, _index, answer), do: answer

  defp skip(index, answer), do: %{answer | skipped: [index | answer.skipped]}

  defp reasoning(items) do
    for %{"type" => "reasoning"} = item <- items,
        parts = [item["summary"], item["content"]],
        %{"text" => text} when is_binary(text) <-
          parts |> Enum.filter(&is_list/1) |> Enum.concat(),
        into: "",
        do: text
  end

  defp text(items, "message") do
    for %{"type" => "message", "content" => [_ | _] = parts} = item <- items,
        item["phase"] != "commentary",
        %{"type" => "output_text", "text" => text} when is_binary(text) <- parts,
        into: "",
        do: text
  end

  defp text(items, type) do
    Enum.find_value(items, "", fn
      %{"type" => ^type} = call -> argument(call)
      _item -> nil
    end)
  end

  defp argument(%{"arguments" => text}) when is_binary(text), do: text
  defp argument(%{"input" => text}) when is_binary(text), do: text
  defp argument(_call), do: nil

  defp refusal(items) do
    for %{"type" => "message", "content" => [_ | _] = parts} <- items,
        %{"type" => "refusal", "refusal" => text} when is_binary(text) <- parts,
        into: "",
        do: text
  end

  defp tokens(text), do: {:tokens, [], text, false}

  defp ending(_response, %{refusal: refusal} = answer) when refusal != "",
    do: [{:error, %RefusalError{kind: :refused, provider: answer.provider, detail: refusal}}]

  defp ending(response, answer) do
    case {response["status"], response["incomplete_details"]} do
      {"incomplete", %{"reason" => "max_output_tokens"}} ->
        done(:max_tokens, response)

      {"incomplete", %{"reason" => "content_filter"}} ->
        [{:error, %RefusalError{kind: :filtered, provider: answer.provider}}]

      {"completed", _none} ->
        done(:stop, response)

      {status, _details} ->
        detail = "the status of the response is #{inspect(status)}"
        [{:error, error(:unavailable, detail, answer)}]
    end
  end

  defp done(reason, response) do
    usage = Map.merge(%{prompt_tokens: 0, completion_tokens: 0}, usage(response["usage"]))
    [{:done, %{finish_reason: reason, usage: usage}}]
  end

  defp usage(%{} = usage) do
    counts = [
      prompt_tokens: usage["input_tokens"],
      completion_tokens: usage["output_tokens"],
      cached_tokens: detail(usage["input_tokens_details"], "cached_tokens"),
      reasoning_tokens: detail(usage["output_tokens_details"], "reasoning_tokens")
    ]

    for {name, count} <- counts, is_integer(count), into: %{}, do: {name, count}
  end

  defp usage(_none), do: %{}

  defp detail(%{} = details, name), do: details[name]
  defp detail(_none, _name), do: nil

  defp error(kind, detail, answer),
    do: %ProviderError{kind: kind, provider: answer.provider, detail: detail}

  @doc "What is wrong: an error of OpenAI's, or that of a response that failed, which no status tells."
  @spec fault(term) :: Espalier.Hosted.Provider.fault() | nil
  def fault(%{"type" => "response.failed", "response" => %{"error" => %{} = error}}),
    do: failed(error)

  def fault(%{"object" => "response", "error" => %{} = error}), do: failed(error)
  def fault(%{"type" => "error", "error" => %{} = error}), do: failed(error)
  def fault(%{"type" => "error"} = error), do: error |> Map.delete("type") |> failed()
  def fault(json), do: OpenAI.Answer.fault(json)

  defp failed(error) do
    fault = OpenAI.Answer.fault(%{"error" => error})
    Map.put_new(fault, :kind, kind(error["code"], error["type"]))
  end

  # The codes of https://github.com/openai/openai-python, `types/responses/response_error.py`, as of August 2026.
  # With the first one OpenAI says that a prompt was flagged. What is not known may pass.
  @filtered ~w(invalid_prompt bio_policy image_content_policy_violation)

  @rejected ~w(context_length_exceeded data_residency_mismatch empty_image_file failed_to_download_image
               image_file_not_found image_file_too_large image_parse_error image_too_large image_too_small
               invalid_base64_image invalid_image invalid_image_format invalid_image_mode invalid_image_url
               unsupported_image_media_type)

  defp kind(code, _type) when code in @filtered, do: :filtered
  defp kind(code, _type) when code in @rejected, do: :invalid_request
  defp kind(_code, "invalid_request_error"), do: :invalid_request
  defp kind(_code, _type), do: :unavailable
end
