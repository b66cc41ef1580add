use serde_json::json;

use super::*;

fn special_tokens() -> SpecialTokens {
    vec![("bos_token", "<s>".to_owned()), ("eos_token", "</s>".to_owned())]
}

fn render(source: &str, conversation: &Conversation) -> Result<String, Error> {
    ChatTemplate::new(source, special_tokens())?.render(conversation)
}

fn hello() -> Conversation {
    Conversation::new(vec![json!({"role": "user", "content": "hi"})])
}

/// What `tools/chat_templates/render.py` writes: the templates there, or those of a file that the
/// environment variable names.
#[test]
fn renders_as_transformers_does() {
    let data = std::env::var("ESPALIER_CHAT_TEMPLATES").map_or(
        include_str!("../../../../testdata/chat_templates/rendered.json").to_owned(),
        |path| std::fs::read_to_string(path).unwrap(),
    );
    let data: Json = serde_json::from_str(&data).unwrap();
    let names = ["bos_token", "eos_token", "pad_token"];
    let text = |json: &Json| json.as_str().map(str::to_owned);
    let tokens: SpecialTokens =
        names.map(|name| (name, text(&data["special_tokens"][name]).unwrap())).to_vec();
    let (mut n_texts, mut differences) = (0, String::new());
    for template in data["templates"].as_array().unwrap() {
        let made = ChatTemplate::new(template["source"].as_str().unwrap(), tokens.clone());
        for given in data["conversations"].as_array().unwrap() {
            let name = given["name"].as_str().unwrap();
            let conversation = conversation(given, data["now"].as_i64().unwrap());
            let got =
                made.as_ref().map_err(Clone::clone).and_then(|made| made.render(&conversation));
            let expected = text(&template["texts"][name]);
            n_texts += usize::from(expected.is_some());
            if got.clone().ok() != expected {
                let place = format!("{} / {name}", template["name"]);
                differences
                    .extend([format!("{place}:\n  expected {expected:?}\n  got      {got:?}\n")]);
            }
        }
    }
    assert!(differences.is_empty(), "{differences}");
    assert!(n_texts > 0);
}

fn conversation(given: &Json, now: i64) -> Conversation {
    let list = |name: &str| given.get(name)?.as_array().cloned();
    let mut variables =
        given.get("variables").map_or(Map::new(), |it| it.as_object().unwrap().clone());
    variables.extend(given.get("documents").map(|it| ("documents".to_owned(), it.clone())));
    Conversation {
        tools: list("tools"),
        add_generation_prompt: given["add_generation_prompt"].as_bool().unwrap(),
        variables,
        now,
        ..Conversation::new(list("messages").unwrap())
    }
}

#[test]
fn a_template_can_refuse() {
    let result = render("{{ raise_exception('no system role') }}", &hello());
    let Err(Error::InvalidChatTemplate { detail }) = result else { panic!("{result:?}") };
    assert!(detail.contains("no system role"));
}

#[test]
fn broken_and_endless_templates_are_errors() {
    let endless = "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}";
    let deep = "{% set n = namespace(x=[]) %}{% for i in range(1000) %}{% set n.x = [n.x] %}\
        {% endfor %}{{ n.x | tojson }}";
    let sources = [
        "{% if %}",
        "{% generation %}",
        "{% endgeneration %}",
        "{{ messages.foo.bar }}",
        "{% include 'x' %}",
        "{{ messages.append(1) }}",
        "{{ 'a'.split('') }}",
        "{{ messages | tojson(indents=1) }}",
        "{{ nothing | tojson }}",
        endless,
        deep,
    ];
    for source in sources {
        let result = render(source, &hello());
        assert!(matches!(result, Err(Error::InvalidChatTemplate { .. })), "{source}: {result:?}");
    }
}

/// Each takes few instructions, and would make more than any machine has.
#[test]
fn what_a_template_makes_is_bounded() {
    let repeat = |body: &str| {
        format!(
            "{{% set n = namespace(x='abcdefgh\\n', l=[1, 2]) %}}{{% for i in range(9999) %}}\
            {body}{{% endfor %}}"
        )
    };
    let sources = [
        repeat("{% set n.x = n.x ~ n.x %}"),
        repeat("{% set n.x = n.x + n.x %}"),
        repeat("{% set n.x = n.x * 9999 %}"),
        repeat("{% set n.l = n.l + [n.x * 9999999] %}"),
        repeat("{% set n.l = n.l + n.l %}"),
        repeat("{% set n.l = n.l * 2 %}"),
        repeat("{% set n.l = n.l + [range(99999) | list] %}"),
        repeat("{% set n.x = n.x | replace('a', n.x) %}"),
        repeat("{% set n.x = n.x.replace('a', n.x) %}"),
        repeat("{% set n.x = [n.x, n.x] | join %}"),
        repeat("{% set n.x = n.x.join([n.x, n.x]) %}"),
        repeat("{% set n.x = (n.x ~ '\\nz') | indent(n.x | length) %}"),
        repeat("{% set n.x %}{{ n.x }}{{ n.x }}{% endset %}"),
        repeat("{% set n.x = [n.x, n.x] | tojson %}"),
        repeat("{% set n.x = [n.x, n.x] | string %}"),
        repeat("{% set n.x = [[1]] | tojson(indent=n.x ~ n.x) %}"),
        repeat("{% set n.x = [1, 1] | tojson(separators=[n.x, n.x]) %}"),
        repeat("{{ ['x' * 999999][0][1:] }}"),
        repeat("{% set n.l = n.l + [('x' * 999999) | safe] %}"),
        "{{ [1] | batch(999999999, 2) | list }}".to_owned(),
        "{{ [1] | slice(999999999) | list }}".to_owned(),
        repeat("{% set n.x = '%999999999s' | format(n.x) %}"),
        repeat("{% set n.x = '{:>999999999}'.format(n.x) %}"),
        "{{ 'x' * 99999999 * 99999999 }}".to_owned(),
        "{{ ['x' * 99999999, 'x' * 99999999, 'x' * 99999999, 'x' * 99999999, 'x' * 99999999, \
            'x' * 99999999] }}"
            .to_owned(),
    ];
    for source in sources {
        let result = render(&source, &hello());
        let Err(Error::InvalidChatTemplate { detail }) = result else { panic!("{source}") };
        assert!(detail.contains("more than 256 MiB"), "{source}: {detail}");
    }
    let long = format!("{{% for i in range(99999) %}}{}{{% endfor %}}", "x".repeat(1 << 20));
    let result = render(&long, &hello());
    assert!(matches!(result, Err(Error::InvalidChatTemplate { .. })));
}

#[test]
fn operators_are_those_of_the_engine() {
    let cases = [
        ("{{ 2 * 3 + 4 * 1.5 }} {{ 'a' * 2 ~ (1 + 2) }} {{ 2 * 3 ** 2 }}", "12.0 aa3 18"),
        (
            "{{ [1] + [2] * 2 }} {{ 'a' + 'b' }} {{ 'abc'[1:] }} {{ 'abcdef'[::2] }}",
            "[1, 2, 2] ab bc ace",
        ),
        ("{% macro f(a, b) %}{{ a ~ b }}{% endmacro %}{{ f(*[1, 2]) }}", "12"),
        (
            "{{ 'a-b' | replace('-', '+') }} {{ ['a', 'b'] | join(', ') }} {{ '%5d' | format(7) }}",
            "a+b a, b     7",
        ),
        ("{{ messages[::-1] | length }} {{ none ~ true }} {{ '2 * 3' }}", "1 NoneTrue 2 * 3"),
    ];
    for (source, expected) in cases {
        assert_eq!(render(source, &hello()).unwrap(), expected, "{source}");
    }
    assert!(render("{{ 1 + 'a' }}", &hello()).is_err());
}

/// As long as it would be without: a raw block isn't read again for each brace in it.
#[test]
fn raw_blocks_take_no_longer_than_they_are() {
    let source = format!("{{% raw %}}{}{{%- endraw -%}}é", "{{ {% {% x ".repeat(200_000));
    assert_eq!(generation::with_scopes(&source), source);
}

/// None of these has another meaning for the tag's sake.
#[test]
fn leaves_templates_as_they_are() {
    let sources = [
        "é {é} {% é",
        "{% set é = '%}{% generation %}' %}",
        "{{ '}}' ~ \"\\\"{% generation %}\" }}{",
        "{# {% generation %} #}",
        "{% raw %}{{ {% generation %} {# {% endraw %}",
        "{% generation x %}",
        "",
    ];
    for source in sources {
        assert_eq!(generation::with_scopes(source), source);
    }
    let changed =
        generation::with_scopes("{%-  generation+%}é{% raw %}{{{% endraw %}{%endgeneration-%}");
    assert_eq!(changed, "{%-  with+%}é{% raw %}{{{% endraw %}{%endwith-%}");
}

#[test]
fn variables_have_names_of_their_own() {
    let mut conversation = hello();
    conversation.variables.insert("bos_token".to_owned(), json!("<start>"));
    assert_eq!(render("{{ bos_token }}", &conversation).unwrap(), "<start>");
    conversation.variables.insert("tools".to_owned(), json!([]));
    let result = render("", &conversation);
    assert!(matches!(result, Err(Error::InvalidOption { .. })), "{result:?}");
}

#[test]
fn numbers_keep_their_kind() {
    let mut conversation = hello();
    let other: Json = serde_json::from_str("[1, 1.0, 12345678901234567890123, -0.0, 1e3]").unwrap();
    conversation.variables.insert("other".to_owned(), other);
    let rendered = render("{{ other | tojson }}", &conversation).unwrap();
    assert_eq!(rendered, "[1, 1.0, 12345678901234567890123, -0.0, 1000.0]");
    let other = serde_json::from_str(&"9".repeat(50)).unwrap();
    conversation.variables.insert("other".to_owned(), other);
    let result = render("{{ other }}", &conversation);
    assert!(matches!(result, Err(Error::InvalidChatTemplate { .. })), "{result:?}");
}

#[test]
fn begins_with_the_first_token_where_the_model_does() {
    let with_bos = |source: &str| {
        ChatTemplate::new(source, special_tokens()).unwrap().with_bos().render(&hello()).unwrap()
    };
    assert_eq!(with_bos("hi"), "<s>hi");
    assert_eq!(with_bos("{{ bos_token }}hi"), "<s>hi");
}

#[test]
fn thinks_between_tags_that_are_tokens_and_in_the_template() {
    let tags = |source: &str, tokens: &[&str]| {
        let template = ChatTemplate::new(source, special_tokens()).unwrap();
        template.reasoning_tags(|text| tokens.contains(&text))
    };
    let cuts = "{{ messages[0].content.split('</think>')[-1] }}";
    let think = Some(("<think>".to_owned(), "</think>".to_owned()));
    assert_eq!(tags(cuts, &["<think>", "</think>"]), think);
    assert_eq!(tags(cuts, &["</think>"]), None);
    assert_eq!(tags(cuts, &[]), None);
    assert_eq!(tags("{{ messages }}", &["<think>", "</think>"]), None);
    assert_eq!(tags("[/THINK]", &["<think>", "[THINK]", "[/THINK]"]).unwrap().1, "[/THINK]");
}
