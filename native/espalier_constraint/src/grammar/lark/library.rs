//! The terminals of `common`, which grammars import.
//!
//! They match what Lark documents them to match, as whole texts: where Lark ends a string or a comment as soon
//! as it can, the pattern says which characters may stand in it.

/// In the names of terminals that others of the library consist of, and in no name of a grammar.
pub(super) const INNER: char = '.';

/// The definitions, in Lark.
pub(super) const COMMON: &str = r#"
DIGIT: /[0-9]/
HEXDIGIT: /[0-9a-fA-F]/

INT: /[0-9]+/
SIGNED_INT: /[+-]?/ INT
DECIMAL: INT "." INT? | "." INT
FLOAT: INT /[eE]/ SIGNED_INT | DECIMAL (/[eE]/ SIGNED_INT)?
SIGNED_FLOAT: /[+-]?/ FLOAT
NUMBER: FLOAT | INT
SIGNED_NUMBER: /[+-]?/ NUMBER

ESCAPED_STRING: /"([^"\\\n]|\\[^\n])*"/

LCASE_LETTER: /[a-z]/
UCASE_LETTER: /[A-Z]/
LETTER: /[a-zA-Z]/
WORD: /[a-zA-Z]+/
CNAME: /[a-zA-Z_][a-zA-Z_0-9]*/

WS_INLINE: /[ \t]+/
WS: /[ \t\f\r\n]+/
CR: "\r"
LF: "\n"
NEWLINE: /(\r?\n)+/

SH_COMMENT: /#[^\n]*/
CPP_COMMENT: /\/\/[^\n]*/
C_COMMENT: /\/\*([^*]|\*+[^*\/])*\*+\//
SQL_COMMENT: /--[^\n]*/
"#;
