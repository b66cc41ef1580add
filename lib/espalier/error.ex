defmodule Espalier.Error do
  @moduledoc false
  # From the error of a native function, `{kind, message, details}`, to an exception.

  @modules [
    {Espalier.SchemaError,
     ~w(invalid_json invalid_schema unsupported_keyword unsatisfiable invalid_regex
        unsupported_regex not_exportable empty_choice invalid_grammar unsupported_grammar undefined_name
        duplicate_name recursive_terminal empty_grammar limit_exceeded invalid_limit cancelled)a},
    {Espalier.VocabularyError, ~w(invalid_vocabulary)a},
    {Espalier.SerializationError, ~w(invalid_serialized)a},
    {Espalier.MatcherError,
     ~w(token_not_allowed unknown_token text_not_allowed finished rollback_too_far)a},
    {Espalier.ModelError,
     ~w(not_found invalid_config invalid_weights invalid_tokenizer vocabulary_mismatch
        unsupported_architecture device_unavailable not_running stopped)a},
    {Espalier.GenerationError,
     ~w(invalid_prompt encoding_failed prompt_too_long truncated no_chat_template
        invalid_chat_template invalid_request computation_failed)a},
    {Espalier.JSONError, ~w(json_syntax json_depth json_number json_term)a},
    {Espalier.NativeError, ~w(panic poisoned no_token_allowed other)a}
  ]

  @type native :: {kind :: atom, message :: String.t(), details :: map}

  @doc "The exception for the error; `{:error, error}` and other results are passed on."
  @spec from_native(native) :: Exception.t()
  def from_native({kind, message, details}) do
    struct(module(kind), Map.merge(details, %{kind: kind, message: message}))
  end

  @doc "A native function's result with an exception in place of the error."
  @spec wrap(:ok | {:ok, value} | {:error, native}) ::
          :ok | {:ok, value} | {:error, Exception.t()}
        when value: term
  def wrap({:error, error}), do: {:error, from_native(error)}
  def wrap(result), do: result

  @doc "The value of a result, or its exception raised."
  @spec bang!(:ok | {:ok, value} | {:error, Exception.t()}) :: :ok | value when value: term
  def bang!(:ok), do: :ok
  def bang!({:ok, value}), do: value
  def bang!({:error, exception}), do: raise(exception)

  @doc "A place in a value, for a message."
  @spec place([String.t() | non_neg_integer]) :: String.t()
  def place(path), do: Enum.map_join(path, ".", &to_string/1)

  @doc "A fault with its place, for a message."
  @spec fault(%{path: [String.t() | non_neg_integer], message: String.t()}) :: String.t()
  def fault(%{path: [], message: message}), do: message
  def fault(%{path: path, message: message}), do: "at #{place(path)}: #{message}"

  @doc "Who was asked, for a message."
  @spec asked(%{backend: module, model: term}) :: String.t()
  def asked(%{backend: backend, model: nil}), do: inspect(backend)
  def asked(%{backend: backend, model: model}), do: "#{inspect(backend)}, model #{show(model)}"

  @doc "A term for a message, shortened."
  @spec show(term) :: String.t()
  def show(term), do: inspect(term, limit: 10, printable_limit: 200)

  for {module, kinds} <- @modules, kind <- kinds do
    defp module(unquote(kind)), do: unquote(module)
  end
end
