defmodule Espalier.HTTP.Connection do
  @moduledoc false
  # A connection to a server, and how far its answer was read.

  alias Espalier.Deadline
  alias Espalier.HTTP.Body
  alias Espalier.HTTP.Head
  alias Espalier.HTTP.Socket

  @enforce_keys [:address, :socket]
  defstruct [
    :address,
    :socket,
    :options,
    buffer: "",
    body: nil,
    reusable?: true
  ]

  @typedoc "`body` is `nil` until the head of an answer was read."
  @type t :: %__MODULE__{
          address: Socket.address(),
          socket: Socket.t(),
          options: keyword,
          buffer: binary,
          body: Body.t() | nil,
          reusable?: boolean
        }

  @type error :: {:error, :deadline | {kind :: atom, detail :: String.t() | nil}}

  @doc "What a connection has to lead to, and whom it has to trust, for a URL."
  @spec address(String.t(), keyword) :: Socket.address()
  def address(url, options) do
    %{scheme: scheme, host: host, port: port} = URI.parse(url)
    {scheme, host, port, options[:cacertfile]}
  end

  @spec open(Socket.address(), keyword) :: {:ok, t} | error
  def open(address, options) do
    with {:ok, timeout} <- timeout(options, :connect_timeout),
         {:ok, socket} <- address |> Socket.connect(timeout) |> expired(options) do
      {:ok, %__MODULE__{address: address, socket: socket}}
    end
  end

  @doc "Sends a request, whose answer is then read under these options."
  @spec write(t, iodata, keyword) :: {:ok, t} | error
  def write(connection, bytes, options) do
    with {:ok, timeout} <- timeout(options, :receive_timeout),
         :ok <- connection.socket |> Socket.send(bytes, timeout) |> expired(options) do
      {:ok, %{connection | options: options}}
    else
      error ->
        close(connection)
        error
    end
  end

  @doc "The head of the answer to a request with that method."
  @spec read_head(t, String.t()) :: {:ok, Head.t(), t} | error
  def read_head(connection, method) do
    with {:ok, head, rest} <- Head.read(connection.buffer),
         {:ok, body} <- Body.new(method, head) do
      reusable? = body != :until_closed and kept?(head)
      {:ok, head, %{connection | buffer: rest, body: body, reusable?: reusable?}}
    else
      :more ->
        with {:ok, connection} <- receive_more(connection), do: read_head(connection, method)

      error ->
        failed(error, connection)
    end
  end

  # A server that failed often closes the connection a moment later, without having said so.
  defp kept?({status, headers}), do: status < 500 and "close" not in connection_options(headers)

  defp connection_options(headers),
    do: headers |> Head.values("connection") |> Enum.map(&String.downcase/1)

  @doc "The next bytes of the body, as many as there are."
  @spec read_body(t) :: {:ok, binary, t} | {:done, t} | error
  def read_body(connection) do
    case Body.read(connection.body, connection.buffer) do
      {:ok, "", body, buffer} -> read_more(%{connection | body: body, buffer: buffer})
      {:ok, data, body, buffer} -> {:ok, data, %{connection | body: body, buffer: buffer}}
      {:error, _reason} = error -> failed(error, connection)
    end
  end

  defp read_more(%{body: :done} = connection), do: {:done, connection}

  defp read_more(connection) do
    case receive_more(connection) do
      {:ok, connection} ->
        read_body(connection)

      {:error, {:closed, _detail}} when connection.body == :until_closed ->
        {:done, %{connection | body: :done}}

      error ->
        error
    end
  end

  defp receive_more(%{options: options} = connection) do
    with {:ok, timeout} <- timeout(options, :receive_timeout),
         {:ok, bytes} <- connection.socket |> Socket.read(timeout) |> expired(options) do
      {:ok, %{connection | buffer: connection.buffer <> bytes}}
    else
      error -> failed(error, connection)
    end
  end

  defp failed(error, connection) do
    close(connection)
    error
  end

  @doc "Whether the answer was read to its end and the server takes another request."
  @spec reusable?(t) :: boolean
  def reusable?(%{reusable?: true, body: body, buffer: buffer}) when body != nil do
    # What ends a body is often there before anybody asked for it.
    match?({:ok, _data, :done, ""}, Body.read(body, buffer))
  end

  def reusable?(_connection), do: false

  @spec close(t) :: :ok
  def close(connection), do: Socket.close(connection.socket)

  # The milliseconds for a step: those of the option, or what is left of all.
  defp timeout(options, name) do
    case {Deadline.left(Keyword.fetch!(options, :deadline)), Keyword.fetch!(options, name)} do
      {0, _most} -> {:error, :deadline}
      # An atom is more than any number.
      {left, most} -> {:ok, left |> min(most) |> waitable()}
    end
  end

  # The runtime waits for weeks at most, or forever.
  defp waitable(timeout) when timeout > 0x7FFFFFFF, do: :infinity
  defp waitable(timeout), do: timeout

  defp expired({:error, {_kind, "timed out"}} = error, options) do
    if Deadline.left(Keyword.fetch!(options, :deadline)) == 0,
      do: {:error, :deadline},
      else: error
  end

  defp expired(result, _options), do: result
end
