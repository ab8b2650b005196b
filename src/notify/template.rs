//! Texts with placeholders: `Token: ${token}`.
//!
//! A template is parsed once, against the tags its message knows, so that a wrong tag is found when the file is read and
//! not when somebody waits for the message. A value is never looked into: a title that contains `${token}` stays text.

/// A parsed text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    segments: Vec<Segment>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Text(String),
    Tag(&'static str),
}

/// What is wrong with a text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateFault {
    /// No such tag in this message.
    #[error("unknown tag ${{{tag}}}: {}", remedy(*.nearest))]
    UnknownTag {
        /// As written.
        tag: String,
        /// The tag probably meant; none when nothing is near.
        nearest: Option<&'static str>,
    },
    /// `${` without `}`.
    #[error("a tag is not closed: write ${{name}}")]
    Unclosed,
}

fn remedy(nearest: Option<&'static str>) -> String {
    match nearest {
        Some(tag) => format!("write ${{{tag}}}"),
        None => "remove it".to_owned(),
    }
}

impl Template {
    /// Reads `text`; only `tags` may stand in it.
    pub fn parse(text: &str, tags: &[&'static str]) -> Result<Self, TemplateFault> {
        let mut segments = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let (tag, after) = after.split_once('}').ok_or(TemplateFault::Unclosed)?;
            let known = tags.iter().find(|known| **known == tag).ok_or_else(|| unknown(tag, tags))?;
            segments.push(Segment::Text(before.to_owned()));
            segments.push(Segment::Tag(known));
            rest = after;
        }
        segments.push(Segment::Text(rest.to_owned()));
        Ok(Self { segments })
    }

    /// The text with every tag replaced by its value; a tag without a value by nothing.
    pub fn expand(&self, values: &[(&'static str, &str)]) -> String {
        self.segments
            .iter()
            .map(|segment| match segment {
                Segment::Text(text) => text,
                Segment::Tag(tag) => values.iter().find(|(name, _)| name == tag).map_or("", |(_, value)| value),
            })
            .collect()
    }
}

fn unknown(tag: &str, tags: &[&'static str]) -> TemplateFault {
    let nearest = tags
        .iter()
        .map(|known| (distance(tag, known), *known))
        .min()
        .filter(|(distance, known)| *distance <= known.len() / 2)
        .map(|(_, known)| known);
    TemplateFault::UnknownTag { tag: tag.to_owned(), nearest }
}

/// How many letters must be added, removed or changed (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (index, letter) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = index + 1;
        for column in 0..other.len() {
            let replaced = diagonal + usize::from(other[column] != letter);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAGS: &[&str] = &["title", "token", "minutes"];

    #[test]
    fn tags_are_replaced_by_their_values() {
        let template = Template::parse("\"${title}\": ${token}, ${minutes} min.", TAGS).unwrap();
        let values = [("title", "Delete"), ("token", "K7QF-2M9X"), ("minutes", "15")];
        assert_eq!(template.expand(&values), "\"Delete\": K7QF-2M9X, 15 min.");
    }

    #[test]
    fn a_value_that_looks_like_a_tag_stays_text() {
        let template = Template::parse("${title} ${token}", TAGS).unwrap();
        assert_eq!(template.expand(&[("title", "${token}"), ("token", "secret")]), "${token} secret");
    }

    #[test]
    fn an_unknown_tag_is_told_with_the_one_probably_meant() {
        let fault = Template::parse("${tokne}", TAGS).unwrap_err();
        assert_eq!(fault.to_string(), "unknown tag ${tokne}: write ${token}");
        let fault = Template::parse("${birthday}", TAGS).unwrap_err();
        assert_eq!(fault.to_string(), "unknown tag ${birthday}: remove it");
    }

    #[test]
    fn a_tag_must_be_closed() {
        assert_eq!(Template::parse("Token ${token", TAGS), Err(TemplateFault::Unclosed));
    }
}
