defmodule Espalier.CLITest do
  # Standard error is one for all processes.
  use ExUnit.Case, async: false

  import ExUnit.CaptureIO

  alias Espalier.CLI
  alias Espalier.CLI.Switches

  @switches [
    file: [type: :string, value: "FILE", required: true, doc: "a file"],
    most: [type: :integer, value: "N", doc: "how many"],
    format: [type: {:in, ["text", "json"]}, value: "FORMAT", doc: "how it looks"],
    loud: [type: :boolean, doc: "tell more"]
  ]

  @command %{name: "mix example", help: "All about it", switches: @switches}

  defp run(arguments, function) do
    parent = self()

    output =
      capture_io(fn ->
        errors =
          capture_io(:stderr, fn -> send(parent, {:status, status(arguments, function)}) end)

        send(parent, {:errors, errors})
      end)

    assert_received {:status, status}
    assert_received {:errors, errors}
    {status, output, errors}
  end

  defp status(arguments, function) do
    CLI.run(@command, arguments, function)
    0
  catch
    :exit, {:shutdown, status} -> status
  end

  describe "parse/2" do
    test "gives the options" do
      arguments = ["--file", "a", "--most", "-3", "--format=json", "--no-loud"]
      options = [file: "a", most: -3, format: "json", loud: false]
      assert Switches.parse(arguments, @switches) == {:ok, options}
      assert Switches.parse(["--file=- a\nb"], @switches) == {:ok, [file: "- a\nb"]}
    end

    test "tells what is wrong" do
      for {arguments, expected} <- [
            {[], "--file is missing"},
            {["--fil", "a"], "unknown option --fil. Did you mean --file?"},
            {["--xyzzy"], "unknown option --xyzzy"},
            {["-x"], "unknown option -x"},
            {["--file", "a", "b"], "unexpected argument b"},
            {["--file", "a", "--file", "a"], "--file is given twice"},
            {["--file", "a", "--loud", "--no-loud"], "--loud is given twice"},
            {["--file", "a", "--most", "1.5"], "wrong value for --most: 1.5"},
            {["--file", "a", "--format", "xml"],
             "wrong value for --format: expected text or json, got xml"},
            {["--file", "--most"],
             "--file needs a value; one that begins with a dash is given as --file=VALUE"}
          ],
          do: assert(Switches.parse(arguments, @switches) == {:error, expected})
    end

    test "gives help whatever else is there" do
      for arguments <- [["--help"], ["-h"], ["--xyzzy", "--help"]],
          do: assert(Switches.parse(arguments, @switches) == :help)
    end
  end

  test "docs/1 lists the switches" do
    docs = Switches.docs(@switches)
    assert docs =~ "  * `--file FILE` - a file. Required\n"
    assert docs =~ "  * `--loud` - tell more\n"
    assert docs =~ "  * `--help` - "
  end

  describe "run/3" do
    test "tells what was asked for on standard output" do
      assert {0, "a\n", ""} = run(["--file", "a"], &CLI.puts(&1[:file]))
      assert {0, "All about it\n", ""} = run(["--help"], fn _options -> :failed end)
    end

    test "tells what went wrong on standard error, with a status of 1" do
      error = %Espalier.TransportError{kind: :closed, url: "http://127.0.0.1"}
      told = "mix example: #{Exception.message(error)}\n"

      for function <- [
            fn _options -> {:error, error} end,
            fn _options -> {:error, Exception.message(error)} end,
            fn _options -> CLI.fail!(Exception.message(error)) end,
            fn _options -> raise error end
          ],
          do: assert(run(["--file", "a"], function) == {1, "", told})

      assert run(["--file", "a"], fn _options -> :failed end) == {1, "", ""}
    end

    test "tells that the command line is wrong, with a status of 2" do
      assert {2, "", "mix example: --file is missing, see --help\n"} = run([], & &1)
      wrong = fn _options -> CLI.misuse!("no such file") end
      assert {2, "", "mix example: no such file\n"} = run(["--file", "a"], wrong)
      wrong = fn _options -> {:error, %Espalier.OptionsError{kind: :unknown, option: :a}} end
      assert {2, "", "mix example: unknown option :a\n"} = run(["--file", "a"], wrong)
    end

    test "hides no bug" do
      assert_raise KeyError, fn -> CLI.run(@command, ["--file", "a"], &Keyword.fetch!(&1, :b)) end
    end

    test "ends without a word where nobody reads the output" do
      closed = fn _options -> raise ErlangError, original: :terminated end
      assert run(["--file", "a"], closed) == {141, "", ""}
    end
  end
end
