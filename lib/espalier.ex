defmodule Espalier do
  @moduledoc """
  Language models that produce values of the shape your program asked for.

      defmodule Ticket do
        use Espalier.Schema

        schema do
          field :summary, :string, max_length: 80
          field :priority, {:enum, [:low, :medium, :high]}
          field :components, {:array, :string}, max_items: 4
        end
      end

      {:ok, %Ticket{} = ticket} =
        Espalier.generate(Ticket, "Checkout has been down since 9:00, help!", model: MyApp.Model)

  The schema is compiled to an automaton over the model's tokens. At each step only tokens that keep
  the value completable are allowed: what comes out is valid, and there is nothing to retry. What another
  backend wrote is checked just as exactly, and asked for again if it is wrong.

  ## The parts

    * `Espalier` - you're here: generate a value, many, or samples, stream them, or see who keeps which rule
    * `Espalier.Schema` - which values, and what they become in Elixir
    * `Espalier.Ecto` - Ecto schemas as schemas
    * `Espalier.Generator` - a schema with a model and options, for many prompts
    * `Espalier.Signature` - a task with typed inputs and outputs, which writes its prompt
    * `Espalier.Template` - prompts with places to fill in
    * `Espalier.Image` - an image in a message
    * `Espalier.Model` - serves a local model; it goes into your supervision tree
    * `Espalier.Backends.OpenAI`, `Espalier.Backends.OpenAIResponses`, `Espalier.Backends.Anthropic`,
      `Espalier.Backends.Gemini`, `Espalier.Backends.Ollama` - hosted models
    * `Espalier.Reply` - reads what a model wrote without a constraint
    * `Espalier.Explanation` - who keeps a rule of a schema
    * `Espalier.Profile` - what the modes of hosted providers support, and schemas fitted to them
    * `Espalier.Result` - a value with its text, its finish reason and what was counted
    * `Espalier.Sampling` - how tokens are drawn
    * `Espalier.Backend` - what else than a local model can generate
    * `Espalier.Middleware` - functions around each request: circuit breaker, throttle, your own
    * `Espalier.Cache` - texts that need not be written twice
    * `Espalier.Telemetry` - what can be observed
    * `Espalier.Testing` - a backend for your tests, which replies what they say
    * `Espalier.Constraint`, `Espalier.Matcher`, `Espalier.Vocabulary` - the engine by itself, for a
      model that runs elsewhere

  ## The common case

  Serve a model:

      children = [
        {Espalier.Model, name: MyApp.Model, path: "path/to/model"}
      ]

  and ask it:

      Espalier.generate([name: :string, age: {:integer, min: 0}], "Ada is 36.", model: MyApp.Model)
      #=> {:ok, %{name: "Ada", age: 36}}

      Espalier.generate({:choice, [:question, :complaint]}, "Where is my parcel?", model: MyApp.Model)
      #=> {:ok, :question}

  Any number of processes may ask at once: a model advances all of them together. `generate_batch/3` and
  `stream_batch/3` do that for many prompts.

  ## Prompts

  A prompt is a text or a list of messages:

      [
        %{role: :system, content: "You extract orders."},
        %{role: :user, content: "Two lamps for Ada, please."}
      ]

  If the model has a chat template, a text is a user's message, and `template: false` sends it as it
  is. A model without a template takes texts only. For models that see, a message may have images, see
  `Espalier.Image`.

  ## When a backend fails

  A failure that passes, such as a rate limit or a broken connection, is tried again, at most `:max_retries` times.
  Of several backends the next one is asked when one can't:

      Espalier.generate(Ticket, text,
        backend: [
          {Espalier.Backends.Local, model: MyApp.Model},
          {MyApp.Hosted, model: "large"}
        ],
        middleware: [Espalier.Middleware.CircuitBreaker, {Espalier.Middleware.Throttle, at_once: 8}],
        cache: MyApp.Cache
      )

  However that goes, there are at most `:max_attempts` attempts, and `:max_retries` requests more than these, within
  the `:timeout`. `Espalier.Result` has all of them.

  ## Errors

  `{:error, exception}` has an exception with fields to match on:

    * `Espalier.OptionsError` - an option that is unknown or has a wrong value
    * `Espalier.SchemaError` - a schema that is not one, or can't be enforced exactly
    * `Espalier.InputError` - what a signature or template was given that it does not take
    * `Espalier.ModelError` - a model that is not there
    * `Espalier.GenerationError` - no value: a wrong or too long prompt, no time or tokens left
    * `Espalier.ProviderError`, `Espalier.TransportError`, `Espalier.RefusalError` - a hosted model that could not
      answer, did not get to, or would not
    * `Espalier.ChangesetError` - a value that the changeset function of an Ecto schema refused
    * `Espalier.ValidationError`, `Espalier.JSONError` - a text that is no value of the schema; a local model
      can't write one, other backends may
    * `Espalier.CastError` - a value that a function given as `:validate` refused, or that Elixir can't hold
    * `Espalier.CircuitOpenError`, `Espalier.ThrottleError` - a backend that middleware did not ask

  ## Options

  These are the options of `generate/3`, `generate_result/3` and `stream/3`, and of batches, too. Defaults for all of them
  can be set in the application environment, and nowhere else:

      config :espalier, model: MyApp.Model, timeout: 10_000

  #{Espalier.Options.docs(Espalier.Request.options())}
  """

  alias Espalier.Backend
  alias Espalier.Batch
  alias Espalier.Error
  alias Espalier.Explanation
  alias Espalier.Request
  alias Espalier.Result
  alias Espalier.Run
  alias Espalier.Samples
  alias Espalier.Schema
  alias Espalier.Schema.Explain
  alias Espalier.Schema.Form

  @typedoc """
  A text, or messages with the roles `:system`, `:user` and `:assistant`. The content of a message is a text,
  or a list of texts and images.

  For local models there is the role `:tool`, too, and a message may have a `:name`, what the model thought before
  (`:reasoning_content`), and `:tool_calls`, each of a `:name`, `:arguments` and maybe an `:id`, which is the
  `:tool_call_id` of the tool's answer. What becomes of them is up to the model's chat template.
  """
  @type prompt :: String.t() | [message]

  @typedoc "A message of a prompt; one with `:tool_calls` needs no content."
  @type message :: %{
          required(:role) => atom | String.t(),
          optional(:content) => String.t() | [String.t() | Espalier.Image.t()] | nil,
          optional(:name) => String.t(),
          optional(:reasoning_content) => String.t(),
          optional(:tool_call_id) => String.t(),
          optional(:tool_calls) => [
            %{
              required(:name) => String.t(),
              required(:arguments) => map | String.t(),
              optional(:id) => String.t()
            }
          ]
        }

  @typedoc "What `stream/3` yields."
  @type event ::
          {:text, String.t()}
          | {:reasoning, String.t()}
          | {:partial, term}
          | {:tokens, %{ids: [non_neg_integer], text: binary, forced?: boolean}}
          | {:attempt, %{number: pos_integer, error: Exception.t()}}
          | {:done, Result.t()}

  @doc """
  Generates a value of the schema.

      iex> {:ok, value} = Espalier.generate([urgent: :boolean], "Please hurry!", model: MyApp.Model)
      iex> value in [%{urgent: true}, %{urgent: false}]
      true
  """
  @spec generate(Schema.t(), prompt, keyword) :: {:ok, term} | {:error, Exception.t()}
  def generate(schema, prompt, options \\ []) do
    with {:ok, result} <- generate_result(schema, prompt, options), do: {:ok, result.value}
  end

  @doc "Like `generate/3`, but returns the value and raises the error."
  @spec generate!(Schema.t(), prompt, keyword) :: term
  def generate!(schema, prompt, options \\ []) do
    case generate(schema, prompt, options) do
      {:ok, value} -> value
      {:error, error} -> raise error
    end
  end

  @doc """
  Like `generate/3`, but returns an `Espalier.Result`: the value, and how it came about.

      iex> {:ok, result} =
      ...>   Espalier.generate_result({:choice, [:yes, :no]}, "Is it urgent?", model: MyApp.Model)
      iex> {result.text in ["yes", "no"], result.finish_reason}
      {true, :stop}
  """
  @spec generate_result(Schema.t(), prompt, keyword) ::
          {:ok, Result.t()} | {:error, Exception.t()}
  def generate_result(schema, prompt, options \\ []) do
    with {:ok, options} <- Request.validate(options),
         {:ok, request} <- Request.new(schema, prompt, options) do
      request |> Run.events() |> Enum.reduce(nil, fn event, _last -> event end) |> last()
    end
  end

  defp last({:done, result}), do: {:ok, result}
  defp last({:error, error}), do: {:error, error}

  @doc """
  Generates a value and yields it bit by bit, as it is written.

      for {:text, text} <- Espalier.stream(Ticket, "Checkout is down!", model: MyApp.Model) do
        IO.write(text)
      end

      iex> stream = Espalier.stream({:regex, "[0-9]{6}"}, "How many?", model: MyApp.Model)
      iex> {:done, result} = Enum.at(stream, -1)
      iex> String.length(result.value)
      6

  The stream is lazy: a generation starts when it is read, again each time, and is cancelled when the
  reader stops before its end or dies. Events are

    * `{:tokens, %{ids: ids, text: bytes, forced?: forced?}}` - tokens as they come. Their bytes may end
      in the middle of a character; `forced?` says that there was no alternative to them
    * `{:text, text}` - the text of one or more tokens, in whole characters
    * `{:reasoning, text}` - what the model thinks, if it tells, see `:max_reasoning_tokens`. It is no part of the text
    * `{:partial, value}` - with the option `:partial`: what is there of the value so far, when it has become more.
      A struct has its defaults, and a map no keys, for what isn't there; texts may be cut, other values are there when
      they are whole. Each is the start of a value of the schema: if the text takes another way than that,
      none comes any more. There are none where the value is no JSON by itself: for `{:sequence, parts}`, grammars,
      expressions, choices and compiled constraints
    * `{:attempt, %{number: number, error: error}}` - the text so far was refused or broke off, and the value is
      asked for once more: what follows begins anew. `number` stays the same where it was only a failure
      that passes; such a one is not told before the first text
    * `{:done, result}` - at last, the `Espalier.Result`

  Wrong options, schemas and prompts raise at once; what goes wrong later raises while the stream is
  read.
  """
  @spec stream(Schema.t(), prompt, keyword) :: Enumerable.t(event)
  def stream(schema, prompt, options \\ []) do
    with {:ok, options} <- Request.validate(options),
         {:ok, request} <- Request.new(schema, prompt, options) do
      %{request | streamed: true} |> Run.events() |> Stream.map(&raise_error/1)
    else
      {:error, error} -> raise error
    end
  end

  @doc """
  Generates a value of the schema for each of many prompts: a list of results in the order of the items.

      iex> texts = ["Hello, Ada Novak here from Ghent.", "", "Please add Omar Reed of Lisbon."]
      iex> results = Espalier.generate_batch(texts, [name: {:string, max_length: 40}], model: MyApp.Model)
      iex> for result <- results, do: elem(result, 0)
      [:ok, :error, :ok]

  An item that fails is an error in its place, and costs no other: each has a process of its own. If that one raises
  or is killed, the error is an `Espalier.GenerationError` of kind `:crashed`.

  Where items differ in more than their prompts, give a function in place of the schema. It makes of an item a
  tuple of what `generate/3` takes, `{schema, prompt}` or `{schema, prompt, options}`; its options go before those
  of the batch. It is called in the item's process.

      iex> emails = [%{id: 1, text: "Where is my parcel?"}, %{id: 2, text: "Bad!"}]
      iex> ask = fn email -> {{:choice, [:question, :complaint]}, email.text, seed: email.id} end
      iex> [{:ok, _first}, {:ok, second}] = Espalier.generate_batch(emails, ask, model: MyApp.Model)
      iex> second in [:question, :complaint]
      true

  `generate_samples/4` is for several values of one prompt.

  Wrong options, and a schema that is none, raise at once.

  ## Options

  Those of `generate/3`, and

  #{Espalier.Options.docs(Keyword.delete(Batch.options(), :ordered))}
  """
  @spec generate_batch(Enumerable.t(), Schema.t() | (term -> tuple), keyword) :: [
          {:ok, term} | {:error, Exception.t()}
        ]
  def generate_batch(items, schema, options \\ []),
    do: items |> generate_batch_results(schema, options) |> Enum.map(&value/1)

  @doc "Like `generate_batch/3`, but with an `Espalier.Result` for each value."
  @spec generate_batch_results(Enumerable.t(), Schema.t() | (term -> tuple), keyword) :: [
          {:ok, Result.t()} | {:error, Exception.t()}
        ]
  def generate_batch_results(items, schema, options \\ []),
    do: Batch.list(items, schema, options)

  @doc """
  Like `generate_batch/3`, but a lazy stream of results, for as many items as there may be.

      iex> texts = Stream.map(Stream.iterate(1, & &1 + 1), &"Call me back in \#{&1} days.")
      iex> stream = Espalier.stream_batch(texts, {:choice, [:urgent, :later]}, model: MyApp.Model)
      iex> for {:ok, value} <- Enum.take(stream, 3), do: value in [:urgent, :later]
      [true, true, true]

  Items are taken as results are read, at most `:max_concurrency` ahead. When the reader stops or dies, whatever runs is
  cancelled. If the items themselves raise, so does the stream, after the results of those before.

  ## Options

  Those of `generate/3`, and

  #{Espalier.Options.docs(Batch.options())}
  """
  @spec stream_batch(Enumerable.t(), Schema.t() | (term -> tuple), keyword) ::
          Enumerable.t({:ok, term} | {:error, Exception.t()})
  def stream_batch(items, schema, options \\ []),
    do: items |> stream_batch_results(schema, options) |> Stream.map(&value/1)

  @doc "Like `stream_batch/3`, but with an `Espalier.Result` for each value."
  @spec stream_batch_results(Enumerable.t(), Schema.t() | (term -> tuple), keyword) ::
          Enumerable.t({:ok, Result.t()} | {:error, Exception.t()})
  def stream_batch_results(items, schema, options \\ []),
    do: Batch.stream(items, schema, options)

  @doc """
  Generates `n` values of one prompt: a list of results, as of `generate_batch/3`.

      iex> schema = [team: {:enum, [:red, :blue]}]
      iex> samples = Espalier.generate_samples(schema, "Which team?", 5, model: MyApp.Model, seed: 1)
      iex> teams = for {:ok, %{team: team}} <- samples, do: team
      iex> {length(teams), Enum.uniq(teams) -- [:red, :blue]}
      {5, []}

  They are drawn at random: with the option `:seed` the first one with that seed, the next one with the next number
  and so on, so that the same call gives the same samples. A local model has the `:temperature` 1 here if none is given,
  and reads the prompt once for all of them. A temperature of 0 raises, as all samples would be the same.

  ## Options

  Those of `generate/3`, and

  #{Espalier.Options.docs(Keyword.delete(Batch.options(), :ordered))}
  """
  @spec generate_samples(Schema.t(), prompt, non_neg_integer, keyword) :: [
          {:ok, term} | {:error, Exception.t()}
        ]
  def generate_samples(schema, prompt, n, options \\ []),
    do: schema |> generate_samples_results(prompt, n, options) |> Enum.map(&value/1)

  @doc "Like `generate_samples/4`, but with an `Espalier.Result` for each value."
  @spec generate_samples_results(Schema.t(), prompt, non_neg_integer, keyword) :: [
          {:ok, Result.t()} | {:error, Exception.t()}
        ]
  def generate_samples_results(schema, prompt, n, options \\ [])
      when is_integer(n) and n >= 0,
      do: Samples.list(schema, prompt, n, options)

  defp value({:ok, result}), do: {:ok, result.value}
  defp value({:error, error}), do: {:error, error}

  @doc """
  Tells who keeps each rule of a schema, if this backend generates: a list of `Espalier.Explanation`.

  `backend` is what the option `:backend` takes, by default that of `generate/3`. A schema that is none, or that the backend can't keep to, raises
  its error.

      iex> rules = Espalier.explain([age: {:integer, min: 0}])
      iex> for rule <- rules, rule.path == ["age"], do: {rule.keyword, rule.value, rule.by}
      [{"type", "integer", :tokens}, {"minimum", 0, :tokens}]
      iex> Enum.find(Espalier.explain(%{"maxlength" => 80}), &(&1.by == :nothing)).keyword
      "maxlength"
  """
  @spec explain(Schema.t(), module | {module, keyword} | [module | {module, keyword}] | nil) :: [
          Explanation.t()
        ]
  def explain(schema, backend \\ nil) do
    options = if backend, do: [backend: backend], else: []
    options = options |> Request.validate() |> Error.bang!()
    form = schema |> Form.new() |> Error.bang!()
    backend = options[:backend]
    form |> Explain.explain(Backend.exact?(backend), Backend.profile(backend)) |> Error.bang!()
  end

  defp raise_error({:error, error}), do: raise(error)
  defp raise_error(event), do: event
end
