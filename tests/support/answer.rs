//! An HTTP/1.1 answer as it came, and what a test reads in it.

use std::ops::Deref;

use super::fields::Fields;

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answer {
    /// The status code; 0 when the server hung up without a whole answer.
    pub status: u16,
    /// Its fields.
    pub headers: Fields,
    /// Without its framing.
    pub body: Vec<u8>,
}

// === impl Answer ===

/// Its fields are asked of it.
impl Deref for Answer {
    type Target = Fields;

    fn deref(&self) -> &Fields {
        &self.headers
    }
}

impl Answer {
    /// Reads the status line and the fields; the body is still to come.
    pub fn from_head(head: &[u8]) -> Self {
        let (line, headers) = Fields::read(head);
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
        Self { status: status.expect("a status line"), headers, body: Vec::new() }
    }

    /// Whether another answer follows (RFC 9110 15.2); after 101 none does.
    pub fn is_interim(&self) -> bool {
        (100..200).contains(&self.status) && self.status != 101
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// Where it leads; it must lead somewhere.
    pub fn location(&self) -> &str {
        self.header("location").unwrap_or_else(|| panic!("no Location: {} {}", self.status, self.text()))
    }

    /// The value of the form's hidden or shown field `name`; it must be there.
    pub fn field(&self, name: &str) -> String {
        self.hidden(name).unwrap_or_else(|| panic!("no field {name:?} on: {} {}", self.status, self.text()))
    }

    /// The value of the form's hidden or shown field `name`.
    pub fn hidden(&self, name: &str) -> Option<String> {
        let text = self.text();
        let tag = text.split('<').find(|tag| tag.starts_with("input") && tag.contains(&format!("name=\"{name}\"")))?;
        let value = tag.split_once("value=\"")?.1.split_once('"')?.0;
        Some(value.replace("&#38;", "&").replace("&amp;", "&").replace("&#x2F;", "/").replace("&#47;", "/"))
    }

    /// Sends the person to sign in, or tells a program to: what a request without a session gets.
    pub fn asks_for_sign_in(&self) -> bool {
        self.status == 401 || (self.status == 303 && self.location().contains("/secure/login"))
    }

    /// Any answer of the gateway that is not the backend's: a refusal, a sign-in, a hold.
    pub fn is_not_forwarded(&self) -> bool {
        self.status == 0 || self.asks_for_sign_in() || (400..600).contains(&self.status)
    }
}
