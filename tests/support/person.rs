//! Somebody at a browser without scripts: keeps cookies, reads pages, fills in forms, and is not led anywhere by itself.

use std::net::SocketAddr;
use std::sync::Arc;

use reqwest::cookie::{CookieStore as _, Jar};
use reqwest::header::{self, HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode, Url};

use super::html::{Document, Form};
use super::{PATIENCE, install_crypto, soon};

/// Somebody, with cookies of their own.
#[derive(Debug, Clone)]
pub struct Person {
    client: reqwest::Client,
    base: Url,
    jar: Arc<Jar>,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Page {
    /// The address asked.
    pub url: Url,
    /// The status.
    pub status: StatusCode,
    /// As they came.
    pub headers: HeaderMap,
    /// As text.
    pub body: String,
}

/// How somebody comes.
#[derive(Debug, Clone, Default)]
pub struct Ways {
    /// `en`, `fr`: what their browser asks for.
    pub language: Option<String>,
    /// PEM certificates they trust.
    pub trusted: Option<String>,
    /// Host names and where they really are.
    pub hosts: Vec<(String, SocketAddr)>,
}

// === impl Person ===

impl Person {
    /// Somebody who goes to `base`, as `http://localhost:8080`.
    pub fn at(base: &str) -> Self {
        Self::coming(base, &Ways::default())
    }

    /// Somebody who goes to `base` in their own way.
    pub fn coming(base: &str, ways: &Ways) -> Self {
        install_crypto();
        let jar = Arc::new(Jar::default());
        let roots = ways.trusted.iter().map(|pem| reqwest::Certificate::from_pem(pem.as_bytes()).expect("PEM"));
        let builder = reqwest::Client::builder()
            .cookie_provider(Arc::clone(&jar))
            .redirect(reqwest::redirect::Policy::none())
            .default_headers(ways.headers())
            .no_proxy()
            .timeout(PATIENCE)
            .tls_certs_only(roots);
        let resolve =
            |builder: reqwest::ClientBuilder, (host, addr): &(String, SocketAddr)| builder.resolve(host, *addr);
        let client = ways.hosts.iter().fold(builder, resolve).build().expect("a client");
        Self { client, base: base.parse().expect("an address"), jar }
    }

    /// The address of `path` here.
    pub fn url(&self, path: &str) -> Url {
        self.base.join(path).expect("a path or an address")
    }

    /// Opens a page, as a browser's navigation does.
    pub async fn open(&self, path: &str) -> Page {
        self.send(self.navigation(Method::GET, self.url(path))).await
    }

    /// Opens a page and follows wherever it leads (ten steps at most).
    pub async fn open_and_follow(&self, path: &str) -> Page {
        let page = self.open(path).await;
        self.follow(page).await
    }

    /// Sends a form as it is now filled in; `page` is where it stood.
    pub async fn submit(&self, page: &Page, form: &Form) -> Page {
        let target = page.url.join(&form.action).expect("a form's action");
        let request = if form.method == "POST" {
            self.navigation(Method::POST, target).header(header::ORIGIN, page.origin()).form(&form.fields)
        } else {
            let mut target = target;
            target.query_pairs_mut().clear().extend_pairs(&form.fields);
            self.navigation(Method::GET, target)
        };
        self.send(request).await
    }

    /// Goes where `page` leads, until a page leads nowhere (ten steps at most).
    pub async fn follow(&self, mut page: Page) -> Page {
        for _ in 0..10 {
            let Some(location) = page.location() else { return page };
            let target = page.url.join(&location).expect("a location");
            page = self.send(self.navigation(Method::GET, target)).await;
        }
        panic!("led in a circle: {page:?}");
    }

    /// A request of one's own making, with this person's cookies. No browser headers are added.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, self.url(path))
    }

    /// Sends `request` and reads all of the answer.
    pub async fn send(&self, request: reqwest::RequestBuilder) -> Page {
        soon("an answer", async {
            let answer = request.send().await.expect("an answer");
            let (url, status, headers) = (answer.url().clone(), answer.status(), answer.headers().clone());
            Page { url, status, headers, body: answer.text().await.expect("a body") }
        })
        .await
    }

    /// The value of one's cookie called `name`.
    pub fn cookie(&self, name: &str) -> Option<String> {
        let cookies = self.jar.cookies(&self.base)?;
        let mut pairs = cookies.to_str().ok()?.split("; ").filter_map(|pair| pair.split_once('='));
        pairs.find(|(own, _)| *own == name).map(|(_, value)| value.to_owned())
    }

    /// Takes over a cookie, as a thief would.
    pub fn take_cookie(&self, name: &str, value: &str) {
        self.jar.add_cookie_str(&format!("{name}={value}; Path=/"), &self.base);
    }

    fn navigation(&self, method: Method, url: Url) -> reqwest::RequestBuilder {
        self.client
            .request(method, url)
            .header(header::ACCEPT, "text/html,application/xhtml+xml,*/*;q=0.8")
            .header("Sec-Fetch-Mode", "navigate")
            .header("Sec-Fetch-Dest", "document")
            .header("Sec-Fetch-Site", "same-origin")
    }
}

// === impl Ways ===

impl Ways {
    fn headers(&self) -> HeaderMap {
        let languages = self.language.iter().map(|language| HeaderValue::from_str(language).expect("a language"));
        languages.map(|language| (header::ACCEPT_LANGUAGE, language)).collect()
    }
}

// === impl Page ===

impl Page {
    /// What the page holds.
    pub fn document(&self) -> Document {
        Document::read(&self.body)
    }

    /// What a person reads.
    pub fn text(&self) -> String {
        self.document().text
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// The form that goes to `action`; there must be one.
    pub fn form_to(&self, action: &str) -> Form {
        let document = self.document();
        document.form_to(action).cloned().unwrap_or_else(|| panic!("no form to {action}: {document:#?}"))
    }

    /// The form that has a field called `name`; there must be one.
    pub fn form_with(&self, name: &str) -> Form {
        let document = self.document();
        document.form_with(name).cloned().unwrap_or_else(|| panic!("no form with {name}: {document:#?}"))
    }

    /// Where it leads, when it leads somewhere.
    pub fn location(&self) -> Option<String> {
        self.header("location").filter(|_| self.status.is_redirection())
    }

    /// The first header called `name`.
    pub fn header(&self, name: &str) -> Option<String> {
        self.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
    }

    fn origin(&self) -> String {
        self.url.origin().ascii_serialization()
    }
}
