defmodule Espalier.HubServer do
  @moduledoc """
  A hub on this machine with one repository, and another host that hands out its large files.

      hub = HubServer.start_link("org/model", %{"config.json" => "{}"}, large: ["model.safetensors"])
      Espalier.Hub.download("org/model", base_url: hub.url, cache_dir: folder)

  With `change:` a function of a request, with its `:host` (`:hub` or `:other`), and of the answer, gives another answer.
  With `token:` the hub asks for one.
  """
  alias Espalier.Loopback

  defstruct [:hub, :other, :url, :commit, :revision]

  @commit String.duplicate("c0ffee00", 5)

  def start_link(repository, files, options \\ []) do
    change = Keyword.get(options, :change, fn _request, answer -> answer end)
    large = for name <- options[:large] || [], do: {sha256(files[name]), files[name]}

    other =
      Loopback.start_link(fn request ->
        change.(Map.put(request, :host, :other), other_answer(request, Map.new(large)))
      end)

    repository = %{
      name: repository,
      commit: options[:commit] || @commit,
      files: files,
      large: options[:large] || [],
      token: options[:token],
      other: other.url
    }

    hub =
      Loopback.start_link(fn request ->
        answer = change.(Map.put(request, :host, :hub), hub_answer(request, repository))
        if request.method == "HEAD", do: without_body(answer), else: answer
      end)

    %__MODULE__{hub: hub, other: other, url: hub.url, commit: repository.commit}
  end

  @doc "The requests so far, as a method and a path each."
  def asked(server),
    do: for(request <- Loopback.requests(server), do: {request.method, request.path})

  @doc "The header of a request, `nil` without it."
  def header(request, name),
    do: with({_name, value} <- List.keyfind(request.headers, name, 0), do: value)

  def sha256(bytes), do: Base.encode16(:crypto.hash(:sha256, bytes), case: :lower)

  def git_sha1(bytes),
    do: Base.encode16(:crypto.hash(:sha, "blob #{byte_size(bytes)}\0" <> bytes), case: :lower)

  @doc "An error as the hub has it."
  def error(status, code, headers \\ []),
    do:
      Loopback.answer(status, [{"x-error-code", code}, {"x-error-message", "no"} | headers], "no")

  defp hub_answer(request, %{token: token} = repository) when token != nil do
    if header(request, "authorization") == "Bearer " <> token,
      do: hub_answer(request, %{repository | token: nil}),
      else: error(401, "GatedRepo")
  end

  defp hub_answer(%{path: path} = request, repository) do
    api = "/api/models/#{repository.name}/revision/"
    files = "/#{repository.name}/resolve/"

    cond do
      String.starts_with?(path, api) ->
        revision(String.replace_prefix(path, api, ""), repository)

      String.starts_with?(path, files) ->
        [_revision, name] =
          path |> String.replace_prefix(files, "") |> String.split("/", parts: 2)

        file(request, URI.decode(name), repository)

      true ->
        error(404, "RepoNotFound")
    end
  end

  defp revision(revision, repository) do
    if revision in ["main", repository.commit] do
      siblings = for {name, _content} <- repository.files, do: %{rfilename: name}
      Loopback.json(200, %{sha: repository.commit, siblings: siblings})
    else
      error(404, "RevisionNotFound")
    end
  end

  defp file(request, name, repository) do
    content = repository.files[name]

    cond do
      content == nil ->
        error(404, "EntryNotFound", [commit(repository)])

      name in repository.large ->
        redirect(content, repository)

      true ->
        content(request, content, [commit(repository), {"etag", ~s("#{git_sha1(content)}")}])
    end
  end

  defp commit(repository), do: {"x-repo-commit", repository.commit}

  defp redirect(content, repository) do
    sha256 = sha256(content)

    headers = [
      commit(repository),
      {"x-linked-etag", ~s("#{sha256}")},
      {"x-linked-size", byte_size(content)},
      {"location", "#{repository.other}/#{sha256}?signature=secret"},
      {"content-length", 0}
    ]

    [Loopback.head(302, headers)]
  end

  defp without_body([answer]) when is_binary(answer),
    do: [hd(String.split(answer, "\r\n\r\n")) <> "\r\n\r\n"]

  defp without_body(steps), do: steps

  defp other_answer(request, large) do
    [sha256, "signature=secret"] = request.path |> String.trim_leading("/") |> String.split("?")
    content(request, Map.fetch!(large, sha256), [{"etag", ~s("of-another-kind")}])
  end

  defp content(request, content, headers) do
    size = byte_size(content)

    with "bytes=" <> range <- header(request, "range"),
         true <- header(request, "if-range") in [nil, :proplists.get_value("etag", headers)] do
      offset = range |> String.trim_trailing("-") |> String.to_integer()

      if offset < size do
        range = {"content-range", "bytes #{offset}-#{size - 1}/#{size}"}
        Loopback.answer(206, [range | headers], binary_part(content, offset, size - offset))
      else
        Loopback.answer(416, headers, "")
      end
    else
      _whole -> Loopback.answer(200, headers, content)
    end
  end
end
