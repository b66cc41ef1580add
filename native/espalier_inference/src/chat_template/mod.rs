//! [`ChatTemplate`]: messages to a prompt, in the format that a model was trained on.
//!
//! A model's template is a Jinja template that Python's `transformers` renders, and this is its
//! environment: the same settings, functions and filters, and the methods of Python's values.
//!
//! - [`Conversation`] is what is rendered.
//! - `value` makes values of JSON, and `json` JSON of values.
//! - `python` has the methods and tests that the engine lacks or does otherwise.
//! - `strftime` writes times.
//! - `reasoning` finds the tags between which a model thinks.
//! - `generation` reads the one tag that the engine doesn't know.
//! - `program` is the template as instructions, `operators` those that make texts and lists, and
//!   `budget` bounds what they make.

mod budget;
mod generation;
mod json;
mod operators;
mod program;
mod python;
mod reasoning;
mod strftime;
mod value;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{SystemTime, UNIX_EPOCH};

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Value;
use minijinja::{Environment, ErrorKind, UndefinedBehavior};
use serde_json::{Map, Value as Json};

use self::program::{Program, without_constant_products};
use self::strftime::Time;
use crate::error::Error;

/// Instructions that rendering may take. Templates are data from strangers; those of common models
/// need a few hundred per message.
const FUEL: u64 = 5_000_000;

const NAME: &str = "chat";

/// What the template knows by itself, so that no variable may be called so.
const RESERVED: [&str; 3] = ["messages", "tools", "add_generation_prompt"];

/// What a template makes a prompt of.
#[derive(Clone, Debug, PartialEq)]
pub struct Conversation {
    /// The messages: objects with a `role`, and mostly a `content`, which is a text or a list of
    /// parts. What else there may be (`tool_calls`, `name`, …) depends on the template.
    pub messages: Vec<Json>,
    /// The tools that the model may call, in the form `{"type": "function", "function": {…}}`.
    pub tools: Option<Vec<Json>>,
    /// Whether the prompt ends where the model's answer begins.
    pub add_generation_prompt: bool,
    /// Variables of the template by name, such as `enable_thinking` or `documents`.
    pub variables: Map<String, Json>,
    /// What `strftime_now` tells: the clock on the wall, as the seconds since 1970 that a clock in
    /// UTC would show it at.
    pub now: i64,
}

impl Conversation {
    /// Messages that the model is to answer, in UTC.
    #[must_use]
    pub fn new(messages: Vec<Json>) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        Self {
            messages,
            tools: None,
            add_generation_prompt: true,
            variables: Map::new(),
            now: i64::try_from(now).unwrap_or_default(),
        }
    }
}

/// A model's Jinja template, in a sandbox without files and with bounded work.
pub(crate) struct ChatTemplate {
    environment: Environment<'static>,
    source: String,
    special_tokens: SpecialTokens,
    adds_bos: bool,
}

/// The texts of a tokenizer's special tokens by their names, as `bos_token`.
pub(crate) type SpecialTokens = Vec<(&'static str, String)>;

impl ChatTemplate {
    pub(crate) fn new(source: &str, special_tokens: SpecialTokens) -> Result<Self, Error> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Lenient);
        operators::add_to(&mut environment);
        python::add_to(&mut environment);
        environment.add_filter("tojson", json::tojson);
        environment.add_function("raise_exception", raise_exception);
        let source = generation::with_scopes(source);
        let source =
            without_constant_products(&source, syntax()).map_err(|error| invalid(&error))?;
        let program = Program::new(&source, syntax()).map_err(|error| invalid(&error))?;
        environment.set_fuel(Some(program.fuel()));
        drop(program);
        Ok(Self { environment, source, special_tokens, adds_bos: false })
    }

    /// The same template for a model whose prompts all begin with `bos_token`, whether the template
    /// writes it or not.
    pub(crate) fn with_bos(self) -> Self {
        Self { adds_bos: true, ..self }
    }

    pub(crate) fn render(&self, conversation: &Conversation) -> Result<String, Error> {
        let context = self.context(conversation)?;
        budget::begin();
        // The engine panics at some slices, as of an empty list from its end.
        let rendered = catch_unwind(AssertUnwindSafe(|| {
            Program::new(&self.source, syntax())?.run(&self.environment, context)
        }));
        let failed = |_| Error::InvalidChatTemplate { detail: "the engine failed".to_owned() };
        let prompt = rendered.map_err(failed)?.map_err(|error| invalid(&error))?;
        match self.special_token("bos_token") {
            Some(bos) if self.adds_bos && !prompt.starts_with(bos) => Ok(format!("{bos}{prompt}")),
            _ => Ok(prompt),
        }
    }

    fn special_token(&self, name: &str) -> Option<&str> {
        let found = self.special_tokens.iter().find(|(known, _)| *known == name);
        found.map(|(_, text)| text.as_str())
    }

    /// All variables, of which those of the conversation go before the special tokens.
    fn context(&self, conversation: &Conversation) -> Result<Value, Error> {
        let Conversation { messages, tools, add_generation_prompt, variables, now } = conversation;
        let none = Value::from(());
        let now = Time::new(*now);
        let special_tokens =
            self.special_tokens.iter().map(|(name, text)| Ok((*name, Value::from(text.as_str()))));
        let strftime_now = Value::from_function(move |format: &str| now.format(format));
        let others = variables.iter().map(|(name, json)| {
            check_name(name)?;
            Ok((name.as_str(), value::value(json)?))
        });
        let own = [
            ("messages", value::list(messages)),
            ("tools", tools.as_deref().map_or(Ok(none.clone()), value::list)),
            ("add_generation_prompt", Ok(Value::from(*add_generation_prompt))),
        ];
        let variables: Vec<(&str, Value)> = special_tokens
            // Templates ask whether this is none, as with the tools, and expect it to be defined.
            .chain([Ok(("documents", none)), Ok(("strftime_now", strftime_now))])
            .chain(others)
            .chain(own.map(|(name, value)| Ok((name, value?))))
            .collect::<Result<_, Error>>()?;
        Ok(Value::from_pairs(variables))
    }
}

fn syntax() -> SyntaxConfig {
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    syntax.unwrap_or_default()
}

fn check_name(name: &str) -> Result<(), Error> {
    if RESERVED.contains(&name) {
        let expected = "names other than messages, tools and add_generation_prompt";
        return Err(Error::InvalidOption {
            option: "template_variables",
            expected,
            got: name.to_owned(),
        });
    }
    Ok(())
}

fn raise_exception(message: &str) -> Result<Value, minijinja::Error> {
    Err(minijinja::Error::new(ErrorKind::InvalidOperation, message.to_owned()))
}

fn invalid(error: &minijinja::Error) -> Error {
    Error::InvalidChatTemplate { detail: error.to_string() }
}

#[cfg(test)]
mod tests;
