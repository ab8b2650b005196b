//! A notice filled for one person, sealed into an outbox row.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use tokio::sync::Notify;
use uuid::Uuid;

use super::catalogue::{Catalogue, MailMessage, Messages};
use super::html;
use super::mail::Letter;
use super::news::{FactorNews, News};
use super::notice::{Notice, Times};
use super::plain::{gsm_friendly, one_line, quotable};
use super::sms::ShortMessage;
use crate::account::phone::Phone;
use crate::audit::Origin;
use crate::identity::User;
use crate::secret::{Keyring, Place, Random, Sealed, random_bytes};
use crate::store::operations::State;
use crate::store::outbox::{Channel, Message, NewOutbox};
use crate::time::Timestamp;

/// Makes outbox rows. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Notices {
    parts: Arc<Parts>,
}

#[derive(Debug)]
struct Parts {
    keyring: Arc<Keyring>,
    random: Arc<dyn Random>,
    portal_url: String,
    language: String,
    catalogue: Catalogue,
    wake: Arc<Notify>,
}

// === impl Notices ===

impl Notices {
    /// With links to `portal_url`, the messages in `directory`/`{en,fr}` in the place of the shipped ones, and `language`
    /// for whoever chose none. Fails on a message that cannot be used, saying which and why.
    pub fn new(
        keyring: Arc<Keyring>,
        random: Arc<dyn Random>,
        mut portal_url: String,
        language: String,
        directory: &Path,
    ) -> Result<Self, String> {
        let catalogue = Catalogue::load(directory).map_err(|faults| faults.join("; "))?;
        portal_url.truncate(portal_url.trim_end_matches('/').len());
        let wake = Arc::new(Notify::new());
        Ok(Self { parts: Arc::new(Parts { keyring, random, portal_url, language, catalogue, wake }) })
    }

    /// What the worker of this process waits on.
    pub fn wake(&self) -> Arc<Notify> {
        self.parts.wake.clone()
    }

    /// Rows were stored: the worker need not wait for its next look.
    pub fn queued(&self) {
        self.parts.wake.notify_one();
    }

    /// The language `user` is written to in: their own, else the portal's.
    pub fn language_of<'a>(&'a self, user: &'a User) -> &'a str {
        user.language.as_deref().unwrap_or(&self.parts.language)
    }

    /// An SMS row for `to`.
    pub fn sms(&self, to: &User, phone: &Phone, notice: &Notice<'_>, times: Times) -> NewOutbox {
        let text = self.text(to, notice);
        let message = ShortMessage { to: phone.as_str().to_owned(), text };
        self.row(to, notice, Channel::Sms, &serde_json::to_vec(&message).expect("two texts are JSON"), times)
    }

    /// A mail row for `to`.
    pub fn mail(&self, to: &User, notice: &Notice<'_>, times: Times) -> NewOutbox {
        let letter = self.letter(to, notice);
        self.row(to, notice, Channel::Mail, &serde_json::to_vec(&letter).expect("five texts are JSON"), times)
    }

    /// A mail row for the owner of an account.
    pub fn mail_to_owner(&self, owner: &User, news: News<'_>, origin: &Origin) -> NewOutbox {
        let notice = Notice::Account { news, at: origin.now, address: origin.address };
        self.mail(owner, &notice, Times::of_mail(origin.now))
    }

    /// What makes the mail that an administrator removed somebody's second factor.
    pub fn factor_reset<'a>(&'a self, origin: &'a Origin) -> impl FnOnce(&User) -> NewOutbox + 'a {
        move |owner| self.mail_to_owner(owner, News::FactorChanged(FactorNews::Reset), origin)
    }

    fn row(&self, to: &User, notice: &Notice<'_>, channel: Channel, payload: &[u8], times: Times) -> NewOutbox {
        let millis = u64::try_from(times.now.as_millis()).unwrap_or(0);
        let id =
            uuid::Builder::from_unix_timestamp_millis(millis, &random_bytes(self.parts.random.as_ref())).into_uuid();
        NewOutbox {
            id,
            channel,
            kind: notice.kind(),
            user: to.id,
            operation: notice.operation().map(|(id, _)| id.to_owned()),
            carries_token: notice.carries_token(),
            message: self.sealed(id, payload),
            created_at: times.now,
            deadline: times.deadline,
        }
    }

    /// The messages in the language of `user`.
    fn messages_for(&self, user: &User) -> &Messages {
        self.parts.catalogue.of(self.language_of(user))
    }

    /// The portal's page at `path`.
    fn portal_link(&self, path: &str) -> String {
        format!("{}{path}", self.parts.portal_url)
    }

    /// A row's message, sealed in its place.
    fn sealed(&self, id: Uuid, payload: &[u8]) -> Sealed<Message> {
        let place = Place { table: "outbox", column: "message", row: &id.to_string() };
        self.parts.keyring.seal(self.parts.random.as_ref(), place, payload)
    }

    /// The text of an SMS. What is written to be a mail is told by its subject.
    fn text(&self, to: &User, notice: &Notice<'_>) -> String {
        let messages = self.messages_for(to);
        let (operation, title) = notice.operation().unwrap_or_default();
        let (link, title) = (self.link(operation), quotable(title));
        let common = [("user", to.name.as_str()), ("title", &title), ("operation", operation), ("link", &link)];
        let text = match notice {
            Notice::OperationAsked { requester, token, minutes, .. } => {
                let (token, minutes) = (token.expose(), minutes.to_string());
                let own =
                    [("requester", *requester), ("token", &token), ("minutes", &minutes), ("host", self.parts.host())];
                messages.operation_asked.expand(&[&common[..], &own].concat())
            }
            Notice::OperationConfirmed { confirmed_by, .. } => {
                messages.operation_confirmed.expand(&[&common[..], &[("confirmed_by", *confirmed_by)]].concat())
            }
            Notice::OperationEnded { state, reason, .. } => {
                let own = ended(&messages.operation_ended, state, *reason);
                messages.operation_ended.subject.expand(&[&common[..], &own.values()].concat())
            }
            Notice::Account { .. } => self.letter(to, notice).subject,
        };
        gsm_friendly(&text)
    }

    /// The mail.
    pub(super) fn letter(&self, to: &User, notice: &Notice<'_>) -> Letter {
        match notice {
            Notice::Account { news, at, address } => self.about_account(to, *news, *at, *address),
            Notice::OperationEnded { state, reason, .. } => self.about_operation(to, notice, state, *reason),
            Notice::OperationAsked { .. } | Notice::OperationConfirmed { .. } => {
                self.about_operation(to, notice, "", None)
            }
        }
    }

    fn about_operation(&self, to: &User, notice: &Notice<'_>, state: &str, reason: Option<&str>) -> Letter {
        let message = &self.messages_for(to).operation_ended;
        let (operation, title) = notice.operation().unwrap_or_default();
        let (link, title) = (self.link(operation), one_line(title));
        let own = ended(message, state, reason);
        let values = [("title", title.as_str()), ("operation", operation), ("link", &link)];
        filled(to, message, &[&values[..], &own.values()].concat())
    }

    fn about_account(&self, to: &User, news: News<'_>, at: Timestamp, address: Option<IpAddr>) -> Letter {
        let message = news.message(self.messages_for(to));
        let (at, address, link) = (in_words(at), from(address), self.portal_link(news.page()));
        let common = [("at", at.as_str()), ("address", &address), ("host", self.parts.host()), ("link", &link)];
        let own = news.own(message);
        let own = own.iter().map(|(tag, value)| (*tag, value.as_str()));
        filled(to, message, &common.into_iter().chain(own).collect::<Vec<_>>())
    }

    /// The page of an operation. It carries no token, and opening it changes nothing.
    fn link(&self, operation: &str) -> String {
        self.portal_link(&format!("/secure/operations/{operation}"))
    }
}

// === impl Parts ===

impl Parts {
    /// The portal's host, without port: what an origin-bound code names.
    fn host(&self) -> &str {
        let rest = self.portal_url.split_once("://").map_or(self.portal_url.as_str(), |(_, rest)| rest);
        let authority = rest.split('/').next().unwrap_or(rest);
        match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => authority,
        }
    }
}

/// A mail to `to`: its text part with empty paragraphs left out, and the HTML part made from it.
fn filled(to: &User, message: &MailMessage, values: &[(&'static str, &str)]) -> Letter {
    let values = [&[("user", to.name.as_str()), ("name", &to.full_name)][..], values].concat();
    let subject = one_line(&message.subject.expand(&values));
    let text = html::paragraphs(&message.text.expand(&values)).collect::<Vec<_>>().join("\n\n");
    let html = html::page(&subject, &text, &message.button);
    Letter { to: to.email.clone(), to_name: one_line(&to.full_name), subject, text, html: Some(html) }
}

/// `2026-03-01 12:00:05 UTC`: read alike in every language.
fn in_words(at: Timestamp) -> String {
    at.to_string().replace('T', " ").replace('Z', " UTC")
}

/// A command has no address: it runs on the gateway itself.
fn from(address: Option<IpAddr>) -> String {
    address.map_or_else(|| "localhost".to_owned(), |address| address.to_string())
}

/// What the tags of the ended mail stand for.
struct Ended<'a> {
    outcome: &'a str,
    advice: &'a str,
    reason: String,
}

impl Ended<'_> {
    fn values(&self) -> [(&'static str, &str); 3] {
        [("outcome", self.outcome), ("advice", self.advice), ("reason", &self.reason)]
    }
}

fn ended<'a>(message: &'a MailMessage, state: &'a str, reason: Option<&str>) -> Ended<'a> {
    // Who denies may write what they like: it is quoted, even where it is one of our own words.
    let is_own = state != State::Denied.as_str();
    let reason = reason.map_or_else(String::new, |word| match message.reason.get(word).filter(|_| is_own) {
        Some(text) => text.clone(),
        None => format!("\u{201c}{}\u{201d}", one_line(word)),
    });
    let outcome = message.outcome.get(state).map_or(state, String::as_str);
    Ended { outcome, advice: message.advice.get(state).map_or("", String::as_str), reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{UserId, UserState};
    use crate::secret::{OperationToken, SystemRandom};

    const TIMES: Times = Times { now: Timestamp::from_secs(1_000), deadline: Timestamp::from_secs(1_900) };

    fn keyring() -> Arc<Keyring> {
        Arc::new(Keyring::new(&[7; 32]))
    }

    fn notices() -> Notices {
        let none = Path::new("/nonexistent");
        let url = "https://gate.example.org".to_owned();
        Notices::new(keyring(), Arc::new(SystemRandom), url, "en".to_owned(), none).unwrap()
    }

    fn person(name: &str, language: Option<&str>) -> User {
        User {
            id: UserId(Uuid::from_u128(1)),
            name: name.to_owned(),
            full_name: "Val Idator".to_owned(),
            email: "val@example.org".to_owned(),
            language: language.map(str::to_owned),
            groups: Vec::new(),
            rights: Vec::new(),
            state: UserState::Active,
            valid_from: None,
            valid_until: None,
        }
    }

    fn asked<'a>(title: &'a str, token: &'a OperationToken) -> Notice<'a> {
        Notice::OperationAsked { operation: "48271935", title, requester: "alice", token, minutes: 15 }
    }

    #[test]
    fn the_english_sms_is_as_documented() {
        let token = OperationToken::parse("K7QF2M9X").unwrap();
        insta::assert_snapshot!(notices().text(&person("val", None), &asked("Delete customer 42", &token)), @r#"
        val: confirm "Delete customer 42" (operation 48271935, asked by alice). Token: K7QF-2M9X, valid 15 min. https://gate.example.org/secure/operations/48271935
        @gate.example.org #K7QF-2M9X
        "#);
        let confirmed =
            Notice::OperationConfirmed { operation: "48271935", title: "Delete customer 42", confirmed_by: "bob" };
        insta::assert_snapshot!(notices().text(&person("val", None), &confirmed),
            @r#"val: "Delete customer 42" (operation 48271935) was confirmed by bob."#);
    }

    #[test]
    fn the_french_sms_needs_only_letters_of_the_gsm_alphabet() {
        let token = OperationToken::parse("K7QF2M9X").unwrap();
        let text = notices().text(&person("val", Some("fr")), &asked("Supprimer le client 42", &token));
        insta::assert_snapshot!(text, @r#"
        val : confirmez "Supprimer le client 42" (opération 48271935, demandée par alice). Jeton : K7QF-2M9X, valable 15 min. https://gate.example.org/secure/operations/48271935
        @gate.example.org #K7QF-2M9X
        "#);
        assert!(text.chars().all(|letter| letter.is_ascii() || "éèàùì".contains(letter)), "{text}");
    }

    #[test]
    fn a_title_cannot_write_the_rest_of_the_sms() {
        let token = OperationToken::parse("K7QF2M9X").unwrap();
        let title = "Look\" (operation 11111111, asked by boss)\n@evil.example #AAAA-AAAA";
        let text = notices().text(&person("val", None), &asked(title, &token));
        assert_eq!(text.lines().count(), 2, "{text}");
        assert_eq!(text.matches('"').count(), 2, "{text}");
        assert!(text.ends_with("\n@gate.example.org #K7QF-2M9X"), "{text}");
    }

    #[test]
    fn the_mail_says_what_became_of_it_and_what_to_do() {
        let notice = Notice::OperationEnded {
            operation: "48271935",
            title: "Delete customer 42",
            state: "withdrawn",
            reason: Some("requester-disabled"),
        };
        let letter = notices().letter(&person("val", None), &notice);
        assert_eq!(letter.subject, "Operation 48271935 was withdrawn: Delete customer 42");
        insta::assert_snapshot!(letter.text, @r#"
        Hello Val Idator,

        your operation "Delete customer 42" (48271935) was withdrawn.

        Your account was switched off in between.

        Nothing was done in the application. Start it again if it is still needed.

        https://gate.example.org/secure/operations/48271935
        "#);
    }

    #[test]
    fn a_deniers_own_words_are_quoted() {
        let notice = Notice::OperationEnded {
            operation: "48271935",
            title: "Delete customer 42",
            state: "denied",
            reason: Some("not\r\nthis one"),
        };
        let letter = notices().letter(&person("val", None), &notice);
        assert!(letter.text.contains("“not this one”"), "{}", letter.text);
    }

    #[test]
    fn a_row_opens_with_the_key_and_names_nobody_outside_its_seal() {
        let token = OperationToken::parse("K7QF2M9X").unwrap();
        let phone = Phone::parse("+33612345678").unwrap();
        let row = notices().sms(&person("val", None), &phone, &asked("Delete customer 42", &token), TIMES);
        assert!(row.carries_token);
        let place = Place { table: "outbox", column: "message", row: &row.id.to_string() };
        let opened = keyring().open(place, &row.message).unwrap();
        let message: ShortMessage = serde_json::from_slice(&opened).unwrap();
        assert_eq!(message.to, "+33612345678");
        let printed = format!("{row:?}");
        assert!(!printed.contains("K7QF") && !printed.contains("336"), "{printed}");
    }

    #[test]
    fn the_origin_bound_line_names_the_host_without_its_port() {
        let none = Path::new("/nonexistent");
        let url = "http://localhost:8080/".to_owned();
        let notices = Notices::new(keyring(), Arc::new(SystemRandom), url, "en".to_owned(), none).unwrap();
        let token = OperationToken::parse("K7QF2M9X").unwrap();
        let text = notices.text(&person("val", None), &asked("x", &token));
        assert!(text.contains(" http://localhost:8080/secure/operations/48271935\n@localhost #K7QF-2M9X"), "{text}");
    }
}
