//! [`Definitions`]: what a grammar in Lark defines, as it was written.

use rustc_hash::FxHashMap;

use crate::grammar::rules::Place;

/// The number of an expression.
pub(super) type ExpressionId = u32;
/// The number of a name.
pub(super) type NameId = u32;

/// Expressions lie in an arena, each behind its parts.
#[derive(Debug)]
pub(super) enum Expression {
    /// A text; in any case, if it says so.
    Literal {
        text: String,
        ignores_case: bool,
        place: Place,
    },
    /// A character from the first to the last.
    Range {
        first: char,
        last: char,
        place: Place,
    },
    /// A regular expression in the syntax of the `regex` crate.
    Regex {
        pattern: String,
        place: Place,
    },
    /// The JSON text of a value of the schema.
    Json {
        text: String,
        place: Place,
    },
    /// A rule, a terminal or a parameter.
    Name {
        name: NameId,
        place: Place,
    },
    /// A rule with arguments for its parameters.
    Template {
        name: NameId,
        arguments: Vec<ExpressionId>,
        place: Place,
    },
    Sequence(Vec<ExpressionId>),
    Choice(Vec<ExpressionId>),
    Repeat {
        of: ExpressionId,
        min: u32,
        max: Option<u32>,
    },
}

impl Expression {
    fn place(&self) -> Option<Place> {
        match self {
            Self::Literal { place, .. }
            | Self::Range { place, .. }
            | Self::Regex { place, .. }
            | Self::Json { place, .. }
            | Self::Name { place, .. }
            | Self::Template { place, .. } => Some(*place),
            Self::Sequence(_) | Self::Choice(_) | Self::Repeat { .. } => None,
        }
    }
}

/// What a name stands for. A rule or a terminal, as the name is written.
#[derive(Debug)]
pub(super) struct Definition {
    pub(super) name: NameId,
    pub(super) place: Place,
    /// Those of a template.
    pub(super) parameters: Vec<NameId>,
    /// One of these. None if it was declared only.
    pub(super) bodies: Vec<Body>,
}

/// An expression with all its parts: those from the first on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Body {
    pub(super) first: ExpressionId,
    pub(super) last: ExpressionId,
}

#[derive(Debug, Default)]
pub(super) struct Definitions {
    pub(super) expressions: Vec<Expression>,
    /// In the order in which they were written.
    pub(super) all: Vec<Definition>,
    /// By name, the number of its definition.
    pub(super) by_name: FxHashMap<NameId, usize>,
    /// What may stand between terminals.
    pub(super) ignored: Vec<Body>,
    names: Vec<Box<str>>,
    name_ids: FxHashMap<Box<str>, NameId>,
}

impl Definitions {
    pub(super) fn name_id(&mut self, name: &str) -> NameId {
        if let Some(&known) = self.name_ids.get(name) {
            return known;
        }
        let id = self.names.len() as NameId;
        self.names.push(name.into());
        self.name_ids.insert(name.into(), id);
        id
    }

    pub(super) fn name(&self, id: NameId) -> &str {
        &self.names[id as usize]
    }

    pub(super) fn is_terminal(&self, id: NameId) -> bool {
        self.name(id).contains(|character: char| character.is_ascii_uppercase())
    }

    pub(super) fn definition(&self, name: NameId) -> Option<&Definition> {
        self.by_name.get(&name).map(|&index| &self.all[index])
    }

    pub(super) fn add(&mut self, expression: Expression) -> ExpressionId {
        self.expressions.push(expression);
        (self.expressions.len() - 1) as ExpressionId
    }

    /// Where a body begins.
    pub(super) fn place(&self, body: Body) -> Place {
        let mut parts = self.parts(body).map(|(_, expression)| expression);
        parts.find_map(Expression::place).unwrap_or_default()
    }

    /// The expressions of a body, the parts of each before it.
    pub(super) fn parts(&self, body: Body) -> impl Iterator<Item = (ExpressionId, &Expression)> {
        (body.first..=body.last).zip(&self.expressions[body.first as usize..=body.last as usize])
    }
}
