//! Operators and filters that make texts and lists, within the budget.

use std::sync::LazyLock;

use minijinja::value::{Rest, Value, ValueOrKwargs};
use minijinja::{Environment, Error, State, filters};

use super::budget;

/// The names of operators as filters, which no template can write.
pub(super) const CONCATENATE: &str = "~";
pub(super) const ADD: &str = "+";
pub(super) const MULTIPLY: &str = "*";
pub(super) const SLICE: &str = "[:]";

/// The variable that is one.
pub(super) const ONE: &str = "__one";

static PLAIN: LazyLock<Environment<'static>> = LazyLock::new(Environment::new);

pub(super) fn add_to(environment: &mut Environment<'_>) {
    environment.add_global(ONE, 1);
    environment.add_filter(CONCATENATE, concatenate);
    environment.add_filter(ADD, add);
    environment.add_filter(MULTIPLY, multiply);
    environment.add_filter(SLICE, slice);
    environment.add_filter("e", escape);
    environment.add_filter("escape", escape);
    environment.add_filter("safe", safe);
    let own = [
        ("replace", Value::from_function(filters::replace), take_replaced as fn(&[Value]) -> _),
        ("indent", Value::from_function(filters::indent), take_indented),
        ("join", Value::from_function(filters::join), |args| {
            let between = args.get(1).and_then(Value::as_str).unwrap_or_default();
            args.first().map_or(Ok(()), |items| take_joined(items, between))
        }),
        ("format", Value::from_function(filters::format), |args| match args {
            [format, values @ ..] => take_formatted(format.as_str().unwrap_or_default(), values),
            [] => Ok(()),
        }),
        ("batch", Value::from_function(filters::batch), take_rows),
        ("slice", Value::from_function(filters::slice), take_rows),
        ("sum", Value::from_function(filters::sum), |args| {
            args.first().map_or(Ok(()), |items| take_joined(items, ""))
        }),
    ];
    for (name, filter, bound) in own {
        add_bounded(environment, name, filter, bound);
    }
    let texts = [
        ("capitalize", Value::from_function(filters::capitalize)),
        ("lower", Value::from_function(filters::lower)),
        ("pprint", Value::from_function(filters::pprint)),
        ("title", Value::from_function(filters::title)),
        ("upper", Value::from_function(filters::upper)),
    ];
    for (name, filter) in texts {
        add_bounded(environment, name, filter, |args| args.iter().try_for_each(budget::take_text));
    }
    let lists = [
        ("chain", Value::from_function(filters::chain)),
        ("dictsort", Value::from_function(filters::dictsort)),
        ("groupby", Value::from_function(filters::groupby)),
        ("items", Value::from_function(filters::items)),
        ("lines", Value::from_function(filters::lines)),
        ("list", Value::from_function(filters::list)),
        ("map", Value::from_function(filters::map)),
        ("reject", Value::from_function(filters::reject)),
        ("rejectattr", Value::from_function(filters::rejectattr)),
        ("reverse", Value::from_function(filters::reverse)),
        ("select", Value::from_function(filters::select)),
        ("selectattr", Value::from_function(filters::selectattr)),
        ("sort", Value::from_function(filters::sort)),
        ("split", Value::from_function(filters::split)),
        ("unique", Value::from_function(filters::unique)),
        ("zip", Value::from_function(filters::zip)),
    ];
    for (name, filter) in lists {
        add_bounded(environment, name, filter, take_items);
    }
}

/// Of a text a list may have an item for each character.
fn take_items(args: &[Value]) -> Result<(), Error> {
    args.iter().try_for_each(|value| {
        let item_bytes = if value.as_str().is_some() { size_of::<Value>() } else { 1 };
        budget::take(budget::size(value).saturating_mul(item_bytes))
    })
}

/// The items, and as many more as fill a row, or as there are rows.
fn take_rows(args: &[Value]) -> Result<(), Error> {
    let n = args.get(1).and_then(Value::as_usize).unwrap_or_default();
    budget::take(n.saturating_mul(size_of::<Value>()))?;
    take_items(args)
}

/// What the engine makes of it, which is at most so long.
fn plain(expression: &'static str, values: &[(&'static str, &Value)]) -> Result<Value, Error> {
    let context = Value::from_pairs(values.iter().map(|(name, value)| (*name, (*value).clone())));
    PLAIN.compile_expression(expression)?.eval(context)
}

fn concatenate(left: &Value, right: &Value) -> Result<Value, Error> {
    budget::take_text(left)?;
    budget::take_text(right)?;
    plain("a ~ b", &[("a", left), ("b", right)])
}

fn add(left: &Value, right: &Value) -> Result<Value, Error> {
    budget::take(budget::size(left).saturating_add(budget::size(right)))?;
    plain("a + b", &[("a", left), ("b", right)])
}

fn multiply(left: &Value, right: &Value) -> Result<Value, Error> {
    let n = left.as_usize().or(right.as_usize()).unwrap_or(1);
    budget::take(budget::size(left).max(budget::size(right)).saturating_mul(n))?;
    plain("a * b", &[("a", left), ("b", right)])
}

fn slice(value: &Value, start: &Value, stop: &Value, step: &Value) -> Result<Value, Error> {
    budget::take(budget::size(value))?;
    plain("a[b:c:d]", &[("a", value), ("b", start), ("c", stop), ("d", step)])
}

/// No character becomes more than six.
fn escape(value: &Value) -> Result<Value, Error> {
    (0..6).try_for_each(|_| budget::take_text(value))?;
    plain("a | escape", &[("a", value)])
}

fn safe(value: &Value) -> Result<Value, Error> {
    budget::take_text(value)?;
    plain("a | safe", &[("a", value)])
}

/// The filter, after what its arguments make was taken.
fn add_bounded<F>(environment: &mut Environment<'_>, name: &'static str, filter: Value, bound: F)
where
    F: Fn(&[Value]) -> Result<(), Error> + Send + Sync + 'static,
{
    environment.add_filter(name, move |state: &mut State<'_, '_>, args: Rest<ValueOrKwargs>| {
        let args = args.into_values();
        bound(&args)?;
        filter.call(state, &args)
    });
}

/// As many copies of the new text as there may be places of the old one.
pub(super) fn take_replaced(args: &[Value]) -> Result<(), Error> {
    let [text, old, new, ..] = args else { return Ok(()) };
    let (text, old, new) = (text.to_str(), old.to_str(), new.to_str());
    let (Some(text), Some(old), Some(new)) = (text, old, new) else { return Ok(()) };
    let n_places = if old.is_empty() { text.len() + 1 } else { text.matches(&*old).count() };
    budget::take(n_places.saturating_mul(new.len()).saturating_add(text.len()))
}

/// The items and what is between them. An item may be another one's attribute, which is no longer.
pub(super) fn take_joined(items: &Value, between: &str) -> Result<(), Error> {
    items.try_iter()?.try_for_each(|item| {
        budget::take(between.len())?;
        budget::take_text(&item)
    })
}

fn take_indented(args: &[Value]) -> Result<(), Error> {
    let Some(text) = args.first().and_then(Value::as_str) else { return Ok(()) };
    let named = args.last().and_then(|last| last.get_attr("width").ok());
    let width = args.get(1).and_then(Value::as_usize).or(named.and_then(|width| width.as_usize()));
    let n_lines = text.matches('\n').count() + 1;
    budget::take(n_lines.saturating_mul(width.unwrap_or(4)).saturating_add(text.len()))
}

/// The values and the widths, which are the numbers in the format.
pub(super) fn take_formatted(format: &str, values: &[Value]) -> Result<(), Error> {
    let digits = format.split(|char: char| !char.is_ascii_digit()).filter(|part| !part.is_empty());
    let widths = digits.map(|width| width.parse().unwrap_or(usize::MAX));
    widths.chain([format.len()]).try_for_each(budget::take)?;
    values.iter().try_for_each(|value| {
        budget::take(value.as_usize().filter(|_| format.contains('*')).unwrap_or(0))?;
        budget::take_text(value)
    })
}
