//! The page that shows what arrived, newest first.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use serde::Deserialize;

use super::shelf::Shelf;
use super::{Channel, Message};
use crate::time::{Clock as _, SystemClock, Timestamp};

/// How many of each kind are shown.
const SHOWN: usize = 50;
/// How often the page comes anew, in seconds.
const REFRESH: u32 = 3;

#[derive(Template)]
#[template(path = "inbox.html", config = "src/demo/askama.toml")]
struct Page {
    /// Seconds to the next refresh; nothing when the reader asked for stillness.
    refresh: Option<u32>,
    authenticators: Vec<ShownAuthenticator>,
    texts: Vec<Shown>,
    mails: Vec<Shown>,
}

struct ShownAuthenticator {
    name: String,
    digits: String,
    seconds_left: u64,
}

struct Shown {
    id: u64,
    name: Option<String>,
    to: String,
    from: Option<String>,
    subject: Option<String>,
    at: String,
    parts: Vec<Part>,
}

/// A piece of a message's text.
#[derive(Debug, PartialEq, Eq)]
struct Part {
    text: String,
    is_link: bool,
}

/// `?refresh=off` keeps the page still.
#[derive(Debug, Deserialize)]
pub(super) struct Wish {
    refresh: Option<String>,
}

/// `GET /`.
pub(super) async fn show(State(shelf): State<Arc<Shelf>>, Query(wish): Query<Wish>) -> Response {
    let refresh = (wish.refresh.as_deref() != Some("off")).then_some(REFRESH);
    let page = Page::of(&shelf, refresh, SystemClock.now());
    let headers = [
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'self'; frame-ancestors 'none'"),
    ];
    match page.render() {
        Ok(html) => (headers, Html(html)).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// `GET /inbox.css`.
pub(super) async fn stylesheet() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("inbox.css"))
}

// === impl Page ===

impl Page {
    fn of(shelf: &Shelf, refresh: Option<u32>, now: Timestamp) -> Self {
        let authenticators = shelf.authenticators().into_iter().map(|authenticator| {
            let code = authenticator.code(now);
            let (left, right) = code.digits.split_at(code.digits.len() / 2);
            let digits = format!("{left} {right}");
            ShownAuthenticator { name: authenticator.name().to_owned(), digits, seconds_left: code.seconds_left }
        });
        let messages = shelf.messages();
        let of = |channel| {
            let own = messages.iter().rev().filter(|message| message.channel == channel);
            own.take(SHOWN).map(|message| Shown::of(message, shelf)).collect()
        };
        Self { refresh, authenticators: authenticators.collect(), texts: of(Channel::Sms), mails: of(Channel::Mail) }
    }
}

// === impl Shown ===

impl Shown {
    fn of(message: &Message, shelf: &Shelf) -> Self {
        Self {
            id: message.id,
            name: shelf.name_of(&message.to),
            to: message.to.clone(),
            from: message.from.clone(),
            subject: message.subject.clone(),
            at: time_of_day(message.at),
            parts: parts(message.text.trim_end()),
        }
    }
}

/// `12:00:07` in the machine's own zone.
fn time_of_day(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.as_millis())
        .map(|moment| moment.to_zoned(jiff::tz::TimeZone::system()).strftime("%H:%M:%S").to_string())
        .unwrap_or_default()
}

/// Cuts `text` where links begin and end, so that they can be followed.
fn parts(text: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(begin) = link_begin(rest) {
        let (before, from_link) = rest.split_at(begin);
        let (link, after) = from_link.split_at(link_length(from_link));
        parts.push(Part { text: before.to_owned(), is_link: false });
        parts.push(Part { text: link.to_owned(), is_link: true });
        rest = after;
    }
    parts.push(Part { text: rest.to_owned(), is_link: false });
    parts.retain(|part| !part.text.is_empty());
    parts
}

fn link_begin(text: &str) -> Option<usize> {
    ["http://", "https://"].into_iter().filter_map(|scheme| text.find(scheme)).min()
}

/// Up to the next blank, without the punctuation that belongs to the sentence.
fn link_length(text: &str) -> usize {
    let end = text.find(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | '"')).unwrap_or(text.len());
    text[..end].trim_end_matches(['.', ',', ';', ':', '!', '?', ')', '»']).len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_can_be_followed_and_nothing_else_is_one() {
        let found = parts("Token: K7QF-2M9X. See http://localhost:8080/secure/operations/1, bob.");
        let texts: Vec<_> = found.iter().map(|part| (part.text.as_str(), part.is_link)).collect();
        assert_eq!(
            texts,
            [("Token: K7QF-2M9X. See ", false), ("http://localhost:8080/secure/operations/1", true), (", bob.", false)]
        );
        assert_eq!(parts("javascript:alert(1)").len(), 1);
        assert_eq!(parts("http://"), [Part { text: "http://".into(), is_link: true }]);
    }
}
