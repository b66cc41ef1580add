defmodule Espalier.HTTP.Head do
  @moduledoc false
  # The part of a message before its body, written and read.

  @most_bytes 0x10000

  @type t :: {status :: pos_integer, headers :: [{String.t(), String.t()}]}

  @doc "The bytes of a request before its body."
  @spec write(Espalier.HTTP.request()) :: iodata
  def write(request) do
    uri = URI.parse(request.url)

    own = [
      {"host", host(uri)},
      {"user-agent", "espalier/#{Application.spec(:espalier, :vsn)}"},
      {"content-length", request.body |> IO.iodata_length() |> Integer.to_string()}
    ]

    own = Enum.reject(own, fn {name, _value} -> List.keymember?(request.headers, name, 0) end)
    lines = for {name, value} <- own ++ request.headers, do: [name, ": ", reveal(value), "\r\n"]
    [request.method, " ", target(uri), " HTTP/1.1\r\n", lines, "\r\n"]
  end

  defp reveal(value) when is_function(value, 0), do: value.()
  defp reveal(value), do: value

  defp host(%{host: host, port: port, scheme: scheme}) do
    host = if host =~ ":", do: "[#{host}]", else: host
    if port == URI.default_port(scheme), do: host, else: "#{host}:#{port}"
  end

  defp target(%{path: path, query: nil}), do: path || "/"
  defp target(%{path: path, query: query}), do: "#{path || "/"}?#{query}"

  @doc "Whether nothing in a header can be taken for more than the header."
  @spec header?({term, term}) :: boolean
  def header?({name, value}) do
    is_binary(name) and name =~ ~r/\A[!#$%&'*+.^_`|~0-9A-Za-z-]+\z/ and
      is_binary(value) and value =~ ~r/\A[^\x00-\x08\x0A-\x1F\x7F]*\z/
  end

  @doc "The head of an answer and the bytes after it, `:more` where it is not whole yet."
  @spec read(binary) :: {:ok, t, rest :: binary} | :more | {:error, {:protocol, String.t()}}
  def read(bytes), do: read(bytes, byte_size(bytes))

  # All that came counts, so that answers that announce another one come to an end.
  defp read(bytes, size) do
    with {:ok, {:http_response, _version, status, _phrase}, rest} <- packet(:http_bin, bytes),
         {:ok, headers, rest} <- headers(rest, []) do
      # Others than 1xx answer the request.
      if status in 100..199, do: read(rest, size), else: {:ok, {status, headers}, rest}
    else
      {:more, _length} when size < @most_bytes -> :more
      {:more, _length} -> {:error, {:protocol, "headers of more than #{@most_bytes} bytes"}}
      _other -> {:error, {:protocol, "the answer is not HTTP"}}
    end
  end

  defp headers(bytes, headers) do
    case packet(:httph_bin, bytes) do
      {:ok, {:http_header, _number, name, _reserved, value}, rest} ->
        headers(rest, [{name |> to_string() |> String.downcase(), value} | headers])

      {:ok, :http_eoh, rest} ->
        {:ok, Enum.reverse(headers), rest}

      {:more, _length} = more ->
        more

      _no_header ->
        :error
    end
  end

  defp packet(type, bytes), do: :erlang.decode_packet(type, bytes, [])

  @doc "The values of a header, those of a list apart."
  @spec values([{String.t(), String.t()}], String.t()) :: [String.t()]
  def values(headers, name) do
    for {^name, value} <- headers, part <- String.split(value, ","), do: String.trim(part)
  end
end
