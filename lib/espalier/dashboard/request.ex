defmodule Espalier.Dashboard.Request do
  @moduledoc false
  # The head of a request, read from bytes. Of a body nothing is read.

  @most_bytes 8_192

  @type t :: %{method: String.t(), path: String.t(), host: String.t()}

  @doc "A request, `:more` where its head is not whole yet, or the status that says what is wrong with it."
  @spec read(binary) :: {:ok, t} | :more | {:error, status :: pos_integer}
  def read(bytes) do
    case :binary.match(bytes, "\r\n\r\n") do
      {at, 4} when at <= @most_bytes -> bytes |> binary_part(0, at + 4) |> line()
      :nomatch when byte_size(bytes) <= @most_bytes -> :more
      _too_long -> {:error, 431}
    end
  end

  # What is no known method or header stays a binary there.
  defp line(head) do
    case :erlang.decode_packet(:http_bin, head, []) do
      {:ok, {:http_request, method, {:abs_path, target}, {1, _minor}}, rest} ->
        with {:ok, host} <- host(rest, []) do
          [path | _query] = String.split(target, "?", parts: 2)
          {:ok, %{method: to_string(method), path: path, host: host}}
        end

      {:ok, {:http_request, _method, _target, {major, _minor}}, _rest} when major != 1 ->
        {:error, 505}

      _other ->
        {:error, 400}
    end
  end

  defp host(rest, hosts) do
    case :erlang.decode_packet(:httph_bin, rest, []) do
      {:ok, {:http_header, _number, :Host, _reserved, host}, rest} -> host(rest, [host | hosts])
      {:ok, {:http_header, _number, _name, _reserved, _value}, rest} -> host(rest, hosts)
      {:ok, :http_eoh, _rest} -> only(hosts)
      _other -> {:error, 400}
    end
  end

  defp only([host]), do: {:ok, host}
  defp only(_none_or_many), do: {:error, 400}
end
