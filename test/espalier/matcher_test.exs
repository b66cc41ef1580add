defmodule Espalier.MatcherTest do
  use ExUnit.Case, async: true

  alias Espalier.{Constraint, Matcher, MatcherError, Vocabulary}

  doctest Espalier.Matcher

  # Ids 0 to 5; 4 has no text, 5 ends the sequence.
  @tokens ["a", "b", "ab", "ba", "", ""]

  defp matcher(pattern) do
    vocabulary = Vocabulary.from_tokens!(@tokens, eos_ids: [5])
    pattern |> Constraint.regex!(vocabulary: vocabulary) |> Matcher.new()
  end

  describe "compute_mask/1" do
    test "has a bit for each id, padded to whole words" do
      assert Matcher.compute_mask!(matcher("ab?")) == <<0b0101, 0, 0, 0>>
    end

    test "is empty after the end" do
      matcher = matcher("a")
      assert :ok = Matcher.accept_tokens(matcher, [0, 5])
      assert {:ok, <<0::32>>} = Matcher.compute_mask(matcher)
    end
  end

  describe "accept_token/2" do
    test "tells what was allowed instead" do
      assert {:error, %MatcherError{} = error} = Matcher.accept_token(matcher("a+"), 1)
      assert %{kind: :token_not_allowed, token: 1, bytes: "b", n_allowed: 1, allowed: [0]} = error
    end

    test "tells ids that there are not from those that are not allowed" do
      assert {:error, %MatcherError{kind: :unknown_token, token: 6, vocabulary_size: 6}} =
               Matcher.accept_token(matcher("a"), 6)

      assert {:error, %MatcherError{kind: :token_not_allowed}} =
               Matcher.accept_token(matcher("a"), 4)
    end

    test "takes nothing after the end" do
      matcher = matcher("a?")
      assert :ok = Matcher.accept_token(matcher, 5)
      assert {:error, %MatcherError{kind: :finished}} = Matcher.accept_token(matcher, 0)
      assert_raise MatcherError, fn -> Matcher.accept_token!(matcher, 5) end
    end

    test "changes nothing when it refuses" do
      matcher = matcher("ab")
      mask = Matcher.compute_mask!(matcher)
      assert {:error, _} = Matcher.accept_token(matcher, 1)
      assert Matcher.compute_mask!(matcher) == mask
    end
  end

  describe "accept_tokens/2" do
    test "takes a list or a binary" do
      assert :ok = Matcher.accept_tokens(matcher("abab"), [2, 2])
      assert :ok = Matcher.accept_tokens(matcher("abab"), <<2::little-32, 2::little-32>>)
      assert :ok = Matcher.accept_tokens(matcher("abab"), [])
    end

    test "keeps the tokens before the one that it refuses" do
      matcher = matcher("aab")

      assert {:error, %MatcherError{kind: :token_not_allowed, index: 1, token: 1}} =
               Matcher.accept_tokens(matcher, [0, 1, 0])

      assert {:ok, [0, 2]} = Matcher.allowed_tokens(matcher)
    end
  end

  describe "accept_text/2" do
    test "takes parts of tokens" do
      matcher = matcher("abba")
      assert :ok = Matcher.accept_text(matcher, "abb")
      assert {:ok, [0]} = Matcher.allowed_tokens(matcher)
    end

    test "tells the first byte that it refuses" do
      matcher = matcher("abba")

      assert {:error, %MatcherError{kind: :text_not_allowed, offset: 2}} =
               Matcher.accept_text(matcher, "aba")

      assert :ok = Matcher.accept_text!(matcher, "abba")
    end
  end

  test "advance/2 gives the mask after the token" do
    matcher = matcher("ab")
    assert Matcher.advance(matcher, 0) == {:ok, <<0b10, 0, 0, 0>>}
    assert {:error, %MatcherError{}} = Matcher.advance(matcher, 0)
  end

  test "validate_tokens/2 counts and changes nothing" do
    matcher = matcher("abab")
    assert Matcher.validate_tokens(matcher, [2, 0, 0]) == {:ok, 2}
    assert Matcher.validate_tokens(matcher, [2, 2, 5]) == {:ok, 3}
    assert Matcher.validate_tokens(matcher, [1]) == {:ok, 0}
    assert {:ok, [0, 2]} = Matcher.allowed_tokens(matcher)
  end

  test "rollback/2 takes steps back" do
    matcher = matcher("(ab)+")

    masks =
      for token <- [2, 0, 1],
          do: {Matcher.compute_mask!(matcher), Matcher.advance!(matcher, token)}

    assert :ok = Matcher.rollback(matcher, 3)
    assert Matcher.compute_mask!(matcher) == masks |> hd() |> elem(0)

    assert {:error, %MatcherError{kind: :rollback_too_far, requested: 1, accepted: 0}} =
             Matcher.rollback(matcher, 1)

    assert :ok = Matcher.rollback!(matcher, 0)
  end

  test "the four questions about the end" do
    matcher = matcher("ab?")

    answers = fn ->
      {Matcher.accepting?(matcher), Matcher.must_stop?(matcher), Matcher.finished?(matcher)}
    end

    assert {:ok, []} = Matcher.forced_tokens(matcher)
    assert answers.() == {false, false, false}
    Matcher.accept_token!(matcher, 0)
    assert answers.() == {true, false, false}
    Matcher.accept_token!(matcher, 1)
    assert answers.() == {true, true, false}
    Matcher.accept_token!(matcher, 5)
    assert {_accepting, _must_stop, true} = answers.()
    assert {:ok, [2]} = Matcher.forced_tokens(matcher("ab"))
  end

  test "raises for arguments of another type" do
    matcher = matcher("a")

    for id <- ["0", -1, 1.0, nil],
        ask <- [
          &Matcher.accept_token/2,
          &Matcher.advance/2,
          &Matcher.accept_tokens(&1, [&2]),
          &Matcher.validate_tokens(&1, [&2])
        ] do
      assert_raise ArgumentError, ~r/expected a token id, got: /, fn -> ask.(matcher, id) end
    end

    for n <- [-1, 1.0, nil] do
      told = "expected a number of steps, got: #{inspect(n)}"
      assert_raise ArgumentError, told, fn -> Matcher.rollback(matcher, n) end
    end

    for tokens <- [<<1, 2, 3>>, nil, 5],
        ask <- [&Matcher.accept_tokens/2, &Matcher.validate_tokens/2] do
      assert_raise ArgumentError, ~r/a list of token ids/, fn -> ask.(matcher, tokens) end
    end

    for text <- [~c"a", nil, <<1::3>>] do
      told = ~r/expected a text or other bytes, got: /
      assert_raise ArgumentError, told, fn -> Matcher.accept_text(matcher, text) end
    end

    wrong = %{matcher | ref: matcher.constraint.ref}
    assert_raise ArgumentError, fn -> Matcher.compute_mask(wrong) end
    assert_raise ArgumentError, fn -> Matcher.compute_mask(%{matcher | ref: make_ref()}) end
    # Elixir 1.18 would warn of a call whose types it can see.
    assert_raise FunctionClauseError, fn -> apply(Matcher, :new, [matcher]) end
  end

  test "numbers however large are told as others that are none" do
    matcher = matcher("ab")

    for id <- [2 ** 32 - 1, 2 ** 32, 2 ** 70] do
      for ask <- [&Matcher.accept_token/2, &Matcher.advance/2] do
        assert {:error, %MatcherError{} = error} = ask.(matcher, id)
        assert %{kind: :unknown_token, token: ^id, vocabulary_size: 6} = error
        assert error.message == "unknown token id #{id}: the vocabulary has 6 ids"
      end

      assert Matcher.validate_tokens(matcher, [0, id, 1]) == {:ok, 1}
      assert {:error, %MatcherError{} = error} = Matcher.accept_tokens(matcher, [0, id, 1])
      assert %{kind: :unknown_token, token: ^id, index: 1} = error
      assert error.message =~ "unknown token id #{id}:"
      assert {:error, %MatcherError{} = error} = Matcher.rollback(matcher, id)
      assert %{kind: :rollback_too_far, requested: ^id, accepted: 1} = error
      assert error.message =~ "roll back #{id} tokens"
      assert {:ok, "a"} = Matcher.text(matcher)
      :ok = Matcher.rollback(matcher, 1)
    end
  end

  test "several processes may use one matcher" do
    matcher = matcher("a{1000}")

    results =
      1..8
      |> Enum.map(fn _ ->
        Task.async(fn ->
          for _ <- 1..200 do
            {:ok, _mask} = Matcher.compute_mask(matcher)
            Matcher.accept_token(matcher, 0)
          end
        end)
      end)
      |> Task.await_many(:infinity)
      |> Enum.concat()

    assert Enum.count(results, &(&1 == :ok)) == 1000
    assert Enum.count(results, &match?({:error, %MatcherError{}}, &1)) == 600
  end

  test "survives a process that is killed in the middle of a call" do
    matcher = matcher("(a|b)*")

    for _ <- 1..50 do
      {pid, monitor} =
        spawn_monitor(fn ->
          for _ <- Stream.cycle([0]) do
            Matcher.advance(matcher, 0)
          end
        end)

      Process.sleep(1)
      Process.exit(pid, :kill)
      assert_receive {:DOWN, ^monitor, :process, ^pid, :killed}
    end

    assert {:ok, [0, 1, 2, 3, 5]} = Matcher.allowed_tokens(matcher)
  end

  test "a fork goes on by itself, and a reset matcher stands at the start" do
    matcher = matcher("(a|b){4}")
    :ok = Matcher.accept_token(matcher, 0)
    fork = Matcher.fork!(matcher)
    :ok = Matcher.accept_text(fork, "bbb")
    assert {Matcher.text!(matcher), Matcher.text!(fork)} == {"a", "abbb"}
    assert {Matcher.must_stop?(matcher), Matcher.must_stop?(fork)} == {false, true}
    :ok = Matcher.rollback(fork, 2)
    assert Matcher.text!(fork) == ""
    :ok = Matcher.accept_text(matcher, "aaa")
    assert {:ok, [eos]} = Matcher.allowed_tokens(matcher)
    :ok = Matcher.accept_token(matcher, eos)
    assert {Matcher.finished?(Matcher.fork!(matcher)), Matcher.text!(matcher)} == {true, "aaaa"}
    :ok = Matcher.reset(matcher)
    assert {Matcher.text!(matcher), Matcher.finished?(matcher)} == {"", false}
    assert Matcher.allowed_tokens(matcher) == Matcher.allowed_tokens(fork)
    assert {:error, %MatcherError{kind: :rollback_too_far}} = Matcher.rollback(matcher, 1)
  end

  test "forks of a matcher that others use are made without harm" do
    matcher = matcher("(a|b)*")

    texts =
      1..8
      |> Enum.map(fn n ->
        Task.async(fn ->
          for _ <- 1..50 do
            fork = Matcher.fork!(matcher)
            :ok = Matcher.accept_text(fork, String.duplicate("b", n))
            Matcher.accept_token(matcher, 0)
            fork |> Matcher.text!() |> String.trim_leading("a")
          end
        end)
      end)
      |> Task.await_many(:infinity)

    for {texts, n} <- Enum.zip(texts, 1..8),
        do: assert(Enum.uniq(texts) == [String.duplicate("b", n)])
  end

  describe "a regular expression of whole numbers" do
    defp numbers do
      vocabulary = Vocabulary.from_tokens!(["blah", "1a", "2", "0", ""], eos_ids: [4])
      Matcher.new(Constraint.regex!("0|[1-9][0-9]{1,2}", vocabulary: vocabulary))
    end

    test "ends where it may, and goes on where a longer text matches" do
      matcher = numbers()
      assert Matcher.allowed_tokens(matcher) == {:ok, [2, 3]}
      refute Matcher.accepting?(matcher)
      :ok = Matcher.accept_token(matcher, 2)
      assert Matcher.allowed_tokens(matcher) == {:ok, [2, 3]}
      refute Matcher.accepting?(matcher)
      :ok = Matcher.accept_token(matcher, 3)
      assert Matcher.allowed_tokens(matcher) == {:ok, [2, 3, 4]}
      assert {Matcher.accepting?(matcher), Matcher.must_stop?(matcher)} == {true, false}
      :ok = Matcher.accept_token(matcher, 2)
      assert Matcher.allowed_tokens(matcher) == {:ok, [4]}
      assert Matcher.must_stop?(matcher)
    end

    test "is as it was after a token that is refused" do
      matcher = numbers()
      :ok = Matcher.accept_token(matcher, 2)

      for id <- [0, 1, 4] do
        assert {:error, %MatcherError{kind: :token_not_allowed, token: ^id}} =
                 Matcher.accept_token(matcher, id)

        assert {Matcher.text!(matcher), Matcher.allowed_tokens(matcher)} == {"2", {:ok, [2, 3]}}
      end
    end

    test "says that it has ended after its end" do
      matcher = numbers()
      :ok = Matcher.accept_tokens(matcher, [3, 4])
      assert Matcher.allowed_tokens(matcher) == {:ok, []}

      for id <- 0..4 do
        assert {:error, %MatcherError{kind: :finished}} = Matcher.accept_token(matcher, id)
      end

      assert {Matcher.text!(matcher), Matcher.finished?(matcher)} == {"0", true}
    end
  end

  test "inspected, it shows the text so far and what may come" do
    matcher = matcher("(a|b){200}é?")
    assert inspect(matcher) =~ ~s(Matcher<regex, text: "", next: [")
    :ok = Matcher.accept_text(matcher, String.duplicate("ab", 100))
    shown = ~s(text: ..."#{String.duplicate("ab", 30)}")
    assert inspect(matcher) =~ shown <> ", next: "
    :ok = Matcher.accept_text(matcher, <<0xC3>>)
    assert inspect(matcher) =~ shown <> " <> <<195>>, next: "
    bytes = Matcher.new(Constraint.regex!("(?s).*", vocabulary: Vocabulary.bytes()))
    assert inspect(bytes) =~ "tokens, the end among them"
    :ok = Matcher.accept_text(bytes, String.duplicate("é", 60))
    assert inspect(bytes) =~ ~s(text: "#{String.duplicate("é", 60)}")
    :ok = Matcher.accept_text(bytes, "é")
    assert inspect(bytes) =~ ~s(text: ..."#{String.duplicate("é", 60)}")
    done = matcher("a?")
    {:ok, ids} = Matcher.allowed_tokens(done)
    :ok = Matcher.accept_token(done, List.last(ids))
    assert inspect(done) =~ "nothing, it has ended"
  end

  test "inspected, it shows all of the bytes at its end, and special tokens by their ids" do
    choice = Constraint.choice!([String.duplicate(<<255>>, 70)], vocabulary: Vocabulary.bytes())
    matcher = Matcher.new(choice)
    :ok = Matcher.accept_text(matcher, String.duplicate(<<255>>, 65))
    bytes = Enum.map_join(1..60, ", ", fn _ -> "255" end)
    assert inspect(matcher) =~ "text: ...<<#{bytes}>>, next: [<<255>>]"

    path = Path.join(Espalier.Model.tiny_path(), "tokenizer.json")
    vocabulary = Vocabulary.load!(path, eos_tokens: ["<|end|>"])
    parts = [{:special_token, "<|user|>"}, "a"]
    matcher = Matcher.new(Constraint.sequence!(parts, vocabulary: vocabulary))
    {:ok, [user]} = Matcher.allowed_tokens(matcher)
    assert inspect(matcher) =~ "next: [the token #{user}]"
    assert {:error, %MatcherError{offset: 0}} = Matcher.accept_text(matcher, "<|user|>")
    :ok = Matcher.accept_token(matcher, user)
    assert Matcher.text(matcher) == {:ok, "<|user|>"}
  end
end
