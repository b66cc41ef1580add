//! What each name of a grammar stands for, once all its statements are read.

use rustc_hash::FxHashMap;

use super::expression::{Body, Definition, Definitions, Expression, NameId};
use super::library::{COMMON, INNER};
use super::parser::{Import, Parser, Statement};
use crate::error::Error;
use crate::grammar::rules::Place;
use crate::grammar::text::{Text, invalid, shown, undefined, unsupported};
use crate::meter::Meter;

/// Reads the statements of a grammar. Each name that is used is defined.
pub(super) fn definitions(text: &str, meter: &Meter) -> Result<Definitions, Error> {
    let mut definitions = Definitions::default();
    let (mut statements, mut imports) = (Vec::new(), Vec::new());
    let mut parser = Parser::new(Text::new(text), &mut definitions, meter, &str::to_owned)?;
    while let Some(statement) = parser.next()? {
        match statement {
            Statement::Import(names) => imports.extend(names),
            statement => statements.push(statement),
        }
    }
    if statements.is_empty() {
        let end = Place { line: text.lines().count().max(1), column: 1 };
        let expected = "a rule, such as start: \"yes\" | \"no\"";
        return Err(invalid(expected, "a grammar without definitions", end));
    }
    definitions.import(&imports, meter)?;
    for statement in statements {
        definitions.apply(statement)?;
    }
    definitions.check_names()?;
    Ok(definitions)
}

impl Definitions {
    /// Adds what is imported, and what that consists of under names that no grammar can have.
    fn import(&mut self, imports: &[Import], meter: &Meter) -> Result<(), Error> {
        let mut aliases: FxHashMap<&str, &Import> = FxHashMap::default();
        for import in imports {
            if import.module != "common" {
                let feature = format!("%import of {}", import.module);
                let reason = "no files are read; the terminals of common are known";
                return Err(unsupported(&feature, reason, import.place));
            }
            aliases.entry(import.name).or_insert(import);
        }
        if aliases.is_empty() {
            return Ok(());
        }
        let inner = |name: &str| format!("common{INNER}{name}");
        let rename = |name: &str| {
            aliases.get(name).map_or_else(|| inner(name), |import| import.alias.to_owned())
        };
        let mut known = Vec::new();
        let mut parser = Parser::new(Text::new(COMMON), self, meter, &rename)?;
        while let Some(statement) = parser.next()? {
            if let Statement::Define(definition) = statement {
                known.push(definition);
            }
        }
        known.into_iter().try_for_each(|definition| self.define(definition))?;
        for import in imports {
            self.give_alias(import, aliases[import.name])?;
        }
        Ok(())
    }

    /// Gives what is imported its name here; the first import of the same has named it.
    fn give_alias(&mut self, import: &Import, first: &Import) -> Result<(), Error> {
        let Import { name, alias, place, .. } = *import;
        let (first, alias) = (self.name_id(first.alias), self.name_id(alias));
        let Some(&index) = self.by_name.get(&first) else {
            return Err(undefined(&format!("common.{name}"), place));
        };
        if !self.is_terminal(alias) {
            return Err(invalid("a name in upper case", &shown(self.name(alias)), place));
        }
        if alias == first {
            self.all[index].place = place;
            return Ok(());
        }
        let name = self.add(Expression::Name { name: first, place });
        let bodies = vec![Body { first: name, last: name }];
        self.define(Definition { name: alias, place, parameters: Vec::new(), bodies })
    }

    fn apply(&mut self, statement: Statement) -> Result<(), Error> {
        match statement {
            Statement::Define(definition) => self.define(definition),
            Statement::Override(definition) => {
                let index = self.existing(&definition)?;
                self.all[index] = definition;
                Ok(())
            }
            Statement::Extend(definition) => {
                let index = self.existing(&definition)?;
                let extended = &mut self.all[index];
                if extended.parameters != definition.parameters {
                    let expected = "the parameters of the rule that is extended";
                    return Err(invalid(expected, "others", definition.place));
                }
                extended.bodies.extend(definition.bodies);
                Ok(())
            }
            Statement::Ignore(body) => {
                self.ignored.push(body);
                Ok(())
            }
            Statement::Declare(names) => names.into_iter().try_for_each(|(name, place)| {
                let (parameters, bodies) = (Vec::new(), Vec::new());
                self.define(Definition { name, place, parameters, bodies })
            }),
            Statement::Import(_) => unreachable!("imports come first"),
        }
    }

    fn define(&mut self, definition: Definition) -> Result<(), Error> {
        if let Some(first) = self.definition(definition.name) {
            let (name, first_line) = (self.name(definition.name).to_owned(), first.place.line);
            let Place { line, column } = definition.place;
            return Err(Error::DuplicateName { name, line, column, first_line });
        }
        self.by_name.insert(definition.name, self.all.len());
        self.all.push(definition);
        Ok(())
    }

    /// The index of the definition that this one changes.
    fn existing(&self, definition: &Definition) -> Result<usize, Error> {
        let index = self.by_name.get(&definition.name).copied();
        index.ok_or_else(|| undefined(self.name(definition.name), definition.place))
    }

    /// Whether each name that is used can stand where it does.
    fn check_names(&self) -> Result<(), Error> {
        for definition in &self.all {
            let is_terminal = self.is_terminal(definition.name);
            for &body in &definition.bodies {
                self.check_body(body, is_terminal, &definition.parameters)?;
            }
            let is_defined = |parameter: &&NameId| self.by_name.contains_key(parameter);
            if let Some(&parameter) = definition.parameters.iter().find(is_defined) {
                let expected = "a parameter with a name of its own";
                return Err(invalid(expected, &shown(self.name(parameter)), definition.place));
            }
        }
        self.ignored.iter().try_for_each(|&body| self.check_body(body, true, &[]))
    }

    fn check_body(
        &self,
        body: Body,
        in_terminal: bool,
        parameters: &[NameId],
    ) -> Result<(), Error> {
        for (_, expression) in self.parts(body) {
            match expression {
                Expression::Name { name, place } if !parameters.contains(name) => {
                    self.check_name(*name, &[], in_terminal, *place)?;
                }
                Expression::Template { name, arguments, place } => {
                    self.check_name(*name, arguments, in_terminal, *place)?;
                }
                Expression::Json { place, .. } if in_terminal => {
                    let reason = "a JSON Schema stands in rules only";
                    return Err(unsupported("%json in a terminal", reason, *place));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn check_name(
        &self,
        name: NameId,
        arguments: &[u32],
        in_terminal: bool,
        place: Place,
    ) -> Result<(), Error> {
        let text = self.name(name);
        let definition = self.definition(name).ok_or_else(|| undefined(text, place))?;
        if in_terminal && !self.is_terminal(name) {
            return Err(invalid(
                "a terminal or a literal, as terminals have no rules",
                &shown(text),
                place,
            ));
        }
        if definition.bodies.is_empty() {
            let feature = format!("{text}, which is only declared");
            return Err(unsupported(&feature, "what it matches is not known", place));
        }
        let (expected, got) = (definition.parameters.len(), arguments.len());
        if expected != got {
            let expected = format!("{expected} arguments for {text}");
            return Err(invalid(&expected, &got.to_string(), place));
        }
        Ok(())
    }
}
