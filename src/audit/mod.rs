//! The audit trail: one event per act, chained, provable.
//!
//! Domain code builds a [`NewEvent`] here and hands it to the store method that makes the change, so that no act is without its line.
//!
//! * An **origin** says who acts, by which door, from where, when; an **event** adds what, to whom, and how it ended.
//! * A **detail** is a key and a value; long ones are cut, so that a stranger cannot fill the trail.
//! * The trail is **read** by `find` (lists), **exported** as JSON lines or CSV, and **verified** by the store.

pub mod export;
pub mod find;

use std::net::IpAddr;

pub use crate::store::audit::{ChainState, EventFilter, EventRow, NewEvent};
use serde_json::{Map, Value};

use crate::identity::UserId;
use crate::time::Timestamp;

/// Where an act comes from: who, by which door, from where, when. Passed down from edge, portal or command line.
#[derive(Debug, Clone)]
pub struct Origin {
    /// When.
    pub now: Timestamp,
    /// Who acts; none when not known yet or the command line.
    pub actor: Option<UserId>,
    /// `page`, `api`, `command`, `gateway`.
    pub door: &'static str,
    /// From where.
    pub address: Option<IpAddr>,
    /// The request's id.
    pub request_id: Option<String>,
}

/// How long one text in an event may be, in characters.
const LONGEST_TEXT: usize = 200;

/// How long all details of an event may be, in bytes of their JSON text.
const LONGEST_DETAILS: usize = 4096;

/// Says, among the details, that some did not fit.
const CUT: &str = "cut";

// === impl Origin ===

impl Origin {
    /// An event of this origin. Add to it with the builder methods of [`NewEvent`].
    pub fn event(&self, act: &'static str, result: &'static str) -> NewEvent {
        NewEvent {
            at: self.now,
            actor: self.actor,
            door: self.door,
            act,
            user: None,
            target: None,
            result,
            address: self.address,
            request_id: self.request_id.as_deref().map(cut),
            details: Value::Object(Map::new()),
        }
    }
}

// === impl NewEvent ===

impl NewEvent {
    /// About a user.
    pub fn about(mut self, user: UserId) -> Self {
        self.user = Some(user);
        self
    }

    /// About something else; cut to 200 characters.
    pub fn on(mut self, target: impl Into<String>) -> Self {
        self.target = Some(cut(&target.into()));
        self
    }

    /// With a detail; texts are cut to 200 characters. A detail that would make the whole longer than 4 KiB is left out,
    /// and `"cut": true` says so.
    pub fn with(mut self, key: &'static str, value: impl Into<Value>) -> Self {
        let mut details = match self.details {
            Value::Object(details) => details,
            _ => Map::new(),
        };
        let before = details.insert(key.to_owned(), shortened(value.into()));
        if length(&details) > LONGEST_DETAILS {
            match before {
                Some(before) => details.insert(key.to_owned(), before),
                None => details.remove(key),
            };
            details.insert(CUT.to_owned(), Value::Bool(true));
        }
        self.details = Value::Object(details);
        self
    }
}

/// The length of the JSON text, with room for the word that something was cut.
fn length(details: &Map<String, Value>) -> usize {
    let text = serde_json::to_string(details).expect("a map of JSON values is JSON");
    text.len() + r#","cut":true"#.len()
}

fn shortened(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(cut(&text)),
        Value::Array(values) => Value::Array(values.into_iter().map(shortened).collect()),
        Value::Object(values) => {
            Value::Object(values.into_iter().map(|(key, value)| (key, shortened(value))).collect())
        }
        other => other,
    }
}

/// The first 200 characters; an ellipsis takes the last one's place when there were more.
fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST_TEXT) {
        None => text.to_owned(),
        Some(_) => text.chars().take(LONGEST_TEXT - 1).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin() -> Origin {
        Origin { now: Timestamp::from_secs(1), actor: None, door: "page", address: None, request_id: None }
    }

    #[test]
    fn an_event_carries_its_origin() {
        let origin = Origin { request_id: Some("r1".to_owned()), address: "192.0.2.1".parse().ok(), ..origin() };
        let event = origin.event("login.refused", "refused").on("alice").with("why", "password");
        assert_eq!((event.at, event.door, event.act, event.result), (origin.now, "page", "login.refused", "refused"));
        assert_eq!(event.request_id.as_deref(), Some("r1"));
        assert_eq!(event.address, origin.address);
        assert_eq!(event.details.to_string(), r#"{"why":"password"}"#);
    }

    #[test]
    fn log_2_a_megabyte_of_a_name_becomes_200_characters() {
        let event =
            origin().event("login.refused", "refused").on("é".repeat(1 << 20)).with("name", "é".repeat(1 << 20));
        assert_eq!(event.target.as_deref().map(|target| target.chars().count()), Some(200));
        assert_eq!(event.details["name"].as_str().map(|name| name.chars().count()), Some(200));
    }

    #[test]
    fn log_2_details_stay_below_four_kibibytes_and_say_what_they_lost() {
        const KEYS: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];
        let event = KEYS.iter().fold(origin().event("rule.changed", "ok"), |event, key| {
            // A control character takes six bytes in JSON.
            event.with(key, "\u{1}".repeat(200))
        });
        let text = event.details.to_string();
        assert!(text.len() <= 4096, "the details are {} bytes long", text.len());
        assert_eq!(event.details["cut"], true);
        assert!(event.details["a"].is_string());
    }
}
