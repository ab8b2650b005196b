//! The way out for mail: an SMTP server.
//!
//! `smtp://` on this very machine is plain; `smtp://` elsewhere must offer STARTTLS; `smtps://` is TLS from the first
//! byte. Every mail has a connection of its own, so that it is known how far it came: what failed before the text was
//! handed over was surely not accepted.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use lettre::message::{Mailbox, MultiPart, SinglePart, header::ContentType};
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail as MailFrom, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use lettre::{Address, Message};

use super::{Sent, Trouble};
use crate::config;
use crate::store::failure::Failure;

/// A mail to be sent: what an outbox row of a mail holds, sealed.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
pub struct Letter {
    /// The address.
    pub to: String,
    /// The person's name.
    pub to_name: String,
    /// One line.
    pub subject: String,
    /// The text part.
    pub text: String,
    /// The HTML part.
    pub html: Option<String>,
}

/// A way to send a mail.
#[async_trait]
pub trait Mail: Send + Sync + std::fmt::Debug {
    /// Sends, within 20 s.
    async fn send(&self, letter: &Letter) -> Sent;
}

/// An SMTP server.
pub struct SmtpMail {
    host: String,
    port: u16,
    security: Security,
    tls: Option<TlsParameters>,
    credentials: Option<Credentials>,
    from: Mailbox,
}

/// How the connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Security {
    /// Not: the server is on this machine.
    Plain,
    /// By STARTTLS (RFC 3207), which the server must offer.
    StartTls,
    /// From the first byte (RFC 8314).
    Tls,
}

/// What an address of an SMTP server says.
#[derive(Debug, PartialEq, Eq)]
struct Server {
    host: String,
    port: u16,
    user: Option<String>,
    security: Security,
}

/// A whole try, and no more.
const WITHIN: Duration = Duration::from_secs(20);
const CONNECT_WITHIN: Duration = Duration::from_secs(8);

/// The driver that `settings` describe; none without settings. Fails on settings that make no sense, saying which.
pub fn driver(settings: Option<&config::Mail>) -> Result<Option<Arc<dyn Mail>>, String> {
    settings.map(|settings| SmtpMail::new(settings).map(|driver| Arc::new(driver) as Arc<dyn Mail>)).transpose()
}

// === impl SmtpMail ===

impl SmtpMail {
    /// As `settings` say.
    pub fn new(settings: &config::Mail) -> Result<Self, String> {
        let server = Server::parse(&settings.url)?;
        let from = settings.from.parse().map_err(|_| {
            format!("mail.from: {:?} is no address; write it as Gate <gate@example.org>", settings.from)
        })?;
        let tls = match server.security {
            Security::Plain => None,
            Security::StartTls | Security::Tls => Some(tls(&server.host)?),
        };
        let password = settings.password.as_ref().map(|password| password.expose().to_owned());
        let credentials = match (server.user, password) {
            (Some(user), Some(password)) => Some(Credentials::new(user, password)),
            (None, None) => None,
            (Some(_), None) => return Err("mail.url names a user: set mail.password_file too".to_owned()),
            (None, Some(_)) => {
                return Err("mail.password is set: name the user in mail.url, smtps://user@host".to_owned());
            }
        };
        Ok(Self { host: server.host, port: server.port, security: server.security, tls, credentials, from })
    }

    /// The whole message; header values are encoded by the builder, so that none can end its line.
    fn message(&self, letter: &Letter) -> Result<(Address, Vec<u8>), Trouble> {
        let wrong = || Trouble::new(Failure::WrongAddress, "the address cannot be written to");
        let address: Address = letter.to.parse().map_err(|_| wrong())?;
        // The builder cannot write control characters into a name.
        let name = Some(letter.to_name.replace(char::is_control, " ")).filter(|name| !name.trim().is_empty());
        let builder = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(name, address.clone()))
            .subject(letter.subject.replace(char::is_control, " "))
            .header(AutoSubmitted);
        let text = SinglePart::builder().header(ContentType::TEXT_PLAIN).body(letter.text.clone());
        let message = match &letter.html {
            Some(html) => {
                let html = SinglePart::builder().header(ContentType::TEXT_HTML).body(html.clone());
                builder.multipart(MultiPart::alternative().singlepart(text).singlepart(html))
            }
            None => builder.singlepart(text),
        };
        let unbuilt = |_| Trouble::new(Failure::WrongAddress, "the mail cannot be built");
        message.map(|message| (address, message.formatted())).map_err(unbuilt)
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, SmtpError> {
        let hello = ClientId::default();
        let server = (self.host.as_str(), self.port);
        let wrapped = self.tls.clone().filter(|_| self.security == Security::Tls);
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(server, Some(CONNECT_WITHIN), &hello, wrapped, None).await?;
        if let (Security::StartTls, Some(tls)) = (self.security, &self.tls) {
            connection.starttls(tls.clone(), &hello).await?;
        }
        if let Some(credentials) = &self.credentials {
            connection.auth(DEFAULT_MECHANISMS, credentials).await?;
        }
        Ok(connection)
    }

    /// One try. `handed_over` is set before the first byte of the text leaves.
    async fn try_once(&self, to: Address, message: &[u8], handed_over: &AtomicBool) -> Result<(), SmtpError> {
        let mut connection = self.connect().await?;
        connection.command(MailFrom::new(Some(self.from.email.clone()), Vec::new())).await?;
        connection.command(Rcpt::new(to, Vec::new())).await?;
        connection.command(Data).await?;
        handed_over.store(true, Ordering::SeqCst);
        connection.message(message).await?;
        // Accepted by now, whatever the server thinks of a farewell.
        let _ = connection.quit().await;
        Ok(())
    }
}

#[async_trait]
impl Mail for SmtpMail {
    async fn send(&self, letter: &Letter) -> Sent {
        let (to, message) = match self.message(letter) {
            Ok(message) => message,
            Err(error) => return Sent::Refused(error),
        };
        let handed_over = AtomicBool::new(false);
        match tokio::time::timeout(WITHIN, self.try_once(to, &message, &handed_over)).await {
            Ok(Ok(())) => Sent::Accepted,
            Ok(Err(error)) => of_error(&error, handed_over.load(Ordering::SeqCst)),
            Err(_) => {
                let late = Trouble::new(Failure::NoAnswer, "the server did not answer in time");
                if handed_over.load(Ordering::SeqCst) { Sent::Unknown(late) } else { Sent::NotNow(late) }
            }
        }
    }
}

/// A reply of the server is an answer at any moment (RFC 5321 4.2.1); a broken connection is one only before the text
/// was handed over. The reply's text is not repeated: servers quote the address in it.
fn of_error(error: &SmtpError, handed_over: bool) -> Sent {
    let code = error.status().map(|code| format!("the server answered {code}"));
    let (failure, said) = match code {
        Some(said) if error.is_permanent() => return Sent::Refused(Trouble::new(Failure::Refused, said)),
        Some(said) if error.is_transient() => return Sent::NotNow(Trouble::new(Failure::Busy, said)),
        _ if handed_over => {
            return Sent::Unknown(Trouble::new(Failure::BrokenOff, "the server broke off the connection"));
        }
        _ if error.is_tls() => (Failure::WrongSettings, "no TLS with the server: look at its certificate"),
        _ if error.is_client() => {
            (Failure::WrongSettings, "the server does not offer what mail.url needs (STARTTLS, sign-in)")
        }
        _ => (Failure::Unreachable, "the server cannot be reached"),
    };
    Sent::NotNow(Trouble::new(failure, said))
}

fn tls(host: &str) -> Result<TlsParameters, String> {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    TlsParameters::new(host.to_owned()).map_err(|error| format!("mail.url: no TLS towards {host}: {error}"))
}

/// Written by a program (RFC 3834): no vacation notice is sent back.
#[derive(Debug, Clone)]
struct AutoSubmitted;

impl lettre::message::header::Header for AutoSubmitted {
    fn name() -> lettre::message::header::HeaderName {
        lettre::message::header::HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> lettre::message::header::HeaderValue {
        lettre::message::header::HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

// === impl Server ===

impl Server {
    fn parse(url: &str) -> Result<Self, String> {
        let wrong = || format!("mail.url: {url:?} is no address; write smtp://host:port or smtps://user@host");
        let parsed = reqwest::Url::parse(url).map_err(|_| wrong())?;
        let host = parsed.host_str().ok_or_else(wrong)?.trim_matches(['[', ']']).to_owned();
        let (security, usual_port) = match parsed.scheme() {
            "smtps" => (Security::Tls, 465),
            "smtp" if is_loopback(&host) => (Security::Plain, 25),
            "smtp" => (Security::StartTls, 587),
            _ => return Err(wrong()),
        };
        if parsed.password().is_some() {
            return Err(
                "mail.url: a password does not belong there; put it into a file and name that in mail.password_file"
                    .to_owned(),
            );
        }
        let user = percent_encoding::percent_decode_str(parsed.username()).decode_utf8().map_err(|_| wrong())?;
        let user = Some(user.into_owned()).filter(|user| !user.is_empty());
        Ok(Self { host, port: parsed.port().unwrap_or(usual_port), user, security })
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl std::fmt::Debug for SmtpMail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SmtpMail").field("host", &self.host).field("port", &self.port).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Letter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Letter(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::SecretText;

    fn mail(url: &str) -> SmtpMail {
        let from = "Gate <gate@example.org>".to_owned();
        SmtpMail::new(&config::Mail { url: url.to_owned(), password: None, from }).unwrap()
    }

    fn letter() -> Letter {
        Letter {
            to: "alice@example.org".to_owned(),
            to_name: "Alice".to_owned(),
            subject: "Operation 48271935".to_owned(),
            text: "Hello é".to_owned(),
            html: Some("<p>Hello</p>".to_owned()),
        }
    }

    #[test]
    fn only_this_machine_is_spoken_to_without_tls() {
        let security = |url| Server::parse(url).map(|server| (server.security, server.port));
        assert_eq!(security("smtp://127.0.0.1:1025"), Ok((Security::Plain, 1025)));
        assert_eq!(security("smtp://[::1]"), Ok((Security::Plain, 25)));
        assert_eq!(security("smtp://mail.example.org"), Ok((Security::StartTls, 587)));
        assert_eq!(security("smtps://gate%40example.org@mail.example.org"), Ok((Security::Tls, 465)));
        assert!(security("http://mail.example.org").is_err());
        assert!(security("smtps://gate:hunter2@mail.example.org").is_err());
    }

    #[test]
    fn a_user_and_a_password_go_together() {
        let settings = |url: &str, password: Option<&str>| config::Mail {
            url: url.to_owned(),
            password: password.map(SecretText::new),
            from: "gate@example.org".to_owned(),
        };
        assert!(SmtpMail::new(&settings("smtp://gate@127.0.0.1", None)).is_err());
        assert!(SmtpMail::new(&settings("smtp://127.0.0.1", Some("x"))).is_err());
        assert!(SmtpMail::new(&settings("smtp://gate@127.0.0.1", Some("x"))).is_ok());
    }

    #[test]
    fn no_value_can_begin_a_header_of_its_own() {
        let mut letter = letter();
        letter.subject = "x\r\nBcc: eve@example.org".to_owned();
        letter.to_name = "Alice\r\nBcc: eve@example.org".to_owned();
        let (_, message) = mail("smtp://127.0.0.1").message(&letter).unwrap();
        let message = String::from_utf8(message).unwrap();
        assert!(!message.lines().any(|line| line.to_ascii_lowercase().starts_with("bcc:")), "{message}");
        letter.to = "alice@example.org\r\nRCPT TO:<eve@example.org>".to_owned();
        assert!(mail("smtp://127.0.0.1").message(&letter).is_err());
    }

    proptest::proptest! {
        #[test]
        fn whatever_a_name_or_subject_is_the_mail_can_be_built(to_name: String, subject: String, text: String) {
            let letter = Letter { to_name, subject, text, ..letter() };
            proptest::prop_assert!(mail("smtp://127.0.0.1").message(&letter).is_ok());
        }
    }

    #[test]
    fn a_mail_is_ascii_on_the_wire_and_says_a_program_wrote_it() {
        let (_, message) = mail("smtp://127.0.0.1").message(&letter()).unwrap();
        let message = String::from_utf8(message).unwrap();
        assert!(message.is_ascii(), "{message}");
        assert!(message.contains("Auto-Submitted: auto-generated\r\n"), "{message}");
        assert!(message.contains("multipart/alternative"), "{message}");
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_surely_did_not_accept() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("smtp://{}", listener.local_addr().unwrap());
        drop(listener);
        assert!(matches!(mail(&url).send(&letter()).await, Sent::NotNow(_)));
    }

    #[test]
    fn nothing_secret_is_printed() {
        assert_eq!(format!("{:?}", letter()), "Letter(…)");
    }
}
