defmodule Espalier.Schema.Inline do
  @moduledoc false
  # A schema module that the `do` block of an embed defines, within the module of the embed.

  alias Espalier.Schema.Field

  @doc """
  The module and the options of an embed, and the code that goes before its field.

  The block stands behind the options or among them. Where there is none, neither is there code.
  """
  @spec take([Macro.t()], keyword, Macro.Env.t()) :: {Macro.t(), Macro.t(), [Macro.t()]}
  def take([name, module, options], block, caller) do
    case split(options, block) do
      {:none, options} ->
        {module, options, []}

      {block, options} ->
        module = alias!(name, module, caller)
        {module, options, [define(module, block)]}
    end
  end

  defp split(options, block) when is_list(options),
    do: Keyword.pop(options ++ block, :do, :none)

  defp split(options, do: block), do: {block, options}
  defp split(options, []), do: {:none, options}

  # `defmodule` nests what is written as an alias, and the alias holds from there on.
  defp define(module, block) do
    quote do
      defmodule unquote(module) do
        use Espalier.Schema
        Module.put_attribute(__MODULE__, :espalier_inline, true)

        schema do
          unquote(block)
        end

        Espalier.Schema.Inline.check_fields!(@espalier_fields, __ENV__)
      end
    end
  end

  defp alias!(field, module, caller) do
    name = written(module)

    unless is_atom(name) and match?("Elixir." <> _name, Atom.to_string(name)) do
      got = Macro.to_string(module)
      error!(caller, field, "expected an alias before the block, like Address, got: #{got}")
    end

    check_new!(field, Module.concat(caller.module, name), caller)
    {:__aliases__, [], name |> Module.split() |> Enum.map(&String.to_atom/1)}
  end

  # What an alias stands for elsewhere does not count.
  defp written({:__aliases__, _meta, [head | _] = parts}) when is_atom(head),
    do: Module.concat(parts)

  defp written(module), do: module

  defp check_new!(field, module, caller) do
    if module in caller.context_modules do
      name = inspect(module)
      error!(caller, field, "the module #{name} is there twice: leave out the second block")
    end
  end

  defp error!(caller, field, detail) do
    error!(caller, "#{inspect(caller.module)}: field #{Macro.to_string(field)}: #{detail}")
  end

  defp error!(place, description) do
    raise CompileError, file: place.file, line: place.line, description: description
  end

  @doc "Refuses a block without fields."
  @spec check_fields!([Field.t()], Macro.Env.t()) :: :ok
  def check_fields!([_ | _], _env), do: :ok

  def check_fields!([], env) do
    error!(env, named("expected fields in the block, like field :name, :string", env.module))
  end

  @doc "What is wrong in a module that is being compiled, with its name if the module is inline."
  @spec named(String.t(), module) :: String.t()
  def named(message, module) do
    if Module.get_attribute(module, :espalier_inline),
      do: "#{inspect(module)}: #{message}",
      else: message
  end
end
