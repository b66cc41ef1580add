defmodule Espalier.HostedCase do
  @moduledoc """
  What the tests of hosted backends have in common: asking one that has a loopback server for its provider.

      use Espalier.HostedCase, backend: OpenAI, name: :openai, path: "/v1", key: "sk-test", model: "gpt-test"

  `name` is that of the application environment, and of the options that are for the backend alone. The test module has
  a `reply/1`, which makes an answer of a text. Without a `key` none is sent.
  """

  defmacro __using__(given) do
    quote do
      # The doctest's key and address are in the application environment.
      use ExUnit.Case, async: false

      alias Espalier.Loopback

      @hosted unquote(given)

      setup context do
        if context[:test_type] == :doctest do
          server = Loopback.start_link([reply(~s({"name":"Ada","age":36}))])
          Application.put_env(:espalier, @hosted[:name], [base_url: server.url] ++ key())
          on_exit(fn -> Application.delete_env(:espalier, @hosted[:name]) end)
        end

        :ok
      end

      @doc "Options of `generate/3`: those under the backend's name go to the backend."
      def options(server, more \\ []) do
        {backend, more} = Keyword.pop(more, @hosted[:name], [])
        given = [base_url: server.url <> @hosted[:path]] ++ key()
        backend = {@hosted[:backend], Keyword.merge(given, backend)}
        once = [backend: backend, model: @hosted[:model], max_attempts: 1, max_retries: 0]
        Keyword.merge(once, more)
      end

      defp key, do: if(@hosted[:key], do: [api_key: @hosted[:key]], else: [])

      @doc "A server, or one with this answer."
      def server(%Loopback{} = server), do: server
      def server(answer), do: Loopback.start_link([answer])

      def generate(schema, answer, more \\ [], prompt \\ "Ada is 36."),
        do: Espalier.generate(schema, prompt, options(server(answer), more))

      def stream(schema, answer, more \\ []),
        do: Espalier.stream(schema, "Ada is 36.", options(server(answer), more))

      @doc "The request that was sent for a schema and options."
      def sent(schema, more, prompt \\ "Ada is 36.") do
        server = Loopback.start_link([reply("?")])
        generate(schema, server, more, prompt)
        assert [request] = Loopback.requests(server)
        request
      end

      def header(request, name) do
        with {_name, value} <- List.keyfind(request.headers, name, 0), do: value
      end
    end
  end
end
