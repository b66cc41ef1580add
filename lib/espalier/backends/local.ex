defmodule Espalier.Backends.Local do
  @moduledoc """
  The backend for models served by `Espalier.Model`, in this VM or on a connected node.

  Values are valid by construction: the schema is compiled for the model's vocabulary (once, see
  `Espalier.ConstraintCache`), and only tokens that keep the text completable are ever allowed.

  It takes no options of its own. The model is that of the `:model` option: a name, a process, an
  `Espalier.Model`, or `{:group, name}` for the models of that name on all connected nodes.

      iex> {:ok, answer} = Espalier.generate({:choice, [:yes, :no]}, "Is it late?", backend: Espalier.Backends.Local, model: MyApp.Model)
      iex> answer in [:yes, :no]
      true
  """

  @behaviour Espalier.Backend

  alias Espalier.Backends.Local.Grouped
  alias Espalier.Backends.Local.Reasoning
  alias Espalier.Backends.Local.Tokens
  alias Espalier.ConstraintCache
  alias Espalier.Deadline
  alias Espalier.Error
  alias Espalier.Generation
  alias Espalier.Model
  alias Espalier.Model.Conversation
  alias Espalier.Model.Group
  alias Espalier.Native
  alias Espalier.OptionsError
  alias Espalier.Packed
  alias Espalier.Request

  @impl true
  def exact?, do: true

  @impl true
  def compile(%Request{} = request) do
    case target(request.model) do
      {:ok, {:group, name}} -> Grouped.compile(name, request)
      {:ok, model} -> with {:ok, _constraint} <- constraint(request, model), do: :ok
      {:error, error} -> {:error, error}
    end
  end

  # As many as the model advances together.
  @impl true
  def max_concurrency(model, _options) do
    case target(model) do
      {:ok, {:group, name}} -> Grouped.max_concurrency(name)
      {:ok, model} -> model.max_batch_size
      {:error, _not_running} -> nil
    end
  end

  @impl true
  def stream(%Request{} = request) do
    case target(request.model) do
      {:ok, {:group, name}} -> {:ok, Grouped.events(name, request)}
      {:ok, model} -> stream(request, model)
      {:error, error} -> {:error, error}
    end
  end

  defp stream(request, model) do
    deadline = Deadline.new(request.timeout)

    with {:ok, reasoning} <- Reasoning.new(request, model),
         {:ok, constraint} <- constraint(request, model),
         {:ok, prompt} <- encode(request, model) do
      native = native_request(request, reasoning, constraint, prompt)
      start = fn -> Generation.start(model, native, request.timeout, deadline) end
      {:ok, Stream.resource(start, &next(&1, model.vocabulary), &close/1)}
    end
  end

  defp target(nil) do
    {:error, %OptionsError{kind: :missing, option: :model, expected: "a served model"}}
  end

  defp target({:group, name}), do: Group.fetch(name)

  # Who names a model that is here means this one.
  defp target(model) do
    with {:error, error} <- Model.fetch(model),
         {:error, %{kind: :not_running}} <- Group.fetch(model),
         do: {:error, error}
  end

  defp constraint(request, model) do
    options = [vocabulary: model.vocabulary] ++ request.text_options
    ConstraintCache.fetch(request.schema, options)
  end

  defp encode(%{prompt: {:text, text}} = request, model) do
    cond do
      request.template and model.info.has_chat_template ->
        render([{"user", text}], request, model)

      option = template_option(request) ->
        {:error, without_template(option)}

      true ->
        Model.encode(model, Reasoning.prompt(text, request, model))
    end
  end

  defp encode(%{prompt: {:messages, messages}} = request, model),
    do: render(messages, request, model)

  defp render(messages, request, model) do
    variables = Reasoning.template_variables(request, model)
    options = [tools: request.tools, template_variables: variables]

    with {:ok, conversation} <- Conversation.new(messages, options),
         {:ok, text} <- model.ref |> Native.model_render(conversation) |> Error.wrap(),
         do: Model.encode(model, Reasoning.prompt(text, request, model))
  end

  defp template_option(%{tools: tools}) when tools != nil, do: {:tools, tools}

  defp template_option(%{template_variables: variables}) when variables != %{},
    do: {:template_variables, variables}

  defp template_option(_request), do: nil

  defp without_template({option, value}) do
    expected = "none, as the prompt goes through no chat template"
    %OptionsError{kind: :invalid, option: option, expected: expected, got: value}
  end

  defp native_request(request, reasoning, constraint, prompt) do
    request.sampling
    |> Map.from_struct()
    |> Map.merge(%{
      top_k: clip(request.sampling.top_k || 0),
      logit_bias: for({id, bias} <- request.sampling.logit_bias, do: {id, bias / 1}),
      prompt: Packed.pack(prompt),
      reasoning: reasoning,
      constraint: constraint.ref,
      streamed: request.streamed,
      traced: request.trace,
      priority: request.priority,
      caller: :erlang.phash2(request.caller, 0x100000000),
      max_tokens: clip(request.max_tokens)
    })
  end

  # More tokens than any model has make no difference.
  defp clip(count), do: min(count, 0x7FFFFFFF)

  defp next({:ok, generation}, vocabulary) do
    case Generation.next(generation) do
      {{:reasoning, _ids, _bytes} = event, generation} ->
        {[event], {:ok, generation}}

      {{:tokens, _ids, _bytes, _forced?, _choice} = event, generation} ->
        {Tokens.events(event, vocabulary), {:ok, generation}}

      {{:done, info}, generation} ->
        {[{:done, Map.put(info, :node, node())}], {:last, generation}}

      {error, generation} ->
        {[error], {:last, generation}}
    end
  end

  defp next({:error, error}, _vocabulary), do: {[{:error, error}], :not_started}
  defp next(ended, _vocabulary), do: {:halt, ended}

  defp close({_state, %Generation{} = generation}), do: Generation.stop(generation)
  defp close(_not_started), do: :ok
end
