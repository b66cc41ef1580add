defmodule Espalier.Hub.Transfer do
  @moduledoc false
  # One file from the hub into the cache.
  #
  # What came so far is in a file beside the blob, at its place, so that a later download goes on from there. Several
  # VMs may write to that file at once: it is named after what it will hold, each writes from its end on at the time, and
  # all write the same bytes at the same places. It gets the blob's name when its checksum is right. The hub's clients in
  # Python have other names for theirs.

  alias Espalier.Hub.Checksum
  alias Espalier.Hub.Client
  alias Espalier.Hub.Fault
  alias Espalier.Hub.Progress
  alias Espalier.Hub.Retry
  alias Espalier.Hub.Settings
  alias Espalier.Hub.Storage
  alias Espalier.HTTP
  alias Espalier.HubError

  @write_bytes 0x100000

  @doc "Makes the file of a commit be in the cache."
  @spec fetch(Settings.t(), String.t(), String.t(), Client.meta(), Progress.t()) ::
          :ok | {:error, HubError.t()}
  def fetch(settings, commit, file, meta, progress) do
    blob = Storage.blob(settings, meta.etag)
    transfer = %{settings: settings, commit: commit, file: file, meta: meta, progress: progress}
    transfer = Map.merge(transfer, %{blob: blob, partial: blob <> ".espalier.incomplete"})

    # One process of this VM downloads, and the others wait.
    download = fn -> if File.regular?(blob), do: :ok, else: download(transfer) end

    with :ok <- :global.trans({{__MODULE__, blob}, self()}, download, [node()]),
         do: Storage.link(settings, commit, file, meta.etag)
  end

  # What was there before may be wrong, and then all is had anew.
  defp download(transfer) do
    resumed? = File.exists?(transfer.partial)
    with {:error, %{kind: :checksum}} when resumed? <- attempt(transfer), do: attempt(transfer)
  end

  defp attempt(transfer) do
    position = fn -> with {:error, _none} <- size(transfer.partial), do: -1 end

    with {:ok, _size} <- Retry.run(transfer.settings, fn -> fill(transfer) end, position),
         do: publish(transfer)
  end

  defp size(path) do
    with {:ok, %{size: size}} <- File.stat(path), do: size
  end

  defp fill(transfer) do
    with :ok <- File.mkdir_p(Path.dirname(transfer.partial)),
         {:ok, io} <- :file.open(transfer.partial, [:read, :write, :raw, :binary]) do
      try do
        fill(transfer, io)
      after
        :file.close(io)
      end
    else
      {:error, reason} -> failed(transfer, reason)
    end
  end

  defp fill(%{meta: %{size: size}} = transfer, io) do
    with {:ok, offset} when offset != size <- :file.position(io, :eof),
         offset = if(offset < size, do: offset, else: 0),
         {:ok, answer} <- get(transfer, offset),
         {:ok, offset} <- start(transfer, answer, offset),
         {:ok, ^size} <- copy(transfer, io, answer.http, offset),
         # A file that has its name and nothing in it after the power failed would never be looked at again.
         :ok <- :file.datasync(io) do
      {:ok, size}
    else
      {:ok, ^size} ->
        {:ok, size}

      {:ok, ended} ->
        broken(transfer, "the answer ended after #{ended} of #{size} bytes")

      {:error, %HubError{} = error} ->
        {:error, error}

      {:error, reason} ->
        failed(transfer, reason)
    end
  end

  defp get(transfer, offset),
    do: Client.get(transfer.settings, transfer.commit, transfer.file, transfer.meta, offset)

  # Where the bytes of the answer begin.
  defp start(_transfer, %{status: 200}, _offset), do: {:ok, 0}

  defp start(transfer, %{status: 206} = answer, offset) do
    if (Fault.header(answer.headers, "content-range") || "") =~ ~r/\Abytes #{offset}-/,
      do: {:ok, offset},
      else: refused(transfer, answer, "a part of the file that was not asked for")
  end

  # The whole is asked for next.
  defp start(transfer, %{status: 416} = answer, _offset) do
    HTTP.abandon(answer.http)
    File.rm(transfer.partial)
    broken(transfer, "the part that is missing is not there")
  end

  # The function for the progress may raise.
  defp copy(transfer, io, http, offset) do
    receive_all(transfer, io, http, {offset, [], 0})
  catch
    kind, reason ->
      HTTP.abandon(http)
      :erlang.raise(kind, reason, __STACKTRACE__)
  end

  # The bytes after `position` were not written yet.
  defp receive_all(transfer, io, http, {position, bytes, n_bytes} = state) do
    case HTTP.next(http) do
      {{:data, data}, http} when position + n_bytes + byte_size(data) > transfer.meta.size ->
        refused(transfer, %{http: http}, "more than #{transfer.meta.size} bytes")

      {{:data, data}, http} ->
        state = {position, [bytes | data], n_bytes + byte_size(data)}

        with {:ok, transfer, state} <- write(transfer, io, state, @write_bytes) do
          receive_all(transfer, io, http, state)
        else
          error ->
            HTTP.abandon(http)
            error
        end

      {:done, http} ->
        HTTP.close(http)

        with {:ok, _transfer, {position, _, _}} <- write(transfer, io, state, 0),
             do: {:ok, position}

      {{:error, error}, _http} ->
        with {:ok, _transfer, _state} <- write(transfer, io, state, 0),
             do: {:error, Fault.transport(transfer.settings, transfer.file, error)}
    end
  end

  defp write(transfer, io, {position, bytes, n_bytes}, least) do
    progress = Progress.tell(transfer.progress, position + n_bytes)
    transfer = %{transfer | progress: progress}

    if n_bytes < least do
      {:ok, transfer, {position, bytes, n_bytes}}
    else
      with :ok <- :file.pwrite(io, position, bytes),
           do: {:ok, transfer, {position + n_bytes, [], 0}}
    end
  end

  # Another VM may have done so meanwhile. What this one wrote since went into the blob then, or into a file that it
  # made anew.
  defp publish(transfer) do
    path = if File.regular?(transfer.blob), do: transfer.blob, else: transfer.partial

    case Checksum.check(path, transfer.meta) do
      :ok when path == transfer.blob ->
        File.rm(transfer.partial)
        :ok

      :ok ->
        rename(transfer)

      # Another VM deleted it, for the same reason.
      {:error, :enoent} ->
        wrong(transfer)

      {:error, reason} ->
        failed(transfer, reason)

      :wrong ->
        File.rm(path)
        wrong(transfer)
    end
  end

  defp rename(transfer) do
    with {:error, reason} <- File.rename(transfer.partial, transfer.blob) do
      if File.regular?(transfer.blob), do: :ok, else: failed(transfer, reason)
    end
  end

  defp wrong(transfer) do
    detail = "expected #{transfer.meta.etag} of #{transfer.meta.size} bytes"
    {:error, Fault.error(transfer.settings, transfer.file, :checksum, detail: detail)}
  end

  defp failed(transfer, reason),
    do: Storage.error(transfer.settings, transfer.partial, reason, transfer.file)

  defp broken(transfer, detail),
    do: {:error, Fault.error(transfer.settings, transfer.file, :connection, detail: detail)}

  defp refused(transfer, answer, detail) do
    HTTP.abandon(answer.http)
    {:error, Fault.error(transfer.settings, transfer.file, :invalid_answer, detail: detail)}
  end
end
