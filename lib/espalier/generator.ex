defmodule Espalier.Generator do
  @moduledoc """
  A schema with a model and options, checked once and used many times.

      iex> {:ok, topic} = Espalier.Generator.new({:choice, [:question, :complaint]}, model: MyApp.Model, compile: true)
      iex> {:ok, answer} = Espalier.Generator.generate(topic, "Where is my parcel?")
      iex> answer in [:question, :complaint]
      true
      iex> [ok: _one, ok: _two] = Espalier.Generator.generate_batch(topic, ["Bad!", "Where is it?"])
      iex> [ok: _one, ok: _two] = Espalier.Generator.generate_samples(topic, "Bad!", 2)

  What is wrong with the schema or the options comes out when it is made, and not with the first prompt:

      iex> {:error, error} = Espalier.Generator.new({:choice, []}, model: MyApp.Model)
      iex> error.kind
      :empty_choice

  Its functions are those of `Espalier`, and take options that go before its own. It is a value: it may be kept in the
  state of a process and sent to others. When it is inspected, keys of hosted models are not shown.

  ## Options

  Those of `Espalier.generate/3`, and

    * `:compile` (boolean) - Whether the schema is compiled when the generator is made, for the served model, which
      has to run by then. Otherwise the first generation compiles it. The default is `false`.
  """

  alias Espalier.Backend
  alias Espalier.Error
  alias Espalier.Options
  alias Espalier.Request
  alias Espalier.Result
  alias Espalier.Schema
  alias Espalier.Schema.Form

  @derive {Inspect, only: [:options]}
  @enforce_keys [:schema, :options]
  defstruct @enforce_keys

  @opaque t :: %__MODULE__{schema: Form.t(), options: keyword}

  @options [compile: [type: :boolean, default: false]]

  @doc "A generator, if its schema and options are right."
  @spec new(Schema.t(), keyword) :: {:ok, t} | {:error, Exception.t()}
  def new(schema, options \\ []) do
    # All names are checked together, so that the nearest is among all of them.
    with {:ok, checked} <- Options.validate(options, @options ++ Request.options()),
         options = Keyword.delete(options, :compile),
         {:ok, request_options} <- Request.validate(options),
         {:ok, request} <- Request.new(schema, "any prompt", request_options),
         :ok <- if(checked[:compile], do: Backend.compile(request), else: :ok) do
      {:ok, %__MODULE__{schema: request.schema, options: hide(options)}}
    end
  end

  @doc "Like `new/2`, but returns the generator and raises the error."
  @spec new!(Schema.t(), keyword) :: t
  def new!(schema, options \\ []), do: schema |> new(options) |> Error.bang!()

  @doc "A value for a prompt, as `Espalier.generate/3`."
  @spec generate(t, Espalier.prompt(), keyword) :: {:ok, term} | {:error, Exception.t()}
  def generate(%__MODULE__{} = generator, prompt, options \\ []),
    do: Espalier.generate(generator.schema, prompt, merge(generator, options))

  @doc "A value for a prompt, as `Espalier.generate!/3`."
  @spec generate!(t, Espalier.prompt(), keyword) :: term
  def generate!(%__MODULE__{} = generator, prompt, options \\ []),
    do: Espalier.generate!(generator.schema, prompt, merge(generator, options))

  @doc "A value and how it came about, as `Espalier.generate_result/3`."
  @spec generate_result(t, Espalier.prompt(), keyword) ::
          {:ok, Result.t()} | {:error, Exception.t()}
  def generate_result(%__MODULE__{} = generator, prompt, options \\ []),
    do: Espalier.generate_result(generator.schema, prompt, merge(generator, options))

  @doc "A value bit by bit, as `Espalier.stream/3`."
  @spec stream(t, Espalier.prompt(), keyword) :: Enumerable.t(Espalier.event())
  def stream(%__MODULE__{} = generator, prompt, options \\ []),
    do: Espalier.stream(generator.schema, prompt, merge(generator, options))

  @doc "A result for each prompt, as `Espalier.generate_batch/3`, whose options it takes."
  @spec generate_batch(t, Enumerable.t(Espalier.prompt()), keyword) :: [
          {:ok, term} | {:error, Exception.t()}
        ]
  def generate_batch(%__MODULE__{} = generator, prompts, options \\ []),
    do: Espalier.generate_batch(prompts, generator.schema, merge(generator, options))

  @doc "Several values for a prompt, as `Espalier.generate_samples/4`, whose options it takes."
  @spec generate_samples(t, Espalier.prompt(), non_neg_integer, keyword) :: [
          {:ok, term} | {:error, Exception.t()}
        ]
  def generate_samples(%__MODULE__{} = generator, prompt, n, options \\ []),
    do: Espalier.generate_samples(generator.schema, prompt, n, merge(generator, options))

  @doc "A lazy stream of results, as `Espalier.stream_batch/3`, whose options it takes."
  @spec stream_batch(t, Enumerable.t(Espalier.prompt()), keyword) ::
          Enumerable.t({:ok, term} | {:error, Exception.t()})
  def stream_batch(%__MODULE__{} = generator, prompts, options \\ []),
    do: Espalier.stream_batch(prompts, generator.schema, merge(generator, options))

  # What is no keyword list is told where it is checked.
  defp merge(generator, options),
    do:
      if(Keyword.keyword?(options), do: Keyword.merge(generator.options, options), else: options)

  defp hide(options) do
    if Keyword.has_key?(options, :backend),
      do: Keyword.update!(options, :backend, &Request.hide/1),
      else: options
  end
end
