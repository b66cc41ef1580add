Code.require_file("llama_server.exs", __DIR__)

defmodule Espalier.Integration.GGUFTest do
  @moduledoc "The exported model is to llama.cpp what the shipped one is to Espalier."
  use ExUnit.Case, async: true

  alias Espalier.{JSON, LlamaServer, Model}

  @moduletag :llama
  @moduletag timeout: 120_000

  @heldout Path.expand("../../tools/tiny_model/heldout.jsonl", __DIR__)

  setup_all do
    %{server: start_supervised!(LlamaServer)}
  end

  test "texts have the same tokens", %{server: server} do
    for text <- messages(200) ++ odd_texts() do
      assert {200, %{"tokens" => tokens}} =
               LlamaServer.post(server, "/extras/tokenize", %{input: text})

      assert {:ok, ^tokens} = Model.encode(MyApp.Model, text)
    end
  end

  test "what is most likely to follow is the same", %{server: server} do
    for text <- messages(8) do
      {:ok, prompt} = Model.render(MyApp.Model, [{"user", text}])
      options = [model: MyApp.Model, template: false, temperature: 0, max_tokens: 40]
      assert {:ok, ours} = Espalier.generate({:regex, "(?s).*"}, prompt, options)

      greedy = %{prompt: prompt, max_tokens: 40, temperature: 0, repeat_penalty: 1}

      assert {200, %{"choices" => [%{"text" => theirs}]}} =
               LlamaServer.post(server, "/v1/completions", greedy)

      assert theirs == ours
    end
  end

  test "conversations become the same prompts", %{server: server} do
    text = hd(messages(1))
    messages = [{"system", "Extract the order."}, {"user", text}]
    {:ok, prompt} = Model.render(MyApp.Model, messages)
    {:ok, tokens} = Model.encode(MyApp.Model, prompt)

    body = %{
      messages: for({role, content} <- messages, do: %{role: role, content: content}),
      max_tokens: 1
    }

    assert {200, %{"usage" => usage}} = LlamaServer.post(server, "/v1/chat/completions", body)
    assert usage["prompt_tokens"] == length(tokens)
  end

  defp messages(count) do
    for line <- @heldout |> File.stream!() |> Enum.take(count), do: JSON.decode!(line)["text"]
  end

  # Words after apostrophes, letters beside marks that share bytes with letters, and random characters.
  defp odd_texts do
    :rand.seed(:exsss, 8)
    quoted = for text <- messages(50), do: String.replace(text, " ", "'")
    written = ["₣o ãö £o", "e\u0301a", " \t\n  a", "1234567 x²", "straße Zoë €5 “a”—b"]
    quoted ++ written ++ for(_ <- 1..200, do: random_text())
  end

  @characters [?a..?z, ?\s..?~, 0xA0..0x2FF, 0x2000..0x2BFF, 0x4E00..0x4EFF, 0x1F600..0x1F64F]

  defp random_text do
    for _ <- 1..:rand.uniform(30), into: "" do
      <<@characters |> Enum.random() |> Enum.random()::utf8>>
    end
  end
end
