//! What llama.cpp does with the same files, and what a `tokenizer.json` does with the same texts.
//!
//! `tools/gguf/peers.py` makes the files and says how to run this.

#![expect(clippy::print_stdout, reason = "the figures are what it is run for")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::Value;

use crate::gguf::GgufFile;
use crate::model::tests::logits_in_parts;
use crate::model::{LoadedModel, Quantization};
use crate::tokenizer::{GgufTokenizer, Tokenizer};

#[test]
#[ignore = "needs the cases of tools/gguf/peers.py"]
fn peers_agree() {
    let folder = PathBuf::from(std::env::var_os("ESPALIER_GGUF_CASES").unwrap());
    let cases: Value =
        serde_json::from_slice(&fs::read(folder.join("cases.json")).unwrap()).unwrap();
    let texts: Vec<&str> =
        cases["texts"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
    for case in cases["cases"].as_array().unwrap() {
        let path = folder.join(case["file"].as_str().unwrap());
        println!("{}", path.display());
        if case["positions"].is_array() {
            compare_logits(&path, case);
        }
        if case["ids"].is_array() {
            compare_tokens(&path, case, &texts);
        }
    }
}

fn ids(value: &Value) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect()
}

fn compare_logits(path: &Path, case: &Value) {
    let read = |quantization| LoadedModel::read(path, quantization).unwrap().transformer;
    let positions = ids(&case["positions"]);
    let n_ids = read(Quantization::None).config().n_ids;
    let compare = |name: &str, quantization| {
        let logits = logits_in_parts(&read(quantization), &positions, &[positions.len()]);
        let bytes = fs::read(path.with_file_name(case[name].as_str().unwrap())).unwrap();
        let numbers = bytes.as_chunks::<4>().0.iter();
        let theirs: Vec<f32> = numbers.map(|number| f32::from_le_bytes(*number)).collect();
        difference(&logits, &theirs, n_ids)
    };
    let quantised = compare("logits", Quantization::Automatic);
    println!("  logits beside llama.cpp's products: {quantised:?}");
    let exact = compare("exact", Quantization::None);
    println!("  logits beside products of the same numbers: {exact:?}");
    let tolerance = case["tolerance"].as_f64().unwrap() as f32;
    assert!(exact.largest <= tolerance * exact.scale, "the numbers of the file are others");
}

#[derive(Debug)]
#[expect(dead_code, reason = "the fields are printed")]
struct Difference {
    largest: f32,
    scale: f32,
    /// The positions at which both have the same best token.
    agree: usize,
    positions: usize,
}

fn difference(ours: &[f32], theirs: &[f32], n_ids: usize) -> Difference {
    assert_eq!(ours.len(), theirs.len());
    let best = |row: &[f32]| (0..n_ids).max_by(|&a, &b| row[a].total_cmp(&row[b]));
    let rows = || ours.chunks_exact(n_ids).zip(theirs.chunks_exact(n_ids));
    Difference {
        largest: ours.iter().zip(theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max),
        scale: theirs.iter().map(|logit| logit.abs()).fold(0.0, f32::max),
        agree: rows().filter(|(ours, theirs)| best(ours) == best(theirs)).count(),
        positions: rows().count(),
    }
}

fn compare_tokens(path: &Path, case: &Value, texts: &[&str]) {
    let file = GgufFile::open(path).unwrap();
    let start = Instant::now();
    let ours = GgufTokenizer::read(file.metadata()).unwrap().tokenizer;
    println!("  the tokenizer was read in {:?}", start.elapsed());
    let theirs: Vec<Vec<u32>> = case["ids"].as_array().unwrap().iter().map(ids).collect();
    differences("llama.cpp", &ours, texts, |index| theirs[index].clone());
    let Some(json) = case["tokenizer"].as_str() else { return };
    let start = Instant::now();
    let json = Tokenizer::from_json(&fs::read(json).unwrap()).unwrap();
    println!("  tokenizer.json was read in {:?}", start.elapsed());
    let n = differences("tokenizer.json", &ours, texts, |index| json.encode(texts[index]).unwrap());
    assert_eq!(n, 0, "tokens differ from those of the model's own tokenizer");
}

/// Prints how many texts have other tokens with a peer, and the first ones.
fn differences(
    peer: &str,
    ours: &Tokenizer,
    texts: &[&str],
    theirs: impl Fn(usize) -> Vec<u32>,
) -> usize {
    let differ = |&index: &usize| ours.encode(texts[index]).unwrap() != theirs(index);
    let differing: Vec<usize> = (0..texts.len()).filter(differ).collect();
    println!("  {} of {} texts have other tokens than with {peer}", differing.len(), texts.len());
    for &index in differing.iter().take(3) {
        println!("    {:?}", texts[index]);
        println!("      {:?}\n      {:?}", ours.encode(texts[index]).unwrap(), theirs(index));
    }
    differing.len()
}
