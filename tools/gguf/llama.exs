defmodule GGUF.Llama do
  @moduledoc """
  A model of the Llama family, as Hugging Face keeps it, in the terms of llama.cpp.

  It takes what the shipped model has: one safetensors file, byte-level BPE, no scaling of positions, no
  biases. Anything else is refused.
  """

  alias Espalier.JSON
  alias GGUF.Safetensors

  # llama.cpp knows the ways to cut a text before BPE by name. The shipped model's own is not among them.
  # "falcon" cuts wherever a letter meets something else, too, and no merge of the model joins what it
  # leaves together, so the tokens are the same.
  @pre_tokenizers %{"\\p{L}+|\\p{N}|[^\\p{L}\\p{N}]" => "falcon"}

  @normal_token 1
  @control_token 3

  @whole %{
    "model.embed_tokens.weight" => "token_embd.weight",
    "model.norm.weight" => "output_norm.weight",
    "lm_head.weight" => "output.weight"
  }

  @layer %{
    "input_layernorm.weight" => "attn_norm.weight",
    "post_attention_layernorm.weight" => "ffn_norm.weight",
    "self_attn.q_proj.weight" => "attn_q.weight",
    "self_attn.k_proj.weight" => "attn_k.weight",
    "self_attn.v_proj.weight" => "attn_v.weight",
    "self_attn.o_proj.weight" => "attn_output.weight",
    "mlp.gate_proj.weight" => "ffn_gate.weight",
    "mlp.up_proj.weight" => "ffn_up.weight",
    "mlp.down_proj.weight" => "ffn_down.weight"
  }

  @doc "The metadata and the tensors of the model in a folder."
  @spec read(Path.t()) :: {[{String.t(), GGUF.Format.value()}], [GGUF.Format.tensor()]}
  def read(folder) do
    config = json(folder, "config.json")
    %{"model_type" => "llama", "rope_scaling" => nil} = Map.put_new(config, "rope_scaling", nil)
    tokenizer = json(folder, "tokenizer.json")
    chat = json(folder, "tokenizer_config.json")
    weights = Safetensors.read(Path.join(folder, "model.safetensors"))
    {shape(config) ++ tokens(tokenizer, config, chat), tensors(weights, config)}
  end

  defp json(folder, name), do: folder |> Path.join(name) |> File.read!() |> JSON.decode!()

  defp shape(config) do
    [
      {"general.architecture", {:string, "llama"}},
      {"general.name", {:string, "espalier-tiny"}},
      {"llama.context_length", {:u32, config["max_position_embeddings"]}},
      {"llama.embedding_length", {:u32, config["hidden_size"]}},
      {"llama.block_count", {:u32, config["num_hidden_layers"]}},
      {"llama.feed_forward_length", {:u32, config["intermediate_size"]}},
      {"llama.attention.head_count", {:u32, config["num_attention_heads"]}},
      {"llama.attention.head_count_kv", {:u32, config["num_key_value_heads"]}},
      {"llama.attention.layer_norm_rms_epsilon", {:f32, config["rms_norm_eps"]}},
      {"llama.rope.dimension_count", {:u32, head_size(config)}},
      {"llama.rope.freq_base", {:f32, config["rope_theta"]}},
      {"llama.vocab_size", {:u32, config["vocab_size"]}}
    ]
  end

  defp head_size(config), do: div(config["hidden_size"], config["num_attention_heads"])

  defp tokens(tokenizer, config, chat) do
    %{"type" => "BPE", "vocab" => vocabulary, "merges" => merges} = tokenizer["model"]
    special = for token <- tokenizer["added_tokens"], do: token["content"]
    texts = vocabulary |> Enum.sort_by(fn {_text, id} -> id end) |> Enum.map(&elem(&1, 0))
    type = &if &1 in special, do: @control_token, else: @normal_token

    [
      {"tokenizer.ggml.model", {:string, "gpt2"}},
      {"tokenizer.ggml.pre", {:string, pre_tokenizer(tokenizer)}},
      {"tokenizer.ggml.tokens", {:strings, texts}},
      {"tokenizer.ggml.token_type", {:i32s, Enum.map(texts, type)}},
      {"tokenizer.ggml.merges", {:strings, Enum.map(merges, &Enum.join(&1, " "))}},
      # Without one, llama.cpp takes some token of the vocabulary for the first of each text.
      {"tokenizer.ggml.bos_token_id", {:u32, config["eos_token_id"]}},
      {"tokenizer.ggml.add_bos_token", {:bool, false}},
      {"tokenizer.ggml.eos_token_id", {:u32, config["eos_token_id"]}},
      {"tokenizer.ggml.padding_token_id", {:u32, config["pad_token_id"]}},
      {"tokenizer.chat_template", {:string, chat["chat_template"]}}
    ]
  end

  defp pre_tokenizer(%{"normalizer" => nil, "pre_tokenizer" => %{"pretokenizers" => steps}}) do
    [%{"pattern" => %{"Regex" => regex}, "invert" => false}, %{"type" => "ByteLevel"}] = steps
    Map.fetch!(@pre_tokenizers, regex)
  end

  defp tensors(weights, config) do
    for {name, %{shape: shape, data: data}} <- Enum.sort(weights) do
      %{name: rename(name), shape: shape, data: arrange(name, data, config)}
    end
  end

  defp rename("model.layers." <> rest) do
    [layer, name] = String.split(rest, ".", parts: 2)
    "blk.#{layer}.#{Map.fetch!(@layer, name)}"
  end

  defp rename(name), do: Map.fetch!(@whole, name)

  # Rotary positions turn pairs of numbers. Hugging Face pairs the first half of a head with the second,
  # llama.cpp neighbours, so the rows that make queries and keys change their order.
  defp arrange(name, data, config) do
    cond do
      String.ends_with?(name, "q_proj.weight") -> pair(data, config, "num_attention_heads")
      String.ends_with?(name, "k_proj.weight") -> pair(data, config, "num_key_value_heads")
      true -> data
    end
  end

  defp pair(data, config, heads) do
    half = div(byte_size(data), config[heads] * 2)
    row = 4 * config["hidden_size"]

    for <<first::binary-size(half), second::binary-size(half) <- data>>, into: "" do
      rows = Enum.zip(rows(first, row), rows(second, row))
      for {one, other} <- rows, into: "", do: one <> other
    end
  end

  defp rows(data, size), do: for(<<row::binary-size(size) <- data>>, do: row)
end
