defmodule Espalier.Hub.Client do
  @moduledoc false
  # The requests that the hub knows, with their redirects.
  #
  # The token goes to the hub itself and nowhere else; so does `If-Range`, as the hosts that hand files out have etags of
  # their own.

  alias Espalier.Hub.Fault
  alias Espalier.Hub.Name
  alias Espalier.Hub.Settings
  alias Espalier.HTTP
  alias Espalier.HubError
  alias Espalier.JSON

  @most_redirects 5
  @most_list_bytes 0x1000000
  @redirects [301, 302, 303, 307, 308]

  @type error :: {:error, HubError.t()}

  @typedoc "The checksum by which a file is known, and its bytes."
  @type meta :: %{etag: String.t(), size: non_neg_integer}

  @doc "The commit of the revision, and the names of its files."
  @spec list(Settings.t()) :: {:ok, {commit :: String.t(), [String.t()]}} | error
  def list(settings) do
    path = "/api/models/#{settings.repository}/revision/"
    url = settings.base_url <> path <> Name.encode_segment(settings.revision)

    with {:ok, answer} <- request(settings, nil, "GET", url),
         {:ok, text} <- read(answer.http, settings) do
      listing(JSON.decode(text), settings)
    end
  end

  defp listing({:ok, %{"sha" => commit, "siblings" => [_ | _] = siblings}}, settings) do
    names = for %{"rfilename" => name} when is_binary(name) <- siblings, do: name

    if Name.commit?(commit) and length(names) == length(siblings),
      do: {:ok, {commit, names}},
      else: invalid(settings, nil, "a commit or file without a name")
  end

  defp listing({:ok, %{"siblings" => []}}, settings),
    do: {:error, Fault.error(settings, nil, :no_model, detail: "it has no files")}

  defp listing({:ok, _other}, settings),
    do: invalid(settings, nil, "a repository without a commit and files")

  defp listing({:error, error}, settings), do: invalid(settings, nil, Exception.message(error))

  defp read(http, settings, data \\ [], n_bytes \\ 0) do
    case HTTP.next(http) do
      {:done, http} ->
        HTTP.close(http)
        {:ok, IO.iodata_to_binary(data)}

      {{:data, more}, http} when n_bytes + byte_size(more) <= @most_list_bytes ->
        read(http, settings, [data | more], n_bytes + byte_size(more))

      {{:data, _more}, http} ->
        HTTP.abandon(http)
        invalid(settings, nil, "a list of files of more than #{@most_list_bytes} bytes")

      {{:error, error}, _http} ->
        {:error, Fault.transport(settings, nil, error)}
    end
  end

  @doc "What the hub says about a file of a commit."
  @spec meta(Settings.t(), String.t(), String.t()) :: {:ok, meta} | error
  def meta(settings, commit, file) do
    with {:ok, answer} <- request(settings, file, "HEAD", url(settings, commit, file)) do
      HTTP.close(answer.http)
      etag = etag(header(answer, "x-linked-etag") || header(answer, "etag") || "")
      size = size(header(answer, "x-linked-size") || length_of(answer) || "")

      if etag && size,
        do: {:ok, %{etag: etag, size: size}},
        else: invalid(settings, file, "expected an etag that is a checksum, and a size")
    end
  end

  # That of a redirect is not the file's.
  defp length_of(%{status: 200} = answer), do: header(answer, "content-length")
  defp length_of(_redirect), do: nil

  # The SHA-256 of a large file, or the SHA-1 of a git object.
  defp etag(text) do
    with [_all, etag] <- Regex.run(~r/\A(?:W\/)?"?([0-9a-f]{40}|[0-9a-f]{64})"?\z/, text),
         do: etag
  end

  defp size(text), do: if(text =~ ~r/\A\d{1,18}\z/, do: String.to_integer(text))

  @doc "The bytes of a file from an offset on, or from the beginning, which the status tells."
  @spec get(Settings.t(), String.t(), String.t(), meta, non_neg_integer) ::
          {:ok, %{status: 200 | 206 | 416, headers: list, http: HTTP.t()}} | error
  def get(settings, commit, file, _meta, 0),
    do: request(settings, file, "GET", url(settings, commit, file))

  def get(settings, commit, file, meta, offset) do
    range = [{"range", "bytes=#{offset}-"}]
    own = [{"if-range", ~s("#{meta.etag}")}]
    request(settings, file, "GET", url(settings, commit, file), range, own)
  end

  defp url(settings, commit, file),
    do: "#{settings.base_url}/#{settings.repository}/resolve/#{commit}/#{Name.encode(file)}"

  # `own` are the headers for the hub alone.
  defp request(settings, file, method, url, headers \\ [], own \\ []) do
    # What is compressed has another length and checksum.
    headers = [{"accept-encoding", "identity"} | headers]
    own = if settings.token, do: [{"authorization", bearer(settings)} | own], else: own
    call = %{settings: settings, file: file, method: method, headers: headers, own: own}
    follow(call, url, @most_redirects)
  end

  defp bearer(settings), do: fn -> "Bearer " <> settings.token.() end

  defp follow(call, url, redirects) do
    headers = if own?(url, call.settings), do: call.own ++ call.headers, else: call.headers
    request = %{method: call.method, url: url, headers: headers, body: ""}

    case request |> HTTP.new(call.settings.options) |> HTTP.next() do
      {{:status, status, headers}, http} ->
        answered(call, %{url: url, status: status, headers: headers, http: http}, redirects)

      {{:error, error}, _http} ->
        {:error, Fault.transport(call.settings, call.file, error)}
    end
  end

  defp answered(call, %{status: status} = answer, redirects) when status in @redirects do
    HTTP.close(answer.http)

    case target(answer, call.settings) do
      {:error, detail} ->
        redirect(call, answer, detail)

      # What the hub knows of the file it has told.
      {:ok, :other, _url} when call.method == "HEAD" ->
        {:ok, answer}

      {:ok, _whose, _url} when redirects == 0 ->
        redirect(call, answer, "more than #{@most_redirects} in a row")

      {:ok, _whose, url} ->
        follow(call, url, redirects - 1)
    end
  end

  defp answered(_call, %{status: status} = answer, _redirects) when status in [200, 206, 416],
    do: {:ok, answer}

  defp answered(call, answer, _redirects) do
    HTTP.close(answer.http)

    if own?(answer.url, call.settings),
      do: {:error, Fault.answer(call.settings, call.file, answer.status, answer.headers)},
      else: {:error, Fault.elsewhere(call.settings, call.file, answer.status)}
  end

  defp redirect(call, answer, detail) do
    more = [status: answer.status, detail: detail]
    {:error, Fault.error(call.settings, call.file, :redirect, more)}
  end

  defp target(answer, settings) do
    location = header(answer, "location") || ""

    with true <- location =~ ~r/\A[\x21-\x7E]+\z/,
         {:ok, uri} <- URI.new(location),
         url = answer.url |> URI.parse() |> URI.merge(uri) |> URI.to_string(),
         true <- URI.parse(url).host not in [nil, ""] do
      cond do
        own?(url, settings) -> {:ok, :own, url}
        safe?(url, settings) -> {:ok, :other, url}
        true -> {:error, "it leads to #{HTTP.bare(url)}"}
      end
    else
      _none -> {:error, "it leads nowhere"}
    end
  end

  defp own?(url, settings), do: origin(url) == origin(settings.base_url)

  defp origin(url) do
    %{scheme: scheme, host: host, port: port} = URI.parse(url)
    {scheme, String.downcase(host), port}
  end

  defp safe?(url, settings) do
    case URI.parse(url) do
      %{scheme: "https"} -> true
      %{scheme: "http"} -> loopback?(url) and loopback?(settings.base_url)
      _other -> false
    end
  end

  defp loopback?(url) do
    host = URI.parse(url).host

    case :inet.parse_address(String.to_charlist(host)) do
      {:ok, {127, _, _, _}} -> true
      {:ok, {0, 0, 0, 0, 0, 0, 0, 1}} -> true
      _name -> host == "localhost"
    end
  end

  defp header(answer, name), do: Fault.header(answer.headers, name)

  defp invalid(settings, file, detail),
    do: {:error, Fault.error(settings, file, :invalid_answer, detail: detail)}
end
