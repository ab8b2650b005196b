//! The way out for SMS: a provider's HTTP interface, described by templates.
//!
//! `${to}` and `${text}` are escaped for the place they stand in: the body's content type (JSON, form, XML, plain), or the
//! address's query. One request is one try: no redirect is followed, no connection reused, nothing retried underneath.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::template::Template;
use super::{Sent, Trouble};
use crate::config;
use crate::secret::SecretText;
use crate::store::failure::Failure;

/// A way to send an SMS.
#[async_trait]
pub trait Sms: Send + Sync + std::fmt::Debug {
    /// Sends `text` to `to` (E.164), within 10 s.
    async fn send(&self, to: &str, text: &str) -> Sent;
}

/// What an outbox row of an SMS holds, sealed.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
pub struct ShortMessage {
    /// E.164.
    pub to: String,
    /// As it is shown on the telephone.
    pub text: String,
}

/// A provider reached by HTTP.
#[derive(Debug)]
pub struct HttpSms {
    client: reqwest::Client,
    method: Method,
    url: Template,
    headers: Vec<(HeaderName, Template)>,
    body: Template,
    escaping: Escaping,
    secret: SecretText,
}

/// How a value is written where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Escaping {
    Json,
    Form,
    Xml,
    Plain,
}

/// A whole try, and no more.
const WITHIN: Duration = Duration::from_secs(10);
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
const TAGS: &[&str] = &["to", "text", "secret"];

/// The driver that `settings` describe; none without settings. Fails on settings that make no sense, saying which.
pub fn driver(settings: Option<&config::Sms>) -> Result<Option<Arc<dyn Sms>>, String> {
    settings.map(|settings| HttpSms::new(settings).map(|driver| Arc::new(driver) as Arc<dyn Sms>)).transpose()
}

// === impl HttpSms ===

impl HttpSms {
    /// As `settings` say.
    pub fn new(settings: &config::Sms) -> Result<Self, String> {
        let headers = settings.headers.iter().map(header_template).collect::<Result<Vec<_>, _>>()?;
        let escaping = Escaping::of(&settings.headers, &settings.body);
        Ok(Self {
            client: client(&settings.url)?,
            method: settings.method.clone(),
            url: template("sms.url", &settings.url)?,
            headers: with_content_type(headers, escaping),
            body: template("sms.body", &settings.body)?,
            escaping,
            secret: settings.secret.clone().unwrap_or_else(|| SecretText::new("")),
        })
    }

    fn request(&self, to: &str, text: &str) -> Result<reqwest::Request, String> {
        let url = self.filled(&self.url, Escaping::Form, to, text);
        let mut request = self.client.request(self.method.clone(), url);
        for (name, value) in &self.headers {
            let value = self.filled(value, Escaping::Plain, to, text);
            let mut value = HeaderValue::try_from(value).map_err(|_| format!("the header {name} cannot be sent"))?;
            value.set_sensitive(true);
            request = request.header(name, value);
        }
        if self.method != Method::GET {
            request = request.body(self.filled(&self.body, self.escaping, to, text));
        }
        request.build().map_err(|error| error.without_url().to_string())
    }

    fn filled(&self, template: &Template, escaping: Escaping, to: &str, text: &str) -> String {
        let [to, text, secret] = [to, text, self.secret.expose()].map(|value| escaping.apply(value));
        template.expand(&[("to", &to), ("text", &text), ("secret", &secret)])
    }
}

#[async_trait]
impl Sms for HttpSms {
    async fn send(&self, to: &str, text: &str) -> Sent {
        let request = match self.request(to, text) {
            Ok(request) => request,
            Err(error) => return Sent::Refused(Trouble::new(Failure::WrongSettings, error)),
        };
        match self.client.execute(request).await {
            Ok(answer) => of_status(answer.status()),
            Err(error) => of_error(&error),
        }
    }
}

/// No provider accepts a message with a status of 4xx or 5xx, but for 504: whoever says that asked another, who may have.
fn of_status(status: StatusCode) -> Sent {
    let said = format!("the provider answered {}", status.as_u16());
    match status.as_u16() {
        200..=299 => Sent::Accepted,
        504 => Sent::Unknown(Trouble::new(Failure::NoAnswer, said)),
        408 | 425 | 429 | 500..=599 => Sent::NotNow(Trouble::new(Failure::Busy, said)),
        _ => Sent::Refused(Trouble::new(Failure::Refused, said)),
    }
}

/// Only what failed before the request was written surely did not arrive.
fn of_error(error: &reqwest::Error) -> Sent {
    if error.is_builder() {
        Sent::Refused(Trouble::new(Failure::WrongSettings, "the request cannot be made: look at [sms]"))
    } else if error.is_connect() {
        Sent::NotNow(Trouble::new(Failure::Unreachable, "the provider cannot be reached"))
    } else if error.is_timeout() {
        Sent::Unknown(Trouble::new(Failure::NoAnswer, "the provider did not answer in time"))
    } else {
        Sent::Unknown(Trouble::new(Failure::BrokenOff, "the provider broke off the connection"))
    }
}

fn client(url: &str) -> Result<reqwest::Client, String> {
    // Already installed by somebody is as good.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let builder = reqwest::Client::builder()
        .timeout(WITHIN)
        .connect_timeout(CONNECT_WITHIN)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .pool_max_idle_per_host(0)
        .no_proxy();
    // Without TLS no certificates are asked of the system, which may have none.
    let builder = if url.starts_with("https:") { builder.https_only(true) } else { builder.tls_certs_only([]) };
    builder.build().map_err(|error| format!("sms.url: no way to send: {error}"))
}

fn header_template((name, value): &(String, String)) -> Result<(HeaderName, Template), String> {
    let parsed = HeaderName::try_from(name).map_err(|_| format!("sms.headers: {name:?} is no header name"))?;
    Ok((parsed, template(&format!("sms.headers.{name}"), value)?))
}

fn template(setting: &str, text: &str) -> Result<Template, String> {
    Template::parse(text, TAGS).map_err(|fault| format!("{setting}: {fault}"))
}

fn with_content_type(mut headers: Vec<(HeaderName, Template)>, escaping: Escaping) -> Vec<(HeaderName, Template)> {
    if headers.iter().all(|(name, _)| *name != header::CONTENT_TYPE) {
        let value = Template::parse(escaping.content_type(), &[]).expect("it has no tags");
        headers.push((header::CONTENT_TYPE, value));
    }
    headers
}

// === impl Escaping ===

impl Escaping {
    /// By the content type that is sent; without one by how the body begins.
    fn of(headers: &[(String, String)], body: &str) -> Self {
        let declared = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        match declared.map(|(_, value)| value.to_ascii_lowercase()) {
            Some(kind) if kind.contains("json") => Self::Json,
            Some(kind) if kind.contains("x-www-form-urlencoded") => Self::Form,
            Some(kind) if kind.contains("xml") => Self::Xml,
            Some(_) => Self::Plain,
            None if body.trim_start().starts_with(['{', '[']) => Self::Json,
            None if body.trim_start().starts_with('<') => Self::Xml,
            None => Self::Form,
        }
    }

    const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Form => "application/x-www-form-urlencoded",
            Self::Xml => "application/xml; charset=utf-8",
            Self::Plain => "text/plain; charset=utf-8",
        }
    }

    fn apply(self, value: &str) -> String {
        match self {
            Self::Json => {
                let quoted = serde_json::to_string(value).expect("a text is JSON");
                quoted[1..quoted.len() - 1].to_owned()
            }
            Self::Form => utf8_percent_encode(value, NON_ALPHANUMERIC).to_string(),
            Self::Xml => value
                .replace('&', "&amp;")
                .replace('<', "&lt;")
                .replace('>', "&gt;")
                .replace('"', "&quot;")
                .replace('\'', "&apos;"),
            Self::Plain => value.to_owned(),
        }
    }
}

impl std::fmt::Debug for ShortMessage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ShortMessage(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    fn settings(url: &str) -> config::Sms {
        config::Sms {
            url: url.to_owned(),
            method: Method::POST,
            headers: vec![("Authorization".to_owned(), "Bearer ${secret}".to_owned())],
            body: r#"{"to":"${to}","text":"${text}"}"#.to_owned(),
            secret: Some(SecretText::new("s3cr3t")),
        }
    }

    /// A provider that reads one request, answers with `answer` and closes; what it read.
    async fn provider(answer: &'static [u8]) -> (String, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/send", listener.local_addr().unwrap());
        let reading = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut read = Vec::new();
            let mut buffer = [0; 4096];
            while !read.ends_with(b"}") {
                let count = stream.read(&mut buffer).await.unwrap();
                read.extend_from_slice(&buffer[..count]);
            }
            stream.write_all(answer).await.unwrap();
            String::from_utf8(read).unwrap()
        });
        (address, reading)
    }

    #[tokio::test]
    async fn values_are_escaped_for_the_body_and_the_secret_is_sent() {
        let (url, reading) = provider(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n").await;
        let sms = HttpSms::new(&settings(&url)).unwrap();
        assert_eq!(sms.send("+33612345678", "\"quoted\"\n}").await, Sent::Accepted);
        let request = reading.await.unwrap();
        assert!(request.contains("authorization: Bearer s3cr3t\r\n"), "{request}");
        assert!(request.contains("content-type: application/json\r\n"), "{request}");
        assert!(request.ends_with(r#"{"to":"+33612345678","text":"\"quoted\"\n}"}"#), "{request}");
    }

    #[tokio::test]
    async fn a_provider_that_breaks_off_may_have_accepted() {
        let (url, _reading) = provider(b"").await;
        let sms = HttpSms::new(&settings(&url)).unwrap();
        assert!(matches!(sms.send("+33612345678", "x").await, Sent::Unknown(_)));
    }

    #[tokio::test]
    async fn a_provider_that_is_not_there_surely_did_not_accept() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/send", listener.local_addr().unwrap());
        drop(listener);
        let sms = HttpSms::new(&settings(&url)).unwrap();
        assert!(matches!(sms.send("+33612345678", "x").await, Sent::NotNow(_)));
    }

    #[test]
    fn a_status_says_whether_to_try_again() {
        let sent = |status| of_status(StatusCode::from_u16(status).unwrap());
        assert!(matches!(sent(200), Sent::Accepted));
        assert!(matches!(sent(429), Sent::NotNow(_)));
        assert!(matches!(sent(500), Sent::NotNow(_)));
        assert!(matches!(sent(504), Sent::Unknown(_)));
        assert!(matches!(sent(302), Sent::Refused(_)));
        assert!(matches!(sent(400), Sent::Refused(_)));
    }

    #[test]
    fn every_place_has_its_escaping() {
        assert_eq!(Escaping::Form.apply("+33 6&x=1"), "%2B33%206%26x%3D1");
        assert_eq!(Escaping::Xml.apply("<a b='c'>&"), "&lt;a b=&apos;c&apos;&gt;&amp;");
        let declared = [("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned())];
        assert_eq!(Escaping::of(&declared, "{"), Escaping::Form);
        assert_eq!(Escaping::of(&[], "{\"to\""), Escaping::Json);
        assert_eq!(Escaping::of(&[], "to=${to}"), Escaping::Form);
    }

    #[test]
    fn a_wrong_tag_in_the_settings_is_told() {
        let wrong = config::Sms { body: "${phone}".to_owned(), ..settings("http://127.0.0.1:1/") };
        assert_eq!(HttpSms::new(&wrong).unwrap_err(), "sms.body: unknown tag ${phone}: remove it");
    }

    #[test]
    fn nothing_secret_is_printed() {
        let message = ShortMessage { to: "+33612345678".to_owned(), text: "K7QF-2M9X".to_owned() };
        let printed = format!("{:?} {message:?}", HttpSms::new(&settings("http://127.0.0.1:1/")).unwrap());
        assert!(!printed.contains("s3cr3t") && !printed.contains("336") && !printed.contains("K7QF"), "{printed}");
    }
}
