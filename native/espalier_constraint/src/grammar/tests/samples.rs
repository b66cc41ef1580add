//! Grammars of the kinds that people write, with texts that come of walks over their masks.

use super::*;
use crate::grammar::regular::JOINS;

pub(super) const ARITHMETIC: &str = r#"
root = (expression "=" space term "\n")+
expression = term (/[-+*\q]/ space term)*
term = word | number | "(" space expression ")" space
word = /[a-z][a-z0-9_]*/ space
number = /[0-9]+/ space
space = /[ \t\n]*/
"#;

pub(super) const LEFT: &str = r#"
sum = sum "+" product | sum "-" product | product
product = product "*" power | product "/" power | power
power = atom "^" power | atom
atom = /[0-9]+/ | /[a-z]+/ | "-" atom | "(" sum ")"
"#;

pub(super) const JSON: &str = r#"
root = object
value = object | array | string | number | ("true" | "false" | "null") ws
object = "{" ws (string ":" ws value ("," ws string ":" ws value)*)? "}" ws
array = "[" ws (value ("," ws value)*)? "]" ws
string = "\q" (/[^"\\\x7F\x00-\x1F]/ | /\\(?:["\\bfnrt]|u[0-9a-fA-F]{4})/)* "\q" ws
number = "-"? (/[0-9]/ | /[1-9]/ /[0-9]/{0,15}) ("." /[0-9]/+)? (/[eE]/ /[-+]/? /[0-9]/ /[1-9]/{0,15})? ws
ws = "" | " " | "\n" /[ \t]/{0,20}
"#;

const LIST: &str = r#"
root = item+
item = "- " /[^\r\n\x0b\x0c\x{85}\x{2028}\x{2029}]/+ "\n"
"#;

const CHESS: &str = r#"
root = "1. " move " " move "\n" (/[1-9]/ /[0-9]/? ". " move " " move "\n")+
move = (pawn | piece | castle) /[+#]/?
piece = /[NBKQR]/ /[a-h]/? /[1-8]/? "x"? /[a-h]/ /[1-8]/
pawn = (/[a-h]/ "x")? /[a-h]/ /[1-8]/ ("=" /[NBKQR]/)?
castle = "O-O" "-O"?
"#;

pub(super) const C: &str = r#"
root = declaration*
declaration = type name "(" parameter? ")" "{" statement* "}"
type = ("int" | "float" | "char") ws
name = /[a-zA-Z_][a-zA-Z_0-9]*/
parameter = type name
statement = type name ws "=" ws expression ";" | name ws "=" ws expression ";"
  | name ws "(" arguments? ")" ";" | "return" ws expression ";"
  | "while" "(" condition ")" "{" statement* "}" | "for" "(" for ";" ws condition ";" ws for ")" "{" statement* "}"
  | "if" "(" condition ")" "{" statement* "}" ("else" "{" statement* "}")? | comment
condition = expression operator expression
operator = "<=" | "<" | "==" | "!=" | ">=" | ">"
for = type name ws "=" ws expression | name ws "=" ws expression
expression = term (("+" | "-") term)*
term = factor (("*" | "/") factor)*
factor = name | number | "-" factor | name "(" arguments? ")" | "(" expression ")"
arguments = expression ("," ws expression)*
number = /[0-9]+/
comment = "//" /[^\n]/* "\n" | "/*" (/[^*]/ | "*" /[^\q]/)* "*/"
ws = /[ \t\n]+/
"#;

const JAPANESE: &str = r"
root = jp+ (/[ \t\n]/ jp+)*
jp = hiragana | katakana | punctuation | cjk
hiragana = /[ぁ-ゟ]/
katakana = /[ァ-ヿ]/
punctuation = /[、-〾]/
cjk = /[一-鿿]/
";

pub(super) const SQL: &str = r#"
query = select (" UNION " "ALL "? select)* " ORDER BY " columns | select (" UNION " "ALL "? select)*
select = "SELECT " "DISTINCT "? (columns | "*") " FROM " table join* (" WHERE " or)? (" GROUP BY " columns)? (" LIMIT " /[0-9]+/)?
columns = columns ", " column | column
column = value (" AS " name)?
table = name (" " name)? | "(" query ")"
join = (" LEFT" | " INNER" | "") " JOIN " table " ON " or
or = or " OR " and | and
and = and " AND " not | not
not = "NOT " not | test
test = value (" = " | " < " | " > " | " <> " | " LIKE ") value | value " IS " "NOT "? "NULL" | value " IN (" (query | values) ")" | "(" or ")"
values = values ", " value | value
value = value (" + " | " - ") factor | factor
factor = name ("." name)? | /[0-9]+(?:\.[0-9]+)?/ | /'(?:[^']|'')*'/ | name "(" ("*" | values)? ")"
name = /[a-z_][a-z0-9_]*/
"#;

pub(super) const PYTHON: &str = r#"
start = test
test = or (" if " or " else " test)? | "lambda " names ": " test
names = names ", " name | name
or = or " or " and | and
and = and " and " not | not
not = "not " not | comparison
comparison = comparison (" < " | " == " | " in " | " is not ") bits | bits
bits = bits (" | " | " & ") sum | sum
sum = sum (" + " | " - ") product | product
product = product (" * " | " / " | " % ") unary | unary
unary = "-" unary | power
power = postfix ("**" unary)?
postfix = postfix "(" arguments? ")" | postfix "[" slice "]" | postfix "." name | atom
arguments = arguments ", " argument | argument
argument = name "=" test | test | "*" test
slice = test? ":" test? | test
atom = name | /[0-9]+(?:\.[0-9]*)?(?:e[0-9]+)?/ | string | "(" items? ")" | "[" items? "]" | "[" test " for " name " in " or "]" | "{" pairs? "}" | "None" | "True"
items = items ", " test | test
pairs = pairs ", " test ": " test | test ": " test
string = /'(?:[^'\\\n]|\\.)*'/ | /"(?:[^"\\\n]|\\.)*"/
name = /[A-Za-z_][A-Za-z0-9_]*/
"#;

pub(super) const TAGS: &str = r#"
document = element
element = "<" name attribute* "/>" | "<" name attribute* ">" content* "</" name ">"
attribute = /[ \n]+/ name "=" /"[^"<&]*"/
content = element | text | "<!--" /(?:[^-]|-[^-])*/ "-->"
text = /[^<&]+/ | "&amp;" | "&lt;"
name = /[A-Za-z_][-A-Za-z0-9_.]*/
"#;

const RIGHT: &str = r#"
list = item ", " list | item
item = name ":" list ";" | name
name = "x" | "y" name | empty empty "z"
empty = "" | space
space = " "*
"#;

const AMBIGUOUS: &str = r#"
s = s s s | s "b" s | /a+/ | "a" | n s n
n = "" | n n | " "
"#;

const WITH_SCHEMA: &str = r#"
calls = call ("\n" call)*
call = name "(" %{"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "array", "items": {"type": "string"}}}, "required": ["a"], "additionalProperties": false}% ")" | name " = " %{"type": "number"}% ";" | name ":" %{"enum": ["x", "y]", null]}%
name = /[a-z]+/
"#;

const ALL: [&str; 13] = [
    ARITHMETIC,
    LEFT,
    JSON,
    LIST,
    CHESS,
    C,
    JAPANESE,
    SQL,
    PYTHON,
    TAGS,
    RIGHT,
    AMBIGUOUS,
    WITH_SCHEMA,
];

const TOKENS: &[&str] = &[
    "SELECT ",
    "SELECT",
    " FROM",
    " FROM ",
    " WHERE",
    "LECT * FROM t",
    "ab",
    "abc ",
    "name",
    "x, ",
    ", ",
    "), (",
    "((",
    "))",
    ")]",
    "(x",
    "a(",
    "a.b",
    "\":",
    "\": ",
    "\",",
    "{\"",
    "\"}",
    "}]",
    "\": {\"",
    "\"a\":",
    "\":[",
    "[]",
    "{}",
    "12",
    "})",
    "})\n",
    "\"]})",
    "1})",
    "1);",
    "1.5",
    "1e5",
    "0,",
    "0}",
    "= ",
    " = ",
    "=\"",
    "></",
    "<a",
    "</",
    "/>",
    "\"/>",
    "-->",
    "<!--",
    "int ",
    "return ",
    "(int",
    "){",
    ";}",
    "; }",
    "//",
    "*/",
    "\n\n",
    "\n  ",
    "\\n",
    "\\\"",
    "\\u00",
    "日本",
    "語。",
    "カタ",
    "é",
    "\u{2028}",
    "- ",
    "- a\n- ",
    "Nf3",
    "e4 e5\n2",
    "O-O",
    "+ ",
    "**",
    "not ",
    " and ",
    "lambda x: ",
    "aa",
    "aaa",
    " a",
    " if ",
    "[x for x in ",
    "'a'",
    "']",
    "'')",
    "y]",
    "\"x\"",
    "null",
    "nul",
    "true,",
];

/// A walk over the mask; answers with its text if it came to an end.
fn walk(constraint: &Constraint, random: &mut Random, checks: bool) -> Option<Vec<u8>> {
    let vocabulary = constraint.vocabulary();
    let mut matcher = constraint.matcher();
    let mut text = Vec::new();
    let n_steps = 5 + random.below(40);
    for step in 0.. {
        if checks && step % 7 == 0 {
            check_mask(&mut matcher, vocabulary);
        }
        let completion = completion(&mut matcher, vocabulary);
        if step >= n_steps {
            matcher.accept_text(&completion).unwrap();
            assert!(matcher.is_accepting().unwrap());
            return Some([text, completion].concat());
        }
        let mask = matcher.compute_mask().unwrap();
        let allowed: Vec<u32> = mask.iter().collect();
        assert!(!allowed.is_empty());
        // Longer tokens rather than single bytes.
        let token = (0..4).map(|_| *random.of(&allowed)).max().unwrap();
        matcher.accept_token(token).unwrap();
        if matcher.is_finished() {
            return Some(text);
        }
        if random.below(6) == 0 {
            check_rollback(&mut matcher, token);
        }
        text.extend(vocabulary.token_bytes(token).unwrap());
    }
    None
}

fn check_rollback(matcher: &mut Matcher, token: u32) {
    let after = matcher.compute_mask().unwrap();
    matcher.rollback(1).unwrap();
    assert!(matcher.compute_mask().unwrap().is_allowed(token));
    matcher.accept_token(token).unwrap();
    assert_eq!(matcher.compute_mask().unwrap(), after);
}

fn mutated(text: &[u8], random: &mut Random) -> Vec<u8> {
    let mut text = text.to_vec();
    let at = random.below(text.len().max(1));
    match random.below(3) {
        0 if !text.is_empty() => {
            text.remove(at);
        }
        1 => text.insert(at, *random.of(b"a0 (),\"<>[]{}:\n-+.")),
        _ => {
            let other = random.below(text.len().max(1));
            if !text.is_empty() {
                text.swap(at, other);
            }
        }
    }
    text
}

#[test]
fn walks_end_in_texts_of_the_grammar() {
    let vocabulary = vocabulary(TOKENS);
    for (index, text) in (1..).zip(ALL) {
        let (grammar, mut random) = (notation::read(text), Random(index * 0xABCD_EF01));
        let oracle = oracle::Oracle::new(&grammar);
        let joined = compile(text, &vocabulary);
        JOINS.set(false);
        let apart = compile(text, &vocabulary);
        assert_eq!(joined.unused_rules(), []);
        let mut n_compared = [0, 0];
        JOINS.set(true);
        for n in 0..40 {
            let constraint = if n % 3 == 0 { &apart } else { &joined };
            let Some(text) = walk(constraint, &mut random, n % 10 == 0) else { continue };
            if text.len() >= 127 {
                continue;
            }
            assert!(oracle.accepts(&text), "{}", String::from_utf8_lossy(&text));
            for _ in 0..4 {
                let other = mutated(&text, &mut random);
                // The oracle only knows that it is JSON.
                let is_accepted = index != 13 && oracle.accepts(&other);
                let expected = read(constraint, &other).0 && index != 13;
                assert_eq!(expected, is_accepted, "{}", String::from_utf8_lossy(&other));
                n_compared[usize::from(is_accepted)] += 1;
            }
        }
        assert!(index == 13 || n_compared.iter().all(|&n| n > 2), "{n_compared:?} {text}");
    }
}
