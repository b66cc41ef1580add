use std::fs;

use espalier_constraint::Limits;

use super::*;
use crate::gguf::GgufFile;
use crate::gguf::test_file::{Entry, TestFile};
use crate::test_model::TestModel;
use crate::tokenizer::tests::{TEXTS, byte_level, load, sentence_piece};

fn read(file: &TestFile) -> Result<GgufTokenizer, Error> {
    let directory = TestModel::empty();
    fs::write(directory.file("model.gguf"), file.bytes()).unwrap();
    GgufTokenizer::read(GgufFile::open(&directory.file("model.gguf")).unwrap().metadata())
}

/// The same tokenizer as a `tokenizer.json`, as a converter writes it.
fn converted(json: &Value) -> TestFile {
    let model = &json["model"];
    let mut tokens: Vec<(u64, &str)> = (model["vocab"].as_object().unwrap().iter())
        .map(|(text, id)| (id.as_u64().unwrap(), &**text))
        .collect();
    let mut types = vec![1; 300];
    for added in json["added_tokens"].as_array().unwrap() {
        let (id, text) = (added["id"].as_u64().unwrap(), added["content"].as_str().unwrap());
        tokens.push((id, text));
        types[id as usize] = if added["special"] == true { 3 } else { 4 };
    }
    tokens.sort_unstable();
    tokens.dedup();
    types.truncate(tokens.len());
    let texts = tokens.iter().map(|(_, text)| (*text).to_owned()).collect();
    let mut file = TestFile::new();
    file.set("tokenizer.ggml.tokens", Entry::Texts(texts));
    file.set("tokenizer.ggml.token_type", Entry::I32s(types));
    file
}

fn merges(json: &Value) -> Vec<String> {
    let merges = json["model"]["merges"].as_array().unwrap().iter();
    merges.map(|merge| merge.as_str().unwrap().to_owned()).collect()
}

fn converted_byte_level(json: &Value) -> TestFile {
    let mut file = converted(json);
    file.set("tokenizer.ggml.model", "gpt2").set("tokenizer.ggml.pre", "gpt-2");
    file.set("tokenizer.ggml.merges", Entry::Texts(merges(json)));
    file.set("tokenizer.ggml.eos_token_id", Entry::U32(259));
    file
}

fn converted_sentence_piece(json: &Value) -> TestFile {
    let mut file = converted(json);
    // The pieces after the characters, in the order of their merges.
    let pieces = merges(json).iter().map(|merge| merge.replace(' ', "")).collect::<Vec<_>>();
    let Some(Entry::Texts(texts)) = file.entries.get("tokenizer.ggml.tokens") else { panic!() };
    let score = |text: &String| {
        let rank = pieces.iter().position(|piece| piece == text);
        rank.map_or(-1e9, |rank| -(rank as f32))
    };
    let scores = texts.iter().map(score).collect();
    file.set("tokenizer.ggml.model", "llama").set("tokenizer.ggml.scores", Entry::F32s(scores));
    file.set("tokenizer.ggml.bos_token_id", Entry::U32(1));
    file.set("tokenizer.ggml.eos_token_id", Entry::U32(2));
    file
}

#[track_caller]
fn refuses(mut file: TestFile, change: impl FnOnce(&mut TestFile), named: &str) {
    change(&mut file);
    match read(&file).map(drop) {
        Err(Error::InvalidConfig { field, .. }) => assert_eq!(field, named),
        other => panic!("expected an error about {named}, got: {other:?}"),
    }
}

#[test]
fn byte_level_texts_have_the_tokens_of_the_tokenizer_json() {
    let mut json = byte_level();
    json["pre_tokenizer"]["add_prefix_space"] = false.into();
    let (ours, theirs) = (read(&converted_byte_level(&json)).unwrap(), load(&json));
    for text in TEXTS.into_iter().chain(["ab<|end|> ab", "a1 'll\n\n  b"]) {
        let ids = ours.tokenizer.encode(text).unwrap();
        assert_eq!(ids, theirs.encode(text).unwrap(), "{text}");
        assert_eq!(ours.tokenizer.decode(&ids), theirs.decode(&ids));
    }
    let vocabulary = |tokenizer: &Tokenizer| {
        tokenizer.vocabulary_with_eos_ids(&[259], &Limits::default()).unwrap()
    };
    let (ours, theirs) = (vocabulary(&ours.tokenizer), vocabulary(&theirs));
    for id in 0..theirs.n_ids() as u32 {
        assert_eq!(ours.token_bytes(id), theirs.token_bytes(id));
        assert_eq!(ours.is_special(id), theirs.is_special(id));
    }
}

#[test]
fn pieces_have_the_tokens_of_the_tokenizer_json() {
    let json = sentence_piece();
    let (ours, theirs) = (read(&converted_sentence_piece(&json)).unwrap(), load(&json));
    for text in TEXTS.into_iter().chain(["</s>ab ab", "  ab  a", "▁ab", "<0x0A>"]) {
        let ids = ours.tokenizer.encode(text).unwrap();
        assert_eq!(ids, theirs.encode(text).unwrap(), "{text}");
        assert_eq!(ours.tokenizer.decode(&ids), theirs.decode(&ids));
    }
    assert_eq!((&*ours.bos_token, &*ours.eos_token, ours.adds_bos), ("<s>", "</s>", true));
}

#[test]
fn a_space_is_added_unless_the_file_says_no() {
    let mut file = converted_sentence_piece(&sentence_piece());
    let encode = |file: &TestFile| read(file).unwrap().tokenizer.encode("ab").unwrap();
    assert_eq!(encode(&file), [263]);
    file.set("tokenizer.ggml.add_space_prefix", Entry::Bool(false));
    assert_eq!(encode(&file), [264]);
}

/// The piece with the best score is made first, wherever it is.
#[test]
fn scores_decide_what_is_joined() {
    let mut file = TestFile::new();
    let pieces = ["<unk>", "a", "b", "c", "ab", "bc", "abc"];
    let mut ids = |scores: [f32; 7], text: &str| {
        file.set("tokenizer.ggml.model", "llama");
        file.set("tokenizer.ggml.tokens", Entry::Texts(pieces.map(str::to_owned).to_vec()));
        file.set("tokenizer.ggml.token_type", Entry::I32s(vec![2, 1, 1, 1, 1, 1, 1]));
        file.set("tokenizer.ggml.scores", Entry::F32s(scores.to_vec()));
        file.set("tokenizer.ggml.add_space_prefix", Entry::Bool(false));
        read(&file).unwrap().tokenizer.encode(text).unwrap()
    };
    let (low, mid, high) = (-3.0, -2.0, -1.0);
    assert_eq!(ids([0.0, low, low, low, high, mid, low], "abcab"), [6, 4]);
    assert_eq!(ids([0.0, low, low, low, mid, high, -9.0], "abc"), [6]);
    assert_eq!(ids([0.0, low, low, low, high, mid, low], "bcb"), [5, 2]);
    assert_eq!(ids([0.0, low, low, low, high, mid, low], "a?"), [1, 0], "an unknown character");
}

/// Texts are cut as the regular expressions of the models say. Without merges a part of a text can
/// only be seen by whether it is a token as a whole.
#[test]
fn ways_to_cut_a_text_differ() {
    let ids = |pre: &str, text: &str| {
        let mut file = converted_byte_level(&byte_level());
        let Some(Entry::Texts(texts)) = file.entries.get_mut("tokenizer.ggml.tokens") else {
            panic!()
        };
        // Three digits, of which two are joined first.
        texts.extend(["12", "123", "é"].map(|text| text.replace('é', "Ã©")));
        let all = 1..=texts.len();
        file.set(
            "tokenizer.ggml.token_type",
            Entry::I32s(all.map(|n| if n == 260 { 3 } else { 1 }).collect()),
        );
        file.set("tokenizer.ggml.pre", pre);
        let merges = ["1 2", "12 3", "Ã ©"].map(str::to_owned).to_vec();
        file.set("tokenizer.ggml.merges", Entry::Texts(merges));
        read(&file).unwrap().tokenizer.encode(text).unwrap()
    };
    let digits = |text: &str| text.bytes().map(u32::from).collect::<Vec<_>>();
    assert_eq!(ids("gpt-2", "1234"), [262, u32::from(b'4')]);
    assert_eq!(ids("llama-bpe", "1234"), [262, u32::from(b'4')]);
    assert_eq!(ids("smollm", "1234"), digits("1234"));
    assert_eq!(ids("qwen2", "1234"), digits("1234"));
    // A letter and a mark are composed to one letter.
    assert_eq!(ids("qwen2", "e\u{301}"), [263]);
    assert_eq!(ids("llama-bpe", "e\u{301}"), digits("e\u{301}"));
}

#[test]
fn tokens_that_are_whole_words_need_no_merges() {
    let ids = |pre: &str| {
        let mut file = converted_byte_level(&byte_level());
        file.set("tokenizer.ggml.pre", pre);
        file.set("tokenizer.ggml.merges", Entry::Texts(Vec::new()));
        read(&file).unwrap().tokenizer.encode("ab").unwrap()
    };
    assert_eq!(ids("llama-bpe"), [256]);
    assert_eq!(ids("smaug-bpe").len(), 2);
}

#[test]
fn names_the_supported_vocabularies_and_ways_to_cut() {
    let file = || converted_byte_level(&byte_level());
    let set = |key: &'static str, entry: Entry| {
        move |file: &mut TestFile| {
            file.set(key, entry);
        }
    };
    refuses(file(), set(MODEL, "bert".into()), MODEL);
    refuses(file(), |file| drop(file.entries.remove(MODEL)), MODEL);
    let pre = "tokenizer.ggml.pre";
    refuses(file(), set(pre, "of-the-future".into()), pre);
    refuses(file(), |file| drop(file.entries.remove(pre)), pre);
    let Err(Error::InvalidConfig { expected, .. }) = read(file().set(pre, "?")) else { panic!() };
    assert!(expected.contains("llama-bpe") && expected.contains("qwen2"), "{expected}");
}

#[test]
fn broken_lists_are_errors_that_name_the_key() {
    let file = || converted_byte_level(&byte_level());
    let texts = |texts: &[&str]| Entry::Texts(texts.iter().map(|&text| text.to_owned()).collect());
    for (key, entries) in [
        ("tokenizer.ggml.tokens", vec![texts(&["a"; 261]), "a".into()]),
        ("tokenizer.ggml.token_type", vec![Entry::I32s(vec![1]), Entry::I32s(vec![7; 261])]),
        ("tokenizer.ggml.merges", vec![texts(&["ab"]), texts(&[""]), texts(&[" "]), "a b".into()]),
        ("tokenizer.ggml.eos_token_id", vec![Entry::U32(261), "<|end|>".into()]),
        ("tokenizer.ggml.eot_token_id", vec![Entry::U32(u32::MAX)]),
        ("tokenizer.ggml.add_bos_token", vec![Entry::U32(1)]),
    ] {
        for entry in entries {
            refuses(file(), |file| drop(file.entries.insert(key.to_owned(), entry)), key);
        }
    }
    refuses(
        file(),
        |file| drop(file.entries.remove("tokenizer.ggml.tokens")),
        "tokenizer.ggml.tokens",
    );
    let adds_bos = |file: &mut TestFile| {
        file.set(ADD_BOS, Entry::Bool(true));
    };
    refuses(file(), adds_bos, BOS);
    let mut unknown = file();
    unknown.set("tokenizer.ggml.merges", texts(&["a zz"]));
    assert!(matches!(read(&unknown), Err(Error::InvalidTokenizer { .. })));
}

#[test]
fn broken_scores_are_errors() {
    let file = || converted_sentence_piece(&sentence_piece());
    let scores = "tokenizer.ggml.scores";
    refuses(file(), |file| drop(file.entries.remove(scores)), scores);
    refuses(
        file(),
        |file| drop(file.entries.insert(scores.to_owned(), Entry::F32s(vec![0.0]))),
        scores,
    );
    let whitespace = "tokenizer.ggml.remove_extra_whitespaces";
    refuses(
        file(),
        |file| drop(file.entries.insert(whitespace.to_owned(), Entry::Bool(true))),
        whitespace,
    );
    let long = |file: &mut TestFile| {
        let Some(Entry::Texts(texts)) = file.entries.get_mut("tokenizer.ggml.tokens") else {
            panic!()
        };
        texts[264] = "a".repeat(100_000);
    };
    refuses(file(), long, "tokenizer.ggml.tokens");
    let mut odd = file();
    let Some(Entry::F32s(scores)) = odd.entries.get_mut(scores) else { panic!() };
    scores.fill(f32::NAN);
    assert!(read(&odd).is_ok());
}

#[test]
fn tokens_end_a_text_by_key_or_by_name() {
    let mut file = converted_byte_level(&byte_level());
    let Some(Entry::Texts(texts)) = file.entries.get_mut("tokenizer.ggml.tokens") else { panic!() };
    texts.extend(["<|im_end|>", "<|eot_id|>", "<|start|>", ""].map(str::to_owned));
    let mut types = vec![1; 265];
    (types[259], types[261], types[263]) = (3, 3, 3);
    file.set("tokenizer.ggml.token_type", Entry::I32s(types));
    assert_eq!(read(&file).unwrap().eos_ids, [259, 261], "the other is no control token");
    file.set("tokenizer.ggml.eom_token_id", Entry::U32(10));
    assert_eq!(read(&file).unwrap().eos_ids, [10, 259, 261]);
}

#[test]
fn tokens_that_fill_holes_have_no_text() {
    let mut file = converted_byte_level(&byte_level());
    let Some(Entry::Texts(texts)) = file.entries.get_mut("tokenizer.ggml.tokens") else { panic!() };
    texts.extend(["[PAD261]", "b"].map(str::to_owned));
    let mut types = vec![1; 263];
    (types[259], types[261], types[262]) = (3, 5, 5);
    file.set("tokenizer.ggml.token_type", Entry::I32s(types));
    let tokenizer = read(&file).unwrap().tokenizer;
    assert_eq!(tokenizer.token_id("[PAD261]"), None);
    assert_eq!(tokenizer.encode("b").unwrap(), [u32::from(b'b')]);
}
