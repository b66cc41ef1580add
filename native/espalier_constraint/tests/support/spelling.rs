//! Writes a JSON value in several ways.

use std::fmt::Write;

use espalier_constraint::{
    EscapeStyle, FormatMode, JsonSchemaOptions, NumberStyle, PropertyOrder, Whitespace,
};
use serde_json::Value;

/// A way to write a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spelling {
    /// Nothing but what is needed.
    Compact,
    /// `", "` and `": "`.
    Spaced,
    /// The same with each number as it was read, as Python's `json.dumps` writes.
    Python,
    /// One blank in each place between the parts.
    Roomy,
    /// Line breaks, all characters by their numbers, numbers with exponents and fractions.
    Ornate,
}

pub(crate) const SPELLINGS: [Spelling; 4] =
    [Spelling::Compact, Spelling::Spaced, Spelling::Roomy, Spelling::Ornate];

impl Spelling {
    /// The options under which this spelling is one of those that are allowed, the loosest first.
    /// `in_order` tells whether the keys of the value are in the schema's order.
    pub(crate) fn options(self, in_order: bool) -> Vec<JsonSchemaOptions> {
        let strict = |whitespace| JsonSchemaOptions {
            whitespace,
            property_order: PropertyOrder::Any,
            numbers: NumberStyle::Plain,
            escapes: EscapeStyle::Minimal,
            format: FormatMode::Assert,
        };
        let mut options = vec![JsonSchemaOptions::matching()];
        options.extend(match self {
            Spelling::Compact => Some(strict(Whitespace::Compact)),
            Spelling::Spaced => Some(strict(Whitespace::Spaced)),
            Spelling::Roomy => Some(strict(Whitespace::Max(1))),
            Spelling::Python | Spelling::Ornate => None,
        });
        if self == Spelling::Compact && in_order {
            options.push(JsonSchemaOptions::generating());
        }
        options
    }

    pub(crate) fn write(self, value: &Value) -> String {
        let mut text = String::new();
        self.write_value(value, &mut text);
        match self {
            Spelling::Ornate => format!("\n {text}\t\r\n"),
            _ => text,
        }
    }

    fn write_value(self, value: &Value, text: &mut String) {
        match value {
            Value::Array(items) => {
                let items = items.iter().map(|item| (None, item));
                self.write_container(('[', ']'), items, text);
            }
            Value::Object(members) => {
                let members = members.iter().map(|(key, value)| (Some(key.as_str()), value));
                self.write_container(('{', '}'), members, text);
            }
            Value::String(string) => self.write_string(string, text),
            Value::Number(number) => text.push_str(&self.number(&number.to_string())),
            literal => text.push_str(&literal.to_string()),
        }
    }

    fn write_container<'a>(
        self,
        (open, close): (char, char),
        parts: impl Iterator<Item = (Option<&'a str>, &'a Value)>,
        text: &mut String,
    ) {
        let (inside, comma, colon) = match self {
            Spelling::Compact => ("", ",", ":"),
            Spelling::Spaced | Spelling::Python => ("", ", ", ": "),
            Spelling::Roomy => (" ", " , ", " : "),
            Spelling::Ornate => ("\n\t", "\r\n, \n", " \t: "),
        };
        text.push(open);
        let mut separator = inside;
        let mut is_empty = true;
        for (key, value) in parts {
            text.push_str(separator);
            if let Some(key) = key {
                self.write_string(key, text);
                text.push_str(colon);
            }
            self.write_value(value, text);
            separator = comma;
            is_empty = false;
        }
        if !is_empty || self == Spelling::Roomy {
            text.push_str(inside);
        }
        text.push(close);
    }

    fn write_string(self, string: &str, text: &mut String) {
        if self != Spelling::Ornate {
            text.push_str(&Value::from(string).to_string());
            return;
        }
        text.push('"');
        for (index, unit) in string.encode_utf16().enumerate() {
            // Both cases of the hexadecimal digits take turns.
            let written = match index % 2 {
                0 => write!(text, "\\u{unit:04x}"),
                _ => write!(text, "\\u{unit:04X}"),
            };
            written.expect("writing to a string succeeds");
        }
        text.push('"');
    }

    fn number(self, number: &str) -> String {
        match self {
            Spelling::Python => number.to_owned(),
            Spelling::Ornate => Decimal::read(number).ornate(),
            _ => Decimal::read(number).plain(),
        }
    }
}

/// `±0.digits × 10^exponent`, the digits without zeros at either end.
struct Decimal {
    negative: bool,
    digits: String,
    exponent: i64,
}

impl Decimal {
    fn read(number: &str) -> Self {
        let (negative, number) = match number.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, number),
        };
        let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}");
        let leading = digits.len() - digits.trim_start_matches('0').len();
        let exponent: i64 = exponent.parse().expect("an exponent that fits");
        Self {
            negative,
            exponent: exponent + whole.len() as i64 - leading as i64,
            digits: digits.trim_matches('0').to_owned(),
        }
    }

    fn plain(&self) -> String {
        if self.digits.is_empty() {
            return "0".to_owned();
        }
        let n_digits = self.digits.len() as i64;
        let zeros = |n: i64| "0".repeat(usize::try_from(n).unwrap_or(0));
        let number = if self.exponent <= 0 {
            format!("0.{}{}", zeros(-self.exponent), self.digits)
        } else if self.exponent >= n_digits {
            format!("{}{}", self.digits, zeros(self.exponent - n_digits))
        } else {
            let (whole, fraction) = self.digits.split_at(self.exponent as usize);
            format!("{whole}.{fraction}")
        };
        if self.negative { format!("-{number}") } else { number }
    }

    fn ornate(&self) -> String {
        let sign = if self.negative { "-" } else { "" };
        match self.digits.as_str() {
            "" => format!("{sign}0.0E-0"),
            digits if digits.len() % 2 == 0 => format!("{sign}0.{digits}0E{:+}", self.exponent),
            digits => format!("{sign}{digits}e{}", self.exponent - digits.len() as i64),
        }
    }
}
