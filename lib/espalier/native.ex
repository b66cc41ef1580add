defmodule Espalier.Native do
  @moduledoc false
  # The functions of native/espalier_nif. Each gives `{:ok, value}`, or `:ok` where there is no
  # value, or `{:error, {kind, message, details}}`, which `Espalier.Error.wrap/1` turns into an
  # exception. Token ids cross as little-endian `u32` binaries ("packed").

  @on_load :load

  @doc false
  # A load error is remembered and told by the functions themselves; refusing to load the module
  # would leave their callers with "module is not available".
  def load do
    path = :filename.join([:code.priv_dir(:espalier), "native", "espalier_nif"])

    case :erlang.load_nif(path, 0) do
      :ok -> :ok
      {:error, {_kind, reason}} -> :persistent_term.put({__MODULE__, :load_error}, reason)
    end
  end

  def json_decode(_text, _ordered_objects?, _exact_numbers?), do: not_loaded()

  def vocabulary_from_tokens(_tokens, _eos_ids, _special_ids, _limits), do: not_loaded()
  def vocabulary_from_tokenizer_json(_text, _eos_tokens, _limits), do: not_loaded()
  def vocabulary_from_tiktoken(_ranks, _special_tokens, _eos_ids, _limits), do: not_loaded()
  def vocabulary_serialize(_vocabulary), do: not_loaded()
  def vocabulary_deserialize(_bytes), do: not_loaded()
  def limits_default, do: not_loaded()

  def vocabulary_info(_vocabulary), do: not_loaded()
  def vocabulary_token_bytes(_vocabulary, _id), do: not_loaded()

  def constraint_json_schema(_vocabulary, _limits, _schema, _documents, _options),
    do: not_loaded()

  def constraint_unknown_keywords(_constraint), do: not_loaded()
  def constraint_regex(_vocabulary, _limits, _pattern, _syntax), do: not_loaded()
  def constraint_parts(_vocabulary, _limits, _parts, _options), do: not_loaded()
  def constraint_captures(_constraint, _text), do: not_loaded()

  def constraint_grammar(_vocabulary, _limits, _text, _syntax_and_start, _options),
    do: not_loaded()

  def constraint_unused_rules(_constraint), do: not_loaded()
  def constraint_choice(_vocabulary, _limits, _choices), do: not_loaded()
  def constraint_export(_constraint, _target, _depth, _may_repeat_keys), do: not_loaded()
  def constraint_serialize(_constraint), do: not_loaded()
  def constraint_deserialize(_vocabulary, _bytes), do: not_loaded()
  def constraint_kind(_constraint), do: not_loaded()

  def matcher_new(_constraint), do: not_loaded()
  def matcher_compute_mask(_matcher), do: not_loaded()
  def matcher_accept_token(_matcher, _id), do: not_loaded()
  def matcher_accept_tokens(_matcher, _packed_ids), do: not_loaded()
  def matcher_accept_text(_matcher, _text), do: not_loaded()
  def matcher_advance(_matcher, _id), do: not_loaded()
  def matcher_validate_tokens(_matcher, _packed_ids), do: not_loaded()
  def matcher_rollback(_matcher, _n), do: not_loaded()
  def matcher_reset(_matcher), do: not_loaded()
  def matcher_fork(_matcher), do: not_loaded()
  def matcher_text(_matcher), do: not_loaded()
  def matcher_status(_matcher), do: not_loaded()
  def matcher_forced_tokens(_matcher), do: not_loaded()

  def schema_validate(_schema, _instance, _formats?, _documents), do: not_loaded()

  def model_load(_path, _options), do: not_loaded()
  def model_info(_model), do: not_loaded()
  def model_activity(_model), do: not_loaded()
  def model_vocabulary(_model), do: not_loaded()
  def model_encode(_model, _text), do: not_loaded()
  def model_decode(_model, _packed_ids), do: not_loaded()
  def model_render(_model, _conversation), do: not_loaded()
  def model_generate(_model, _caller, _ref, _request), do: not_loaded()
  def model_stop(_model), do: not_loaded()
  def generation_cancel(_generation), do: not_loaded()

  defp not_loaded do
    reason = :persistent_term.get({__MODULE__, :load_error}, "it was not loaded")
    message = "Espalier's native library is not available: #{reason}"
    :erlang.nif_error(%Espalier.NativeError{kind: :not_loaded, message: message})
  end
end
