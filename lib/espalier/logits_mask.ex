defmodule Espalier.LogitsMask do
  @options [
    type: [
      type: {:in, [{:f, 32}, {:f, 16}, {:bf, 16}]},
      doc: "The type of the logits in a binary, `{:f, 32}` if not given. A tensor has its own."
    ]
  ]

  @moduledoc """
  Masks on the logits of a model that runs elsewhere: with Bumblebee, with Ortex, or in a loop of your own.

  At each step an `Espalier.Matcher` says which tokens may come next, and `apply/3` sets the logits of all others to
  minus infinity. Whatever sampler comes then can only draw what is allowed. A whole loop, with a model that would say
  "maybe", and takes the likeliest token:

      iex> vocabulary = Espalier.Vocabulary.from_tokens!(["yes", "no", "maybe", ""], eos_ids: [3])
      iex> constraint = Espalier.Constraint.choice!(["yes", "no"], vocabulary: vocabulary)
      iex> matcher = Espalier.Matcher.new(constraint)
      iex> model = fn _tokens -> for logit <- [0.5, 0.1, 3.0, -1.0], into: <<>>, do: <<logit::float-little-32>> end
      iex> likeliest = fn logits ->
      ...>   words = for <<word::binary-4 <- logits>>, do: word
      ...>   # Minus infinity is no float in Erlang, and matches none.
      ...>   {_logit, id} = Enum.max(for {<<logit::float-little-32>>, id} <- Enum.with_index(words), do: {logit, id})
      ...>   id
      ...> end
      iex> step = fn tokens ->
      ...>   mask = Espalier.Matcher.compute_mask!(matcher)
      ...>   id = model.(tokens) |> Espalier.LogitsMask.apply!(mask) |> likeliest.()
      ...>   :ok = Espalier.Matcher.accept_token(matcher, id)
      ...>   unless Espalier.Matcher.finished?(matcher), do: {id, [id | tokens]}
      ...> end
      iex> [] |> Stream.unfold(step) |> Enum.map_join(&Espalier.Vocabulary.token_bytes(vocabulary, &1))
      "yes"

  The vocabulary has to be that of the model, id by id: `Espalier.Vocabulary.load/2` reads its tokenizer's file.

  ## With Nx

  An Nx tensor of shape `{vocabulary}` or `{batch, vocabulary}` comes back as one of the same shape, names, type and backend:

      logits = outputs.logits[[.., -1]]
      logits = Espalier.LogitsMask.apply!(logits, Enum.map(matchers, &Espalier.Matcher.compute_mask!/1))

  A matcher is asked between two steps of the model. So it needs a loop in Elixir around the model's function (of
  Bumblebee: `Axon.predict/4`, or a model of Ortex); a loop that is compiled as a whole, as that of
  `Bumblebee.Text.generation/4`, has no place for it.

  ## Options

  #{Espalier.Options.docs(@options)}
  """

  import Kernel, except: [apply: 2, apply: 3]

  alias Espalier.Error
  alias Espalier.LogitsError
  alias Espalier.Matcher
  alias Espalier.Options
  alias Espalier.OptionsError

  # There is no dependency: who has a tensor has Nx.
  @compile {:no_warn_undefined, [Nx, Nx.Constants]}

  # Minus infinity, in little-endian order.
  @forbidden %{
    {:f, 32} => <<0xFF800000::little-32>>,
    {:f, 16} => <<0xFC00::little-16>>,
    {:bf, 16} => <<0xFF80::little-16>>
  }

  # The bits of each byte, from the least significant, as runs of equal ones.
  @byte_runs List.to_tuple(
               for byte <- 0..255 do
                 for(bit <- 0..7, do: byte |> Bitwise.bsr(bit) |> Bitwise.band(1))
                 |> Enum.chunk_by(& &1)
                 |> Enum.map(&{hd(&1), length(&1)})
               end
             )

  @typedoc "Little-endian numbers, one row after the other, or an Nx tensor."
  @type logits :: binary | struct

  @doc """
  The logits with minus infinity for all that the masks forbid.

  One mask is for one row; a list has a mask for each row. Logits beyond the vocabulary, with which models pad theirs, are
  forbidden. A row that is too short for the vocabulary is an error. A mask tells the size of its vocabulary only up
  to a multiple of 32, so one that lacks a few logits is an error at the latest where these are allowed.

  After the end of a text a mask allows nothing, and no logit is left.

      iex> logits = <<0.5::float-little-32, 1.5::float-little-32>>
      iex> Espalier.LogitsMask.apply(logits, <<0b10::little-32>>)
      {:ok, <<0xFF800000::little-32, 1.5::float-little-32>>}
  """
  @spec apply(logits, Matcher.mask() | [Matcher.mask()], keyword) ::
          {:ok, logits} | {:error, LogitsError.t() | OptionsError.t()}
  def apply(logits, masks, options \\ [])

  def apply(%{__struct__: Nx.Tensor} = tensor, masks, options) do
    with {:ok, options} <- Options.validate(options, @options),
         :ok <- check_option(options[:type]),
         :ok <- check_type(Nx.type(tensor)),
         :ok <- check_masks(masks),
         {:ok, n_logits} <- tensor |> Nx.shape() |> row_length(masks),
         {:ok, rows} <- rows(masks, n_logits),
         do: {:ok, select(tensor, rows)}
  end

  def apply(logits, masks, options) when is_binary(logits) do
    with {:ok, options} <- Options.validate(options, @options),
         forbidden = @forbidden[options[:type] || {:f, 32}],
         :ok <- check_masks(masks),
         {:ok, n_logits} <- split(logits, byte_size(forbidden), masks),
         {:ok, rows} <- rows(masks, n_logits),
         do: {:ok, rows |> Enum.concat() |> write(logits, forbidden)}
  end

  @doc "Like `apply/3`, but returns the logits and raises the error."
  @spec apply!(logits, Matcher.mask() | [Matcher.mask()], keyword) :: logits
  def apply!(logits, masks, options \\ []), do: logits |> apply(masks, options) |> Error.bang!()

  defp check_option(nil), do: :ok

  defp check_option(type) do
    expected = "none for a tensor, which has its own"
    {:error, %OptionsError{kind: :invalid, option: :type, expected: expected, got: type}}
  end

  defp check_type({kind, _size}) when kind in [:f, :bf], do: :ok
  defp check_type(type), do: error(:invalid_type, "floating-point numbers", type)

  defp check_masks([_ | _] = masks) do
    if List.improper?(masks),
      do: error(:invalid_mask, "a list of masks", masks),
      else: Enum.find_value(masks, :ok, &invalid_mask/1)
  end

  defp check_masks(mask), do: invalid_mask(mask) || :ok

  defp invalid_mask(mask)
       when is_binary(mask) and mask != "" and rem(byte_size(mask), 4) == 0,
       do: nil

  defp invalid_mask(got), do: error(:invalid_mask, "a binary of 32-bit words", got)

  defp row_length({n_logits}, mask) when is_binary(mask), do: {:ok, n_logits}

  defp row_length({n_rows, n_logits}, masks) when length(masks) == n_rows, do: {:ok, n_logits}

  defp row_length(shape, mask) when is_binary(mask),
    do: error(:invalid_shape, "{vocabulary}", shape)

  defp row_length(shape, masks),
    do: error(:invalid_shape, "{#{length(masks)}, vocabulary}", shape)

  defp split(logits, size, masks) do
    n_rows = masks |> List.wrap() |> length()

    if rem(byte_size(logits), size * n_rows) == 0 do
      {:ok, div(byte_size(logits), size * n_rows)}
    else
      expected = "a multiple of #{size} bytes for each of #{n_rows} rows"
      error(:invalid_shape, expected, byte_size(logits))
    end
  end

  # Each row as runs of logits that are all allowed, or all forbidden.
  defp rows(masks, n_logits) do
    masks
    |> List.wrap()
    |> Enum.with_index()
    |> Enum.reduce_while({:ok, []}, fn {mask, row}, {:ok, rows} ->
      case mask |> runs({0, 0}, []) |> fit(n_logits, bit_size(mask)) do
        {:ok, runs} -> {:cont, {:ok, [runs | rows]}}
        {:short, least} -> {:halt, short(row, least, n_logits)}
      end
    end)
    |> then(&with {:ok, rows} <- &1, do: {:ok, Enum.reverse(rows)})
  end

  defp short(row, least, n_logits),
    do: {:error, %LogitsError{kind: :too_short, row: row, expected: least, got: n_logits}}

  # In reverse order. Most bytes of most masks allow all or nothing, and go on with what was before.
  defp runs(<<0, rest::binary>>, {0, n}, before), do: runs(rest, {0, n + 8}, before)
  defp runs(<<255, rest::binary>>, {1, n}, before), do: runs(rest, {1, n + 8}, before)

  defp runs(<<byte, rest::binary>>, {bit, n} = run, before) do
    case elem(@byte_runs, byte) do
      [{^bit, more} | runs] -> join(runs, {bit, n + more}, before, rest)
      runs -> join(runs, run, before, rest)
    end
  end

  defp runs(<<>>, run, before), do: [run | before]

  defp join([next | runs], run, before, rest), do: join(runs, next, [run | before], rest)
  defp join([], run, before, rest), do: runs(rest, run, before)

  # A mask has less than 32 bits more than the vocabulary, and each of them is 0.
  defp fit([last | before] = runs, n_logits, n_bits) do
    n_forbidden = if match?({0, _n}, last), do: elem(last, 1), else: 0
    least = max(n_bits - n_forbidden, n_bits - 31)

    cond do
      n_logits < least -> {:short, least}
      n_logits >= n_bits -> {:ok, Enum.reverse([{0, n_logits - n_bits} | runs])}
      true -> {:ok, Enum.reverse([{0, n_forbidden - (n_bits - n_logits)} | before])}
    end
  end

  defp write(runs, logits, forbidden) do
    size = byte_size(forbidden)

    {parts, _all} =
      Enum.map_reduce(runs, 0, fn
        {0, n}, at -> {:binary.copy(forbidden, n), at + n * size}
        {1, n}, at -> {binary_part(logits, at, n * size), at + n * size}
      end)

    IO.iodata_to_binary(parts)
  end

  # What is made here is in the VM's memory; Nx brings it to where the tensor is.
  defp select(tensor, rows) do
    here = [backend: Nx.BinaryBackend]
    bytes = for runs <- rows, {bit, n} <- runs, into: <<>>, do: :binary.copy(<<bit>>, n)
    names = Nx.names(tensor)
    mask = bytes |> Nx.from_binary({:u, 8}, here) |> Nx.reshape(Nx.shape(tensor), names: names)
    Nx.select(mask, tensor, Nx.Constants.neg_infinity(Nx.type(tensor), here))
  end

  defp error(kind, expected, got),
    do: {:error, %LogitsError{kind: kind, expected: expected, got: got}}
end
