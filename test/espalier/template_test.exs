defmodule Espalier.TemplateTest do
  use ExUnit.Case, async: true

  doctest Espalier.Template

  alias Espalier.InputError
  alias Espalier.OptionsError
  alias Espalier.Template

  defmodule Prompts do
    import Espalier.Template

    @rule "Be brief."

    @doc "A letter."
    deftemplate :letter, """
    Dear <%= @name %>,
    <%= for line <- @lines do %>- <%= line %>
    <% end %><%= if @note do %>P.S. <%= @note %><% end %>\
    """

    deftemplate :rule, @rule <> " <%= @text %>"
    deftemplate :plain, "Nothing to fill in"
  end

  test "the example of the documentation runs" do
    {:docs_v1, _, _, _, %{"en" => doc}, _, _} = Code.fetch_docs(Template)
    [example] = Regex.run(~r/\n\n((?:    .*\n|\n)+)/, doc, capture: :all_but_first)
    {:__block__, _, [module, text, _generate]} = Code.string_to_quoted!(example)
    Code.eval_quoted(module)
    {text, _bindings} = Code.eval_quoted(text)
    assert text == "What is the topic of this message?\nWhere is my parcel?"
  end

  describe "deftemplate/2" do
    test "defines a function that renders" do
      assert Prompts.letter(name: "Ada", lines: ["one", "two"], note: nil) ==
               "Dear Ada,\n- one\n- two\n"

      assert Prompts.letter(%{name: "Ada", lines: [], note: "Bye"}) == "Dear Ada,\nP.S. Bye"
      assert Prompts.rule(text: "Why?") == "Be brief. Why?"
      assert Prompts.plain([]) == "Nothing to fill in"
    end

    test "defines the template" do
      assert %Template{assigns: [:name, :lines, :note]} = Prompts.letter()
      assert %Template{assigns: []} = Prompts.plain()
      assert Template.render(Prompts.rule(), text: "Why?") == {:ok, "Be brief. Why?"}
    end

    test "reports what is wrong in the text where it is written" do
      code = """
      defmodule Espalier.TemplateTest.Wrong do
        import Espalier.Template
        deftemplate :a, "<%= if @b do %>"
      end
      """

      error = assert_raise EEx.SyntaxError, fn -> Code.compile_string(code, "wrong.ex") end
      assert error.file =~ "wrong.ex"
      assert error.line == 3
    end
  end

  describe "compile!/1" do
    test "collects the assigns that are used, once each and also within blocks" do
      text = "<%= if @a do %><%= Enum.map(@b, fn x -> x + @c end) %><% end %><%= @a %>"
      assert Template.compile!(text).assigns == [:a, :b, :c]
    end

    test "raises what the compiler raises" do
      assert_raise EEx.SyntaxError, fn -> Template.compile!("<%= @a") end
      assert_raise TokenMissingError, fn -> Template.compile!("<%= (@a %>") end
    end
  end

  describe "render/2" do
    test "names a missing assign, and the nearest that was given" do
      template = Template.compile!("<%= @name %><%= @age %>")

      assert {:error, %InputError{kind: :missing, noun: :assign, name: :age, suggestion: nil}} =
               Template.render(template, name: "Ada")

      assert {:error, %InputError{kind: :missing, name: :name, suggestion: "name"} = error} =
               Template.render(template, %{"name" => "Ada", age: 36})

      assert Exception.message(error) == ~s(assign :name not found. Did you mean it by "name"?)
    end

    test "names an unknown assign, and the nearest there is" do
      template = Template.compile!("<%= @name %>")

      assert {:error, %InputError{kind: :unknown, name: :names, suggestion: :name} = error} =
               Template.render(template, name: "Ada", names: [])

      assert Exception.message(error) == "unknown assign :names. Did you mean :name?"

      assert {:error, %InputError{kind: :unknown, name: :age, suggestion: nil}} =
               Template.render(template, name: "Ada", age: 36)
    end

    test "takes names and nothing else" do
      template = Template.compile!("<%= @name %>")

      for wrong <- [["Ada"], "Ada", nil, %URI{}] do
        assert {:error, %InputError{kind: :not_named, got: ^wrong}} =
                 Template.render(template, wrong)
      end
    end

    test "puts assigns in as they are" do
      text = ~S(<%= raise "no" %> #{raise "no"} <b> & "quotes" <% end %>)
      assert Template.render(Template.compile!("<%= @text %>"), text: text) == {:ok, text}
    end

    test "render!/2 raises the error" do
      template = Template.compile!("<%= @name %>")
      assert Template.render!(template, name: 3) == "3"
      assert_raise InputError, fn -> Template.render!(template, []) end
      assert_raise InputError, fn -> Prompts.rule([]) end
    end
  end

  describe "messages/3" do
    test "is one message without options" do
      assert Template.messages(Prompts.rule(), text: "Why?") ==
               {:ok, [%{role: :user, content: "Be brief. Why?"}]}
    end

    test "keeps the order of the examples" do
      messages =
        Template.messages!(Prompts.rule(), [text: "c"],
          examples: [{[text: "a"], "1"}, {%{text: "b"}, "2"}]
        )

      assert Enum.map(messages, & &1.content) ==
               ["Be brief. a", "1", "Be brief. b", "2", "Be brief. c"]
    end

    test "is a prompt" do
      messages = Template.messages!(Prompts.rule(), [text: "c"], system: "Answer.")
      stub = {Espalier.StubBackend, pieces: ["yes"]}
      assert Espalier.generate({:choice, [:yes, :no]}, messages, backend: stub) == {:ok, :yes}
    end

    test "checks the examples and the options" do
      assert {:error, %InputError{kind: :missing, name: :text}} =
               Template.messages(Prompts.rule(), [text: "a"], examples: [{[], "1"}])

      assert {:error, %OptionsError{option: :sytem, suggestion: :system}} =
               Template.messages(Prompts.rule(), [text: "a"], sytem: "Answer.")

      assert_raise OptionsError, fn ->
        Template.messages!(Prompts.rule(), [text: "a"], examples: [{[text: "a"], 1}])
      end
    end
  end
end
