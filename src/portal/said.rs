//! The stable words of the layers below, as a page says them.
//!
//! Each of these is an enum with a family of texts of its own; a test walks over every variant of every one of them, in both
//! languages. Should a text be missing all the same, the word itself is shown: a page that says too little is better than none.

use super::Language;
use super::texts::Texts;
use crate::identity::Level;
use crate::operation::{Cause, MayNot, State};
use crate::store::failure::Failure;
use crate::store::outbox::{Channel, OutboxState};

/// Where an operation stands.
pub(super) fn state(state: State, t: Texts) -> &'static str {
    t.of("state", state.as_str()).unwrap_or(state.as_str())
}

/// What that means to the requester, and what to do next.
pub(super) fn wait(state: State, t: Texts) -> &'static str {
    t.of("wait-what", state.as_str()).unwrap_or_default()
}

/// Why it stands there. Who denied wrote their own words, which are shown as they are, even where they are one of ours.
pub(super) fn reason(state: State, reason: &str, t: Texts) -> String {
    let cause = reason.parse::<Cause>().ok().filter(|_| state != State::Denied);
    cause.and_then(|cause| t.of("reason", cause.as_str())).unwrap_or(reason).to_owned()
}

/// Why somebody may not do what they asked for, and what to do instead.
pub(super) fn may_not(why: MayNot, t: Texts) -> &'static str {
    t.of("may-not", why.as_str()).unwrap_or(why.as_str())
}

/// How surely a session is its user's.
pub(super) fn level(level: Level, t: Texts) -> &'static str {
    t.of("level", level.as_str()).unwrap_or(level.as_str())
}

/// By which channel somebody is told.
pub(super) fn channel(channel: Channel, t: Texts) -> &'static str {
    t.of("channel", channel.as_str()).unwrap_or(channel.as_str())
}

/// How telling somebody went.
pub(super) fn notice(state: OutboxState, t: Texts) -> &'static str {
    t.of("notice-state", state.as_str()).unwrap_or(state.as_str())
}

/// What went wrong with telling somebody.
pub(super) fn failure(failure: Failure, t: Texts) -> &'static str {
    t.of("notice-error", failure.as_str()).unwrap_or(failure.as_str())
}

/// The same, for the command line, which speaks English.
pub fn failure_in_english(word: Failure) -> &'static str {
    failure(word, Texts::of_language(Language::En))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::password::rules::Class;

    const LANGUAGES: [Language; 2] = [Language::En, Language::Fr];

    /// Every family of an enum's texts, with the words it must have.
    fn families() -> Vec<(&'static str, Vec<&'static str>)> {
        vec![
            ("state", State::ALL.iter().map(|word| word.as_str()).collect()),
            // Done leads on to the answer: nobody waits then.
            ("wait-what", State::ALL.iter().filter(|s| **s != State::Done).map(|word| word.as_str()).collect()),
            ("reason", Cause::ALL.iter().map(|word| word.as_str()).collect()),
            ("may-not", MayNot::ALL.iter().map(|word| word.as_str()).collect()),
            ("password-missing", Class::ALL.iter().map(|word| word.as_str()).collect()),
            ("level", Level::ALL.iter().map(|word| word.as_str()).collect()),
            ("channel", Channel::ALL.iter().map(|word| word.as_str()).collect()),
            ("notice-state", OutboxState::ALL.iter().map(|word| word.as_str()).collect()),
            ("notice-error", Failure::ALL.iter().map(|word| word.as_str()).collect()),
        ]
    }

    #[test]
    fn every_word_of_every_enum_is_said_in_both_languages_and_no_other() {
        for language in LANGUAGES {
            let t = Texts::of_language(language);
            for (family, mut words) in families() {
                for word in &words {
                    let text = t.of(family, word).unwrap_or_default();
                    assert!(text.len() > 2, "{family}.{word} says nothing in {}", language.tag());
                }
                words.sort_unstable();
                assert_eq!(t.words_of(family), words, "{family}");
            }
        }
    }

    #[test]
    fn who_may_not_is_told_in_a_sentence() {
        for language in LANGUAGES {
            for why in MayNot::ALL {
                let text = may_not(*why, Texts::of_language(language));
                assert!(text.len() > 15 && text.ends_with('.'), "{why}: {text}");
            }
        }
    }

    #[test]
    fn the_words_of_who_denied_are_theirs() {
        let t = Texts::of_language(Language::En);
        assert_eq!(reason(State::Expired, "expired", t), "nobody confirmed it in time");
        assert_eq!(reason(State::Denied, "expired", t), "expired");
        assert_eq!(reason(State::Denied, "Ask the customer first", t), "Ask the customer first");
    }
}
