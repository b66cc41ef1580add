defmodule Espalier.HTTP.Socket do
  @moduledoc false
  # TCP, or TLS with a server whose certificate is verified. Errors are kinds of `Espalier.TransportError` with
  # a detail.

  @type address ::
          {scheme :: String.t(), host :: String.t(), :inet.port_number(),
           cacertfile :: String.t() | nil}

  @type t :: {:gen_tcp, :gen_tcp.socket()} | {:ssl, :ssl.sslsocket()}
  @type error :: {:error, {:connect | :tls | :timeout | :closed, String.t()}}

  @options [mode: :binary, active: false, nodelay: true, send_timeout_close: true]

  @doc "A connection that the calling process owns; `timeout` is for each family of addresses."
  @spec connect(address, timeout) :: {:ok, t} | error
  def connect({"http", host, port, _file}, timeout) do
    either_family(host, fn host, family ->
      with {:ok, socket} <- :gen_tcp.connect(host, port, [family | @options], timeout),
           do: {:ok, {:gen_tcp, socket}}
    end)
  end

  def connect({"https", host, port, file}, timeout) do
    with {:ok, trusted} <- trusted(file) do
      options = @options ++ trusted ++ tls_options()

      either_family(host, fn host, family ->
        with {:ok, socket} <- :ssl.connect(host, port, [family | options], timeout),
             do: {:ok, {:ssl, socket}}
      end)
    end
  end

  defp either_family(host, connect) do
    host = String.to_charlist(host)

    with {:error, reason} when reason in [:nxdomain, :econnrefused, :enetunreach, :eafnosupport] <-
           connect.(host, :inet),
         {:error, _reason} <- connect.(host, :inet6) do
      {:error, {:connect, text(reason)}}
    else
      {:ok, socket} -> {:ok, socket}
      {:error, :timeout} -> {:error, {:connect, "timed out"}}
      {:error, reason} when is_atom(reason) -> {:error, {:connect, text(reason)}}
      {:error, reason} -> {:error, {:tls, tls_text(reason)}}
    end
  end

  defp trusted(nil) do
    {:ok, [cacerts: :public_key.cacerts_get()]}
  rescue
    ErlangError ->
      detail = "the operating system has no certificates to trust: name some by :cacertfile"
      {:error, {:tls, detail}}
  end

  defp trusted(file), do: {:ok, [cacertfile: file]}

  # The name in the URL is what the server is told and what its certificate is for.
  defp tls_options do
    [
      verify: :verify_peer,
      depth: 10,
      customize_hostname_check: [match_fun: :public_key.pkix_verify_hostname_match_fun(:https)],
      log_level: :none
    ]
  end

  @spec send(t, iodata, timeout) :: :ok | error
  def send({module, socket}, bytes, timeout) do
    # The bytes go out whole or the connection is closed.
    with :ok <- setopts({module, socket}, send_timeout: timeout),
         :ok <- module.send(socket, bytes) do
      :ok
    else
      {:error, reason} -> failed(reason)
    end
  end

  @doc "The bytes that came; at least one."
  @spec read(t, timeout) :: {:ok, binary} | error
  def read({module, socket}, timeout) do
    with {:error, reason} <- module.recv(socket, 0, timeout), do: failed(reason)
  end

  defp failed(:closed), do: {:error, {:closed, nil}}
  defp failed(:timeout), do: {:error, {:timeout, "timed out"}}
  defp failed(reason) when is_atom(reason), do: {:error, {:closed, text(reason)}}
  defp failed(reason), do: {:error, {:tls, tls_text(reason)}}

  @doc "Makes another process the owner."
  @spec give(t, pid) :: :ok | {:error, term}
  def give({module, socket}, pid), do: module.controlling_process(socket, pid)

  @spec setopts(t, keyword) :: :ok | {:error, term}
  def setopts({:gen_tcp, socket}, options), do: :inet.setopts(socket, options)
  def setopts({:ssl, socket}, options), do: :ssl.setopts(socket, options)

  @spec close(t) :: :ok
  def close({module, socket}) do
    module.close(socket)
    :ok
  end

  defp text(:closed), do: "closed by the other side"
  defp text(reason), do: reason |> :inet.format_error() |> to_string()
  defp tls_text(reason), do: reason |> :ssl.format_error() |> to_string()
end
