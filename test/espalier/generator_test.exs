defmodule Espalier.GeneratorTest do
  use ExUnit.Case, async: true

  alias Espalier.Backends.OpenAI
  alias Espalier.Generator
  alias Espalier.OptionsError
  alias Espalier.SchemaError
  alias Espalier.Testing

  doctest Generator

  @contact [name: {:string, max_length: 40}, topic: {:enum, [:billing, :shipping]}]
  @text "Hello, my name is Ada Novak. The invoice is wrong."
  @unsatisfiable %{"type" => "string", "minLength" => 2, "maxLength" => 1}

  describe "new/2" do
    test "tells at once what is wrong" do
      assert {:error, %SchemaError{}} = Generator.new(:no_schema)

      assert {:error, %OptionsError{suggestion: :temperature}} =
               Generator.new(@contact, temprature: 1)

      assert {:error, %OptionsError{suggestion: :compile}} = Generator.new(@contact, compil: true)
      assert {:error, %OptionsError{kind: :invalid}} = Generator.new(@contact, max_tokens: 0)
      assert {:error, %OptionsError{kind: :invalid}} = Generator.new(@contact, compile: 1)

      assert {:error, %OptionsError{option: :middleware}} =
               Generator.new(@contact, middleware: [1])

      assert {:error, %OptionsError{kind: :not_keyword}} = Generator.new(@contact, :none)
      assert_raise OptionsError, fn -> Generator.new!(@contact, temprature: 1) end
    end

    test "compiles if asked to" do
      options = [model: MyApp.Model]
      assert {:ok, _generator} = Generator.new(@unsatisfiable, options)

      assert {:error, %SchemaError{kind: :unsatisfiable}} =
               Generator.new(@unsatisfiable, [compile: true] ++ options)

      assert {:error, %Espalier.ModelError{kind: :not_running}} =
               Generator.new(@contact, compile: true, model: :no_such_model)

      assert {:error, %OptionsError{option: :compile}} =
               Generator.new(@contact, compile: true, backend: Testing)
    end
  end

  test "generates as Espalier does with the same options" do
    options = [model: MyApp.Model, temperature: 1, seed: 5]
    expected = Espalier.generate(@contact, @text, options)
    {:ok, result} = Espalier.generate_result(@contact, @text, [max_tokens: 100] ++ options)
    assert {:ok, %{name: _}} = expected

    for compile <- [false, true] do
      generator = Generator.new!(@contact, [compile: compile] ++ options)
      assert Generator.generate(generator, @text) == expected
      assert {:ok, Generator.generate!(generator, @text)} == expected
      assert Generator.generate_result(generator, @text, max_tokens: 100) == {:ok, result}
      assert {:done, %{text: text}} = generator |> Generator.stream(@text) |> Enum.at(-1)
      assert text == result.text

      assert [^expected, {:error, %Espalier.GenerationError{}}] =
               Generator.generate_batch(generator, [@text, ""], max_concurrency: 2)

      assert [^expected] = generator |> Generator.stream_batch([@text]) |> Enum.to_list()
    end
  end

  test "its options are those of a call, which may say otherwise" do
    Testing.stub(fn request -> "#{request.model} #{request.max_tokens}" end)
    options = [backend: Testing, model: "m", max_tokens: 9]
    generator = Generator.new!({:regex, ".*"}, options)
    assert Generator.generate(generator, "?") == {:ok, "m 9"}
    assert Generator.generate(generator, "?", max_tokens: 7) == {:ok, "m 7"}
    assert Generator.generate_batch(generator, ["?"], model: "n") == [ok: "n 9"]

    assert {:error, %OptionsError{kind: :unknown}} =
             Generator.generate(generator, "?", compile: true)

    assert {:error, %OptionsError{kind: :not_keyword}} = Generator.generate(generator, "?", :hot)
  end

  test "that was compiled for one model generates with another, and after that one ended" do
    child = {Espalier.Model, path: Espalier.Model.tiny_path(), name: __MODULE__.Model}
    start_supervised!(child)
    generator = Generator.new!(@contact, model: __MODULE__.Model, compile: true)
    expected = Generator.generate(generator, @text)
    assert Generator.generate(generator, @text, model: MyApp.Model) == expected

    stop_supervised!(__MODULE__.Model)
    assert {:error, %Espalier.ModelError{}} = Generator.generate(generator, @text)
    start_supervised!(child)
    assert Generator.generate(generator, @text) == expected
  end

  test "keeps to the options for texts that a call gives" do
    generator =
      Generator.new!(
        %{"type" => "array", "minItems" => 2, "items" => %{"const" => 1}, "maxItems" => 2},
        model: MyApp.Model,
        compile: true
      )

    {:ok, result} = Generator.generate_result(generator, "?")
    assert result.text == "[1,1]"
    {:ok, result} = Generator.generate_result(generator, "?", whitespace: :spaced)
    assert result.text == "[1, 1]"
  end

  test "finds in a cache what was written without it" do
    cache = start_supervised!({Espalier.Cache, []})
    options = [model: MyApp.Model, cache: cache, temperature: 0]
    {:ok, %{cached?: false}} = Espalier.generate_result(@contact, @text, options)
    generator = Generator.new!(@contact, [compile: true] ++ options)
    assert {:ok, %{cached?: true}} = Generator.generate_result(generator, @text)
  end

  test "shows no key" do
    secret = "sk-very-private"

    for backend <- [
          {OpenAI, api_key: secret},
          [{OpenAI, api_key: secret}, Testing],
          {OpenAI, api_key: fn -> secret end}
        ] do
      generator = Generator.new!(@contact, backend: backend, model: "large")
      assert inspect(generator) =~ "OpenAI"
      assert inspect(generator) =~ "large"
      refute inspect(generator, structs: false, limit: :infinity) =~ secret
    end
  end

  test "asks a hosted model with its key" do
    test = self()

    middleware = fn request, _next ->
      send(test, request.backend_options[:api_key].())
      {:error, %Espalier.RefusalError{kind: :refused, provider: :test}}
    end

    options = [backend: {OpenAI, api_key: "sk-key"}, model: "large", middleware: [middleware]]
    generator = Generator.new!(@contact, options)
    assert {:error, %Espalier.RefusalError{}} = Generator.generate(generator, @text)
    assert_received "sk-key"
  end
end
