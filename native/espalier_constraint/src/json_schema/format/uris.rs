//! URIs, IRIs and templates of them.

use super::{hosts, one_of};

/// The characters beyond ASCII that an IRI may have, as sets.
const UCSCHAR: &str = r"\u{A0}-\u{D7FF}\u{F900}-\u{FDCF}\u{FDF0}-\u{FFEF}\u{10000}-\u{1FFFD}\u{20000}-\u{2FFFD}\u{30000}-\u{3FFFD}\u{40000}-\u{4FFFD}\u{50000}-\u{5FFFD}\u{60000}-\u{6FFFD}\u{70000}-\u{7FFFD}\u{80000}-\u{8FFFD}\u{90000}-\u{9FFFD}\u{A0000}-\u{AFFFD}\u{B0000}-\u{BFFFD}\u{C0000}-\u{CFFFD}\u{D0000}-\u{DFFFD}\u{E1000}-\u{EFFFD}";
const IPRIVATE: &str = r"\u{E000}-\u{F8FF}\u{F0000}-\u{FFFFD}\u{100000}-\u{10FFFD}";

const PERCENT_ENCODED: &str = "%[0-9A-Fa-f]{2}";
const SUB_DELIMS: &str = "!$&'()*+,;=";
const SCHEME: &str = "[A-Za-z][A-Za-z0-9+.-]*";

/// What tells URIs and IRIs apart, as sets of characters.
pub(super) struct Identifiers {
    unreserved: &'static str,
    /// Only in queries.
    private: &'static str,
}

pub(super) const URI: Identifiers = Identifiers { unreserved: "", private: "" };
pub(super) const IRI: Identifiers = Identifiers { unreserved: UCSCHAR, private: IPRIVATE };

impl Identifiers {
    /// A URI or an IRI.
    pub(super) fn absolute(&self) -> String {
        let rootless = format!("{}+(?:/{}*)*", self.pchar(""), self.pchar(""));
        format!("{SCHEME}:{}{}", self.place(&rootless), self.query_and_fragment())
    }

    /// A URI or an IRI, or one that is relative.
    pub(super) fn reference(&self) -> String {
        // The first segment has no colon.
        let noscheme = format!("{}+(?:/{}*)*", self.characters("@"), self.pchar(""));
        let relative = format!("{}{}", self.place(&noscheme), self.query_and_fragment());
        one_of([self.absolute(), relative])
    }

    /// An authority with a path, or a path alone, which may begin without a slash as given.
    fn place(&self, other_path: &str) -> String {
        let pchar = self.pchar("");
        one_of([
            format!("//{}(?:/{pchar}*)*", self.authority()),
            format!("/(?:{pchar}+(?:/{pchar}*)*)?"),
            other_path.to_owned(),
            String::new(),
        ])
    }

    fn authority(&self) -> String {
        let future = format!("[Vv][0-9A-Fa-f]+\\.[A-Za-z0-9._~{SUB_DELIMS}:-]+");
        let literal = format!(r"\[{}\]", one_of([hosts::ipv6(1), future]));
        // An IPv4 address is a registered name, too.
        let name = format!("{}*", self.characters(""));
        format!("(?:{}*@)?{}(?::[0-9]*)?", self.characters(":"), one_of([literal, name]))
    }

    fn query_and_fragment(&self) -> String {
        let query = self.pchar(&format!("/?{}", self.private));
        format!(r"(?:\?{query}*)?(?:#{}*)?", self.pchar("/?"))
    }

    fn pchar(&self, more: &str) -> String {
        self.characters(&format!(":@{more}"))
    }

    /// Unreserved and percent-encoded characters, delimiters of parts, and some more.
    fn characters(&self, more: &str) -> String {
        format!("(?:[A-Za-z0-9._~{}{SUB_DELIMS}{more}-]|{PERCENT_ENCODED})", self.unreserved)
    }
}

pub(super) fn template() -> String {
    let literal = format!(r"[!#$&-;=?-\[\]_a-z~{UCSCHAR}{IPRIVATE}]|{PERCENT_ENCODED}");
    let varchar = format!("(?:[A-Za-z0-9_]|{PERCENT_ENCODED})");
    let varspec = format!(r"{varchar}(?:\.?{varchar})*(?:\*|:[1-9][0-9]{{0,3}})?");
    let expression = format!(r"\{{[+#./;?&]?{varspec}(?:,{varspec})*\}}");
    format!("(?:{literal}|{expression})*")
}
