//! Somebody at a browser without scripts, or a program.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use http::header::{CONTENT_TYPE, COOKIE, HeaderName, HeaderValue, LOCATION, SET_COOKIE};
use http::{Method, Request, Response, StatusCode};
use totp_rs::{Algorithm, Builder, Secret};
use tower::ServiceExt as _;
use vantail::identity::SignedIn;
use vantail::portal::{Language, Visit, is_polling, session_cookie_name};
use vantail::secret::SessionToken;
use vantail::session::Presented;
use vantail::time::Clock as _;

use crate::gate::{Gate, HOST};

/// Somebody.
pub struct Person<'g> {
    gate: &'g Gate,
    /// Their browser's cookies.
    pub cookies: BTreeMap<String, String>,
    /// How they come.
    pub language: Language,
    pub secure: bool,
    pub loopback: bool,
    pub wants_page: bool,
    /// The letters of their second factor, once it is on.
    letters: Option<String>,
    /// What the edge found of their cookie at an earlier moment: the next request comes as if it had come then.
    pub found: Option<(Option<SessionToken>, Presented)>,
}

/// What came back.
#[derive(Debug)]
pub struct Page {
    pub status: StatusCode,
    pub headers: http::HeaderMap,
    pub body: String,
}

impl<'g> Person<'g> {
    /// Nobody yet.
    pub fn new(gate: &'g Gate) -> Self {
        let (language, letters) = (Language::En, None);
        Self {
            gate,
            cookies: BTreeMap::new(),
            language,
            secure: true,
            loopback: false,
            wants_page: true,
            letters,
            found: None,
        }
    }

    /// The same person with a program instead of a browser.
    pub fn program(&self) -> Self {
        Self { cookies: self.cookies.clone(), wants_page: false, letters: self.letters.clone(), ..Self::new(self.gate) }
    }

    /// What their session cookie stands for.
    pub async fn presented(&self, path: &str) -> (Option<SessionToken>, Presented) {
        let name = session_cookie_name(self.secure);
        let Some(token) = self.cookies.get(name).and_then(|value| SessionToken::parse(value)) else {
            return (None, Presented::Nothing);
        };
        let limits = &self.gate.policy.security.sessions;
        let presented = self.gate.sessions.look_up(&token, limits, self.gate.clock.now(), !is_polling(path)).await;
        (Some(token), presented.unwrap())
    }

    /// Their live session.
    pub async fn session(&self) -> Arc<SignedIn> {
        match self.presented("/").await.1 {
            Presented::Live(signed_in) => signed_in,
            other => panic!("not signed in: {other:?}"),
        }
    }

    /// Whether they are signed in.
    pub async fn is_in(&self) -> bool {
        matches!(self.presented("/").await.1, Presented::Live(_))
    }

    /// Sends a request as it is.
    pub async fn send(&mut self, mut request: Request<Body>) -> Page {
        let path = request.uri().path().to_owned();
        let (token, presented) = match self.found.take() {
            Some(found) => found,
            None => self.presented(&path).await,
        };
        let visit = Visit {
            request_id: "request-7".into(),
            now: self.gate.clock.now(),
            address: IpAddr::V4(Ipv4Addr::new(10, 9, 0, 1)),
            secure: self.secure,
            loopback: self.loopback,
            host: HOST.into(),
            site: self.gate.policy.site("crm").cloned(),
            presented,
            token,
            language: self.language,
            wants_page: self.wants_page,
        };
        request.extensions_mut().insert(visit);
        let line = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ");
        if !line.is_empty() {
            request.headers_mut().insert(COOKIE, HeaderValue::from_str(&line).unwrap());
        }
        let response = self.gate.router.clone().oneshot(request).await.unwrap();
        self.keep_cookies(&response);
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        Page { status: parts.status, headers: parts.headers, body: String::from_utf8_lossy(&body).into_owned() }
    }

    /// Opens a page.
    pub async fn opens(&mut self, path: &str) -> Page {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    /// Asks for a page's head alone.
    pub async fn asks_head(&mut self, path: &str) -> Page {
        self.send(Request::head(path).body(Body::empty()).unwrap()).await
    }

    /// Posts fields as a browser's form on our own page does.
    pub async fn posts(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        let own = [("origin", format!("https://{HOST}")), ("sec-fetch-site", "same-origin".to_owned())];
        let own: Vec<_> = own.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.posts_with(path, fields, if self.secure { &own } else { &[] }).await
    }

    /// Posts fields with headers of one's own.
    pub async fn posts_with(&mut self, path: &str, fields: &[(&str, &str)], headers: &[(&str, &str)]) -> Page {
        let body = serde_urlencoded::to_string(fields).unwrap();
        let mut request = Request::builder().method(Method::POST).uri(path).body(Body::from(body)).unwrap();
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        request.headers_mut().insert(CONTENT_TYPE, form);
        for (name, value) in headers {
            request.headers_mut().insert(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        self.send(request).await
    }

    /// Opens `page`, fills in the form that goes to `action`, and sends it.
    pub async fn fills(&mut self, page: &str, action: &str, typed: &[(&str, &str)]) -> Page {
        let page = self.opens(page).await;
        self.sends_form(&page, action, typed).await
    }

    /// Fills in the form of `page` that goes to `action`, and sends it.
    pub async fn sends_form(&mut self, page: &Page, action: &str, typed: &[(&str, &str)]) -> Page {
        let hidden = page.hidden_fields(action);
        let fields: Vec<_> = hidden.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.posts(action, &[&fields[..], typed].concat()).await
    }

    /// Signs in, with the second factor or its enrolment where asked for.
    pub async fn signs_in(&mut self, name: &str, password: &str) {
        let typed = [("username", name), ("password", password)];
        let mut answer = self.fills("/secure/login?return_to=/app/", "/secure/login", &typed).await;
        if answer.location().starts_with("/secure/login/enrol") {
            let shown = self.enrols(&answer.location(), "/secure/login/enrol").await;
            assert_eq!((shown.status, shown.onward().as_str()), (StatusCode::OK, "/app/"), "{}", shown.body);
            return;
        } else if answer.location().starts_with("/secure/login/second-factor") {
            answer = self.gives_code(&answer.location()).await;
        }
        assert_eq!((answer.status, answer.location().as_str()), (StatusCode::SEE_OTHER, "/app/"), "{}", answer.body);
    }

    /// Sets a second factor up on `page`: the page with the recovery codes, which leads on.
    pub async fn enrols(&mut self, page: &str, action: &str) -> Page {
        let page = self.opens(page).await;
        let letters = page.between("<p class=\"letters\"><code>", "</code>").expect("letters to type");
        self.letters = Some(letters.replace(' ', ""));
        let code = self.code();
        self.sends_form(&page, action, &[("code", &code)]).await
    }

    /// Types the next code; every code counts once, so time passes first.
    pub async fn gives_code(&mut self, page: &str) -> Page {
        let code = self.next_code();
        self.fills(page, "/secure/login/second-factor", &[("code", &code)]).await
    }

    /// A code that was not used yet.
    pub fn next_code(&self) -> String {
        self.gate.later(std::time::Duration::from_secs(30));
        self.code()
    }

    /// What the authenticator shows now.
    pub fn code(&self) -> String {
        let secret = Secret::try_from_base32(self.letters.as_deref().expect("a second factor")).unwrap();
        let totp = Builder::new().with_algorithm(Algorithm::SHA1).with_secret(secret).build().unwrap();
        let seconds = u64::try_from(self.gate.clock.now().as_secs()).unwrap();
        totp.generate(seconds).to_string()
    }

    fn keep_cookies(&mut self, response: &Response<Body>) {
        for line in response.headers().get_all(SET_COOKIE) {
            let line = line.to_str().unwrap();
            let (name, value) = line.split(';').next().unwrap().split_once('=').unwrap();
            if line.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}

impl Page {
    /// Where it leads.
    pub fn location(&self) -> String {
        self.headers.get(LOCATION).map_or_else(String::new, |value| value.to_str().unwrap().to_owned())
    }

    /// Where a page with recovery codes leads.
    pub fn onward(&self) -> String {
        self.between("<a class=\"button primary wide\" href=\"", "\"").unwrap_or_default().replace("&#38;", "&")
    }

    /// The recovery codes that a page shows.
    pub fn recovery_codes(&self) -> Vec<String> {
        let lines = self.body.split("<li><code>").skip(1);
        lines.map(|line| line.split('<').next().unwrap().to_owned()).collect()
    }

    /// A header's text; empty when absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// The text between two others.
    pub fn between(&self, before: &str, after: &str) -> Option<&str> {
        self.body.split_once(before)?.1.split_once(after).map(|(text, _)| text)
    }

    /// The hidden fields of the form that goes to `action`.
    pub fn hidden_fields(&self, action: &str) -> Vec<(String, String)> {
        let form = self.between(&format!("action=\"{action}\""), "</form>");
        let form = form.unwrap_or_else(|| panic!("no form to {action} on this page ({}): {}", self.status, self.body));
        let hidden = form.split("<input ").filter(|field| field.starts_with("type=\"hidden\""));
        let attribute = |field: &str, name: &str| {
            let (_, rest) = field.split_once(&format!("{name}=\"")).unwrap();
            rest.split('"').next().unwrap().replace("&#38;", "&")
        };
        hidden.map(|field| (attribute(field, "name"), attribute(field, "value"))).collect()
    }

    /// The anti-forgery value of the page's first form.
    pub fn csrf(&self) -> String {
        self.between("name=\"csrf\" value=\"", "\"").expect("a form").to_owned()
    }
}
