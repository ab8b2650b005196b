//! Which language a page is in.

/// `en` or `fr`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    /// English.
    #[default]
    En,
    /// French.
    Fr,
}

/// The weight that no other exceeds, in thousandths.
const FULL: u16 = 1000;

// === impl Language ===

impl Language {
    /// From a person's choice, else `Accept-Language` (RFC 9110 12.5.4), else `default`.
    pub fn choose(chosen: Option<&str>, accept: Option<&str>, default: Self) -> Self {
        chosen.and_then(Self::from_tag).or_else(|| preferred(accept?, default)).unwrap_or(default)
    }

    /// From a language tag (`fr`, `fr-CA`), when it is one of ours.
    pub fn from_tag(tag: &str) -> Option<Self> {
        let primary = tag.trim().split('-').next()?;
        match primary {
            _ if primary.eq_ignore_ascii_case("en") => Some(Self::En),
            _ if primary.eq_ignore_ascii_case("fr") => Some(Self::Fr),
            _ => None,
        }
    }

    /// The tag, as in `lang="…"`.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Fr => "fr",
        }
    }
}

/// The language of ours with the highest weight; among equals the first named.
fn preferred(accept: &str, default: Language) -> Option<Language> {
    // Most browsers begin with a language alone: no weight exceeds its own.
    if let [_, _, b',', ..] = accept.as_bytes()
        && let Some(language) = accept.get(..2).and_then(Language::from_tag)
    {
        return Some(language);
    }
    let mut best: Option<(u16, Language)> = None;
    for range in accept.split(',').take(32) {
        let (tag, parameters) = range.split_once(';').unwrap_or((range, ""));
        let language = if tag.trim() == "*" { Some(default) } else { Language::from_tag(tag) };
        let (Some(language), weight) = (language, weight(parameters)) else { continue };
        if weight > best.map_or(0, |(highest, _)| highest) {
            best = Some((weight, language));
        }
        if weight == FULL {
            break;
        }
    }
    best.map(|(_, language)| language)
}

/// `q=0.8` as thousandths; 1 when absent, 0 when unreadable.
fn weight(parameters: &str) -> u16 {
    let Some(value) = parameters.trim().strip_prefix("q=") else { return FULL };
    let parsed: f32 = value.trim().parse().unwrap_or(0.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=1000")]
    let thousandths = (parsed.clamp(0.0, 1.0) * f32::from(FULL)) as u16;
    thousandths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_persons_choice_wins_then_the_browsers_then_the_portals() {
        assert_eq!(Language::choose(Some("fr"), Some("en"), Language::En), Language::Fr);
        assert_eq!(Language::choose(None, Some("fr-CA, en;q=0.5"), Language::En), Language::Fr);
        assert_eq!(Language::choose(None, Some("de, it"), Language::Fr), Language::Fr);
        assert_eq!(Language::choose(Some("de"), None, Language::Fr), Language::Fr);
    }

    #[test]
    fn weights_decide_and_zero_excludes() {
        assert_eq!(Language::choose(None, Some("en;q=0.3, fr;q=0.9"), Language::En), Language::Fr);
        assert_eq!(Language::choose(None, Some("fr;q=0, en;q=0.1"), Language::Fr), Language::En);
        assert_eq!(Language::choose(None, Some("fr;q=nonsense, *;q=0.1"), Language::En), Language::En);
        assert_eq!(Language::choose(None, Some("de, fr, en"), Language::En), Language::Fr);
    }
}
