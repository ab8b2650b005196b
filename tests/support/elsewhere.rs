//! Spellings of another place than our own origin, for return addresses (WEB-1). The rule's own tests and those of whole
//! gateways use this one list.

use std::collections::BTreeSet;

/// Those with a name, a place in a standard or a history.
pub const KNOWN: &[&str] = &[
    "//evil",
    "/\\evil",
    "/%5cevil",
    "/%09/evil",
    "/\t/evil",
    "https:evil",
    "https://gw.test@evil",
    "javascript:alert(1)",
    "/..//evil",
    "",
    "evil",
    "?x",
    "#x",
    "http://evil",
    "HTTPS://evil",
    "data:text/html,x",
    "vbscript:x",
    "\\\\evil",
    "\\/evil",
    "///evil",
    "/./evil",
    "/.//evil",
    "/%2e%2e//evil",
    "/%252e%252e/evil",
    "/%2f/evil",
    "/%2fevil/",
    "/;//evil",
    "/..;/evil",
    "/\u{a0}/evil",
    "/é",
    "/\u{2044}evil",
    "/\u{ff0f}evil",
    "/%00",
    "/%0d%0aSet-Cookie:x",
    "/\r\nLocation: //evil",
    "/%ff",
    "/a\u{0}b",
    "/%c0%afevil",
    " /secure/",
    "/ evil",
    "file:///etc/passwd",
    "blob:x",
    "//%0aevil",
    "/%255cevil",
    "/%25%35%63evil",
    " //evil",
    "/ /evil",
    "//gw.test@evil",
    "https:///evil",
];

const STARTS: [&str; 16] = [
    "//",
    "/\\",
    "\\/",
    "\\\\",
    "///",
    "/%2f",
    "%2f/",
    "/%5c",
    "%5c%5c",
    "/%252f",
    "/.//",
    "/..//",
    "https:",
    "https:/",
    "https://",
    "javascript:",
];

const FILLERS: [&str; 14] =
    ["", "\t", "\n", "\r", " ", "%09", "%0a", "%0d", "\u{0}", "@", "gw.test@", ":80@", "\u{200b}", "\u{3000}"];

const HOSTS: [&str; 5] = ["evil", "evil.example", "evil%2eexample", "[::1]", "2130706433"];

/// All of [`KNOWN`], and every joint of a slash-like start, something a browser ignores, and a way to another host.
pub fn corpus() -> BTreeSet<String> {
    let joined = STARTS.iter().flat_map(|start| {
        let fillers = FILLERS.iter().map(move |filler| format!("{start}{filler}"));
        fillers.flat_map(|begin| HOSTS.iter().map(move |host| format!("{begin}{host}")))
    });
    joined.chain(KNOWN.iter().map(|known| (*known).to_owned())).collect()
}
