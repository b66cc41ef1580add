defmodule Espalier.LogitsError do
  @moduledoc """
  Logits that a mask can't be applied to.

  | kind | meaning | fields |
  | --- | --- | --- |
  | `:too_short` | a row has fewer logits than the mask has tokens | `row`, `expected` (at least so many), `got` |
  | `:invalid_shape` | not as many rows as masks, or no whole logits | `expected`, `got` |
  | `:invalid_type` | numbers that have no infinity | `expected`, `got` |
  | `:invalid_mask` | no mask of `Espalier.Matcher.compute_mask/1`, or a list that has none | `expected`, `got` |

      iex> {:error, error} = Espalier.LogitsMask.apply(<<0.5::float-little-32>>, <<0b111::little-32>>)
      iex> {error.kind, error.expected, error.got}
      {:too_short, 3, 1}
  """

  @type t :: %__MODULE__{
          kind: :too_short | :invalid_shape | :invalid_type | :invalid_mask,
          row: non_neg_integer | nil,
          expected: pos_integer | String.t(),
          got: term
        }

  defexception [:kind, :row, :expected, :got]

  @impl true
  def message(%{kind: :too_short} = error),
    do: "expected at least #{error.expected} logits in row #{error.row}, got: #{error.got}"

  def message(%{kind: kind, expected: expected, got: got}),
    do: "#{noun(kind)}: expected #{expected}, got: #{Espalier.Error.show(got)}"

  defp noun(:invalid_shape), do: "invalid shape of logits"
  defp noun(:invalid_type), do: "invalid type of logits"
  defp noun(:invalid_mask), do: "invalid mask"
end
