defmodule Espalier.Tools.Style do
  @moduledoc false
  # How families of models write calls of tools, as parts of a text.

  @names [
    :hermes,
    :llama3,
    :mistral,
    :mistral_v11,
    :mistral_v13,
    :deepseek_v3,
    :deepseek_v3_1,
    :harmony
  ]

  @type name ::
          :hermes
          | :llama3
          | :mistral
          | :mistral_v11
          | :mistral_v13
          | :deepseek_v3
          | :deepseek_v3_1
          | :harmony

  @spec names() :: [name]
  def names, do: @names

  @doc "The parts; `limits` are how many calls there are, `:min` and maybe `:max`."
  @spec parts(name, [Espalier.Tools.Tool.t()], map) :: [term]
  def parts(:hermes, tools, limits) do
    call = json_call(tools, "arguments")
    tag = {"<tool_call>", {:sequence, ["\n", call]}, "\n</tool_call>"}
    [{:text, [tags: [tag]] ++ Map.to_list(limits)}]
  end

  def parts(:llama3, tools, _limits), do: [json_call(tools, "parameters")]

  def parts(:mistral, tools, limits) do
    call = json_call(tools, "arguments")

    behind_text(
      "[TOOL_CALLS]",
      [" [", call, several([", ", call], one_less(limits)), "]"],
      limits
    )
  end

  def parts(:mistral_v11, tools, limits), do: one_by_one(named_call(tools, []), limits)

  def parts(:mistral_v13, tools, limits),
    do: one_by_one(named_call(tools, [token("[ARGS]")]), limits)

  def parts(:deepseek_v3, tools, limits) do
    between = fn tool ->
      ["function", token("<｜tool▁sep｜>"), tool.name, "\n```json\n", capture(tool), "\n```"]
    end

    deepseek(tools, between, "\n", limits)
  end

  def parts(:deepseek_v3_1, tools, limits) do
    between = fn tool -> [tool.name, token("<｜tool▁sep｜>"), capture(tool)] end
    deepseek(tools, between, "", limits)
  end

  def parts(:harmony, tools, limits) do
    call =
      any_of(tools, fn tool ->
        to = token("<|channel|>")
        name = "commentary to=functions.#{tool.name} "
        [to, name, token("<|constrain|>"), "json", token("<|message|>"), capture(tool)]
      end)

    answer = {:sequence, [token("<|channel|>"), "final", token("<|message|>"), :text]}
    analysis = {:repeat, {:sequence, message("analysis")}}
    [analysis, if(limits.min == 0, do: {:any_of, [call, answer]}, else: call)]
  end

  # A message that is no answer, up to where the next one begins.
  defp message(channel) do
    [
      token("<|channel|>"),
      channel,
      token("<|message|>"),
      :text,
      token("<|end|>"),
      token("<|start|>"),
      "assistant"
    ]
  end

  defp deepseek(tools, between, separator, limits) do
    call =
      any_of(tools, fn tool ->
        [token("<｜tool▁call▁begin｜>")] ++ between.(tool) ++ [token("<｜tool▁call▁end｜>")]
      end)

    calls = [call, several([separator, call], one_less(limits)), token("<｜tool▁calls▁end｜>")]
    behind_text("<｜tool▁calls▁begin｜>", calls, limits)
  end

  defp one_by_one(call, limits),
    do:
      behind_text(
        "[TOOL_CALLS]",
        [call, several([token("[TOOL_CALLS]"), call], one_less(limits))],
        limits
      )

  # All calls follow one token.
  defp behind_text(start, calls, %{min: min}),
    do: [{:text, tags: [{token(start), {:sequence, calls}, ""}], min: min(min, 1), max: 1}]

  defp several(parts, limits), do: {:repeat, {:sequence, parts}, limits}

  # Beside the first one.
  defp one_less(limits) do
    max = if limits[:max], do: [max: limits.max - 1], else: []
    [min: max(limits.min - 1, 0)] ++ max
  end

  defp json_call(tools, arguments) do
    any_of(tools, fn tool ->
      [~s({"name": "#{tool.name}", "#{arguments}": ), capture(tool), "}"]
    end)
  end

  defp named_call(tools, between),
    do: any_of(tools, fn tool -> [tool.name] ++ between ++ [capture(tool)] end)

  defp any_of(tools, parts), do: {:any_of, for(tool <- tools, do: {:sequence, parts.(tool)})}

  defp capture(tool), do: {:capture, :calls, tool.parameters, tool.name}

  defp token(name), do: {:special_token, name}
end
