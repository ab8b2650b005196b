//! What the owner of an account is told of their second factor: every change, and every use of a recovery code.

use std::net::IpAddr;
use std::time::Duration;

use super::Notices;
use super::html;
use super::mail::Letter;
use super::plain::one_line;
use crate::account::recovery;
use crate::audit::Origin;
use crate::identity::User;
use crate::store::outbox::{Channel, NewOutbox};
use crate::time::Timestamp;

/// After which time the mail is not worth sending any more, as with all mails.
const WORTH_SENDING: Duration = Duration::from_hours(24);

words! {
    /// A change of somebody's second factor.
    pub enum FactorNews {
        /// The first device is active, and recovery codes with it.
        Enrolled = "enrolled",
        /// Another device is active.
        Added = "added",
        /// A device is gone, another one stays.
        Removed = "removed",
        /// The last device is gone, by its owner.
        SwitchedOff = "switched-off",
        /// All are gone, by an administrator.
        Reset = "reset",
        /// Another set of recovery codes.
        RecoveryRenewed = "recovery-renewed",
    }
}

// === impl Notices ===

impl Notices {
    /// The mail to `to` that their second factor was changed.
    pub fn factor_changed(&self, to: &User, news: FactorNews, origin: &Origin) -> NewOutbox {
        let message = &self.messages_for(to).factor_changed;
        let word =
            |table: &std::collections::BTreeMap<String, String>| table.get(news.as_str()).cloned().unwrap_or_default();
        let (outcome, advice) = (word(&message.outcome), word(&message.advice));
        let link = self.portal_link("/secure/account/second-factor");
        let own = [("outcome", outcome.as_str()), ("advice", advice.as_str()), ("link", link.as_str())];
        self.factor_mail(to, "factor-changed", message, &own, origin)
    }

    /// What makes the mail that an administrator removed somebody's second factor.
    pub fn factor_reset<'a>(&'a self, origin: &'a Origin) -> impl FnOnce(&User) -> NewOutbox + 'a {
        move |to| self.factor_changed(to, FactorNews::Reset, origin)
    }

    /// The mail to `to` that one of their recovery codes was used, and how many are `left`.
    pub fn recovery_code_used(&self, to: &User, left: u64, origin: &Origin) -> NewOutbox {
        let message = &self.messages_for(to).recovery_code_used;
        let urgency = match left {
            0 => "none",
            1..=recovery::FEW => "few",
            _ => "",
        };
        let advice = message.advice.get(urgency).map_or("", String::as_str);
        let link = self.portal_link("/secure/account/recovery-codes");
        let left = left.to_string();
        let own = [("left", left.as_str()), ("advice", advice), ("link", link.as_str())];
        self.factor_mail(to, "recovery-code-used", message, &own, origin)
    }

    fn factor_mail(
        &self,
        to: &User,
        kind: &'static str,
        message: &super::catalogue::MailMessage,
        own: &[(&'static str, &str)],
        origin: &Origin,
    ) -> NewOutbox {
        let (at, address) = (in_words(origin.now), from(origin.address));
        let common = [("user", to.name.as_str()), ("name", &to.full_name), ("at", &at), ("address", &address)];
        let values = [&common[..], own].concat();
        let subject = one_line(&message.subject.expand(&values));
        let text = html::paragraphs(&message.text.expand(&values)).collect::<Vec<_>>().join("\n\n");
        let html = Some(html::page(&subject, &text, &message.button));
        let letter = Letter { to: to.email.clone(), to_name: one_line(&to.full_name), subject, text, html };
        let id = self.new_row_id(origin.now);
        NewOutbox {
            id,
            channel: Channel::Mail,
            kind,
            user: to.id,
            operation: None,
            carries_token: false,
            message: self.sealed(id, &serde_json::to_vec(&letter).expect("five texts are JSON")),
            created_at: origin.now,
            deadline: origin.now.plus(WORTH_SENDING),
        }
    }
}

/// `2026-03-01 12:00:05 UTC`: read alike in every language.
fn in_words(at: Timestamp) -> String {
    at.to_string().replace('T', " ").replace('Z', " UTC")
}

/// A command has no address: it runs on the gateway itself.
fn from(address: Option<IpAddr>) -> String {
    address.map_or_else(|| "localhost".to_owned(), |address| address.to_string())
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use uuid::Uuid;

    use super::*;
    use crate::identity::{UserId, UserState};
    use crate::secret::{Keyring, Place, SystemRandom};

    fn keyring() -> Arc<Keyring> {
        Arc::new(Keyring::new(&[7; 32]))
    }

    fn notices() -> Notices {
        let url = "https://gate.example.org".to_owned();
        Notices::new(keyring(), Arc::new(SystemRandom), url, "en".to_owned(), Path::new("/nonexistent")).unwrap()
    }

    fn alice(language: Option<&str>) -> User {
        User {
            id: UserId(Uuid::from_u128(1)),
            name: "alice".to_owned(),
            full_name: "Alice Martin".to_owned(),
            email: "alice@example.org".to_owned(),
            language: language.map(str::to_owned),
            groups: Vec::new(),
            rights: Vec::new(),
            state: UserState::Active,
            valid_from: None,
            valid_until: None,
        }
    }

    fn origin() -> Origin {
        let now = Timestamp::from_secs(1_772_366_405);
        Origin { now, actor: None, door: "page", address: "192.0.2.7".parse().ok(), request_id: None }
    }

    fn letter(row: &NewOutbox) -> serde_json::Value {
        let place = Place { table: "outbox", column: "message", row: &row.id.to_string() };
        serde_json::from_slice(&keyring().open(place, &row.message).unwrap()).unwrap()
    }

    #[test]
    fn a_change_is_told_with_its_when_and_where() {
        let row = notices().factor_changed(&alice(None), FactorNews::SwitchedOff, &origin());
        assert_eq!((row.kind, row.operation.as_deref(), row.carries_token), ("factor-changed", None, false));
        let letter = letter(&row);
        assert_eq!(
            (&letter["to"], &letter["subject"]),
            (&"alice@example.org".into(), &"Your second factor was switched off".into())
        );
        insta::assert_snapshot!(letter["text"].as_str().unwrap(), @r"
        Hello Alice Martin,

        Your second factor was switched off (account alice, 2026-03-01 12:00:05 UTC, from 192.0.2.7).

        All other sessions of your account have ended, and your recovery codes work no more. From now on your password alone opens your account.

        If it was not you, change your password at once and speak with an administrator.

        https://gate.example.org/secure/account/second-factor
        ");
    }

    #[test]
    fn every_change_has_its_words_in_both_languages() {
        for language in ["en", "fr"] {
            let told: std::collections::BTreeSet<_> = FactorNews::ALL
                .iter()
                .map(|news| letter(&notices().factor_changed(&alice(Some(language)), *news, &origin())).to_string())
                .collect();
            assert_eq!(told.len(), FactorNews::ALL.len(), "{language}");
            assert!(told.iter().all(|letter| !letter.contains("\"subject\":\"\"")), "{told:?}");
        }
    }

    #[test]
    fn a_used_recovery_code_is_told_with_what_is_left_and_a_warning_when_that_is_little() {
        let text = |left, language| {
            letter(&notices().recovery_code_used(&alice(language), left, &origin()))["text"]
                .as_str()
                .unwrap()
                .to_owned()
        };
        assert!(text(5, None).contains("left: 5") && !text(5, None).contains("Few"), "{}", text(5, None));
        assert!(text(2, None).contains("left: 2") && text(2, None).contains("Few are left"), "{}", text(2, None));
        assert!(text(0, None).contains("the last one"), "{}", text(0, None));
        assert!(text(1, Some("fr")).contains("restants : 1") && text(1, Some("fr")).contains("reste peu"));
        assert!(text(1, None).ends_with("/secure/account/recovery-codes"));
    }
}
