//! What the owner of an account is told by mail: what was changed about it, and what may have been somebody else.
//!
//! **News** is one notice of these. All of them say when it was and from where; each has words and tags of its own on top.

use std::collections::BTreeMap;

use super::catalogue::{MailMessage, Messages};
use crate::account::recovery;

/// Something to tell the owner of an account.
#[derive(Debug, Clone, Copy)]
pub enum News<'a> {
    /// Its password was changed.
    PasswordChanged,
    /// Its second factor was.
    FactorChanged(FactorNews),
    /// One of its recovery codes was used.
    RecoveryCodeUsed {
        /// How many there are still.
        left: u64,
    },
    /// An old value of a remembered device was used: the device has ended.
    DeviceReused {
        /// The browser that used it, in words.
        browser: &'a str,
    },
}

words! {
    /// A change of somebody's second factor.
    pub enum FactorNews {
        /// The first authenticator is active, and recovery codes with it.
        Enrolled = "enrolled",
        /// Another authenticator is active.
        Added = "added",
        /// An authenticator is gone, another one stays.
        Removed = "removed",
        /// The last authenticator is gone, by its owner.
        SwitchedOff = "switched-off",
        /// All are gone, by an administrator.
        Reset = "reset",
        /// Another set of recovery codes.
        RecoveryRenewed = "recovery-renewed",
    }
}

// === impl News ===

impl News<'_> {
    /// The stable name of the message.
    pub(super) const fn kind(self) -> &'static str {
        match self {
            Self::PasswordChanged => "password-changed",
            Self::FactorChanged(_) => "factor-changed",
            Self::RecoveryCodeUsed { .. } => "recovery-code-used",
            Self::DeviceReused { .. } => "device-reused",
        }
    }

    /// The page of the portal that is looked at next.
    pub(super) const fn page(self) -> &'static str {
        match self {
            Self::PasswordChanged => "/secure/account",
            Self::FactorChanged(_) => "/secure/account/second-factor",
            Self::RecoveryCodeUsed { .. } => "/secure/account/recovery-codes",
            Self::DeviceReused { .. } => "/secure/account/sessions",
        }
    }

    /// Its message.
    pub(super) const fn message(self, messages: &Messages) -> &MailMessage {
        match self {
            Self::PasswordChanged => &messages.password_changed,
            Self::FactorChanged(_) => &messages.factor_changed,
            Self::RecoveryCodeUsed { .. } => &messages.recovery_code_used,
            Self::DeviceReused { .. } => &messages.device_reused,
        }
    }

    /// What its own tags stand for, by the words of its message.
    pub(super) fn own(self, message: &MailMessage) -> Vec<(&'static str, String)> {
        match self {
            Self::PasswordChanged => Vec::new(),
            Self::FactorChanged(change) => {
                let (outcome, advice) = (&message.outcome, &message.advice);
                vec![("outcome", word(outcome, change.as_str())), ("advice", word(advice, change.as_str()))]
            }
            Self::RecoveryCodeUsed { left } => {
                vec![("left", left.to_string()), ("advice", word(&message.advice, urgency(left)))]
            }
            Self::DeviceReused { browser } => vec![("browser", browser.to_owned())],
        }
    }
}

/// How urgently others are needed when so many recovery codes are left.
const fn urgency(left: u64) -> &'static str {
    match left {
        0 => "none",
        1..=recovery::FEW => "few",
        _ => "",
    }
}

fn word(table: &BTreeMap<String, String>, key: &str) -> String {
    table.get(key).cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;
    use std::sync::Arc;

    use uuid::Uuid;

    use super::*;
    use crate::audit::Origin;
    use crate::identity::{User, UserId, UserState};
    use crate::notify::Notices;
    use crate::notify::mail::Letter;
    use crate::secret::{Keyring, Place, SystemRandom};
    use crate::store::outbox::{Channel, NewOutbox};
    use crate::time::Timestamp;

    fn keyring() -> Arc<Keyring> {
        Arc::new(Keyring::new(&[7; 32]))
    }

    fn row(news: News<'_>, language: &str) -> NewOutbox {
        let url = "https://gate.example.org".to_owned();
        let none = Path::new("/nonexistent");
        let notices = Notices::new(keyring(), Arc::new(SystemRandom), url, "en".to_owned(), none).unwrap();
        let alice = User {
            id: UserId(Uuid::from_u128(1)),
            name: "alice".to_owned(),
            full_name: "Alice Martin".to_owned(),
            email: "alice@example.org".to_owned(),
            language: Some(language.to_owned()),
            groups: Vec::new(),
            rights: Vec::new(),
            state: UserState::Active,
            valid_from: None,
            valid_until: None,
        };
        let now = Timestamp::from_secs(1_772_366_405);
        let origin = Origin { now, actor: None, door: "page", address: "192.0.2.7".parse().ok(), request_id: None };
        notices.mail_to_owner(&alice, news, &origin)
    }

    fn letter(news: News<'_>, language: &str) -> Letter {
        let row = row(news, language);
        let place = Place { table: "outbox", column: "message", row: &row.id.to_string() };
        serde_json::from_slice(&keyring().open(place, &row.message).unwrap()).unwrap()
    }

    /// All there are, with every word in them.
    fn all() -> Vec<News<'static>> {
        let changes = FactorNews::ALL.iter().copied().map(News::FactorChanged);
        let codes = [5, 2, 0].map(|left| News::RecoveryCodeUsed { left });
        let others = [News::PasswordChanged, News::DeviceReused { browser: "Firefox, Windows" }];
        changes.chain(codes).chain(others).collect()
    }

    #[test]
    fn all_news_are_mails_worth_a_day_that_say_whose_when_and_where_in_both_languages() {
        for language in ["en", "fr"] {
            let told: BTreeSet<_> = all().into_iter().map(|news| letter(news, language).text).collect();
            assert_eq!(told.len(), all().len(), "{language}");
            for news in all() {
                let (row, letter) = (row(news, language), letter(news, language));
                assert_eq!(
                    (row.kind, row.channel, row.operation, row.carries_token),
                    (news.kind(), Channel::Mail, None, false)
                );
                assert_eq!(row.deadline.since(row.created_at).as_secs(), 24 * 60 * 60);
                assert_eq!((&*letter.to, &*letter.to_name), ("alice@example.org", "Alice Martin"));
                assert!(!letter.subject.is_empty(), "{news:?}");
                let link = format!("https://gate.example.org{}", news.page());
                for wanted in ["Alice Martin,", "alice", "2026-03-01 12:00:05 UTC", "192.0.2.7", &link] {
                    assert!(letter.text.contains(wanted), "{wanted}: {}", letter.text);
                }
                assert!(letter.text.ends_with(&link), "{}", letter.text);
            }
        }
    }

    #[test]
    fn a_changed_factor_is_told_with_what_it_means() {
        let letter = letter(News::FactorChanged(FactorNews::SwitchedOff), "en");
        assert_eq!(letter.subject, "Your second factor was switched off");
        insta::assert_snapshot!(letter.text, @r"
        Hello Alice Martin,

        Your second factor was switched off (account alice, 2026-03-01 12:00:05 UTC, from 192.0.2.7).

        All other sessions of your account have ended, remembered browsers are forgotten, and your recovery codes work no more. From now on your password alone opens your account.

        If it was not you, change your password at once and speak with an administrator.

        https://gate.example.org/secure/account/second-factor
        ");
    }

    #[test]
    fn a_used_recovery_code_is_told_with_what_is_left_and_a_warning_when_that_is_little() {
        let text = |left, language| letter(News::RecoveryCodeUsed { left }, language).text;
        assert!(text(5, "en").contains("left: 5") && !text(5, "en").contains("Few"), "{}", text(5, "en"));
        assert!(text(2, "en").contains("left: 2") && text(2, "en").contains("Few are left"), "{}", text(2, "en"));
        assert!(text(0, "en").contains("the last one"), "{}", text(0, "en"));
        assert!(text(1, "fr").contains("restants : 1") && text(1, "fr").contains("reste peu"));
    }

    #[test]
    fn a_changed_password_is_told_with_what_to_do() {
        let told = letter(News::PasswordChanged, "en");
        assert_eq!(told.subject, "Your password at gate.example.org was changed");
        insta::assert_snapshot!(told.text, @r#"
        Hello Alice Martin,

        the password of your account alice at gate.example.org was changed on 2026-03-01 12:00:05 UTC, from the address 192.0.2.7. All other sessions of the account have ended, and remembered browsers are forgotten.

        If it was you, there is nothing to do.

        If it was not you, somebody else can sign in as you. Tell an administrator at once, by telephone rather than by mail: they reset your password and look at what was done with your account. Change the password of your mailbox too, and wherever else you use the same one.

        https://gate.example.org/secure/account
        "#);
        let french = letter(News::PasswordChanged, "fr");
        assert_eq!(french.subject, "Votre mot de passe sur gate.example.org a été modifié");
    }

    #[test]
    fn sess_4_the_owner_of_a_reused_device_is_told_what_ended_and_what_to_do() {
        let news = News::DeviceReused { browser: "Firefox, Windows" };
        let told = letter(news, "en");
        assert_eq!(told.subject, "A browser that was remembered for you was signed out");
        let facts = "When: 2026-03-01 12:00:05 UTC\nFrom: 192.0.2.7\nBrowser: Firefox, Windows";
        assert!(told.text.contains(facts), "{}", told.text);
        assert!(told.text.contains("Your other browsers stay signed in."), "{}", told.text);
        let french = letter(news, "fr").text;
        assert!(french.contains("Depuis : 192.0.2.7\nNavigateur : Firefox, Windows"), "{french}");
    }
}
