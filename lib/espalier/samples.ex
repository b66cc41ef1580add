defmodule Espalier.Samples do
  @moduledoc false
  # Several samples of one prompt: items of a batch that differ in nothing but their seeds.

  alias Espalier.Backends.Local
  alias Espalier.Batch
  alias Espalier.Error
  alias Espalier.OptionsError
  alias Espalier.Request
  alias Espalier.Schema.Form

  @n_seeds 0x10000000000000000

  # Nothing is in the way of a later one: the results of a list are put in order anyway.
  @batch Keyword.delete(Batch.options(), :ordered)

  @doc "The results of `n` samples. What is wrong with the options or the schema raises at once."
  @spec list(Espalier.Schema.t(), Espalier.prompt(), non_neg_integer, keyword) :: [Batch.result()]
  def list(schema, prompt, n, options) do
    form = schema |> Form.new() |> Error.bang!()
    checked = options |> own() |> Request.validate() |> Error.bang!()
    temperature = temperature(checked)
    check_cache(checked)
    ask = fn index -> {form, prompt, temperature ++ seed(checked[:seed], index)} end
    Batch.list(0..(n - 1)//1, {form, ask}, options)
  end

  defp own(options),
    do:
      if(Keyword.keyword?(options), do: Keyword.drop(options, Keyword.keys(@batch)), else: options)

  # A hosted model has a default of its own.
  defp temperature(options) do
    case {options[:temperature], hd(Request.targets(options)).backend} do
      {nil, Local} -> [temperature: 1]
      {number, _backend} when number == 0 -> raise no_samples(:temperature, number)
      _given -> []
    end
  end

  defp check_cache(options) do
    if options[:cache] && options[:cache_random] && !options[:seed],
      do: raise(no_samples(:cache_random, true))
  end

  defp no_samples(:temperature, got), do: invalid(:temperature, "a number above 0", got)

  defp no_samples(:cache_random, got),
    do: invalid(:cache_random, "false, or a :seed beside it", got)

  defp invalid(option, expected, got) do
    expected = expected <> ": samples would all be the same"
    %OptionsError{kind: :invalid, option: option, expected: expected, got: got}
  end

  defp seed(nil, _index), do: []
  defp seed(seed, index), do: [seed: rem(seed + index, @n_seeds)]
end
