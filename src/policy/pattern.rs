//! Path patterns: `*` is one segment, `**` any number, `{name}` one segment and a name for titles.
//!
//! Within a segment `*` stands for any characters (`*.css`). Patterns are compared with a target's key (see
//! [`canonical`](super::canonical)), all patterns of a site in one pass.

use globset::{GlobBuilder, GlobMatcher};

use super::canonical::key_of;

/// One pattern of a rule, taken apart.
#[derive(Debug, Clone)]
pub(super) struct PathPattern {
    text: String,
    segments: Vec<Segment>,
}

#[derive(Debug, Clone)]
enum Segment {
    /// Itself.
    Literal(String),
    /// `*.css`: any characters where the `*` is.
    Partial(String, GlobMatcher),
    /// `*` or `{name}`: one segment.
    One(Option<String>),
    /// `**`: any number of segments, none too.
    Many,
}

/// What is wrong with a pattern: what, and the remedy.
pub(super) type Wrong = (&'static str, &'static str);

// === impl PathPattern ===

impl PathPattern {
    /// Takes `text` apart. `fold`: as the site compares without regard to case.
    pub(super) fn parse(text: &str, fold: bool) -> Result<Self, Wrong> {
        if !text.starts_with('/') {
            return Err(("a path pattern starts with `/`", "write the whole path, as in \"/admin/**\""));
        }
        if text.contains(['\\', '?', '#']) || text.chars().any(|c| c.is_control() || c == ' ') {
            return Err((
                "a path pattern holds a character that no path holds",
                "patterns look at the path alone: use `query = { … }` for what follows `?`, and %20 for a space",
            ));
        }
        let key = key_of(text);
        let key = if fold { lower_outside_braces(&key) } else { key };
        let segments = key.trim_matches('/').split('/').filter(|part| !part.is_empty());
        let segments: Vec<Segment> = segments.map(Segment::parse).collect::<Result<_, _>>()?;
        Ok(Self { text: text.to_owned(), segments })
    }

    /// As the file says it.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// As a glob over keys, with `literal_separator`.
    pub(super) fn glob(&self) -> String {
        let mut glob = String::from("/");
        for segment in &self.segments {
            match segment {
                Segment::Literal(text) => glob.push_str(&globset::escape(text)),
                Segment::Partial(text, _) => glob.push_str(&escape_but_stars(text)),
                Segment::One(_) => glob.push_str("?*"),
                Segment::Many => glob.push_str("**"),
            }
            glob.push('/');
        }
        if matches!(self.segments.last(), Some(Segment::Many)) {
            glob.pop();
        }
        glob
    }

    /// The names in braces.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::One(name) => name.as_deref(),
            _ => None,
        })
    }

    /// Whether every path that `other` matches is matched by this one.
    pub(super) fn covers(&self, other: &Self) -> bool {
        covers(&self.segments, &other.segments)
    }

    /// Which segments of `key` (counted from 0) bear a name, when this pattern matches it.
    pub(super) fn capture(&self, key: &str) -> Option<Vec<(&str, usize)>> {
        let parts: Vec<&str> = segments_of(key).collect();
        let mut named = Vec::new();
        capture(&self.segments, &parts, 0, &mut named).then_some(named)
    }

    /// A path that this pattern matches, to try things with.
    pub(super) fn sample(&self) -> String {
        let mut path = String::new();
        for segment in &self.segments {
            path.push('/');
            match segment {
                Segment::Literal(text) => path.push_str(text),
                Segment::Partial(text, _) => path.push_str(&text.replace('*', "x")),
                Segment::One(_) | Segment::Many => path.push('x'),
            }
        }
        if path.is_empty() { "/".to_owned() } else { path }
    }
}

// === impl Segment ===

impl Segment {
    fn parse(text: &str) -> Result<Self, Wrong> {
        let named = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        match (text, named) {
            ("**", _) => Ok(Self::Many),
            ("*", _) => Ok(Self::One(None)),
            ("." | "..", _) => Err(("a path pattern holds a dot segment", "write the path as the backend receives it")),
            (_, Some(name)) if is_name(name) => Ok(Self::One(Some(name.to_owned()))),
            (text, _) if text.contains(['{', '}']) => {
                Err(("braces stand for a whole segment", "write {name} alone between two `/`, letters, digits and _"))
            }
            (text, _) if text.contains("**") => Err((
                "`**` stands for whole segments",
                "write `**` alone between two `/`, or `*` for part of a segment",
            )),
            (text, _) if text.contains('*') => Ok(Self::Partial(text.to_owned(), partial(text)?)),
            (text, _) => Ok(Self::Literal(text.to_owned())),
        }
    }

    fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (_, Self::Many) => false,
            (Self::One(_) | Self::Many, _) => true,
            (Self::Literal(own), Self::Literal(theirs)) | (Self::Partial(own, _), Self::Partial(theirs, _)) => {
                own == theirs
            }
            (Self::Partial(_, matcher), Self::Literal(text)) => matcher.is_match(text),
            (Self::Literal(_), _) | (Self::Partial(..), Self::One(_)) => false,
        }
    }

    fn matches(&self, part: &str) -> bool {
        match self {
            Self::Literal(text) => text == part,
            Self::Partial(_, matcher) => matcher.is_match(part),
            Self::One(_) | Self::Many => true,
        }
    }
}

/// The segments of a key.
pub(super) fn segments_of(key: &str) -> impl Iterator<Item = &str> {
    key.split('/').filter(|part| !part.is_empty())
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn partial(text: &str) -> Result<GlobMatcher, Wrong> {
    let glob = GlobBuilder::new(&escape_but_stars(text)).literal_separator(true).build();
    glob.map(|glob| glob.compile_matcher()).map_err(|_| ("a segment of the pattern cannot be read", "use `*` alone"))
}

fn escape_but_stars(text: &str) -> String {
    text.split('*').map(globset::escape).collect::<Vec<_>>().join("*")
}

/// Names in braces stay as they are written: titles use them.
fn lower_outside_braces(text: &str) -> String {
    let lower = |part: &str| if part.starts_with('{') { part.to_owned() } else { part.to_lowercase() };
    text.split('/').map(lower).collect::<Vec<_>>().join("/")
}

fn covers(own: &[Segment], other: &[Segment]) -> bool {
    match (own, other) {
        ([], []) => true,
        ([Segment::Many, rest @ ..], _) if covers(rest, other) => true,
        ([Segment::Many, ..], [_, theirs @ ..]) => covers(own, theirs),
        ([one, rest @ ..], [first, theirs @ ..]) => one.covers(first) && covers(rest, theirs),
        _ => false,
    }
}

fn capture<'p>(segments: &'p [Segment], parts: &[&str], at: usize, named: &mut Vec<(&'p str, usize)>) -> bool {
    match (segments, parts) {
        ([], []) => true,
        ([Segment::Many, rest @ ..], _) => (0..=parts.len()).any(|skipped| {
            let before = named.len();
            let matched = capture(rest, &parts[skipped..], at + skipped, named);
            if !matched {
                named.truncate(before);
            }
            matched
        }),
        ([segment, rest @ ..], [part, others @ ..]) if segment.matches(part) => {
            if let Segment::One(Some(name)) = segment {
                named.push((name, at));
            }
            capture(rest, others, at + 1, named)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> PathPattern {
        PathPattern::parse(text, false).unwrap()
    }

    fn matches(text: &str, path: &str) -> bool {
        let pattern = pattern(text);
        let by_glob = GlobBuilder::new(&pattern.glob()).literal_separator(true).build().unwrap().compile_matcher();
        let matched = by_glob.is_match(key_of(path));
        assert_eq!(matched, pattern.capture(&key_of(path)).is_some(), "{text} on {path}: glob and capture disagree");
        matched
    }

    #[test]
    fn one_star_is_one_segment_and_two_are_any_number() {
        assert!(matches("/a/*", "/a/b") && matches("/a/*", "/a/b/"));
        assert!(!matches("/a/*", "/a") && !matches("/a/*", "/a/b/c") && !matches("/a/*", "/a/"));
        assert!(matches("/a/**", "/a") && matches("/a/**", "/a/") && matches("/a/**", "/a/b/c"));
        assert!(!matches("/a/**", "/ab"));
        assert!(matches("/**", "/") && matches("/**", "/x/y"));
        assert!(matches("/**/edit", "/edit") && matches("/**/edit", "/x/y/edit") && !matches("/**/edit", "/xedit"));
        assert!(matches("/a/**/z", "/a/z") && matches("/a/**/z", "/a/b/c/z"));
        assert!(matches("/", "/") && !matches("/", "/a"));
    }

    #[test]
    fn a_star_inside_a_segment_stays_inside() {
        assert!(matches("/static/*.css", "/static/x.css") && matches("/static/*.css", "/static/.css"));
        assert!(!matches("/static/*.css", "/static/x/y.css") && !matches("/static/*.css", "/static/x.css.js"));
        assert!(matches("/**/*%25*/**", "/a/%2561"));
    }

    #[test]
    fn characters_special_to_globs_stand_for_themselves() {
        assert!(matches("/a[b]!,(c)", "/a[b]!,(c)") && !matches("/a[b]", "/ab"));
    }

    #[test]
    fn a_final_slash_in_the_pattern_changes_nothing() {
        assert!(matches("/a/b/", "/a/b") && matches("/a/b", "/a/b/"));
    }

    #[test]
    fn names_are_captured() {
        let found = pattern("/admin/{kind}/**/{id}/delete");
        assert_eq!(found.capture("/admin/customers/x/42/delete/").unwrap(), vec![("kind", 1), ("id", 3)]);
    }

    #[test]
    fn covering_is_seen_segment_by_segment() {
        for (wide, narrow) in
            [("/**", "/a/{id}"), ("/a/**", "/a"), ("/a/*", "/a/{id}"), ("/a/*.css", "/a/b.css"), ("/**/z", "/a/**/z")]
        {
            assert!(pattern(wide).covers(&pattern(narrow)), "{wide} covers {narrow}");
        }
        for (narrow, wide) in [("/a/{id}", "/a/**"), ("/a/b", "/a/*"), ("/a/*.css", "/a/*"), ("/a", "/b")] {
            assert!(!pattern(narrow).covers(&pattern(wide)), "{narrow} does not cover {wide}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for text in ["admin", "/a?b", "/a b", "/x{id}", "/{}", "/a**", "/a/../b", "/a\\b"] {
            assert!(PathPattern::parse(text, false).is_err(), "{text}");
        }
    }
}
