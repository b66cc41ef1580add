defmodule Espalier.Hosted.Provider do
  @moduledoc false
  # What a provider's module says about its protocol: a translation of requests and of answers, without any
  # effect. `Espalier.Hosted` does the rest.
  #
  #     defmodule Espalier.Backends.Example do
  #       @behaviour Espalier.Backend
  #       @behaviour Espalier.Hosted.Provider
  #
  #       @impl Espalier.Backend
  #       def stream(request), do: Espalier.Hosted.stream(__MODULE__, request)
  #
  #       @impl Espalier.Backend
  #       def secrets, do: Espalier.Hosted.secrets()
  #
  #       @impl Espalier.Hosted.Provider
  #       def name(_options), do: :example
  #       ...
  #     end

  alias Espalier.Backend
  alias Espalier.Hosted.Call
  alias Espalier.Options
  alias Espalier.Request

  @typedoc """
  A part of an answer: the whole of it, an event of a stream with its type (`nil` for a line), or the end of the
  stream.
  """
  @type part ::
          {:response, json :: term} | {:event, type :: String.t() | nil, json :: term} | :end

  @typedoc """
  What an error in JSON says. A `kind` is told where the status alone tells a wrong one, or none; the last two
  make it an `Espalier.RefusalError`. `retry_after` is in milliseconds; a header goes before it.
  """
  @type fault :: %{
          optional(:kind) => Espalier.ProviderError.kind() | :refused | :filtered,
          optional(:code) => String.t() | nil,
          optional(:detail) => String.t() | nil,
          optional(:retry_after) => non_neg_integer | nil
        }

  @doc """
  Who answers under these options, which are not checked yet.

  It is the name in errors, and the one in the application environment:
  `config :espalier, example: [api_key: ...]`.
  """
  @callback name(options :: keyword) :: atom

  @doc """
  The provider's own options, of those common to all only what is different. Defaults that depend on other
  options are filled in by `c:defaults/1`.
  """
  @callback options() :: Options.schema()

  @doc "Options that are taken where none are given, `:base_url` among them if there is one."
  @callback defaults(name :: atom) :: keyword

  @doc "Where the key is if no option has it: in this variable of the environment. `nil` if none is needed."
  @callback key_variable(name :: atom) :: String.t() | nil

  @doc """
  The request to send.

  Of the options `:api_key` is a function, or `nil` where the provider needs none. Whatever of the request the
  provider has nothing for is an error: of the sampling only what `request.sampling_options` has was asked for.
  """
  @callback call(Request.t(), options :: keyword) :: {:ok, Call.t()} | {:error, Exception.t()}

  @doc """
  The events of a part of the answer.

  After `:done` or `:error` nothing more is read. If there is neither when the answer ends it was cut off, and
  that is an error.
  """
  @callback read(part, state :: term) :: {[Backend.event()], state :: term}

  @doc "What is wrong, if this JSON is an error of the provider: the body of one, or a part of a stream."
  @callback fault(json :: term) :: fault | nil
end
