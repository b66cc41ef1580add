//! [`ChatTemplate`]: messages to a prompt, in the format that a model was trained on.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Value;
use minijinja::{Environment, ErrorKind, context};
use minijinja_contrib::pycompat::unknown_method_callback;

use crate::error::Error;

/// Instructions that rendering may take. Templates are data from strangers; those of common models
/// need a few hundred per message.
const FUEL: u64 = 5_000_000;

const NAME: &str = "chat";

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Who says it: `system`, `user` or `assistant`, or what else the template knows.
    pub role: String,
    /// The text.
    pub content: String,
}

/// A model's Jinja template, in a sandbox without files and with bounded work.
pub(crate) struct ChatTemplate {
    environment: Environment<'static>,
    bos_token: String,
    eos_token: String,
    adds_bos: bool,
}

impl ChatTemplate {
    pub(crate) fn new(source: String, bos_token: String, eos_token: String) -> Result<Self, Error> {
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        environment.set_syntax(syntax.map_err(|error| invalid(&error))?);
        environment.set_fuel(Some(FUEL));
        environment.set_unknown_method_callback(unknown_method_callback);
        environment.add_function("raise_exception", raise_exception);
        environment.add_template_owned(NAME, source).map_err(|error| invalid(&error))?;
        Ok(Self { environment, bos_token, eos_token, adds_bos: false })
    }

    /// The same template for a model whose prompts all begin with `bos_token`, whether the template
    /// writes it or not.
    pub(crate) fn with_bos(self) -> Self {
        Self { adds_bos: true, ..self }
    }

    /// The prompt for the next answer of the assistant.
    pub(crate) fn render(&self, messages: &[Message]) -> Result<String, Error> {
        let message = |Message { role, content }: &Message| context! { role, content };
        let template = self.environment.get_template(NAME).map_err(|error| invalid(&error))?;
        let rendered = template.render(context! {
            messages => messages.iter().map(message).collect::<Vec<Value>>(),
            bos_token => &self.bos_token,
            eos_token => &self.eos_token,
            add_generation_prompt => true,
            // Templates ask whether these are none, and expect them to be defined.
            tools => (),
            documents => (),
        });
        let prompt = rendered.map_err(|error| invalid(&error))?;
        let lacks_bos = self.adds_bos && !prompt.starts_with(&self.bos_token);
        Ok(if lacks_bos { format!("{}{prompt}", self.bos_token) } else { prompt })
    }
}

fn raise_exception(message: String) -> Result<Value, minijinja::Error> {
    Err(minijinja::Error::new(ErrorKind::InvalidOperation, message))
}

fn invalid(error: &minijinja::Error) -> Error {
    Error::InvalidChatTemplate { detail: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(source: &str, messages: &[(&str, &str)]) -> Result<String, Error> {
        let messages: Vec<Message> = messages
            .iter()
            .map(|&(role, content)| Message { role: role.to_owned(), content: content.to_owned() })
            .collect();
        ChatTemplate::new(source.to_owned(), "<s>".to_owned(), "</s>".to_owned())?.render(&messages)
    }

    #[test]
    fn renders_a_chat() {
        let source = "{{ bos_token }}{% for message in messages %}\n    \
            {% if message['role'] == 'user' %}\n[{{ message.content | trim }}]\n    {% endif %}\n\
            {% endfor %}\n{% if add_generation_prompt %}A:{% endif %}";
        assert_eq!(render(source, &[("user", " hi "), ("system", "x")]).unwrap(), "<s>[hi]\nA:");
    }

    #[test]
    fn knows_the_methods_of_python_texts() {
        let source = "{{ messages[0]['content'].strip().upper() }}{{ messages[-1].role.title() }}";
        assert_eq!(render(source, &[("user", " hi ")]).unwrap(), "HIUser");
    }

    /// The form of Llama 3 and Qwen, shortened.
    #[test]
    fn renders_templates_that_know_tools() {
        let source = "{%- if tools is not none %}TOOLS{% endif %}\n\
            {%- set loop_messages = messages %}\n\
            {%- for message in loop_messages %}\n\
            {%- set content = '<|start|>' + message['role'] + '\\n\\n' + message['content'] | trim %}\n\
            {%- if loop.index0 == 0 and not strftime_now is defined %}{%- set content = bos_token ~ content %}{%- endif %}\n\
            {{- content }}\n\
            {%- endfor %}\n\
            {%- if add_generation_prompt %}{{- '<|start|>assistant\\n\\n' }}{%- endif %}\n";
        let expected = "<s><|start|>system\n\nBe brief.<|start|>user\n\nHi<|start|>assistant\n\n";
        let messages = [("system", "Be brief."), ("user", "Hi")];
        assert_eq!(render(source, &messages).unwrap(), expected);
    }

    #[test]
    fn a_template_can_refuse() {
        let result = render("{{ raise_exception('no system role') }}", &[]);
        let Err(Error::InvalidChatTemplate { detail }) = result else { panic!("{result:?}") };
        assert!(detail.contains("no system role"));
    }

    #[test]
    fn broken_and_endless_templates_are_errors() {
        let endless =
            "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}";
        for source in ["{% if %}", "{{ messages.foo.bar }}", "{% include 'x' %}", endless] {
            let result = render(source, &[]);
            assert!(
                matches!(result, Err(Error::InvalidChatTemplate { .. })),
                "{source}: {result:?}"
            );
        }
    }
}
