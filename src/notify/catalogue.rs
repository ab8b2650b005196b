//! The messages, in English and French: shipped in the binary, replaced one by one by `policies/messages/{en,fr}/*.toml`.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::template::Template;

/// Every message in every language.
#[derive(Debug, Clone)]
pub struct Catalogue {
    en: Messages,
    fr: Messages,
}

/// The messages of one language.
#[derive(Debug, Clone)]
pub struct Messages {
    /// SMS to a validator, with the token.
    pub operation_asked: Template,
    /// SMS to every validator.
    pub operation_confirmed: Template,
    /// Mail to the requester.
    pub operation_ended: MailMessage,
    /// Mail to the owner of an account.
    pub password_changed: MailMessage,
    /// Mail to whom a changed second factor belongs.
    pub factor_changed: MailMessage,
    /// Mail to whom a used recovery code belongs.
    pub recovery_code_used: MailMessage,
    /// Mail to the owner of a remembered device.
    pub device_reused: MailMessage,
}

/// A mail, and the words its tags stand for.
#[derive(Debug, Clone)]
pub struct MailMessage {
    /// The subject line.
    pub subject: Template,
    /// The text part; the HTML part is made from it.
    pub text: Template,
    /// What is written on the button that the link becomes.
    pub button: String,
    /// `${outcome}` by state.
    pub outcome: BTreeMap<String, String>,
    /// `${advice}` by state.
    pub advice: BTreeMap<String, String>,
    /// `${reason}` by stable word.
    pub reason: BTreeMap<String, String>,
}

/// An SMS as a file says it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SmsFile {
    text: String,
}

/// A mail as a file says it. The tables may be left out, or name only what is to be said differently.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MailFile {
    subject: String,
    text: String,
    button: Option<String>,
    #[serde(default)]
    outcome: BTreeMap<String, String>,
    #[serde(default)]
    advice: BTreeMap<String, String>,
    #[serde(default)]
    reason: BTreeMap<String, String>,
}

/// Where a language's files are, and what is shipped of it.
struct Source<'a> {
    directory: Option<&'a Path>,
    language: &'static str,
    shipped: [(&'static str, &'static str); 7],
}

const ASKED: &str = "operation-asked";
const CONFIRMED: &str = "operation-confirmed";
const ENDED: &str = "operation-ended";
const PASSWORD_CHANGED: &str = "password-changed";
const FACTOR: &str = "factor-changed";
const RECOVERY: &str = "recovery-code-used";
const REUSED: &str = "device-reused";

const ASKED_TAGS: &[&str] = &["user", "title", "operation", "requester", "token", "minutes", "link", "host"];
const CONFIRMED_TAGS: &[&str] = &["user", "title", "operation", "confirmed_by", "link"];
const ENDED_TAGS: &[&str] = &["user", "name", "title", "operation", "outcome", "reason", "advice", "link"];
const PASSWORD_CHANGED_TAGS: &[&str] = &["user", "name", "at", "address", "host", "link"];
const FACTOR_TAGS: &[&str] = &["user", "name", "outcome", "advice", "at", "address", "host", "link"];
const RECOVERY_TAGS: &[&str] = &["user", "name", "left", "advice", "at", "address", "host", "link"];
const REUSED_TAGS: &[&str] = &["user", "name", "browser", "at", "address", "host", "link"];

macro_rules! shipped {
    ($language:literal) => {
        [
            (ASKED, include_str!(concat!("templates/", $language, "/operation-asked.toml"))),
            (CONFIRMED, include_str!(concat!("templates/", $language, "/operation-confirmed.toml"))),
            (ENDED, include_str!(concat!("templates/", $language, "/operation-ended.toml"))),
            (PASSWORD_CHANGED, include_str!(concat!("templates/", $language, "/password-changed.toml"))),
            (FACTOR, include_str!(concat!("templates/", $language, "/factor-changed.toml"))),
            (RECOVERY, include_str!(concat!("templates/", $language, "/recovery-code-used.toml"))),
            (REUSED, include_str!(concat!("templates/", $language, "/device-reused.toml"))),
        ]
    };
}

// === impl Catalogue ===

impl Catalogue {
    /// The shipped messages, those replaced that have a file in `directory`/`{en,fr}`. Every fault as one line.
    pub fn load(directory: &Path) -> Result<Self, Vec<String>> {
        Self::read(Some(directory))
    }

    /// The shipped messages alone.
    pub fn shipped() -> Self {
        Self::read(None).expect("the shipped messages are whole: a test reads them")
    }

    fn read(directory: Option<&Path>) -> Result<Self, Vec<String>> {
        let mut faults = Vec::new();
        let mut read = |source: Source<'_>| source.messages().map_err(|fault| faults.push(fault)).ok();
        let en = read(Source { directory, language: "en", shipped: shipped!("en") });
        let fr = read(Source { directory, language: "fr", shipped: shipped!("fr") });
        match (en, fr) {
            (Some(en), Some(fr)) => Ok(Self { en, fr }),
            _ => Err(faults),
        }
    }

    /// The messages of `language`: French for `fr`, English for all else.
    pub fn of(&self, language: &str) -> &Messages {
        if language == "fr" { &self.fr } else { &self.en }
    }
}

// === impl Source ===

impl Source<'_> {
    fn messages(&self) -> Result<Messages, String> {
        Ok(Messages {
            operation_asked: self.sms(ASKED, ASKED_TAGS)?,
            operation_confirmed: self.sms(CONFIRMED, CONFIRMED_TAGS)?,
            operation_ended: self.mail(ENDED, ENDED_TAGS)?,
            password_changed: self.mail(PASSWORD_CHANGED, PASSWORD_CHANGED_TAGS)?,
            factor_changed: self.mail(FACTOR, FACTOR_TAGS)?,
            recovery_code_used: self.mail(RECOVERY, RECOVERY_TAGS)?,
            device_reused: self.mail(REUSED, REUSED_TAGS)?,
        })
    }

    fn sms(&self, message: &str, tags: &[&'static str]) -> Result<Template, String> {
        let file: SmsFile = match self.replacement(message)? {
            Some(text) => self.parse(message, &text)?,
            None => self.parse(message, self.shipped(message))?,
        };
        self.template(message, file.text.trim(), tags)
    }

    fn mail(&self, message: &str, tags: &[&'static str]) -> Result<MailMessage, String> {
        let mut file: MailFile = self.parse(message, self.shipped(message))?;
        if let Some(text) = self.replacement(message)? {
            let own: MailFile = self.parse(message, &text)?;
            file.subject = own.subject;
            file.text = own.text;
            file.button = own.button.or(file.button);
            file.outcome.extend(own.outcome);
            file.advice.extend(own.advice);
            file.reason.extend(own.reason);
        }
        Ok(MailMessage {
            subject: self.template(message, file.subject.trim(), tags)?,
            text: self.template(message, file.text.trim(), tags)?,
            button: file.button.unwrap_or_default(),
            outcome: file.outcome,
            advice: file.advice,
            reason: file.reason,
        })
    }

    fn shipped(&self, message: &str) -> &'static str {
        self.shipped.iter().find(|(name, _)| *name == message).map_or("", |(_, text)| text)
    }

    /// The organisation's own file, when there is one.
    fn replacement(&self, message: &str) -> Result<Option<String>, String> {
        let Some(directory) = self.directory else { return Ok(None) };
        match std::fs::read_to_string(directory.join(self.file(message))) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.fault(message, &format!("it cannot be read: {error}"))),
        }
    }

    fn parse<T: DeserializeOwned>(&self, message: &str, text: &str) -> Result<T, String> {
        toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(0, |span| text[..span.start].matches('\n').count() + 1);
            self.fault(message, &format!("line {line}: {}", error.message()))
        })
    }

    fn template(&self, message: &str, text: &str, tags: &[&'static str]) -> Result<Template, String> {
        Template::parse(text, tags).map_err(|fault| self.fault(message, &fault.to_string()))
    }

    fn file(&self, message: &str) -> String {
        format!("{}/{message}.toml", self.language)
    }

    fn fault(&self, message: &str, what: &str) -> String {
        format!("messages/{}: {what}", self.file(message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_messages_are_whole_in_both_languages() {
        let catalogue = Catalogue::shipped();
        let keys = |table: &BTreeMap<String, String>| table.keys().cloned().collect::<Vec<_>>();
        let of = |mail: &MailMessage| (keys(&mail.outcome), keys(&mail.advice), keys(&mail.reason));
        let words = |language| of(&catalogue.of(language).operation_ended);
        assert_eq!(words("en"), words("fr"));
        let (en, fr) = (catalogue.of("en"), catalogue.of("fr"));
        assert_eq!(of(&en.factor_changed), of(&fr.factor_changed));
        assert_eq!(of(&en.recovery_code_used), of(&fr.recovery_code_used));
        assert_eq!(words("en").0, ["cancelled", "denied", "done", "expired", "unknown", "withdrawn"]);
    }

    #[test]
    fn an_own_file_replaces_one_message_and_leaves_the_rest() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("en")).unwrap();
        std::fs::write(directory.path().join("en/operation-confirmed.toml"), "text = 'Done: ${title}'").unwrap();
        let catalogue = Catalogue::load(directory.path()).unwrap();
        assert_eq!(catalogue.of("en").operation_confirmed.expand(&[("title", "X")]), "Done: X");
        assert_eq!(catalogue.of("fr").operation_confirmed, Catalogue::shipped().of("fr").operation_confirmed);
    }

    #[test]
    fn a_wrong_tag_is_told_with_its_file() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("fr")).unwrap();
        std::fs::write(directory.path().join("fr/operation-asked.toml"), "text = '${tokn}'").unwrap();
        assert_eq!(
            Catalogue::load(directory.path()).unwrap_err(),
            ["messages/fr/operation-asked.toml: unknown tag ${tokn}: write ${token}"]
        );
    }
}
