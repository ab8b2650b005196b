//! The captured request, as the operation's page shows it: exactly what will be sent, every stretch escaped.

use super::show::{Pieces, size};
use super::texts::Texts;
use crate::identity::{Right, SignedIn};
use crate::operation::view::Body;
use crate::operation::{Part, View};

/// A captured request, ready to be shown.
#[derive(Debug)]
pub struct ShownRequest {
    /// From which address it was asked.
    pub client: String,
    /// The method.
    pub method: String,
    /// Scheme and host, `https://crm.example.org`.
    pub origin: String,
    /// Path and query.
    pub target: Pieces,
    /// Headers as they will be sent.
    pub headers: Vec<(String, Pieces)>,
    /// The body.
    pub body: ShownBody,
    /// What must be said beside it.
    pub note: Option<&'static str>,
    /// Its length in words.
    pub length: String,
    /// Its digest; empty where one would let masked fields be guessed.
    pub digest: String,
    /// Whether its bytes are for download.
    pub download: bool,
}

/// A body, ready to be shown.
#[derive(Debug)]
pub enum ShownBody {
    /// None.
    Empty,
    /// Fields of a form, members of a JSON document.
    Fields(Vec<(Pieces, Pieces)>),
    /// Parts of a multipart form.
    Parts(Vec<ShownPart>),
    /// Text as it is.
    Text(Pieces),
    /// Hex lines.
    Binary(String),
}

/// A part of a multipart form, ready to be shown.
#[derive(Debug)]
pub struct ShownPart {
    /// The field's name.
    pub name: Pieces,
    /// The file's name, when it is a file.
    pub file_name: Option<Pieces>,
    /// Its type, as told.
    pub content_type: String,
    /// Its length in words.
    pub length: String,
    /// Its digest.
    pub digest: String,
    /// What is in it, when that is text.
    pub text: Option<Pieces>,
}

// === impl ShownRequest ===

impl ShownRequest {
    /// From what `me` may see.
    pub fn of(view: View, me: Option<&SignedIn>, t: Texts) -> Self {
        Self {
            client: view.client,
            method: view.method,
            origin: format!("{}://{}", view.scheme, view.host),
            target: Pieces::new(t, view.target),
            headers: view.headers.into_iter().map(|(name, value)| (name, Pieces::new(t, value))).collect(),
            body: ShownBody::of(view.body, t),
            note: view.body_note.and_then(|word| t.of("body-note", word)),
            length: size(view.body_length, t),
            digest: view.digest,
            download: view.body_length > 0 && is_validator(me) && !view.masked,
        }
    }
}

// === impl ShownBody, ShownPart ===

impl ShownBody {
    /// Each stretch of text becomes one that escapes itself.
    pub fn of(body: Body, t: Texts) -> Self {
        let shown = |pieces| Pieces::new(t, pieces);
        match body {
            Body::Empty => Self::Empty,
            Body::Fields(fields) => {
                Self::Fields(fields.into_iter().map(|(name, value)| (shown(name), shown(value))).collect())
            }
            Body::Parts(parts) => Self::Parts(parts.into_iter().map(|part| ShownPart::of(part, t)).collect()),
            Body::Text(text) => Self::Text(shown(text)),
            Body::Binary(lines) => Self::Binary(lines.join("\n")),
        }
    }
}

impl ShownPart {
    fn of(part: Part, t: Texts) -> Self {
        Self {
            name: Pieces::new(t, part.name),
            file_name: part.file_name.map(|name| Pieces::new(t, name)),
            content_type: part.content_type.unwrap_or_default(),
            length: size(part.length, t),
            digest: part.digest,
            text: part.text.map(|text| Pieces::new(t, text)),
        }
    }
}

fn is_validator(me: Option<&SignedIn>) -> bool {
    me.is_some_and(|me| me.user.has(Right::TokenValidator))
}
