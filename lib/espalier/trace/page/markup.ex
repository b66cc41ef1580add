defmodule Espalier.Trace.Page.Markup do
  @moduledoc false
  # HTML that is well-formed XML, too. Whatever is no element is text and is escaped, so there is nothing to forget.

  @typedoc "An element, as it is written."
  @type element :: {:element, iodata}

  @type content :: String.t() | element | [content]

  @doc """
  An element. An attribute that is `nil` or `false` is left out, one that is `true` has its name as its value.

      iex> {:element, html} = Espalier.Trace.Page.Markup.tag(:p, [id: "a", hidden: true], ["1 < 2", Espalier.Trace.Page.Markup.tag(:br)])
      iex> IO.iodata_to_binary(html)
      ~S(<p id="a" hidden="hidden">1 &lt; 2<br /></p>)
  """
  @spec tag(atom, keyword, content | nil) :: element
  def tag(name, attributes \\ [], content \\ nil)

  def tag(name, attributes, nil),
    do: {:element, [?<, Atom.to_string(name), attributes(attributes), " />"]}

  def tag(name, attributes, content) do
    name = Atom.to_string(name)
    {:element, [?<, name, attributes(attributes), ?>, html(content), "</", name, ?>]}
  end

  @doc "What is written of elements and texts."
  @spec html(content) :: iodata
  def html({:element, html}), do: html
  def html(text) when is_binary(text), do: escape(text)
  def html(contents) when is_list(contents), do: Enum.map(contents, &html/1)

  defp attributes(attributes), do: Enum.map(attributes, &attribute/1)

  defp attribute({_name, value}) when value in [nil, false], do: []
  defp attribute({name, true}), do: attribute({name, Atom.to_string(name)})

  defp attribute({name, value}) do
    [?\s, Atom.to_string(name), ~s(="), value |> to_string() |> escape(), ?"]
  end

  defp escape(text), do: String.replace(text, ["&", "<", ">", "\"", "'"], &entity/1)

  defp entity("&"), do: "&amp;"
  defp entity("<"), do: "&lt;"
  defp entity(">"), do: "&gt;"
  defp entity("\""), do: "&quot;"
  defp entity("'"), do: "&#39;"
end
