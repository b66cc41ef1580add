defmodule Espalier.FallbackTest do
  use ExUnit.Case, async: true

  import Espalier.Testing

  alias Espalier.CircuitOpenError
  alias Espalier.GenerationError
  alias Espalier.ModelError
  alias Espalier.OptionsError
  alias Espalier.ProviderError
  alias Espalier.RefusalError
  alias Espalier.SchemaError
  alias Espalier.ThrottleError
  alias Espalier.TransportError

  @schema [name: {:string, min_length: 1}]
  @ada %{name: "Ada"}
  @down %TransportError{kind: :connect, url: "http://127.0.0.1"}

  @elsewhere [
    @down,
    %TransportError{kind: :tls, url: "http://127.0.0.1"},
    %ProviderError{kind: :unauthorized, provider: :test},
    %ProviderError{kind: :quota_exceeded, provider: :test},
    %ProviderError{kind: :not_found, provider: :test},
    %ProviderError{kind: :invalid_request, provider: :test},
    %ProviderError{kind: :invalid_response, provider: :test},
    %ProviderError{kind: :overloaded, provider: :test},
    %CircuitOpenError{backend: Espalier.Testing},
    %ThrottleError{kind: :at_once, backend: Espalier.Testing, waited: 0},
    %ModelError{kind: :not_running, message: "no model"},
    %SchemaError{kind: :unsupported_keyword, message: "no such keyword"},
    %GenerationError{kind: :prompt_too_long, message: "too long"},
    %GenerationError{kind: :incomplete, message: "broken off"}
  ]

  @everywhere [
    %RefusalError{kind: :refused, provider: :test, text: ""},
    %RefusalError{kind: :filtered, provider: :test, text: ""},
    %OptionsError{kind: :missing, option: :model, expected: "a model"},
    %GenerationError{kind: :timeout, message: "too late", text: ""},
    %GenerationError{kind: :truncated, message: "cut off"},
    %GenerationError{kind: :invalid_request, message: "no"}
  ]

  defp backends(n), do: for(id <- 1..n, do: {Espalier.Testing, id: id})

  defp result(backends, options \\ []) do
    options = Keyword.merge([backend: backends, max_retries: 0, retry_delay: 0], options)
    Espalier.generate_result(@schema, "Who?", options)
  end

  defp ids, do: for(request <- asked(), do: request.backend_options[:id])

  test "the next backend is asked for what this one can't" do
    for error <- @elsewhere, reply <- [error, [{:tokens, [], "{", false}, {:error, error}]] do
      stub([reply, @ada])
      assert {:ok, %{value: @ada, attempts: [failed, _last]}} = result(backends(3))
      assert %{error: ^error, usage: %{completion_tokens: 0}, retries: 0} = failed
      assert failed.text == if(is_list(reply), do: "{", else: "")
      assert ids() == [1, 2]
    end
  end

  test "and not where it would be no better" do
    for error <- @everywhere do
      stub([error, @ada])
      assert result(backends(3)) == {:error, error}
      assert ids() == [1]
    end
  end

  test "the error is the last one's" do
    errors = Enum.take(@elsewhere, 3)
    stub(errors)
    assert result(backends(3)) == {:error, List.last(errors)}
    assert ids() == [1, 2, 3]
  end

  test "retries come before, and all together are bounded" do
    stub([@down, @down, @down, @down, @ada])
    assert {:ok, %{retries: 2, attempts: attempts}} = result(backends(5), max_retries: 2)
    assert Enum.map(attempts, & &1.retries) == [2, 0, 0]
    assert ids() == [1, 1, 1, 2, 3]

    stub(fn _request -> @down end)
    assert {:error, @down} = result(backends(5), max_attempts: 2)
    assert ids() == [1, 2]
  end

  test "a refused value is asked for again where it was written" do
    stub([@down, %{name: ""}, @ada])
    assert {:ok, %{attempts: [_, _, _]}} = result(backends(3))
    assert ids() == [1, 2, 2]

    stub([@down, %{name: ""}, @ada])
    assert {:error, %Espalier.ValidationError{}} = result(backends(3), max_attempts: 2)
  end

  test "each backend may have a model of its own" do
    stub([@down, @down, @ada])

    backends = [
      {Espalier.Testing, id: 1, model: "large"},
      Espalier.Testing,
      {Espalier.Testing, model: "small"}
    ]

    assert {:ok, %{attempts: attempts}} = result(backends, model: "medium")
    assert Enum.map(attempts, & &1.model) == ["large", "medium", "small"]
    assert Enum.map(asked(), & &1.backend_options) == [[id: 1], [], []]
  end

  test "a local model is one like others" do
    stub([@ada, @down])
    local = Espalier.Backends.Local
    assert {:ok, result} = result([local, Espalier.Testing], model: :not_there)
    assert [%{backend: ^local, error: %ModelError{}}, %{error: nil}] = result.attempts

    assert {:ok, result} = result([Espalier.Testing, {local, model: MyApp.Model}])
    assert [%{error: @down}, %{backend: ^local, model: MyApp.Model, error: nil}] = result.attempts
  end

  test "a stream says that the next one begins anew" do
    stub([[{:tokens, [], "{", false}, {:error, @down}], @down, @ada])
    options = [backend: backends(3), max_retries: 0]

    assert [
             {:text, "{"},
             {:attempt, %{number: 2, error: @down}},
             {:attempt, %{number: 3, error: @down}},
             {:text, ~s({"name":"Ada"})},
             {:done, _result}
           ] = Espalier.stream(@schema, "Who?", options) |> Enum.reject(&match?({:tokens, _}, &1))
  end

  test "lists are checked" do
    for wrong <- [
          [],
          [nil],
          [Espalier.Testing | :other],
          [{Espalier.Testing, 1}],
          [[Espalier.Testing]]
        ] do
      assert {:error, %OptionsError{kind: :invalid, option: :backend}} = result(wrong)
    end
  end

  test "who keeps a rule is told of the weakest" do
    rules = fn backend ->
      for rule <- Espalier.explain([age: :integer], backend), uniq: true, do: rule.by
    end

    assert rules.([Espalier.Backends.Local]) == [:tokens]
    assert rules.([Espalier.Backends.Local, Espalier.Testing]) == [:validation]
  end
end
