defmodule Espalier.Dashboard.Response do
  @moduledoc false
  # Answers as bytes. A connection has one answer, and ends with it.

  @phrases %{
    200 => "OK",
    400 => "Bad Request",
    403 => "Forbidden",
    404 => "Not Found",
    405 => "Method Not Allowed",
    408 => "Request Timeout",
    431 => "Request Header Fields Too Large",
    503 => "Service Unavailable",
    505 => "HTTP Version Not Supported"
  }

  @common [
    {"Cache-Control", "no-store"},
    {"X-Content-Type-Options", "nosniff"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Referrer-Policy", "no-referrer"},
    {"Connection", "close"}
  ]

  @plain "text/plain; charset=utf-8"

  @type headers :: [{String.t(), iodata}]

  @doc "An answer whose body is known. The answer to `HEAD` is the same without it."
  @spec whole(pos_integer, String.t(), iodata, headers) :: {head :: iodata, body :: iodata}
  def whole(status, type, body, headers \\ []) do
    length = body |> IO.iodata_length() |> Integer.to_string()
    {head(status, type, [{"Content-Length", length} | headers]), body}
  end

  @doc "An answer of plain text that says what its status means."
  @spec plain(pos_integer) :: {head :: iodata, body :: iodata}
  def plain(405), do: whole(405, @plain, text(405), [{"Allow", "GET, HEAD"}])
  def plain(status), do: whole(status, @plain, text(status))

  defp text(status), do: "#{status} #{@phrases[status]}\n"

  @doc "The bytes before a body."
  @spec head(pos_integer, String.t(), headers) :: iodata
  def head(status, type, headers) do
    headers = [{"Content-Type", type} | headers] ++ policy(headers)
    lines = for {name, value} <- headers ++ @common, do: [name, ": ", value, "\r\n"]
    ["HTTP/1.1 ", Integer.to_string(status), " ", @phrases[status], "\r\n", lines, "\r\n"]
  end

  # Only the page is let more than nothing.
  defp policy(headers) do
    if List.keymember?(headers, "Content-Security-Policy", 0),
      do: [],
      else: [{"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"}]
  end
end
