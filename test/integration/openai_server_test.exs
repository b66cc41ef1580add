Code.require_file("llama_server.exs", __DIR__)

defmodule Espalier.Integration.OpenAIServerTest do
  @moduledoc """
  The backend for OpenAI's protocol and a server of others that speaks it.

  The server keeps to most of a schema in its `response_format` and in tool mode, to JSON in the mode for objects, and
  to the choices of a grammar. It doesn't know `json_schema`, doesn't count tokens of streams, and takes any name for
  its model.
  """
  use ExUnit.Case, async: true

  alias Espalier.Backends.OpenAI
  alias Espalier.Hosted.Shape

  alias Espalier.{
    CastError,
    GenerationError,
    JSON,
    LlamaServer,
    Model,
    ProviderError,
    Request,
    Result,
    TransportError,
    ValidationError
  }

  @moduletag :llama
  @moduletag timeout: 120_000

  @heldout Path.expand("../../tools/tiny_model/heldout.jsonl", __DIR__)
  @text "Hi, Ada here. Two oak desks, please."
  @order [customer: :string, quantity: :integer]
  @any_text {:regex, "(?s).*"}

  setup_all do
    %{server: start_supervised!(LlamaServer)}
  end

  describe "a whole answer" do
    test "is a value in tool mode", context do
      assert {:ok, result} = generate(context, @order, @text, mode: :tool)
      assert %{customer: <<_, _::binary>>, quantity: quantity} = result.value
      assert is_integer(quantity)
      assert {result.finish_reason, length(result.attempts)} == {:stop, 1}
    end

    test "is a value of each schema in tool mode", context do
      for line <- @heldout |> File.stream!() |> Enum.take(12) do
        %{"text" => text, "schema" => schema} = JSON.decode!(line)
        assert {:ok, result} = generate(context, schema, text, mode: :tool)
        assert {:ok, []} = JSON.validate(JSON.encode!(schema), result.text)
      end
    end

    test "is a value of kinds that the server's grammar keeps", context do
      properties = %{
        "code" => %{"type" => "string", "pattern" => "^[A-F]{2}-[0-9]{4}$"},
        "size" => %{"enum" => ["small", "large"]},
        "tags" => %{"type" => "array", "items" => %{"const" => "oak"}, "maxItems" => 2},
        "at" => %{"type" => "string", "format" => "date"}
      }

      schema = %{
        "type" => "object",
        "properties" => properties,
        "required" => Map.keys(properties),
        "additionalProperties" => false
      }

      assert {:ok, result} = generate(context, schema, @text, mode: :tool)
      assert [%{error: nil}] = result.attempts
      assert Enum.sort(Map.keys(result.value)) == Enum.sort(Map.keys(properties))
    end

    test "is taken out of the object that it had to be in", context do
      array = %{
        "type" => "array",
        "items" => %{"enum" => [1, 2]},
        "minItems" => 2,
        "maxItems" => 2
      }

      assert {:ok, %{value: [one, two]}} = generate(context, array, @text, mode: :tool)
      assert one in [1, 2] and two in [1, 2]

      choices = [:yes, "no way", 3]
      assert {:ok, %{value: value}} = generate(context, {:choice, choices}, @text, mode: :tool)
      assert value in choices
    end

    test "is an object of any kind in the mode for objects", context do
      assert {:ok, result} = generate(context, %{"type" => "object"}, @text, mode: :json_object)
      assert is_map(result.value)
    end

    test "is one of the choices by the server's grammar", context do
      for choices <- [[:oak, :beech], [~S(a "b" \c), "ü\nx"], [1, 22]] do
        options = [dialect: :llama_cpp]
        assert {:ok, result} = generate(context, {:choice, choices}, @text, options)
        assert result.value in choices
      end
    end

    test "is a value of what only a grammar can tell the server", context do
      day = %{"type" => "string", "format" => "date"}

      object = %{
        "type" => "object",
        "properties" => %{
          "n" => %{"type" => "integer", "multipleOf" => 7, "minimum" => 0, "maximum" => 999},
          "day" => day
        },
        "patternProperties" => %{"^x" => %{"type" => "boolean"}},
        "required" => ["n", "day"],
        "additionalProperties" => false
      }

      options = [dialect: :llama_cpp_python, mode: :grammar]
      assert {:ok, result} = generate(context, object, @text, options)
      assert {:ok, []} = JSON.validate(JSON.encode!(object), result.text)
      assert {result.finish_reason, length(result.attempts)} == {:stop, 1}

      for schema <- [{:regex, ~r/(?!00)\d{2}/}, {:sequence, ["(", {:regex, "[a-z ]{1,9}"}, ")"]}] do
        assert {:ok, result} = generate(context, schema, @text, options)
        assert length(result.attempts) == 1
      end
    end

    test "is plain text without a mode", context do
      assert {:ok, result} = generate(context, @any_text, @text, mode: :prompt)
      assert result.value == result.text and result.text != ""
    end
  end

  describe "a structured output" do
    @describetag own: [dialect: :llama_cpp_python]

    test "is a value of each schema", context do
      for line <- @heldout |> File.stream!() |> Enum.take(12) do
        %{"text" => text, "schema" => schema} = JSON.decode!(line)
        assert {:ok, result} = generate(context, schema, text, context.own)
        assert {:ok, []} = JSON.validate(JSON.encode!(schema), result.text)
        assert {result.finish_reason, length(result.attempts)} == {:stop, 1}
      end
    end

    # Of objects the server lets the model choose the tokens of names, too, and white space. Where two tokens are
    # alike to a thousandth, as after " and a space by "^[a-z ]{5,20}$", rounding decides.
    test "is the value of the same model in this process where both let it write the same",
         context do
      string = %{"type" => "string"}

      schemas = [
        string,
        %{"type" => "boolean"},
        %{"enum" => ["oak desk", "pine desk", "book", "laptop"]},
        Map.put(string, "pattern", "^[A-Za-z]+( [A-Za-z]+)*$"),
        Map.put(string, "pattern", "^[0-9]{1,5}$")
      ]

      texts =
        for line <- @heldout |> File.stream!() |> Enum.take(8), do: JSON.decode!(line)["text"]

      for schema <- schemas, text <- texts do
        here = Espalier.generate!(schema, told(schema, text), model: MyApp.Model, temperature: 0)
        more = [repetition_penalty: 1, max_attempts: 1]
        assert {:ok, %{value: there}} = generate(context, schema, text, context.own, more)
        assert {schema, text, there} == {schema, text, here}
      end
    end

    # What the model is sent, as the server is told the schema in words as well.
    defp told(schema, text) do
      {:ok, options} = Request.validate(backend: {OpenAI, []}, model: "espalier-tiny")
      {:ok, request} = Request.new(schema, text, options)
      {:ok, %{instruction: instruction}} = Shape.new(request, :llama_cpp_python)
      [%{role: :system, content: instruction}, %{role: :user, content: text}]
    end

    test "keeps to patterns, and is validated where the server can't read them", context do
      schema = [
        code: {:regex, "[A-F]{2}-[0-9]{4}"},
        kind: {:regex, "oak|pine"},
        number: {:string, format: ~r/^[0-9]{4}$/}
      ]

      assert {:ok, result} = generate(context, schema, @text, context.own)
      assert length(result.attempts) == 1

      assert {:ok, result} = generate(context, {:regex, "[a-f]{3}|[0-9]"}, @text, context.own)
      assert result.value =~ ~r/\A([a-f]{3}|[0-9])\z/
      assert length(result.attempts) == 1

      for source <- ~W/\d{3} "[^a]\\b (?:a|b)+\.com \w+@\w+\.com/ do
        case generate(context, [code: {:regex, source}], @text, context.own) do
          {:ok, result} -> assert result.value.code =~ Regex.compile!("\\A(?:#{source})\\z")
          {:error, error} -> assert %ValidationError{violations: [%{keyword: "pattern"}]} = error
        end
      end
    end

    test "is one of the choices, an array, or nothing but a number", context do
      for choices <- [[:oak, :beech], [~S(a "b" \c), "ü\nx"], [1, 22]] do
        assert {:ok, result} = generate(context, {:choice, choices}, @text, context.own)
        assert result.value in choices
      end

      array = %{
        "type" => "array",
        "items" => %{"enum" => [1, 2]},
        "minItems" => 2,
        "maxItems" => 2
      }

      assert {:ok, %{value: [_, _]}} = generate(context, array, @text, context.own)
      integer = %{"type" => "integer"}
      assert {:ok, %{value: value}} = generate(context, integer, @text, context.own)
      assert is_integer(value)
    end

    test "is asked for again with what was wrong", context do
      schema = [customer: :string, quantity: {:integer, validate: &__MODULE__.second_time/1}]
      assert {:ok, result} = generate(context, schema, @text, context.own)
      assert [%{error: %CastError{kind: :rejected}}, %{error: nil}] = result.attempts
    end

    test "is streamed", context do
      for schema <- [@order, {:choice, ["oak desks", "pine desks"]}, {:regex, "[a-f]{3}|[0-9]"}] do
        assert {:ok, whole} = generate(context, schema, @text, context.own)
        events = stream(context, schema, @text, context.own)
        assert {:done, %Result{} = result} = List.last(events)
        assert {result.text, result.value} == {whole.text, whole.value}
        assert texts(events) == whole.text
      end
    end

    test "that was cut off is no value", context do
      for mode <- [:json_schema, :tool] do
        own = [mode: mode] ++ context.own

        assert {:error, %GenerationError{kind: :truncated}} =
                 generate(context, @order, @text, own, max_tokens: 3)
      end
    end
  end

  describe "a stream" do
    test "has the same text as a whole answer, in many parts", context do
      for {schema, options} <- [
            {@order, [mode: :tool]},
            {{:choice, ["Ada", "Grace"]}, [mode: :tool]},
            {%{"type" => "object"}, [mode: :json_object]},
            {{:choice, ["oak desks", "pine desks"]}, [dialect: :llama_cpp]},
            {@any_text, [mode: :prompt]}
          ] do
        assert {:ok, whole} = generate(context, schema, @text, options)
        events = stream(context, schema, @text, options)
        assert {:done, %Result{} = result} = List.last(events)
        assert {result.text, result.value} == {whole.text, whole.value}
        assert texts(events) == whole.text
      end

      assert length(stream(context, @order, @text, mode: :tool)) > 10
    end

    test "may be left early", context do
      assert [_one] = context |> events(@any_text, @text, mode: :prompt) |> Enum.take(1)
      assert {:ok, _result} = generate(context, @order, @text, mode: :tool)
    end

    test "that breaks off is an error" do
      server = start_supervised!(LlamaServer, id: :dying)
      context = %{server: server}
      long = %{"type" => "array", "items" => %{"type" => "integer"}, "minItems" => 200}

      seen =
        context
        |> events(long, @text, [mode: :tool], max_tokens: 900)
        |> Stream.transform(:running, fn
          {:text, _text}, :running -> {[], stop_supervised!(:dying)}
          event, stopped -> {[event], stopped}
        end)

      assert_raise TransportError, fn -> Enum.to_list(seen) end
    end
  end

  describe "usage" do
    test "is what the tokens are", context do
      assert {:ok, result} = generate(context, @order, @text, mode: :tool)
      {:ok, prompt} = Model.render(MyApp.Model, [{"user", @text}])
      {:ok, tokens} = Model.encode(MyApp.Model, prompt)
      assert result.usage.prompt_tokens == length(tokens)
      assert result.usage.completion_tokens in 5..String.length(result.text)
    end

    test "ends at the limit", context do
      options = [max_tokens: 5]
      assert {:ok, result} = generate(context, @any_text, @text, [mode: :prompt], options)
      assert {result.finish_reason, result.usage.completion_tokens} == {:max_tokens, 5}
    end
  end

  describe "repair" do
    test "asks again with what was wrong", context do
      schema = [customer: :string, quantity: {:integer, validate: &__MODULE__.second_time/1}]
      assert {:ok, result} = generate(context, schema, @text, mode: :tool)

      assert [%{error: %CastError{kind: :rejected}} = first, %{error: nil} = second] =
               result.attempts

      assert second.usage.prompt_tokens > first.usage.prompt_tokens
      assert result.usage.prompt_tokens == first.usage.prompt_tokens + second.usage.prompt_tokens
    end

    test "is for bounds that the server does not keep, and ends", context do
      schema = [quantity: {:integer, min: 1_000_000_007, max: 1_000_000_008}]

      assert {:error, %ValidationError{violations: [%{path: ["quantity"], keyword: keyword}]}} =
               generate(context, schema, @text, [mode: :tool], max_attempts: 2)

      assert keyword in ["minimum", "maximum"]

      events = context |> events(schema, @text, [mode: :tool], max_attempts: 2)
      {:ok, seen} = Agent.start_link(fn -> [] end)
      note = fn event -> Agent.update(seen, &[event | &1]) end
      assert_raise ValidationError, fn -> Enum.each(events, note) end
      assert [2] = for({:attempt, %{number: number}} <- Agent.get(seen, & &1), do: number)
    end
  end

  describe "an error of the server" do
    test "has its reason where it doesn't know the mode", context do
      assert {:error, %ProviderError{} = error} =
               generate(context, @order, @text, [mode: :json_schema], max_attempts: 1)

      assert error.detail =~ "Input should be 'text' or 'json_object'"
    end

    test "is told for a path that is not there", context do
      options = [base_url: LlamaServer.url(context.server) <> "/v2"]

      assert {:error, %ProviderError{} = error} = generate(context, @order, @text, options)
      assert {error.kind, error.status, error.detail} == {:not_found, 404, "Not Found"}
    end

    test "is told for a prompt that is too long", context do
      long = String.duplicate("desk, ", 2000)
      assert {:error, %ProviderError{} = error} = generate(context, @order, long, mode: :tool)
      assert {error.kind, error.code} == {:invalid_request, "context_length_exceeded"}
      assert error.detail =~ "maximum context length is 1024"

      # The server ends such a stream before it has begun, and the connection a moment later.
      for _ <- 1..5 do
        assert_raise TransportError, fn -> stream(context, @order, long, mode: :tool) end
        assert {:ok, _result} = generate(context, @order, @text, mode: :tool)
      end
    end

    test "is told for a key that it doesn't take" do
      key = "key-of-the-tests"
      server = start_supervised!({LlamaServer, api_key: key}, id: :locked)
      context = %{server: server}

      assert {:ok, _result} = generate(context, @order, @text, mode: :tool, api_key: key)

      for options <- [[], [api_key: "key-of-somebody-else"]] do
        assert {:error, %ProviderError{kind: :unauthorized, status: 401} = error} =
                 generate(context, @order, @text, [mode: :tool] ++ options)

        refute inspect(error) =~ "somebody"
      end
    end

    test "is not told for a model of another name", context do
      options = [model: "no-such-model"]
      assert {:ok, _result} = generate(context, @order, @text, [mode: :tool], options)
    end
  end

  test "many callers get what each would get alone", context do
    texts =
      for line <- @heldout |> File.stream!() |> Enum.take(12), do: JSON.decode!(line)["text"]

    ask = &generate(context, [urgent: :boolean, quantity: :integer], &1, mode: :tool)
    alone = for text <- texts, {:ok, result} = ask.(text), do: result.text
    assert length(Enum.uniq(alone)) > 1

    together =
      texts
      |> Task.async_stream(ask, max_concurrency: 12, timeout: 60_000)
      |> Enum.map(fn {:ok, {:ok, result}} -> result.text end)

    assert together == alone
  end

  def second_time(_value) do
    if Process.put(:asked, true), do: :ok, else: {:error, "is not what was ordered"}
  end

  defp generate(context, schema, text, own, more \\ []),
    do: Espalier.generate_result(schema, text, options(context, own, more))

  defp stream(context, schema, text, own),
    do: context |> events(schema, text, own) |> Enum.to_list()

  defp events(context, schema, text, own, more \\ []),
    do: Espalier.stream(schema, text, options(context, own, more))

  defp options(context, own, more) do
    url = LlamaServer.url(context.server) <> "/v1"
    own = Keyword.merge([dialect: :compatible, base_url: url], own)
    Keyword.merge([backend: {OpenAI, own}, model: "espalier-tiny", temperature: 0], more)
  end

  defp texts(events), do: for({:text, text} <- events, into: "", do: text)
end
