defmodule Espalier.Backends.Local.Reasoning do
  @moduledoc false
  # What becomes of a model's thinking before its text: the prompt either begins a section for it, or is one after which
  # the model learned to answer at once.

  alias Espalier.Model
  alias Espalier.OptionsError
  alias Espalier.Packed
  alias Espalier.Request

  # What the templates of such models put between the section and the answer.
  @gap "\n\n"

  @doc "The section of a native request, `nil` where the model is not to think."
  @spec new(Request.t(), Model.t()) :: {:ok, map | nil} | {:error, Exception.t()}
  def new(%{max_reasoning_tokens: 0}, _model), do: {:ok, nil}

  def new(%{max_reasoning_tokens: count}, %{info: %{reasoning: nil}}) do
    expected = "0, as the model knows no tags to think between"

    {:error,
     %OptionsError{kind: :invalid, option: :max_reasoning_tokens, expected: expected, got: count}}
  end

  def new(%{max_reasoning_tokens: count}, %{info: %{reasoning: {_start, stop}}} = model) do
    with {:ok, closing} <- Model.encode(model, stop <> @gap),
         do: {:ok, %{max_tokens: min(count, 0x7FFFFFFF), closing: Packed.pack(closing)}}
  end

  @doc "The variables of the chat template. What the caller says about thinking stands."
  @spec template_variables(Request.t(), Model.t()) :: map
  def template_variables(%{template_variables: variables}, %{info: %{reasoning: nil}}),
    do: variables

  def template_variables(%{template_variables: variables} = request, _model) do
    if Map.has_key?(variables, "enable_thinking"),
      do: variables,
      else: Map.put_new(variables, :enable_thinking, request.max_reasoning_tokens > 0)
  end

  @doc "The prompt, with what begins the section, or ends one that a template begins."
  @spec prompt(String.t(), Request.t(), Model.t()) :: String.t()
  def prompt(text, _request, %{info: %{reasoning: nil}}), do: text

  def prompt(text, request, %{info: %{reasoning: {start, stop}}}) do
    begun? = text |> String.trim_trailing() |> String.ends_with?(start)

    case {request.max_reasoning_tokens > 0, begun?} do
      {true, false} -> text <> start <> "\n"
      {false, true} -> String.trim_trailing(text) <> @gap <> stop <> @gap
      _as_wanted -> text
    end
  end
end
