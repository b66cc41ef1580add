defmodule Espalier.SchemaError do
  @moduledoc """
  A schema, regular expression or list of choices that can't be turned into a constraint.

  `:kind` says what is the matter; the other fields are set where they mean something:

  | kind | meaning | fields |
  | --- | --- | --- |
  | `:invalid_json` | the schema's text is not JSON | `line`, `column` (from 1), `detail` |
  | `:invalid_schema` | a keyword has a value that it can't have | `pointer`, `expected`, `got` |
  | `:unsupported_keyword` | a keyword that changes what is valid and is not enforced | `keyword`, `pointer`, `detail` |
  | `:unsupported_by_provider` | a provider's mode would reject the schema, and it can't be said in another way, see `Espalier.Profile` | `keyword`, `pointer`, `detail`; or `limit` (its name), `value` |
  | `:unsatisfiable` | no value satisfies the schema | `pointer` |
  | `:invalid_regex` | the expression can't be parsed | `pattern`, `pointer`, `detail` |
  | `:unsupported_regex` | the expression asks for what an automaton can't decide | `pattern`, `pointer`, `detail` |
  | `:empty_choice` | there is nothing to choose from | |
  | `:limit_exceeded` | one of the `Espalier.Limits` was reached, which the option `:limits` raises | `limit` (its name), `value`, `pointer` |
  | `:cancelled` | compiling was given up | |

  `pointer` is a JSON Pointer into the schema, `""` for its root.

      iex> vocabulary = Espalier.Vocabulary.from_tokens!(["{", "}", ""], eos_ids: [2])
      iex> schema = %{"properties" => %{"age" => %{"type" => "integr"}}}
      iex> {:error, error} = Espalier.Constraint.json_schema(schema, vocabulary: vocabulary)
      iex> {error.kind, error.pointer}
      {:invalid_schema, "/properties/age/type"}
  """

  @type t :: %__MODULE__{
          kind: atom,
          message: String.t(),
          pointer: String.t() | nil,
          keyword: String.t() | nil,
          expected: String.t() | nil,
          got: String.t() | nil,
          pattern: String.t() | nil,
          detail: String.t() | nil,
          line: pos_integer | nil,
          column: pos_integer | nil,
          limit: String.t() | nil,
          value: non_neg_integer | nil
        }

  defexception [
    :kind,
    :message,
    :pointer,
    :keyword,
    :expected,
    :got,
    :pattern,
    :detail,
    :line,
    :column,
    :limit,
    :value
  ]

  @doc false
  # What Elixir sees of a schema that is none, before the engine does.
  @spec invalid(String.t()) :: t
  def invalid(detail), do: %__MODULE__{kind: :invalid_schema, detail: detail, message: detail}
end

defmodule Espalier.VocabularyError do
  @moduledoc """
  Tokens, a tokenizer file or a rank file that can't be used as a vocabulary.

  `:kind` is `:invalid_vocabulary` or `:invalid_tokenizer`, where `:detail` says what is the matter, or
  `:limit_exceeded`, where `:limit` is the name of one of the `Espalier.Limits` and `:value` its value.

      iex> {:error, error} = Espalier.Vocabulary.from_tokens(["a", "b"], eos_ids: [2])
      iex> error.kind
      :invalid_vocabulary
  """

  @type t :: %__MODULE__{
          kind: atom,
          message: String.t(),
          detail: String.t() | nil,
          limit: String.t() | nil,
          value: non_neg_integer | nil
        }

  defexception [:kind, :message, :detail, :limit, :value]
end

defmodule Espalier.SerializationError do
  @moduledoc """
  Bytes that can't be loaded as a constraint or a vocabulary: compile or make it again.

  `:kind` is `:invalid_serialized`, `what` is `"constraint"` or `"vocabulary"`, and `part` says what is
  the matter:

  | part | meaning |
  | --- | --- |
  | `"magic"`, `"kind"` | the bytes are something else |
  | `"version"`, `"engine"` | another version of Espalier wrote them |
  | `"size"`, `"length"`, `"checksum"` | they are too many, cut off or damaged |
  | `"vocabulary"` | the constraint was compiled for another vocabulary |
  | another | a part of the content that can't be |

  `expected` and `got` say what should be there and what is.

      iex> {:error, error} = Espalier.Vocabulary.deserialize("something else")
      iex> {error.what, error.part}
      {"vocabulary", "magic"}
  """

  @type t :: %__MODULE__{
          kind: atom,
          message: String.t(),
          what: String.t(),
          part: String.t(),
          expected: String.t(),
          got: String.t()
        }

  defexception [:kind, :message, :what, :part, :expected, :got]
end

defmodule Espalier.MatcherError do
  @moduledoc """
  A step that a matcher refuses. The matcher is as it was before.

  A step that would take too much is an `Espalier.SchemaError` of the kind `:limit_exceeded`, and changes
  nothing either.

  | kind | meaning | fields |
  | --- | --- | --- |
  | `:token_not_allowed` | the token can't come next | `token`, `bytes`, `n_allowed` (how many can), `allowed` (the first few of those) |
  | `:unknown_token` | no such id in the vocabulary | `token`, `vocabulary_size` |
  | `:text_not_allowed` | the text can't come next | `offset` of the first refused byte |
  | `:finished` | the end-of-sequence token was accepted already | |
  | `:rollback_too_far` | fewer steps were accepted | `requested`, `accepted` |

  `index` is set by `Espalier.Matcher.accept_tokens/2`: the place of the refused token in the list;
  the tokens before it stay accepted.

      iex> vocabulary = Espalier.Vocabulary.from_tokens!(["yes", "no", ""], eos_ids: [2])
      iex> constraint = Espalier.Constraint.choice!(["yes", "no"], vocabulary: vocabulary)
      iex> {:error, error} = constraint |> Espalier.Matcher.new() |> Espalier.Matcher.accept_text("yet")
      iex> {error.kind, error.offset}
      {:text_not_allowed, 2}
  """

  @type t :: %__MODULE__{
          kind: atom,
          message: String.t(),
          token: non_neg_integer | nil,
          bytes: String.t() | nil,
          n_allowed: non_neg_integer | nil,
          allowed: [non_neg_integer] | nil,
          vocabulary_size: non_neg_integer | nil,
          offset: non_neg_integer | nil,
          requested: non_neg_integer | nil,
          accepted: non_neg_integer | nil,
          index: non_neg_integer | nil
        }

  defexception [
    :kind,
    :message,
    :token,
    :bytes,
    :n_allowed,
    :allowed,
    :vocabulary_size,
    :offset,
    :requested,
    :accepted,
    :index
  ]
end

defmodule Espalier.ModelError do
  @moduledoc """
  A model that can't be loaded or is not there.

  | kind | meaning |
  | --- | --- |
  | `:not_found` | a file is missing or can't be read: `path`, `detail` |
  | `:invalid_config` | a configuration file that can't be used: `path`, `field`, `expected`, `got` |
  | `:invalid_weights` | a weights file that can't be used: `path`, `field` (the tensor), `expected`, `got` |
  | `:invalid_tokenizer` | a tokenizer file that can't be used: `detail` |
  | `:vocabulary_mismatch` | more ids than the model has: `length`, `max_length` |
  | `:unsupported_architecture` | `got`, and `expected`: those that are supported |
  | `:not_running` | no model runs under that name or process: `detail` |
  | `:stopped` | the model was stopped while a request ran |

      iex> {:error, error} = Espalier.generate([name: :string], "Ada is here.", model: :no_such_model)
      iex> error.kind
      :not_running
  """

  @type t :: %__MODULE__{
          kind: atom,
          message: String.t(),
          path: String.t() | nil,
          field: String.t() | nil,
          expected: String.t() | nil,
          got: String.t() | nil,
          length: non_neg_integer | nil,
          max_length: non_neg_integer | nil,
          detail: String.t() | nil
        }

  defexception [:kind, :message, :path, :field, :expected, :got, :length, :max_length, :detail]
end

defmodule Espalier.GenerationError do
  @moduledoc """
  A generation that ended without a value.

  | kind | meaning |
  | --- | --- |
  | `:invalid_prompt` | the prompt is empty, not UTF-8, or no prompt at all: `detail` |
  | `:encoding_failed` | the tokenizer can't read the prompt: `detail` |
  | `:prompt_too_long` | the prompt does not fit the model: `length`, `max_length` in tokens |
  | `:truncated` | the text was cut off at `max_tokens` before it was a value, or not even the shortest completion fits: `text` is what there is |
  | `:cancelled` | the generation was cancelled |
  | `:timeout` | no answer within the time allowed: `text` is what there is |
  | `:incomplete` | the backend broke off: `text` is what there is |
  | `:no_chat_template` | messages were given, and the model has no template for them |
  | `:invalid_chat_template` | the template can't be rendered: `detail` |
  | `:invalid_request` | a sampling parameter or limit that can't be: `detail` |
  | `:computation_failed` | a step of the model failed: `detail`; the model goes on with other requests |
  | `:crashed` | the process of an item of a batch raised or was ended: `detail` |
  | `:invalid_item` | the function of a batch made no request of an item: `detail` |

      iex> {:error, error} = Espalier.generate([name: :string], "Ada is here.", model: MyApp.Model, max_tokens: 3)
      iex> error.kind
      :truncated
  """

  @type t :: %__MODULE__{
          kind: atom,
          message: String.t(),
          text: String.t() | nil,
          length: non_neg_integer | nil,
          max_length: non_neg_integer | nil,
          detail: String.t() | nil
        }

  defexception [:kind, :message, :text, :length, :max_length, :detail]

  @most_detail 500

  @doc false
  # Of a process that ended before it gave a result.
  @spec crashed(Exception.kind(), term) :: t
  def crashed(kind, reason) do
    detail = kind |> Exception.format_banner(reason) |> String.slice(0, @most_detail)
    %__MODULE__{kind: :crashed, message: "no result of the item: " <> detail, detail: detail}
  end
end

defmodule Espalier.JSONError do
  @moduledoc """
  A text that is not JSON, or a term that has no JSON.

  | kind | meaning | fields |
  | --- | --- | --- |
  | `:json_syntax` | the text is not JSON | `line`, `column` (from 1), `detail` |
  | `:json_depth` | nested deeper than the limit | `limit` |
  | `:json_number` | a number outside the range of a float | `detail`: the number |
  | `:json_term` | a term that JSON can't hold | `pointer` to it, `detail` |

      iex> {:error, error} = Espalier.JSON.decode(~s({"age": }))
      iex> {error.kind, error.line, error.column}
      {:json_syntax, 1, 9}
  """

  @type t :: %__MODULE__{
          kind: atom,
          message: String.t(),
          line: pos_integer | nil,
          column: non_neg_integer | nil,
          limit: pos_integer | nil,
          pointer: String.t() | nil,
          detail: String.t() | nil
        }

  defexception [:kind, :message, :line, :column, :limit, :pointer, :detail]
end

defmodule Espalier.NativeError do
  @moduledoc """
  The native library is at fault, or is not there: never something that input should cause.

  | kind | meaning |
  | --- | --- |
  | `:not_loaded` | the library could not be loaded; the message says why |
  | `:panic` | a bug in the library, caught |
  | `:poisoned` | a matcher that such a bug left behind, and that can't be used any more |
  | `:no_token_allowed` | a constraint that led to a place without a way on |
  | `:other` | an error that has no kind yet |

      iex> Exception.message(%Espalier.NativeError{kind: :panic, message: "a bug"})
      "a bug"
  """

  @type t :: %__MODULE__{kind: atom, message: String.t(), detail: String.t() | nil}

  defexception [:kind, :message, :detail]
end

defmodule Espalier.Error do
  @moduledoc false
  # From the error of a native function, `{kind, message, details}`, to an exception.

  @modules [
    {Espalier.SchemaError,
     ~w(invalid_json invalid_schema unsupported_keyword unsatisfiable invalid_regex
        unsupported_regex empty_choice limit_exceeded invalid_limit cancelled)a},
    {Espalier.VocabularyError, ~w(invalid_vocabulary)a},
    {Espalier.SerializationError, ~w(invalid_serialized)a},
    {Espalier.MatcherError,
     ~w(token_not_allowed unknown_token text_not_allowed finished rollback_too_far)a},
    {Espalier.ModelError,
     ~w(not_found invalid_config invalid_weights invalid_tokenizer vocabulary_mismatch
        unsupported_architecture not_running stopped)a},
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

defmodule Espalier.OptionsError do
  @moduledoc """
  Options that a function does not take.

  | kind | meaning | fields |
  | --- | --- | --- |
  | `:unknown` | no such option | `option`, `suggestion` (the nearest name or `nil`) |
  | `:invalid` | a value that the option does not take | `option`, `expected`, `got` |
  | `:missing` | a required option was not given | `option`, `expected` |
  | `:not_keyword` | the options are not a keyword list | `expected`, `got` |
  | `:unsupported` | an option, or a value of it, that the provider has nothing for | `option`, `got`, `provider` |

      iex> {:error, error} = Espalier.generate([name: :string], "Ada", temprature: 0.5)
      iex> {error.kind, error.suggestion}
      {:unknown, :temperature}
  """

  @type t :: %__MODULE__{
          kind: :unknown | :invalid | :missing | :not_keyword | :unsupported,
          option: atom | nil,
          expected: String.t() | nil,
          got: term,
          suggestion: atom | nil,
          provider: atom
        }

  defexception [:kind, :option, :expected, :got, :suggestion, :provider]

  @impl true
  def message(%{kind: :unknown, suggestion: nil} = error),
    do: "unknown option #{inspect(error.option)}"

  def message(%{kind: :unknown} = error) do
    "unknown option #{inspect(error.option)}. Did you mean #{inspect(error.suggestion)}?"
  end

  def message(%{kind: :missing} = error) do
    "required option #{inspect(error.option)} not found: expected #{error.expected}"
  end

  def message(%{kind: :invalid} = error) do
    "invalid value for #{inspect(error.option)} option: " <>
      "expected #{error.expected}, got: #{Espalier.Error.show(error.got)}"
  end

  def message(%{kind: :unsupported} = error) do
    "#{error.provider} does not take the option #{inspect(error.option)}, " <>
      "got: #{Espalier.Error.show(error.got)}"
  end

  def message(%{kind: :not_keyword} = error) do
    "invalid options: expected #{error.expected}, got: #{Espalier.Error.show(error.got)}"
  end
end

defmodule Espalier.CastError do
  @moduledoc """
  Decoded JSON that does not fit the schema it is cast to.

  `path` leads to the value from the root: keys as texts, places in arrays as integers.

  | kind | meaning | fields |
  | --- | --- | --- |
  | `:mismatch` | the schema has another value there | `expected`; `got`, the JSON that was found |
  | `:rejected` | a function given as `:validate` refused the value | `expected`, its message; `got`, the value |

      iex> {:error, error} = Espalier.Schema.cast([tags: {:array, :string}], %{"tags" => ["a", 2]})
      iex> {error.path, error.expected, error.got}
      {["tags", 1], "string", 2}
  """

  @type t :: %__MODULE__{
          kind: :mismatch | :rejected,
          path: [String.t() | non_neg_integer],
          expected: String.t(),
          got: term
        }

  defexception [:expected, :got, kind: :mismatch, path: []]

  @impl true
  def message(%{path: path} = error) do
    place = if path == [], do: "", else: " at " <> Espalier.Error.place(path)
    says = if error.kind == :mismatch, do: "expected ", else: ""
    "invalid value#{place}: #{says}#{error.expected}, got: #{Espalier.Error.show(error.got)}"
  end
end

defmodule Espalier.ValidationError do
  @moduledoc """
  A text that is no value of its schema, with all that is wrong.

  Each of the `violations` is a map:

    * `path` - leads to the part of the value from the root: keys as texts, places in arrays as integers
    * `keyword` - of JSON Schema, `"pattern"` for a regular expression, `"constraint"` for a constraint
    * `expected` - the keyword's value
    * `got` - the part of the value; it and `expected` are JSON, cut off where they are long
    * `message` - a sentence about it

  They are at most a hundred.

      iex> schema = [name: {:string, min_length: 1}, age: {:integer, min: 0}]
      iex> {:error, error} = Espalier.Schema.read(schema, ~s({"name": "", "age": -5}))
      iex> for violation <- error.violations, do: {violation.path, violation.keyword, violation.got}
      [{["name"], "minLength", ~s("")}, {["age"], "minimum", "-5"}]
      iex> Exception.message(error)
      ~s(invalid value: at name: "" is shorter than 1 character; at age: -5 is less than the minimum of 0)
  """

  @type violation :: %{
          path: [String.t() | non_neg_integer],
          keyword: String.t(),
          expected: String.t(),
          got: String.t(),
          message: String.t()
        }

  @type t :: %__MODULE__{violations: [violation]}

  defexception violations: []

  @most_shown 10

  @impl true
  def message(%{violations: violations}) do
    {shown, others} = Enum.split(violations, @most_shown)
    more = if others == [], do: "", else: "; and #{length(others)} more"
    "invalid value: " <> Enum.map_join(shown, "; ", &Espalier.Error.fault/1) <> more
  end
end

defmodule Espalier.InputError do
  @moduledoc """
  What a template or a signature was given that it can't take.

  `noun` says what `name` names: `:assign`, `:input` or `:output`.

  | kind | meaning | fields |
  | --- | --- | --- |
  | `:missing` | one that must be there was not given | `name`, `suggestion` (the nearest name that was given and means nothing, or `nil`) |
  | `:unknown` | no such name | `name`, `suggestion` (the nearest name there is, or `nil`) |
  | `:invalid` | a value of another type | `name`, `expected`, `got` |
  | `:not_named` | neither a keyword list nor a map | `got` |

      iex> template = Espalier.Template.compile!("Dear <%= @name %>,")
      iex> {:error, error} = Espalier.Template.render(template, nme: "Ada")
      iex> {error.kind, error.name, error.suggestion}
      {:missing, :name, :nme}
  """

  @typedoc "What is named."
  @type noun :: :assign | :input | :output

  @type t :: %__MODULE__{
          kind: :missing | :unknown | :invalid | :not_named,
          noun: noun,
          name: term,
          suggestion: term,
          expected: String.t() | nil,
          got: term
        }

  defexception [:kind, :noun, :name, :suggestion, :expected, :got]

  @impl true
  def message(%{kind: :missing, suggestion: nil} = error),
    do: "#{error.noun} #{inspect(error.name)} not found"

  def message(%{kind: :missing} = error) do
    "#{error.noun} #{inspect(error.name)} not found. Did you mean it by #{inspect(error.suggestion)}?"
  end

  def message(%{kind: :unknown, suggestion: nil} = error),
    do: "unknown #{error.noun} #{inspect(error.name)}"

  def message(%{kind: :unknown} = error) do
    "unknown #{error.noun} #{inspect(error.name)}. Did you mean #{inspect(error.suggestion)}?"
  end

  def message(%{kind: :invalid} = error) do
    "invalid value for #{error.noun} #{inspect(error.name)}: " <>
      "expected #{error.expected}, got: #{Espalier.Error.show(error.got)}"
  end

  def message(%{kind: :not_named} = error) do
    "expected #{error.noun}s as a keyword list or a map, got: #{Espalier.Error.show(error.got)}"
  end
end

defmodule Espalier.ChangesetError do
  @moduledoc """
  A value that the changeset function of an Ecto schema refused.

    * `changeset` - the changeset with its errors
    * `diagnostics` - the same errors, those of embeds among them: each a map with the `path` to the field,
      keys as texts and places in lists as integers, and the `message`

  The error's own message has them all:

      iex> diagnostics = [%{path: ["items", 0, "price"], message: "must be greater than 0"}]
      iex> Exception.message(%Espalier.ChangesetError{diagnostics: diagnostics})
      "invalid value: items.0.price must be greater than 0"
  """

  @type t :: %__MODULE__{
          changeset: term,
          diagnostics: [%{path: [String.t() | non_neg_integer], message: String.t()}]
        }

  defexception [:changeset, diagnostics: []]

  @impl true
  def message(%{diagnostics: diagnostics}) do
    "invalid value: " <>
      Enum.map_join(diagnostics, "; ", fn %{path: path, message: message} ->
        "#{Espalier.Error.place(path)} #{message}"
      end)
  end
end

defmodule Espalier.ProviderError do
  @moduledoc """
  A provider's answer that is an error, or none that its protocol knows.

  | kind | meaning | statuses |
  | --- | --- | --- |
  | `:unauthorized` | the key is missing, wrong, or not enough for this | 401, 403 |
  | `:quota_exceeded` | there is no credit left; waiting does not help | 402, 429 with such a code |
  | `:not_found` | no such model, deployment or path | 404 |
  | `:invalid_request` | the provider does not take the request: `detail` has its reason | 400, 413, 422 and others |
  | `:rate_limited` | too many requests or tokens: `retry_after` is the wait that it asks for | 429 |
  | `:overloaded` | the provider has no capacity at the moment | 503, 529 |
  | `:unavailable` | the provider failed | 408, 409 and other 5xx |
  | `:invalid_response` | the body is not what the protocol says: `detail` | |

  Of these `:rate_limited`, `:overloaded` and `:unavailable` pass, and are tried again.

    * `provider` - who answered, for example `:openai`
    * `status` - of HTTP; `nil` where the error came in the midst of a stream
    * `code` - the provider's own name of the error, if it has one
    * `detail` - the provider's message, cut off where it is long
    * `retry_after` - milliseconds, if the provider said so
    * `request_id` - by which the provider knows the request, if it said so

  The message says what is known:

      iex> error = %Espalier.ProviderError{kind: :rate_limited, provider: :openai, status: 429, retry_after: 2000, detail: "Slow down."}
      iex> Exception.message(error)
      "openai: rate limited (status 429, retry after 2000 ms): Slow down."
  """

  @type kind ::
          :unauthorized
          | :quota_exceeded
          | :not_found
          | :invalid_request
          | :rate_limited
          | :overloaded
          | :unavailable
          | :invalid_response

  @type t :: %__MODULE__{
          kind: kind,
          provider: atom,
          status: pos_integer | nil,
          code: String.t() | nil,
          detail: String.t() | nil,
          retry_after: non_neg_integer | nil,
          request_id: String.t() | nil
        }

  defexception [:kind, :provider, :status, :code, :detail, :retry_after, :request_id]

  @impl true
  def message(error) do
    facts =
      [
        error.status && "status #{error.status}",
        error.code,
        error.retry_after && "retry after #{error.retry_after} ms",
        error.request_id && "request #{error.request_id}"
      ]
      |> Enum.filter(& &1)
      |> Enum.join(", ")

    kind = error.kind |> Atom.to_string() |> String.replace("_", " ")
    facts = if facts == "", do: "", else: " (#{facts})"
    detail = if error.detail, do: ": #{error.detail}", else: ""
    "#{error.provider}: #{kind}#{facts}#{detail}"
  end
end

defmodule Espalier.RefusalError do
  @moduledoc """
  A provider or its model would not answer. Asking the same again does not help, and is not done.

  | kind | meaning |
  | --- | --- |
  | `:refused` | the model said no: `detail` is what it said |
  | `:filtered` | the prompt or the answer was filtered: `detail` is the category, if the provider named one |

  `provider` says who, `text` is what was written until then.

      iex> Exception.message(%Espalier.RefusalError{kind: :refused, provider: :openai, detail: "I can't help with that."})
      "openai: the model refused: I can't help with that."
  """

  @type t :: %__MODULE__{
          kind: :refused | :filtered,
          provider: atom,
          detail: String.t() | nil,
          text: String.t() | nil
        }

  defexception [:kind, :provider, :detail, :text]

  @impl true
  def message(error) do
    what = if error.kind == :refused, do: "the model refused", else: "the content was filtered"
    detail = if error.detail, do: ": #{error.detail}", else: ""
    "#{error.provider}: #{what}#{detail}"
  end
end

defmodule Espalier.TransportError do
  @moduledoc """
  No answer, or only a part of one, came from a server. It is tried again.

  | kind | meaning |
  | --- | --- |
  | `:connect` | no connection: `detail` has the reason |
  | `:tls` | the server's certificate can't be trusted, or TLS failed; this one is not tried again |
  | `:timeout` | nothing came for the time allowed |
  | `:closed` | the connection ended in the midst of the answer |
  | `:protocol` | what came is not HTTP as it has to be: `detail` |

  `url` is where the request went, without a query and credentials.

      iex> error = %Espalier.TransportError{kind: :connect, url: "http://127.0.0.1:9/v1", detail: "connection refused"}
      iex> Exception.message(error)
      "no connection to http://127.0.0.1:9/v1: connection refused"
  """

  @type t :: %__MODULE__{
          kind: :connect | :tls | :timeout | :closed | :protocol,
          url: String.t(),
          detail: String.t() | nil
        }

  defexception [:kind, :url, :detail]

  @impl true
  def message(%{kind: kind, url: url, detail: detail}) do
    what =
      case kind do
        :connect -> "no connection to #{url}"
        :tls -> "no trusted connection to #{url}"
        :timeout -> "no answer from #{url} in time"
        :closed -> "#{url} closed the connection before its answer was whole"
        :protocol -> "no answer in HTTP from #{url}"
      end

    if detail, do: "#{what}: #{detail}", else: what
  end
end

defmodule Espalier.CircuitOpenError do
  @moduledoc """
  A backend was not asked, because requests to it kept failing: see `Espalier.Middleware.CircuitBreaker`.

  `backend` and `model` say which, `until` when it is tried again; `nil` where that is being done at this
  moment.

      iex> error = %Espalier.CircuitOpenError{backend: MyApp.Backend, model: "large", until: ~U[2026-11-27 20:00:00Z]}
      iex> Exception.message(error)
      ~s(MyApp.Backend, model "large", keeps failing and is not asked until 2026-11-27 20:00:00Z)
  """

  @type t :: %__MODULE__{backend: module, model: term, until: DateTime.t() | nil}

  defexception [:backend, :model, :until]

  @impl true
  def message(%{until: until} = error) do
    what = Espalier.Error.asked(error)

    if until,
      do: "#{what}, keeps failing and is not asked until #{until}",
      else: "#{what}, kept failing and is being tried again by another request"
  end
end

defmodule Espalier.ThrottleError do
  @moduledoc """
  A backend was not asked, because there was no room in time: see `Espalier.Middleware.Throttle`.

  `kind` is what there was too much of: `:at_once`, requests that run, or `:rate`, requests that were
  made lately. `backend` and `model` say where, `waited` is in milliseconds.

      iex> error = %Espalier.ThrottleError{kind: :at_once, backend: MyApp.Backend, model: "large", waited: 500}
      iex> Exception.message(error)
      ~s(MyApp.Backend, model "large", had no room within 500 ms: too many requests at once)
  """

  @type t :: %__MODULE__{
          kind: :at_once | :rate,
          backend: module,
          model: term,
          waited: non_neg_integer
        }

  defexception [:kind, :backend, :model, :waited]

  @impl true
  def message(%{kind: kind} = error) do
    why = if kind == :at_once, do: "too many requests at once", else: "too many requests lately"
    "#{Espalier.Error.asked(error)}, had no room within #{error.waited} ms: #{why}"
  end
end
