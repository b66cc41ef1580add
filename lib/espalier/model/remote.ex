defmodule Espalier.Model.Remote do
  @moduledoc false
  # A request to a model on another node, from the side of its reader.
  #
  # Messages come to an alias of the reader, which is given up at the end: so none stays behind, and none comes late.

  alias Espalier.Backend
  alias Espalier.Deadline
  alias Espalier.GenerationError
  alias Espalier.Model.Balancer
  alias Espalier.Model.Group
  alias Espalier.Model.Host
  alias Espalier.Model.Relay
  alias Espalier.Request
  alias Espalier.Schema.Form
  alias Espalier.SchemaError

  # The deadline is kept where the model is. A node that says nothing then is not waited for much longer.
  @last_message_timeout 1_000

  @enforce_keys [:member, :reader, :relay, :monitor, :timeout, :deadline]
  defstruct @enforce_keys ++ [taken: 0, ended?: false]

  @doc "The events of a request to that process of a model; nothing is asked before they are read."
  @spec events(pid, Request.t()) :: Enumerable.t(Backend.event())
  def events(member, request),
    do: Stream.resource(fn -> start(member, :stream, request) end, &next/1, &close/1)

  @doc "Compiles the schema where the model is."
  @spec compile(pid, Request.t()) :: :ok | {:error, Exception.t()}
  def compile(member, request) do
    with {:ok, remote} <- start(member, :compile, request) do
      result = receive_next(remote)
      close(remote)
      result
    end
  end

  defp start(member, work, request) do
    deadline = Deadline.new(request.timeout)
    reader = :erlang.alias()

    with {:ok, form} <- portable(request.schema),
         request = travelling(%{request | schema: form, model: member}),
         {:ok, relay} <- Host.start(node(member), work, request, reader, request.timeout) do
      monitor = Process.monitor(relay)
      times = [timeout: request.timeout, deadline: deadline]
      at = [member: member, reader: reader, relay: relay, monitor: monitor]
      {:ok, struct!(__MODULE__, at ++ times)}
    else
      {:error, error} ->
        forget(member, reader)
        {:error, failed(error, member, request.timeout)}
    end
  end

  defp failed(:gone, member, _timeout), do: Group.member_lost(node(member))
  defp failed(:timeout, member, timeout), do: silent(member, timeout)
  defp failed(error, _member, _timeout), do: error

  # What is around a request stays here, and so do keys and functions.
  defp travelling(request) do
    %{
      request
      | backend_options: [],
        fallbacks: [],
        middleware: [],
        cache: nil,
        asked: nil,
        deadline: :infinity
    }
  end

  # Modules are only here, and so are the terms of a choice.
  defp portable(%Form{kind: :typed} = form) do
    with {:ok, schema} <- Form.to_json_schema(form), do: Form.new(schema)
  end

  defp portable(%Form{kind: :choice, content: pairs} = form),
    do: {:ok, %{form | content: for({text, _term} <- pairs, do: {text, text})}}

  # What is captured is read here.
  defp portable(%Form{kind: :sequence, content: parts} = form),
    do: {:ok, %{form | content: %{parts | parts: [], captures: %{}}}}

  defp portable(%Form{kind: :constraint}) do
    message = "a compiled constraint is for models of its own node: give its schema"
    {:error, SchemaError.invalid(message)}
  end

  defp portable(form), do: {:ok, form}

  defp next({:error, error}), do: {[{:error, error}], :ended}
  defp next(:ended), do: {:halt, :ended}
  defp next({:ok, %{ended?: true} = remote}), do: {:halt, {:ok, remote}}

  defp next({:ok, remote}) do
    event = receive_next(remote)
    {[event], {:ok, took(event, remote)}}
  end

  defp took({last, _content}, remote) when last in [:done, :error], do: %{remote | ended?: true}

  defp took(_event, remote) do
    if remote.taken + 1 == Relay.half() do
      Relay.more(remote.relay, remote.reader)
      %{remote | taken: 0}
    else
      %{remote | taken: remote.taken + 1}
    end
  end

  defp receive_next(%{reader: reader, monitor: monitor} = remote) do
    receive do
      {^reader, event} -> event
      {:DOWN, ^monitor, :process, _relay, _reason} -> {:error, failed(:gone, remote.member, nil)}
    after
      wait(remote.deadline) -> {:error, silent(remote.member, remote.timeout)}
    end
  end

  defp wait(deadline) do
    with left when is_integer(left) <- Deadline.left(deadline), do: left + @last_message_timeout
  end

  # A node that hangs is not asked again before it says something.
  defp silent(member, milliseconds) do
    Balancer.avoid(member)
    message = "no value within #{milliseconds} ms, nor another word from #{node(member)}"
    %GenerationError{kind: :timeout, message: message}
  end

  defp close({:ok, remote}), do: close(remote)

  defp close(%__MODULE__{} = remote) do
    Process.demonitor(remote.monitor, [:flush])
    forget(remote.member, remote.reader)
  end

  defp close(_not_started), do: :ok

  defp forget(member, reader) do
    :erlang.unalias(reader)
    Host.stop(node(member), reader)
    flush(reader)
  end

  defp flush(reader) do
    receive do
      {^reader, _event} -> flush(reader)
    after
      0 -> :ok
    end
  end
end
