use std::fs;
use std::path::{Path, PathBuf};

use rand_core::{RngCore, SeedableRng};
use rand_pcg::Pcg64;

use super::test_file::{Entry, TestFile, text};
use super::*;
use crate::test_model::TestModel;

/// Opens a file with these bytes.
fn open(bytes: &[u8]) -> Result<GgufFile, Error> {
    let directory = TestModel::empty();
    let path = directory.file("model.gguf");
    fs::write(&path, bytes).unwrap();
    GgufFile::open(&path)
}

/// The key or the tensor that an error names, and what was expected.
#[track_caller]
fn refused(bytes: &[u8]) -> (String, String) {
    match open(bytes) {
        Err(Error::InvalidConfig { field, expected, .. }) => (field, expected),
        Err(Error::InvalidWeights { tensor, expected, .. }) => (tensor, expected),
        Err(other) => panic!("another error: {other}"),
        Ok(_) => panic!("the file was opened"),
    }
}

#[track_caller]
fn refuses(file: &TestFile, named: &str) {
    assert_eq!(refused(&file.bytes()).0, named);
}

#[track_caller]
fn refuses_entry(entry: Entry) {
    refuses(TestFile::new().set("k", entry), "k");
}

fn test_files() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gguf")
}

#[test]
fn values_of_all_types_are_read() {
    let mut file = TestFile::new();
    file.set("text", "ü").set("flag", Entry::Bool(true)).set("u32", Entry::U32(7));
    file.set("texts", Entry::Texts(vec![String::new(), "b".to_owned()]));
    file.set("i32s", Entry::I32s(vec![-1, 2])).set("f32s", Entry::F32s(vec![0.5, -2.0]));
    for (number, size) in [(0, 1), (2, 2), (10, 8)] {
        file.set(&format!("unsigned {number}"), Entry::Raw(number, vec![0xff; size]));
    }
    for (number, size) in [(1, 1), (3, 2), (5, 4), (11, 8)] {
        let mut bytes = vec![0; size];
        bytes[0] = 5;
        file.set(&format!("signed {number}"), Entry::Raw(number, bytes));
    }
    file.set("f32", Entry::F32(1.5)).set("f64", Entry::Raw(12, 2.5f64.to_le_bytes().to_vec()));
    for version in [2, 3] {
        file.version = version;
        let opened = open(&file.bytes()).unwrap();
        let metadata = opened.metadata();
        assert_eq!(metadata.text("text").unwrap(), Some("ü"));
        assert_eq!(metadata.flag("flag").unwrap(), Some(true));
        assert_eq!(metadata.size("u32", None).unwrap(), 7);
        assert_eq!(metadata.texts("texts").unwrap().unwrap(), ["", "b"]);
        assert_eq!(metadata.integers("i32s").unwrap().unwrap(), [-1, 2]);
        assert_eq!(metadata.floats("f32s").unwrap().unwrap(), [0.5, -2.0]);
        for (number, expected) in [(0, 0xff), (2, 0xffff), (10, u64::MAX)] {
            let key = format!("unsigned {number}");
            assert_eq!(metadata.unsigned(&key).unwrap(), Some(expected));
        }
        for number in [1, 3, 5, 11] {
            assert_eq!(metadata.unsigned(&format!("signed {number}")).unwrap(), Some(5));
        }
        assert_eq!(metadata.positive("f32", None), Ok(1.5));
        assert_eq!(metadata.positive("f64", None), Ok(2.5));
        assert_eq!(metadata.text("nothing").unwrap(), None);
    }
}

#[test]
fn values_of_another_type_are_errors_that_name_the_key() {
    let mut file = TestFile::new();
    file.set("text", "x").set("minus", Entry::Raw(1, vec![0xff])).set("0", Entry::U32(0));
    let opened = open(&file.bytes()).unwrap();
    let metadata = opened.metadata();
    let named = |result: Result<(), Error>| match result {
        Err(Error::InvalidConfig { field, .. }) => field,
        other => panic!("{other:?}"),
    };
    assert_eq!(named(metadata.flag("text").map(drop)), "text");
    assert_eq!(named(metadata.size("text", Some(1)).map(drop)), "text");
    assert_eq!(named(metadata.floats("text").map(drop)), "text");
    assert_eq!(named(metadata.texts("text").map(drop)), "text");
    assert_eq!(named(metadata.text("0").map(drop)), "0");
    assert_eq!(named(metadata.unsigned("minus").map(drop)), "minus");
    assert_eq!(named(metadata.size("0", Some(1)).map(drop)), "0");
    assert_eq!(named(metadata.size("nothing", None).map(drop)), "nothing");
    assert_eq!(named(metadata.positive("0", None).map(drop)), "0");
}

#[test]
fn other_files_and_versions_are_refused() {
    let whole = TestFile::new().bytes();
    assert!(open(&whole).is_ok());
    for (place, byte) in [(0, b'g'), (4, 1), (4, 4), (7, 3)] {
        let mut changed = whole.clone();
        changed[place] = byte;
        assert_eq!(refused(&changed).0, "");
    }
    assert!(refused(b"GGML").1.contains("GGUF"));
    let missing = GgufFile::open(Path::new("/nowhere/model.gguf")).map(drop);
    assert!(matches!(missing, Err(Error::FileNotFound { .. })));
    let directory = TestModel::empty();
    let result = GgufFile::open(directory.path()).map(drop);
    assert!(matches!(result, Err(Error::FileNotFound { .. })));
}

#[test]
fn broken_values_are_errors_that_name_the_key() {
    refuses_entry(Entry::Raw(13, vec![0; 64]));
    refuses_entry(Entry::Raw(7, vec![2]));
    refuses_entry(Entry::Raw(8, [&3u64.to_le_bytes()[..], b"\xff\xfe\xfd"].concat()));
    let array = |element: u32, n: u64| [&element.to_le_bytes()[..], &n.to_le_bytes()].concat();
    for n in [1000, 1 << 40, u64::MAX / 4, u64::MAX] {
        refuses_entry(Entry::Raw(8, n.to_le_bytes().to_vec()));
        for element in [0, 4, 7, 8, 9, 12] {
            refuses_entry(Entry::Raw(9, array(element, n)));
        }
    }
    let nested = |depth: usize| {
        let levels = std::iter::repeat_n(array(9, 1), depth - 1).flatten();
        Entry::Raw(9, levels.chain(array(4, 0)).collect())
    };
    assert!(open(&TestFile::new().set("k", nested(4)).bytes()).is_ok());
    refuses_entry(nested(5));
    refuses_entry(nested(100_000));
}

#[test]
fn keys_and_names_are_there_once() {
    let entry = |key: &str| [text(key), 7u32.to_le_bytes().to_vec(), vec![1]].concat();
    let counts = [&0u64.to_le_bytes()[..], &2u64.to_le_bytes()].concat();
    let head = [b"GGUF", &3u32.to_le_bytes()[..], &counts].concat();
    let file = |keys: [&str; 2]| [head.clone(), keys.map(entry).concat(), vec![0; 64]].concat();
    assert!(open(&file(["a", "b"])).is_ok());
    assert_eq!(refused(&file(["a", "a"])), ("a".to_owned(), "each key once".to_owned()));
    let mut two = TestFile::new();
    two.add("aa", &[1], &[1.0]).add("ab", &[1], &[1.0]);
    let mut bytes = two.bytes();
    let place = bytes.windows(2).position(|pair| pair == b"ab").unwrap();
    bytes[place + 1] = b'a';
    assert_eq!(refused(&bytes), ("aa".to_owned(), "each name once".to_owned()));
}

#[test]
fn counts_beyond_the_file_are_refused() {
    for place in [8, 16] {
        for n in [100u64, 1 << 32, 1 << 60, u64::MAX] {
            let mut bytes = TestFile::new().add("x", &[2], &[1.0, 2.0]).bytes();
            bytes[place..][..8].copy_from_slice(&n.to_le_bytes());
            let (_, expected) = refused(&bytes);
            assert!(expected.contains("at most"), "{expected}");
        }
    }
}

#[test]
fn tensors_that_do_not_fit_are_errors_that_name_them() {
    let refuses_tensor = |change: &dyn Fn(&mut super::test_file::TestTensor)| {
        let mut file = TestFile::new();
        file.add("a", &[4, 8], &[1.0; 32]).add("b", &[4, 8], &[1.0; 32]);
        assert!(open(&file.bytes()).is_ok());
        change(file.tensors.get_mut("b").unwrap());
        refuses(&file, "b");
    };
    for dimensions in [vec![], vec![0], vec![8, 0], vec![1; 5], vec![8, 5], vec![8, 1 << 60]] {
        refuses_tensor(&|tensor| tensor.dimensions.clone_from(&dimensions));
    }
    refuses_tensor(&|tensor| tensor.dimensions = vec![u64::MAX, u64::MAX]);
    for offset in [1, 16, 64, 256, 1 << 40, u64::MAX - 31] {
        refuses_tensor(&|tensor| tensor.offset = Some(offset));
    }
    // Types that can't be read, and rows that are no blocks.
    for number in [4, 8, 9, 10, 12, 16, 28, 31, 39, 1000, u32::MAX] {
        refuses_tensor(&|tensor| tensor.tensor_type = number);
    }
}

#[test]
fn types_that_are_not_supported_are_named() {
    let mut file = TestFile::new();
    file.add("x", &[1, 256], &[0.0; 256]);
    file.tensors.get_mut("x").unwrap().tensor_type = 23;
    let Err(Error::InvalidWeights { got, expected, .. }) = open(&file.bytes()) else { panic!() };
    assert_eq!(got, "type IQ4_XS");
    assert!(expected.contains("Q8_0, Q4_K"), "{expected}");
}

#[test]
fn the_alignment_is_a_power_of_two() {
    let mut file = TestFile::new();
    for alignment in [0, 3, 48, 1 << 21, u32::MAX] {
        refuses(file.set("general.alignment", Entry::U32(alignment)), "general.alignment");
    }
    refuses(file.set("general.alignment", "x"), "general.alignment");
    assert!(open(&file.set("general.alignment", Entry::U32(1)).bytes()).is_ok());
}

#[test]
fn numbers_are_those_of_the_shape() {
    let directory = TestModel::empty();
    let path = directory.file("model.gguf");
    let mut written = TestFile::new();
    written.add("x", &[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).add("y", &[1], &[7.0]);
    fs::write(&path, written.bytes()).unwrap();
    let file = GgufFile::open(&path).unwrap();
    assert_eq!(file.shape("x"), Some(&[2, 3][..]));
    let x = || file.blocks("x", &[2, 3]).unwrap();
    assert_eq!(x().to_f32(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    assert_eq!(file.blocks("y", &[1]).unwrap().to_f32(), [7.0]);
    let turned = x().with_rows_at(3, |row| 1 - row).unwrap();
    assert_eq!(turned.to_f32(), [4.0, 5.0, 6.0, 1.0, 2.0, 3.0]);
    for (name, shape) in [("x", &[3, 2][..]), ("x", &[6]), ("z", &[2, 3])] {
        let Err(Error::InvalidWeights { tensor, expected, .. }) = file.blocks(name, shape) else {
            panic!("{name} has the shape {shape:?}");
        };
        assert_eq!((tensor, expected), (name.to_owned(), format!("shape {shape:?}")));
    }
    // Someone cuts the file off while it is open.
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(140).unwrap();
    let result = file.blocks("y", &[1]);
    assert!(matches!(result, Err(Error::InvalidWeights { .. })), "{result:?}");
}

/// What the `gguf` package makes of the same blocks, bit for bit.
#[test]
fn blocks_of_all_types_are_what_their_formats_say() {
    let file = GgufFile::open(&test_files().join("blocks.gguf")).unwrap();
    let kinds: Vec<&str> = file.names().filter(|name| !name.ends_with(".numbers")).collect();
    assert_eq!(kinds.len(), 11);
    for kind in kinds {
        let numbers = file.blocks(kind, &[2, 512]).unwrap().to_f32();
        let expected = file.blocks(&format!("{kind}.numbers"), &[2, 512]).unwrap().to_f32();
        assert_eq!(numbers, expected, "{kind}");
        let second = file.blocks(kind, &[2, 512]).unwrap().part(1..2, 2);
        assert_eq!(second.to_f32(), expected[512..], "{kind}");
    }
}

#[test]
fn every_truncation_is_an_error() {
    let mut file = TestFile::new();
    file.set("a", "text").set("b", Entry::Texts(vec!["x".to_owned(); 3]));
    file.set("c", Entry::I32s(vec![1, 2])).add("x", &[8], &[1.0; 8]);
    let whole = file.bytes();
    assert!(open(&whole).is_ok());
    for end in 0..whole.len() {
        assert!(open(&whole[..end]).is_err(), "cut at {end}");
    }
}

/// Random damage gives an error or a file, and never a panic or a hang.
#[test]
fn damage_is_harmless() {
    let mut file = TestFile::new();
    file.set("a", "text").set("b", Entry::Texts(vec!["x".to_owned(); 3]));
    file.set("c", Entry::I32s(vec![1, 2])).add("x", &[2, 4], &[1.0; 8]).add("y", &[1], &[1.0]);
    let whole = file.bytes();
    let mut random = Pcg64::seed_from_u64(4);
    let mut below = |n: usize| random.next_u32() as usize % n;
    let directory = TestModel::empty();
    let path = directory.file("model.gguf");
    for _ in 0..3000 {
        let mut damaged = whole.clone();
        for _ in 0..=below(3) {
            damaged[below(whole.len())] = [0, 1, 8, 9, 0x7f, 0xff][below(6)];
        }
        fs::write(&path, &damaged).unwrap();
        let Ok(file) = GgufFile::open(&path) else { continue };
        for name in file.names() {
            let shape = file.shape(name).unwrap();
            assert!(file.blocks(name, shape).is_ok_and(|blocks| !blocks.to_f32().is_empty()));
        }
    }
}

/// Two files of a model, with a tensor each.
fn halves() -> [TestFile; 2] {
    [0, 1].map(|number| {
        let mut file = TestFile::new();
        file.set("split.no", Entry::U32(number)).set("split.count", Entry::U32(2));
        file.set("split.tensors.count", Entry::U32(2));
        file.add(&format!("tensor {number}"), &[2], &[1.0, 2.0]);
        file
    })
}

fn open_halves(files: &[TestFile], name: &str) -> Result<GgufFile, Error> {
    let directory = TestModel::empty();
    for (number, file) in (1..).zip(files) {
        let path = directory.file(&format!("{name}-0000{number}-of-00002.gguf"));
        fs::write(path, file.bytes()).unwrap();
    }
    GgufFile::open(&directory.file(&format!("{name}-00001-of-00002.gguf")))
}

#[test]
fn a_split_model_is_read_as_one() {
    let file = open_halves(&halves(), "a-00001-of-00009").unwrap();
    for name in ["tensor 0", "tensor 1"] {
        assert_eq!(file.blocks(name, &[2]).unwrap().to_f32(), [1.0, 2.0]);
    }
    let Err(Error::InvalidWeights { path, tensor, .. }) = file.blocks("tensor 1", &[3]).map(drop)
    else {
        panic!("another shape was read")
    };
    assert_eq!(tensor, "tensor 1");
    assert!(path.ends_with("a-00001-of-00009-00002-of-00002.gguf"), "{path:?}");
}

#[test]
fn files_that_are_not_parts_of_one_model_are_refused() {
    let missing = open_halves(&halves()[..1], "a").map(drop);
    assert!(
        matches!(&missing, Err(Error::FileNotFound { path, .. }) if path.ends_with("a-00002-of-00002.gguf")),
        "{missing:?}"
    );
    let named = |change: &dyn Fn(&mut [TestFile; 2])| {
        let mut files = halves();
        change(&mut files);
        match open_halves(&files, "a").map(drop) {
            Err(Error::InvalidConfig { field, .. }) => field,
            Err(Error::InvalidWeights { tensor, .. }) => tensor,
            other => panic!("{other:?}"),
        }
    };
    let set = |index: usize, key: &'static str, value: u32| {
        move |files: &mut [TestFile; 2]| {
            files[index].set(key, Entry::U32(value));
        }
    };
    assert_eq!(named(&set(0, "split.no", 1)), "split.no");
    assert_eq!(named(&set(1, "split.no", 0)), "split.no");
    assert_eq!(named(&set(0, "split.count", 3)), "split.count");
    assert_eq!(named(&set(1, "split.count", 1)), "split.count");
    assert_eq!(named(&set(0, "split.tensors.count", 3)), "split.tensors.count");
    assert_eq!(
        named(&|files| files[1] = files[1].clone().add("tensor 0", &[2], &[0.0; 2]).clone()),
        "tensor 0"
    );
    // By another name nothing says where the other files are.
    assert_eq!(refused(&halves()[0].bytes()).0, "split.count");
}
