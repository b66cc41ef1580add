defmodule Espalier.Batch.Item do
  @moduledoc false
  # One item of a batch: what is asked for it, in a process of its own. Whatever goes wrong is an error of the item.

  alias Espalier.Error
  alias Espalier.GenerationError
  alias Espalier.Result
  alias Espalier.Schema.Form

  @typedoc "How items are asked for: all with one schema, or each as a function says."
  @type ask :: %{form: Form.t() | nil, function: (term -> tuple) | nil, options: keyword}

  @doc "How the items of a batch are asked for. A schema that is none raises. With a form it is that of all items."
  @spec ask(Espalier.Schema.t() | (term -> tuple) | {Form.t(), (term -> tuple)}, keyword) :: ask
  def ask(function, options) when is_function(function, 1),
    do: %{form: nil, function: function, options: options}

  def ask({%Form{} = form, function}, options) when is_function(function, 1),
    do: %{form: form, function: function, options: options}

  def ask(schema, options),
    do: %{form: schema |> Form.new() |> Error.bang!(), function: nil, options: options}

  @doc "The result of an item."
  @spec run(ask, term) :: {:ok, Result.t()} | {:error, Exception.t()}
  def run(ask, item) do
    with {:ok, schema, prompt, options} <- request(ask, item),
         do: Espalier.generate_result(schema, prompt, options)
  catch
    kind, reason -> {:error, GenerationError.crashed(kind, reason)}
  end

  defp request(%{function: nil} = ask, prompt), do: {:ok, ask.form, prompt, ask.options}

  defp request(ask, item) do
    case ask.function.(item) do
      {schema, prompt} -> {:ok, schema, prompt, ask.options}
      {schema, prompt, options} -> {:ok, schema, prompt, merge(ask.options, options)}
      other -> {:error, no_request(other)}
    end
  end

  # What is no keyword list is told where it is checked.
  defp merge(options, more),
    do: if(Keyword.keyword?(more), do: Keyword.merge(options, more), else: more)

  defp no_request(got) do
    detail = "expected {schema, prompt} or {schema, prompt, options}, got: #{Error.show(got)}"
    message = "the function of the batch made no request of an item: " <> detail
    %GenerationError{kind: :invalid_item, message: message, detail: detail}
  end
end
