defmodule Espalier.RetryTest do
  use ExUnit.Case, async: true

  import Espalier.Testing

  alias Espalier.GenerationError
  alias Espalier.ModelError
  alias Espalier.ProviderError
  alias Espalier.RefusalError
  alias Espalier.Retry
  alias Espalier.TransportError
  alias Espalier.ValidationError

  @schema [name: {:string, min_length: 1}]
  @right ~s({"name":"Ada"})
  @wrong ~s({"name":""})

  @passing [
    %ProviderError{kind: :rate_limited, provider: :test},
    %ProviderError{kind: :overloaded, provider: :test},
    %ProviderError{kind: :unavailable, provider: :test},
    %ModelError{kind: :member_lost, message: "lost"},
    %TransportError{kind: :connect, url: "http://127.0.0.1"},
    %TransportError{kind: :timeout, url: "http://127.0.0.1"},
    %TransportError{kind: :closed, url: "http://127.0.0.1"}
  ]

  @lasting [
    %ProviderError{kind: :unauthorized, provider: :test},
    %ProviderError{kind: :quota_exceeded, provider: :test},
    %ProviderError{kind: :not_found, provider: :test},
    %ProviderError{kind: :invalid_request, provider: :test},
    %ProviderError{kind: :invalid_response, provider: :test},
    %ModelError{kind: :stopped, message: "stopped"},
    %RefusalError{kind: :refused, provider: :test},
    %RefusalError{kind: :filtered, provider: :test},
    %TransportError{kind: :tls, url: "http://127.0.0.1"},
    %GenerationError{kind: :timeout, text: "", message: "too late"}
  ]

  @options [backend: Espalier.Testing, retry_delay: 0]

  defp result(options \\ []), do: Espalier.generate_result(@schema, "?", options ++ @options)

  defp broken(text, error), do: [{:tokens, [], text, false}, {:error, error}]

  test "what passes is asked again, as it was" do
    for error <- @passing, reply <- [error, broken("{", error), broken(@right, error)] do
      stub([reply, @right])
      assert {:ok, result} = result()
      assert %{value: %{name: "Ada"}, text: @right, retries: 1} = result
      assert [%{retries: 1, error: nil}] = result.attempts
      assert [first, second] = asked()
      assert Map.drop(first, [:timeout]) == Map.drop(second, [:timeout])
    end
  end

  test "what lasts is not" do
    for error <- @lasting, reply <- [error, broken("{", error)] do
      stub([reply, @right])
      assert {:error, %{kind: kind}} = result()
      assert kind == error.kind
      assert length(asked()) == 1
    end
  end

  test "retries are counted for all attempts together" do
    error = hd(@passing)
    stub([error, @wrong, error, @right])
    assert {:ok, %{retries: 2, attempts: attempts}} = result()

    assert [%{retries: 1, error: %ValidationError{}}, %{retries: 1, error: nil}] = attempts
    assert length(asked()) == 4

    stub([error, @wrong, error, error, @right])
    assert {:error, ^error} = result()
    assert length(asked()) == 4

    stub([error, @right])
    assert {:error, ^error} = result(max_retries: 0)
    assert length(asked()) == 1
  end

  test "a provider is asked again when it says, if there is time until then" do
    soon = %ProviderError{kind: :rate_limited, provider: :test, retry_after: 20}
    stub([soon, @right])
    assert {:ok, %{retries: 1}} = result(timeout: 10_000)
    assert [%{timeout: 10_000}, %{timeout: left}] = asked()
    assert left <= 9_980

    late = %{soon | retry_after: 10_001}
    stub([late, @right])
    assert {:error, ^late} = result(timeout: 10_000)
    assert length(asked()) == 1
  end

  test "the delay is below a bound that doubles and has a bound itself" do
    error = %TransportError{kind: :closed, url: "http://127.0.0.1"}
    request = %{retry_delay: 100, max_retry_delay: 1000, deadline: :infinity}

    request = struct(Espalier.Request, request)

    for {retries, bound} <- [{0, 100}, {1, 200}, {2, 400}, {3, 800}, {4, 1000}, {5000, 1000}] do
      delays = for _draw <- 1..300, {:ok, delay} = Retry.delay(error, retries, request), do: delay

      assert Enum.min(delays) >= 0 and Enum.max(delays) <= bound
      assert Enum.max(delays) > bound / 2 and Enum.min(delays) < bound / 2
    end
  end

  describe "a stream" do
    defp read(replies, options \\ []) do
      stub(replies)
      stream = Espalier.stream(@schema, "?", options ++ @options)
      Enum.reject(stream, &match?({:tokens, _}, &1))
    end

    test "begins anew, and says so, where some of it was read" do
      error = List.last(@passing)

      assert [
               {:text, "{\"na"},
               {:attempt, %{number: 1, error: ^error}},
               {:text, @right},
               {:done, %{retries: 1}}
             ] = read([broken("{\"na", error), @right])

      assert [
               {:text, @wrong},
               {:attempt, %{number: 2, error: %ValidationError{}}},
               {:text, "{"},
               {:attempt, %{number: 2, error: ^error}},
               {:text, @right},
               {:done, %{retries: 1, attempts: [_, _]}}
             ] = read([@wrong, broken("{", error), @right])
    end

    test "says nothing where nothing was read" do
      assert [{:text, @right}, {:done, %{retries: 2}}] =
               read([hd(@passing), [{:error, hd(@passing)}], @right])
    end
  end

  test "no value is asked for again when the tokens are spent" do
    for {most, n_asked} <- [{1, 1}, {2, 1}, {3, 2}, {4, 2}, {5, 3}] do
      stub([@wrong, @wrong, @right])

      case result(max_total_tokens: most) do
        {:ok, result} -> assert {result.text, n_asked} == {@right, 3}
        {:error, error} -> assert %ValidationError{} = error
      end

      assert length(asked()) == n_asked
    end
  end

  describe "whatever fails wherever" do
    @n_cases 400

    @late %ProviderError{kind: :rate_limited, provider: :test, retry_after: 3_600_000}

    defp reply do
      case Enum.random(1..10) do
        1 -> {:right, @right}
        n when n in 2..3 -> {:wrong, Enum.random([@wrong, "Sure!", ""])}
        n when n in 4..7 -> failing(:passing, Enum.random(@passing))
        8 -> failing(:late, @late)
        9 -> failing(:lasting, Enum.random(@lasting))
        10 -> {:cut, [{:tokens, [], "{", false}]}
      end
    end

    # Before the first event, in mid-stream, or at the end.
    defp failing(kind, error) do
      {kind,
       Enum.random([error, [{:error, error}], broken("{\"n", error), broken(@right, error)])}
    end

    defp refusal?(%RefusalError{}), do: true
    defp refusal?(events) when is_list(events), do: Enum.any?(events, &refusal?/1)
    defp refusal?({:error, error}), do: refusal?(error)
    defp refusal?(_other), do: false

    # Pairs of requests, with the reply that was in between.
    defp steps(requests, script), do: Enum.zip([requests, tl(requests), script])

    defp backend(request), do: request.backend_options[:id]
    defp repeated?(one, next), do: backend(one) == backend(next) and one.prompt == next.prompt

    test "requests don't multiply, and nothing is asked again that should not be" do
      for seed <- 1..@n_cases do
        :rand.seed(:exsss, seed)
        script = for _request <- 1..30, do: reply()
        backends = for id <- 1..Enum.random(1..3), do: {Espalier.Testing, id: id}
        limits = [max_attempts: Enum.random(1..4), max_retries: Enum.random(0..3)]
        options = [backend: backends, retry_delay: 0, timeout: 600_000] ++ limits
        stub(Enum.map(script, &elem(&1, 1)))

        seen = Espalier.stream(@schema, "?", options) |> collect()
        check(seen, asked(), script, limits, "seed #{seed}")
      end
    end

    # The events of a stream, an error among them.
    defp collect(stream) do
      Enum.reduce(stream, [], fn event, seen ->
        Process.put(:seen, [event | seen])
        [event | seen]
      end)
    rescue
      error -> [{:error, error} | Process.get(:seen, [])]
    after
      Process.delete(:seen)
    end

    defp check([last | before], requests, script, limits, shown) do
      steps = steps(requests, script)
      retries = for {one, next, _reply} <- steps, repeated?(one, next), do: one
      assert length(retries) <= limits[:max_retries], shown
      assert length(requests) <= limits[:max_attempts] + length(retries), shown

      for {one, next, {kind, reply}} <- steps do
        assert kind in [:wrong, :passing, :late, :lasting, :cut], shown
        refute refusal?(reply), shown
        if repeated?(one, next), do: assert(kind == :passing, shown)
        if kind in [:late, :lasting, :cut], do: assert(backend(one) < backend(next), shown)
        assert next.timeout <= one.timeout and next.timeout > 0, shown
      end

      check_ending(last, before, length(requests), script, shown)
    end

    defp check_ending({:done, result}, before, n_requests, script, shown) do
      assert {:right, _text} = Enum.at(script, n_requests - 1), shown
      assert n_requests == length(result.attempts) + result.retries, shown
      assert result.retries == result.attempts |> Enum.map(& &1.retries) |> Enum.sum(), shown

      fresh = Enum.take_while(before, &(not match?({:attempt, _}, &1)))
      assert for({:text, text} <- Enum.reverse(fresh), into: "", do: text) == @right, shown
    end

    defp check_ending({:error, _error}, _before, n_requests, script, shown) do
      assert {kind, _reply} = Enum.at(script, n_requests - 1)
      assert kind != :right, shown
    end
  end
end
