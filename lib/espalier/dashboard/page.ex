defmodule Espalier.Dashboard.Page do
  @moduledoc false
  # The page, put together when this is compiled: one document that asks for nothing but events.

  folder = Path.expand("../../../priv/dashboard", __DIR__)
  files = for name <- ~w(page.html page.css page.js), do: Path.join(folder, name)
  for file <- files, do: @external_resource(file)

  [html, css, js] = Enum.map(files, &File.read!/1)
  [before, between, rest] = String.split(html, ["{{css}}", "{{js}}"])
  hash = fn text -> "'sha256-#{Base.encode64(:crypto.hash(:sha256, text))}'" end

  @html Enum.join([before, css, between, js, rest])

  # The hashes let these two run, and nothing else that came to be in the page.
  @policy Enum.join(
            [
              "default-src 'self'",
              "script-src #{hash.(js)}",
              "style-src #{hash.(css)}",
              "img-src data:",
              "base-uri 'none'",
              "form-action 'none'",
              "frame-ancestors 'none'"
            ],
            "; "
          )

  @spec html() :: String.t()
  def html, do: @html

  @doc "What the browser may load and run for it."
  @spec policy() :: String.t()
  def policy, do: @policy
end
