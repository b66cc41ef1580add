//! Names and addresses of hosts, and of mailboxes on them.
//!
//! Of the internationalized names these are left out: labels with Punycode; names of more than four
//! labels if one is not ASCII; in a label that is not ASCII all letters but those of one group
//! of [`UNICODE_LABELS`] or [`RIGHT_TO_LEFT`] and of ASCII, upper case, and more characters than surely
//! fit into 62 octets of Punycode; other separators than the full stop.

use super::{compile, one_of, quota, small};
use crate::dfa::{Dfa, classes_of};

pub(super) fn ipv4() -> String {
    const OCTET: &str = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])";
    format!(r"{OCTET}(?:\.{OCTET}){{3}}")
}

/// Eight groups, the last two of which may be spelled as an IPv4 address; `::` stands for at least
/// so many of them.
pub(super) fn ipv6(least_left_out: usize) -> String {
    const GROUP: &str = "[0-9A-Fa-f]{1,4}";
    let ipv4 = ipv4();
    let last = format!("(?:{GROUP}:{GROUP}|{ipv4})");
    let whole = format!("(?:{GROUP}:){{6}}{last}");
    let n_spelled = 8 - least_left_out;
    let with_gap = (0..=n_spelled).map(|n_before| {
        let before = match n_before {
            0 => String::new(),
            n => format!("{GROUP}(?::{GROUP}){{{}}}", n - 1),
        };
        let after = match n_spelled - n_before {
            0 => String::new(),
            1 => format!("(?:{GROUP})?"),
            n => {
                format!("(?:(?:{GROUP}:){{0,{}}}{GROUP}|(?:{GROUP}:){{0,{}}}{ipv4})?", n - 1, n - 2)
            }
        };
        format!("{before}::{after}")
    });
    one_of(with_gap.chain([whole]))
}

/// A host name by the rules of RFC 1123, with labels of 63 octets, of so many [`STEP`]s in all.
pub(super) fn hostname(n_steps: usize) -> Dfa {
    let names = compile(r"[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*");
    let names = small(names.intersection(&labels_within(n_steps), quota()));
    small(names.difference(&compile(BAD_HYPHENS), quota()))
}

/// A hyphen at the start or the end of a label, or two in third and fourth place.
const BAD_HYPHENS: &str = r"(?:.*\.)?(?:-.*|[^.]{2}--.*|[^.]*-(?:\..*)?)";

/// The octets in which lengths of labels are counted, so that names have fewer states.
const STEP: usize = 6;
/// Each label with the octet before it: 253 octets and the one at the root, in whole steps.
pub(super) const NAME_STEPS: usize = 254 / STEP;
/// With 64 octets before the `@` no more than the 254 that fit into a path of 256.
const DOMAIN_STEPS: usize = 190 / STEP;

/// Texts between dots of at most 63 octets each, of so many steps in all.
fn labels_within(n_steps: usize) -> Dfa {
    let (classes, representatives) = classes_of(|byte| byte == b'.');
    let steps_of = |length: usize| (length + 1).div_ceil(STEP);
    let result = Dfa::explore(
        (0, 0),
        (classes, &representatives),
        quota(),
        |&(n_before, length), byte| {
            let next = if byte == b'.' {
                (n_before + steps_of(length), 0)
            } else {
                (n_before, length + 1)
            };
            (next.1 <= 63 && next.0 + steps_of(next.1) <= n_steps).then_some(next)
        },
        |_| Ok(true),
    );
    small(result)
}

pub(super) fn email() -> Dfa {
    mailbox("", &hostname(DOMAIN_STEPS))
}

pub(super) fn idn_email() -> Dfa {
    let domain = small(hostname(DOMAIN_STEPS).union(&unicode_names(3), quota()));
    mailbox(r"\u{80}-\u{10FFFF}", &domain)
}

/// A local part, in which some more characters may be, at a domain or an address.
fn mailbox(more: &str, domain: &Dfa) -> Dfa {
    let atom = format!("[A-Za-z0-9!#$%&'*+/=?^_`{{|}}~{more}-]+");
    let quoted = format!(r#""(?:[ !#-\[\]-~{more}]|\\[ -~])*""#);
    let local = compile(&format!(r"(?:{atom}(?:\.{atom})*|{quoted})@"));
    let local = small(local.intersection(&octets_within(64 + 1), quota()));
    let address = compile(&format!(r"\[(?:{}|(?i:IPv6:){})\]", ipv4(), ipv6(2)));
    small(local.followed_by(&small(domain.union(&address, quota())), quota()))
}

fn octets_within(max: usize) -> Dfa {
    let step = |&length: &usize, _| (length < max).then_some(length + 1);
    small(Dfa::explore(0, ([0; 256], &[0]), quota(), step, |_| Ok(true)))
}

pub(super) fn idn_hostname() -> Dfa {
    small(hostname(NAME_STEPS).union(&unicode_names(4), quota()))
}

/// Names of so many labels, in which some are not ASCII.
fn unicode_names(n_labels: usize) -> Dfa {
    const ASCII: &str = "[A-Za-z0-9-]{1,23}";
    // Beside labels that are written from right to left each has to begin with a letter.
    const ASCII_LETTER_FIRST: &str = "[A-Za-z][A-Za-z0-9-]{0,22}";
    let names = |label: &str| format!(r"{label}(?:\.{label}){{0,{}}}", n_labels - 1);
    let left_to_right = one_of(UNICODE_LABELS.into_iter().chain([ASCII]));
    let right_to_left = one_of(RIGHT_TO_LEFT.into_iter().chain([ASCII_LETTER_FIRST]));
    let names = compile(&one_of([names(&left_to_right), names(&right_to_left)]));
    small(names.difference(&compile(BAD_HYPHENS), quota()))
}

/// Labels that are written from left to right, by script.
const UNICODE_LABELS: [&str; 8] = [
    // Latin.
    r"[a-z0-9ß-öø-ÿāăąćĉċčďđēĕėęěĝğġģĥħĩīĭįıĵķĸĺļľłńņňŋōŏőœŕŗřśŝşšţťŧũūŭůűųŵŷźżž-]{1,20}",
    // The middle dot stands between two of these.
    "[a-z0-9-]{0,8}l·l[a-z0-9-]{0,8}",
    "[a-z0-9ΐά-ώ-]{1,20}",
    // A numeral sign stands before its letters.
    "[a-z0-9ά-ώ-]{0,8}\u{375}[ά-ώ][a-z0-9ά-ώ-]{0,8}",
    "[a-z0-9а-џґ-]{1,20}",
    // Chinese, Japanese and Korean.
    "[a-z0-9々〇ぁ-ゖゝゞァ-ヺー-ヾ㐀-䶵一-龥가-힣-]{1,12}",
    // The middle dot of Katakana is beside some of their characters.
    "・{0,2}[々〇ぁ-ゖァ-ヺ㐀-䶵一-龥][a-z0-9々〇ぁ-ゖゝゞァ-ヺー-ヾ㐀-䶵一-龥・-]{0,9}",
    // Devanagari; joiners stand behind a virama.
    r"[\u{904}-\u{939}](?:[a-z0-9\u{901}-\u{903}\u{904}-\u{939}\u{93D}-\u{94C}\u{966}-\u{96F}-]|\u{94D}[\u{200C}\u{200D}]?){0,9}",
];

/// Labels that are written from right to left: they begin with a letter and have digits of one kind.
const RIGHT_TO_LEFT: [&str; 3] = [
    // Hebrew and Arabic; two signs of Hebrew stand behind a letter.
    r"(?:[א-ת][\u{5F3}\u{5F4}]?|[ؠ-ؿف-ي\u{6FD}\u{6FE}])(?:[א-ת][\u{5F3}\u{5F4}]?|[0-9ؠ-ؿف-ي\u{6FD}\u{6FE}-]){0,8}",
    "[א-תؠ-ؿف-ي][א-תؠ-ؿف-ي٠-٩-]{0,17}",
    // Between letters that join.
    r"[ؠ-ؿف-ي]{0,7}[بت-خس-غف-هىي]\u{200C}[بت-خس-غف-هىي][ؠ-ؿف-ي]{0,7}",
];
