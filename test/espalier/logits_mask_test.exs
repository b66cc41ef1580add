defmodule Espalier.LogitsMaskTest do
  use ExUnit.Case, async: true

  alias Espalier.Constraint
  alias Espalier.LogitsError
  alias Espalier.LogitsMask
  alias Espalier.Matcher
  alias Espalier.OptionsError
  alias Espalier.Vocabulary

  doctest Espalier.LogitsMask
  doctest Espalier.LogitsError

  @compile {:no_warn_undefined, [Nx, Nx.Constants]}

  @forbidden %{
    {:f, 32} => <<0, 0, 128, 255>>,
    {:f, 16} => <<0, 252>>,
    {:bf, 16} => <<128, 255>>
  }

  defp bits(ids, n) do
    size = div(n + 31, 32) * 32
    for word <- Enum.chunk_every(0..(size - 1), 32), into: <<>>, do: word(word, ids)
  end

  defp word(places, ids) do
    set = places |> Enum.with_index() |> Enum.filter(fn {id, _bit} -> id in ids end)
    <<set |> Enum.map(fn {_id, bit} -> Bitwise.bsl(1, bit) end) |> Enum.sum()::little-32>>
  end

  # One logit after the other.
  defp naive(logits, ids, type) do
    size = byte_size(@forbidden[type])

    for {<<logit::binary>>, id} <- logits |> chunks(size) |> Enum.with_index(), into: <<>> do
      if id in ids, do: logit, else: @forbidden[type]
    end
  end

  defp chunks(binary, size), do: for(<<chunk::binary-size(size) <- binary>>, do: chunk)

  # Sets of ids as masks have them: few, most, and runs of both.
  defp random_ids(n) do
    share = Enum.random([0.0, 0.01, 0.5, 0.99, 1.0])
    from = :rand.uniform(n) - 1
    to = min(from + :rand.uniform(100), n - 1)
    ids = MapSet.new(for id <- 0..(n - 1), :rand.uniform() < share, do: id)
    change = Enum.random([&MapSet.union/2, &MapSet.difference/2])
    change.(ids, MapSet.new(from..to))
  end

  describe "a binary" do
    test "is what one by one gives, for any mask, size, padding and type" do
      :rand.seed(:exsss, {1, 2, 3})

      for _case <- 1..300 do
        n = :rand.uniform(300)
        n_rows = :rand.uniform(3)
        padding = Enum.random([0, 0, 1, :rand.uniform(70)])
        type = Enum.random(Map.keys(@forbidden))
        size = byte_size(@forbidden[type])
        ids = for _row <- 1..n_rows, do: random_ids(n)
        rows = for _row <- 1..n_rows, do: :rand.bytes((n + padding) * size)
        expected = for {row, ids} <- Enum.zip(rows, ids), into: <<>>, do: naive(row, ids, type)

        assert LogitsMask.apply!(Enum.join(rows), Enum.map(ids, &bits(&1, n)), type: type) ==
                 expected
      end
    end

    test "agrees with the ids that a matcher allows, at each step" do
      vocabulary = Vocabulary.bytes()
      constraint = Constraint.regex!("(ab|é)+[0-9]{2}", vocabulary: vocabulary)
      matcher = Matcher.new(constraint)
      size = vocabulary.size + 7
      logits = for id <- 1..size, into: <<>>, do: <<id::float-little-32>>

      for byte <- "abé12" |> :binary.bin_to_list() do
        {:ok, ids} = Matcher.allowed_tokens(matcher)
        masked = LogitsMask.apply!(logits, Matcher.compute_mask!(matcher))

        assert ids ==
                 for({<<_::float-little-32>>, id} <- Enum.with_index(chunks(masked, 4)), do: id)

        :ok = Matcher.accept_text(matcher, <<byte>>)
      end
    end

    test "of one row may come with a mask or a list of one" do
      mask = bits([1], 2)
      logits = <<1.0::float-little-32, 2.0::float-little-32>>
      assert LogitsMask.apply(logits, mask) == LogitsMask.apply(logits, [mask])
    end

    test "keeps what is allowed bit by bit, no number among it" do
      nan = <<0x7FC00001::little-32>>
      assert LogitsMask.apply!(nan <> nan, bits([1], 2)) == @forbidden[{:f, 32}] <> nan
    end
  end

  describe "what can't be applied" do
    defp error(logits, mask, options \\ []) do
      assert {:error, error} = LogitsMask.apply(logits, mask, options)
      assert is_binary(Exception.message(error))
      error
    end

    test "a row that is too short for the vocabulary" do
      assert %LogitsError{kind: :too_short, row: 0, expected: 33, got: 32} =
               error(<<0::1024>>, bits([0], 40))

      # A mask alone does not tell 40 from 64. What is lost is never allowed.
      assert {:ok, _logits} = LogitsMask.apply(<<0::size(39 * 32)>>, bits([38], 40))

      assert %LogitsError{kind: :too_short, row: 1, expected: 40, got: 39} =
               error(<<0::size(78 * 32)>>, [bits([38], 40), bits([39], 40)])

      assert %LogitsError{kind: :too_short, got: 0} = error("", bits([], 1))
      assert_raise LogitsError, fn -> LogitsMask.apply!("", bits([0], 1)) end
    end

    test "what is no row, or not as many as masks" do
      assert %LogitsError{kind: :invalid_shape, got: 7} = error(<<0::56>>, bits([0], 1))
      mask = bits([0], 1)
      assert %LogitsError{kind: :invalid_shape, got: 12} = error(<<0::96>>, [mask, mask])
    end

    test "what is no mask" do
      for mask <- ["", <<1>>, [], [""], [<<1>>], [0, 2], [<<0::32>> | :improper], nil, 5],
          do: assert(%LogitsError{kind: :invalid_mask} = error(<<0::64>>, mask))
    end

    test "other types and options" do
      mask = bits([0], 1)
      assert %OptionsError{kind: :invalid} = error(<<0::64>>, mask, type: {:s, 32})
      assert %OptionsError{kind: :unknown} = error(<<0::64>>, mask, typ: {:f, 32})
    end
  end

  if Code.ensure_loaded?(Nx) do
    setup_all do
      {:ok, _applications} = Application.ensure_all_started(:nx)
      :ok
    end

    describe "a tensor" do
      test "is what the same binary is, in shape, type and names" do
        :rand.seed(:exsss, {4, 5, 6})

        for _case <- 1..50, type <- Map.keys(@forbidden) do
          n = :rand.uniform(100)
          n_rows = :rand.uniform(3)
          ids = for _row <- 1..n_rows, do: random_ids(n)
          masks = Enum.map(ids, &bits(&1, n))
          padded = n + Enum.random([0, 5, 40])
          numbers = for _row <- 1..n_rows, do: for(_ <- 1..padded, do: :rand.normal())
          tensor = Nx.tensor(numbers, type: type, names: [:batch, :vocabulary])
          masked = LogitsMask.apply!(tensor, masks)

          assert {masked.shape, masked.type, masked.names} ==
                   {tensor.shape, tensor.type, tensor.names}

          assert Nx.to_binary(masked) ==
                   LogitsMask.apply!(Nx.to_binary(tensor), masks, type: type)

          assert Nx.to_binary(LogitsMask.apply!(tensor[0], hd(masks))) ==
                   Nx.to_binary(masked[0])
        end
      end

      test "of 64 bits stays one" do
        masked = LogitsMask.apply!(Nx.tensor([1.0, 2.0], type: :f64), bits([1], 2))
        assert masked.type == {:f, 64}
        assert Nx.to_list(masked) == [:neg_infinity, 2.0]
      end

      test "of another shape, type or size is an error, and so is an option for its type" do
        mask = bits([0], 40)
        row = Nx.iota({40}, type: :f32)
        assert %LogitsError{kind: :invalid_type, got: {:s, _}} = error(Nx.iota({40}), mask)
        assert %LogitsError{kind: :invalid_shape, got: {40}} = error(row, [mask])
        assert %LogitsError{kind: :invalid_shape, got: {1, 40}} = error(Nx.new_axis(row, 0), mask)

        assert %LogitsError{kind: :invalid_shape, expected: "{2, vocabulary}"} =
                 error(Nx.new_axis(row, 0), [mask, mask])

        assert %LogitsError{kind: :too_short, expected: 33, got: 32} = error(row[0..31], mask)
        assert %OptionsError{option: :type} = error(row, mask, type: {:f, 32})
      end
    end
  else
    IO.puts("Without Nx: its tests of masks are left out.")
  end
end
