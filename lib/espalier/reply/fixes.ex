defmodule Espalier.Reply.Fixes do
  @moduledoc false
  # The names of the fixes, and sets of them: while a reply is read, lists without an order.

  # From the outside of a reply to the inside, then what the schema decides.
  @order [
    :byte_order_mark,
    :invalid_utf8,
    :reasoning,
    :surrounding_space,
    :surrounding_text,
    :code_fence,
    :surrounding_quotes,
    :several_values,
    :html_entities,
    :comment,
    :unusual_space,
    :unquoted_key,
    :single_quotes,
    :smart_quotes,
    :unescaped_quote,
    :unescaped_control,
    :invalid_escape,
    :number_format,
    :not_a_number,
    :python_literal,
    :undefined,
    :unquoted_text,
    :key_sign,
    :missing_comma,
    :extra_comma,
    :trailing_comma,
    :ellipsis,
    :missing_bracket,
    :truncated,
    :double_encoded,
    :completed,
    :wrapped_value,
    :string_to_number,
    :string_to_boolean,
    :number_to_string,
    :single_to_list,
    :enum_case,
    :null_to_absent,
    :cut_text,
    :cut_list,
    :repeated_item,
    :unknown_key
  ]

  @places @order |> Enum.with_index() |> Map.new()

  @doc "All fixes, in their order."
  @spec all :: [atom]
  def all, do: @order

  @doc "Fixes with another."
  @spec put([atom], atom) :: [atom]
  def put(fixes, fix), do: if(fix in fixes, do: fixes, else: [fix | fixes])

  @doc "Fixes with others."
  @spec union([atom], [atom]) :: [atom]
  def union(fixes, others), do: Enum.reduce(others, fixes, &put(&2, &1))

  @doc "Each fix once, in its order."
  @spec sort([atom]) :: [atom]
  def sort(fixes), do: fixes |> Enum.uniq() |> Enum.sort_by(&Map.fetch!(@places, &1))
end
