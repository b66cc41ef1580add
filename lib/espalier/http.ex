defmodule Espalier.HTTP do
  @moduledoc false
  # Requests over HTTP/1.1: a status with its headers, then the body as it comes.
  #
  # The process that reads the answer owns the socket and reads it without a process in between. So nothing
  # comes into its mailbox, a slow reader slows the server down, and when it dies the connection is closed.
  #
  # OTP's `:httpc` is not used: it sends a request again whenever a 503 says `Retry-After`, reads the bodies of
  # all but two statuses whole whatever their size, has one process that waits while any request is written, and
  # logs its state, with the keys in the headers, when a connection fails.

  alias Espalier.HTTP.Connection
  alias Espalier.HTTP.Head
  alias Espalier.HTTP.Pool
  alias Espalier.TransportError

  @typedoc "The value of a header that is a secret is a function."
  @type header :: {name :: String.t(), value :: String.t() | (() -> String.t())}

  @type request :: %{
          method: String.t(),
          url: String.t(),
          headers: [header],
          body: iodata
        }

  @typedoc "A part of an answer. Names of headers are in lower case."
  @type event ::
          {:status, pos_integer, [{String.t(), String.t()}]}
          | {:data, binary}
          | {:error, TransportError.t() | :deadline}

  @options [
    connect_timeout: [
      type: :timeout,
      default: 10_000,
      doc: "The most milliseconds for a connection."
    ],
    receive_timeout: [
      type: :timeout,
      default: :infinity,
      doc: """
      The most milliseconds from one part of the answer to the next. If not given, only `:timeout` counts.\
      """
    ],
    cacertfile: [
      type: :string,
      doc: """
      A file with the certificates to trust, in PEM. Those of the operating system if not given.\
      """
    ]
  ]

  @doc "The schema of the options that are the caller's."
  @spec options() :: Espalier.Options.schema()
  def options, do: @options

  @typedoc "A request on its way, and the process that reads its answer."
  @type t :: %__MODULE__{request: request, options: keyword, connection: Connection.t() | nil}

  @enforce_keys [:request, :options]
  defstruct [:request, :options, :connection]

  @doc """
  A request; nothing is sent before the first `next/1`.

  `options` are those of `options/0`, and `:deadline`: when all has to be over, in the VM's monotonic
  milliseconds. Then the error is `:deadline`. No redirect is followed.
  """
  @spec new(request, keyword) :: t
  def new(request, options), do: %__MODULE__{request: request, options: options}

  @doc "What comes next; after `:done` and an error nothing does."
  @spec next(t) :: {event, t} | {:done, t}
  def next(%__MODULE__{connection: nil} = http) do
    with {:ok, connection} <- send_request(http.request, http.options),
         {:ok, {status, headers}, connection} <-
           Connection.read_head(connection, http.request.method) do
      {{:status, status, headers}, %{http | connection: connection}}
    else
      {:error, reason} -> failed(reason, http)
    end
  end

  def next(%__MODULE__{connection: connection} = http) do
    case Connection.read_body(connection) do
      {:ok, data, connection} -> {{:data, data}, %{http | connection: connection}}
      {:done, connection} -> {:done, %{http | connection: connection}}
      {:error, reason} -> failed(reason, http)
    end
  end

  @doc "Lets go of the connection, which another request may use if the answer was read to its end."
  @spec close(t) :: :ok
  def close(%__MODULE__{connection: nil}), do: :ok

  def close(%__MODULE__{connection: connection}) do
    if Connection.reusable?(connection),
      do: Pool.keep(connection),
      else: Connection.close(connection)
  end

  @doc "Lets go of the connection, which no other request may use."
  @spec abandon(t) :: :ok
  def abandon(%__MODULE__{connection: nil}), do: :ok
  def abandon(%__MODULE__{connection: connection}), do: Connection.close(connection)

  # The connection is closed already.
  defp failed(:deadline, http), do: {{:error, :deadline}, %{http | connection: nil}}

  defp failed({kind, detail}, http) do
    error = %TransportError{kind: kind, url: bare(http.request.url), detail: detail}
    {{:error, error}, %{http | connection: nil}}
  end

  # A connection that was open already may have been closed by the server in the meantime. If the request could
  # not be written, the server has not got it, and only then it is sent again.
  defp send_request(request, options) do
    address = Connection.address(request.url, options)
    bytes = [Head.write(request), request.body]

    with {:ok, connection} <- Pool.take(address),
         {:error, {:closed, _detail}} <- Connection.write(connection, bytes, options) do
      send_first(address, bytes, options)
    else
      :none -> send_first(address, bytes, options)
      result -> result
    end
  end

  defp send_first(address, bytes, options) do
    with {:ok, connection} <- Connection.open(address, options),
         do: Connection.write(connection, bytes, options)
  end

  @doc "A URL as errors show it, without a query and credentials."
  @spec bare(String.t()) :: String.t()
  def bare(url) do
    URI.to_string(%{URI.parse(url) | query: nil, fragment: nil, userinfo: nil, authority: nil})
  end
end
