defmodule Espalier.Hosted do
  @moduledoc false
  # What backends over HTTP have in common. A provider's module translates (`Espalier.Hosted.Provider`); the
  # options, HTTP, framings, limits and errors are the same for all, and here.

  alias Espalier.Backend
  alias Espalier.Deadline
  alias Espalier.GenerationError
  alias Espalier.Hosted.Failure
  alias Espalier.Hosted.Settings
  alias Espalier.Hosted.Shape
  alias Espalier.Hosted.Wrapper
  alias Espalier.HTTP
  alias Espalier.HTTP.Head
  alias Espalier.HTTP.NDJSON
  alias Espalier.HTTP.SSE
  alias Espalier.JSON
  alias Espalier.OptionsError
  alias Espalier.Prompt
  alias Espalier.Request
  alias Espalier.TransportError

  # Of an answer that comes in one piece, of one in parts, and of one that is an error.
  @most_bytes 0x4000000
  @most_streamed_bytes 0x10000000
  @most_error_bytes 0x10000

  # Shorter values of headers tell nothing.
  @least_secret 8

  @enforce_keys [:provider, :call, :http, :timeout, :secrets]
  defstruct @enforce_keys ++
              [
                :state,
                :status,
                :decoder,
                :wrapper,
                headers: [],
                body: [],
                size: 0,
                text: [],
                ended_by: nil
              ]

  @doc "Whether a backend is one of these."
  @spec provider?(module) :: boolean
  def provider?(backend), do: Backend.exports?(backend, :key_variable, 1)

  @doc "The options of all providers that are shown nowhere."
  @spec secrets() :: [atom]
  defdelegate secrets, to: Settings

  @doc "The schema of the options of a provider, from that of its own."
  @spec options(Espalier.Options.schema()) :: Espalier.Options.schema()
  defdelegate options(own), to: Settings

  @doc "An option of a provider as it was given or set in the application environment, without a check."
  @spec option(atom, keyword, atom, term) :: term
  defdelegate option(provider, given, name, default), to: Settings

  @doc "The events of a request that a provider's module translates."
  @spec stream(module, Request.t()) ::
          {:ok, Enumerable.t(Espalier.Backend.event())} | {:error, Exception.t()}
  def stream(provider, %Request{} = request) do
    deadline = Deadline.new(request.timeout)

    with {:ok, name, options} <- Settings.new(provider, request.backend_options),
         :ok <- check(request, name),
         {:ok, call} <- provider.call(request, options),
         :ok <- check_stop(request, call.shape),
         {:ok, body} <- JSON.encode(call.body),
         {:ok, headers} <- headers(call, options) do
      http_request = %{method: "POST", url: call.url, headers: headers, body: body}
      http_options = [deadline: deadline] ++ Keyword.take(options, Keyword.keys(HTTP.options()))

      answer = %__MODULE__{
        provider: provider,
        call: call,
        state: call.state,
        wrapper: call.shape.wrapper,
        http: HTTP.new(http_request, http_options),
        timeout: request.timeout,
        secrets: secrets(options)
      }

      {:ok, Stream.resource(fn -> answer end, &next/1, &close/1)}
    end
  end

  @local_options [
    template: true,
    priority: 0,
    max_reasoning_tokens: 0,
    tools: nil,
    template_variables: %{}
  ]

  # How a text looks, what its prompt looks like to the model, and who goes first is not the caller's choice there.
  defp check(request, name) do
    looks =
      for {option, value} <- request.text_options, looks?(option, value), do: {option, value}

    others =
      for {option, neutral} <- @local_options,
          {:ok, value} = Map.fetch(request, option),
          value != neutral,
          do: {option, value}

    case others ++ looks do
      [] -> Prompt.check_plain(request.prompt)
      [{option, value} | _] -> {:error, unsupported(name, option, value)}
    end
  end

  # A provider ends the text wherever a stop stands, so that JSON would be cut in the middle.
  defp check_stop(%{schema: form, sampling: %{stop: [_ | _] = stop}}, shape) do
    if shape.schema != nil or form.kind in [:typed, :json_schema] do
      expected = "none, as a provider is asked for JSON and would cut it at the stop"
      {:error, %OptionsError{kind: :invalid, option: :stop, expected: expected, got: stop}}
    else
      :ok
    end
  end

  defp check_stop(_request, _shape), do: :ok

  defp looks?(option, value), do: option not in [:format, :documents] and value != :any

  @doc "The error for an option that a provider has nothing for."
  @spec unsupported(atom, atom, term) :: OptionsError.t()
  def unsupported(provider, option, value),
    do: %OptionsError{kind: :unsupported, provider: provider, option: option, got: value}

  # What the caller says comes in place of what the provider's module does.
  defp headers(call, options) do
    more = options[:headers]

    own = [
      {"content-type", "application/json"},
      {"accept", accepted(call.framing)} | call.headers
    ]

    own = Enum.reject(own, fn {name, _value} -> List.keymember?(more, name, 0) end)

    case Enum.find(own, fn {name, value} ->
           is_binary(value) and not Head.header?({name, value})
         end) do
      nil -> {:ok, own ++ more}
      {name, value} -> {:error, not_a_header(name, value)}
    end
  end

  defp not_a_header(name, value) do
    expected = "text without control characters, as it goes into the header #{name}"
    %OptionsError{kind: :invalid, option: :headers, expected: expected, got: value}
  end

  defp accepted(:sse), do: "text/event-stream"
  defp accepted(:ndjson), do: "application/x-ndjson"
  defp accepted(:json), do: "application/json"

  defp secrets(options) do
    headers = for {_name, value} <- options[:headers], do: value
    if options[:api_key], do: [options[:api_key] | headers], else: headers
  end

  # A server that broke off in its answer closes the connection, but maybe a moment later. An answer that is an
  # error from its head on was not broken off.
  defp close(%{ended_by: :done, http: http}), do: HTTP.close(http)
  defp close(%{status: status, http: http}) when status in 300..499, do: HTTP.close(http)
  defp close(%{http: http}), do: HTTP.abandon(http)

  defp next(%{ended_by: nil} = answer) do
    {event, http} = HTTP.next(answer.http)
    {events, answer} = step(event, %{answer | http: http})
    ended_by = with {kind, _content} <- Enum.find(events, &last?/1), do: kind
    {events, %{answer | ended_by: ended_by}}
  end

  defp next(answer), do: {:halt, answer}

  defp last?({kind, _content}), do: kind in [:done, :error]
  defp last?(_tokens), do: false

  defp step({:status, status, headers}, answer) do
    {[], %{answer | status: status, headers: headers, decoder: decoder(answer, status, headers)}}
  end

  defp step({:data, data}, %{decoder: nil} = answer), do: collect(data, answer)

  # What never ends would fill the memory.
  defp step({:data, data}, %{size: size} = answer)
       when size + byte_size(data) > @most_streamed_bytes,
       do: {[invalid(answer, "more than 256 MiB")], answer}

  defp step({:data, data}, answer) do
    answer = %{answer | size: answer.size + byte_size(data)}

    case decode(answer.decoder, data) do
      {:ok, events, decoder} -> read_events(events, %{answer | decoder: decoder})
      {:error, :too_long} -> {[invalid(answer, "a part of more than 16 MiB")], answer}
    end
  end

  defp step(:done, %{decoder: nil} = answer), do: whole(answer)

  defp step(:done, answer) do
    {:ok, events} = finish(answer.decoder)
    events |> Enum.concat([:end]) |> read_events(answer) |> ended()
  end

  defp step({:error, :deadline}, %{timeout: timeout} = answer) do
    message = "no value within #{timeout} ms: the request was cancelled"
    {[{:error, %GenerationError{kind: :timeout, message: message}}], answer}
  end

  # Of an answer that is an error the status says more.
  defp step({:error, _error}, %{status: status} = answer)
       when status != nil and status not in 200..299,
       do: whole(answer)

  defp step({:error, error}, answer), do: {[{:error, error}], answer}

  # Who was asked for a stream may answer in one piece all the same.
  defp decoder(answer, status, headers) do
    type = with {_name, value} <- List.keyfind(headers, "content-type", 0), do: value

    case answer.call.framing do
      _framing when status not in 200..299 -> nil
      :sse -> if type && type =~ ~r{\Aapplication/json}i, do: nil, else: SSE.new()
      :ndjson -> NDJSON.new()
      :json -> nil
    end
  end

  defp decode(%module{} = decoder, data), do: module.decode(decoder, data)
  defp finish(%module{} = decoder), do: module.finish(decoder)

  defp collect(data, answer) do
    size = answer.size + byte_size(data)
    answer = %{answer | body: [answer.body | data], size: size}

    cond do
      answer.status not in 200..299 and size > @most_error_bytes -> whole(answer)
      size > @most_bytes -> {[invalid(answer, "more than 64 MiB")], answer}
      true -> {[], answer}
    end
  end

  defp whole(answer) do
    body = IO.iodata_to_binary(answer.body)

    case {JSON.decode(body), answer.status} do
      {{:ok, json}, status} when status in 200..299 -> json |> read_whole(answer) |> ended()
      {{:ok, json}, _status} -> {[json |> fault(body, answer) |> refused(answer)], answer}
      {_no_json, status} when status in 200..299 -> {[invalid(answer, "not JSON")], answer}
      {_no_json, _status} -> {[refused(%{detail: excerpt(body)}, answer)], answer}
    end
  end

  defp read_whole(json, answer) do
    case answer.provider.fault(json) do
      nil -> read({:response, json}, answer)
      fault -> {[failure(fault, %{answer | status: nil})], answer}
    end
  end

  defp fault(json, body, answer), do: answer.provider.fault(json) || %{detail: excerpt(body)}

  defp refused(fault, %{status: status} = answer) when status in 300..399 do
    location = with {_name, value} <- List.keyfind(answer.headers, "location", 0), do: value
    detail = "redirected to #{HTTP.bare(location || "")}, which is not followed"
    failure(Map.put(fault, :detail, detail), answer)
  end

  defp refused(fault, answer), do: failure(fault, answer)

  defp excerpt(body), do: body |> String.slice(0, 500) |> String.trim()

  # An answer that ends without saying so was cut off.
  defp ended({events, answer}) do
    if Enum.any?(events, &last?/1) do
      {events, answer}
    else
      error = %TransportError{kind: :closed, url: HTTP.bare(answer.call.url)}
      {events ++ [{:error, error}], answer}
    end
  end

  defp read_events(parts, answer) do
    Enum.reduce_while(parts, {[], answer}, fn part, {events, answer} ->
      {more, answer} = read_event(part, answer)
      step = if Enum.any?(more, &last?/1), do: :halt, else: :cont
      {step, {events ++ more, answer}}
    end)
  end

  defp read_event(:end, answer), do: read(:end, answer)
  defp read_event({_type, ""}, answer), do: {[], answer}
  defp read_event({_type, "[DONE]"}, answer), do: read(:end, answer)

  defp read_event({type, data}, answer) do
    with {:ok, json} <- JSON.decode(data),
         nil <- answer.provider.fault(json) do
      read({:event, type, json}, answer)
    else
      {:error, _no_json} -> {[invalid(answer, "a part that is not JSON")], answer}
      fault -> {[failure(fault, %{answer | status: nil})], answer}
    end
  end

  defp read(part, answer) do
    {events, state} = answer.provider.read(part, answer.state)
    Enum.flat_map_reduce(events, %{answer | state: state}, &pass/2)
  end

  # Where the value is within an object, its text is passed on.
  defp pass({:tokens, _ids, text, _forced?}, answer) do
    {text, wrapper} = Wrapper.read(answer.wrapper, text)
    tokens(text, %{answer | wrapper: wrapper})
  end

  defp pass({:done, info}, answer) do
    {events, answer} = answer.wrapper |> Wrapper.finish() |> tokens(answer)
    {events ++ [{:done, restored(info, answer)}], answer}
  end

  defp pass(other, answer), do: {[other], answer}

  defp tokens("", answer), do: {[], answer}

  defp tokens(text, answer),
    do: {[{:tokens, [], text, false}], %{answer | text: [answer.text | text]}}

  # What the schema was made from tells what of the text is the value.
  defp restored(info, answer) do
    case Shape.restore(answer.call.shape, IO.iodata_to_binary(answer.text)) do
      nil -> info
      text -> Map.put(info, :text, text)
    end
  end

  defp invalid(answer, detail), do: failure(%{kind: :invalid_response, detail: detail}, answer)

  defp failure(fault, answer) do
    fault = Map.new(fault, fn {field, value} -> {field, without_secrets(value, answer)} end)
    described = %{provider: answer.call.provider, status: answer.status, headers: answer.headers}
    {:error, Failure.error(described, fault)}
  end

  # Some servers tell what they were sent.
  defp without_secrets(text, answer) when is_binary(text) do
    answer.secrets
    |> Enum.map(& &1.())
    |> Enum.filter(&(byte_size(&1) >= @least_secret))
    |> Enum.reduce(text, &String.replace(&2, &1, "[hidden]"))
  end

  defp without_secrets(value, _answer), do: value
end
