//! An operation as shown to those concerned: what will be sent, and nothing that only looks like it.
//!
//! * Texts are **pieces** ([`pieces`]): what cannot be seen, or looks like something else, is shown as its code point.
//! * A **body** is shown by what it is: fields of a form or of JSON, parts of a multipart form, text, or hexadecimal lines.
//!   Whatever two programs could read differently is shown as the text it is.
//! * **Masked** values ([`redact`]) leave this module for nobody. What cannot be taken apart is masked as a whole.

mod body;
mod confusable;
mod json;
mod multipart;
mod pieces;
mod redact;
mod request;

pub(super) use redact::Redaction;
pub(super) use request::{headers, target};

use super::MayNot;
use crate::identity::{Amr, User};
use crate::store::failure::Failure;
use crate::store::operations::State;
use crate::store::outbox::{Channel, OutboxState};
use crate::time::Timestamp;

pub(super) use body::body;

/// Everything a page or the API shows. Redacted fields are masked already; texts carry visible code points for invisible characters.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own that a page shows")]
pub struct View {
    /// 8 digits.
    pub id: String,
    /// Where it stands.
    pub state: State,
    /// Why: a stable word, or a denier's own words.
    pub reason: Option<String>,
    /// Its name.
    pub title_en: String,
    /// Its name.
    pub title_fr: String,
    /// Which site.
    pub site: String,
    /// Which rule held it.
    pub rule: String,
    /// Who asked; none when the account is gone.
    pub requester: Option<User>,
    /// From which address; empty when the request is not kept any more.
    pub client: String,
    /// How the requester was signed in.
    pub amr: Vec<Amr>,
    /// Since when.
    pub auth_time: Timestamp,
    /// The method.
    pub method: String,
    /// `http` or `https`; empty when the request is not kept any more.
    pub scheme: String,
    /// The host asked for; empty when the request is not kept any more.
    pub host: String,
    /// Path and query as they will be sent.
    pub target: Vec<Piece>,
    /// Headers as they will be sent; credentials of the application are masked.
    pub headers: Vec<(String, Vec<Piece>)>,
    /// The body.
    pub body: Body,
    /// In bytes.
    pub body_length: usize,
    /// What must be said beside the body: `compressed` (shown as it is, not unpacked).
    pub body_note: Option<&'static str>,
    /// RFC 9530 digest of the body; empty where the rule masks fields, as a digest would let them be guessed.
    pub digest: String,
    /// Whether the request is still kept: it goes once it may no longer be sent, and in lists it is not read.
    pub kept: bool,
    /// Whether something is masked: then the body cannot be downloaded.
    pub masked: bool,
    /// When asked.
    pub created_at: Timestamp,
    /// When it expires.
    pub expires_at: Timestamp,
    /// How many must confirm.
    pub quorum: i64,
    /// Who confirmed, and when.
    pub confirmed_by: Vec<(String, Timestamp)>,
    /// How telling people went.
    pub notices: Vec<NoticeState>,
    /// The backend's status, when done.
    pub status: Option<i64>,
    /// Whether this viewer may confirm, with the token they have; else why not. In lists nobody may.
    pub may_confirm: Result<(), MayNot>,
    /// Whether this viewer may deny.
    pub may_deny: Result<(), MayNot>,
    /// Whether this viewer may have a new token.
    pub may_renew: Result<(), MayNot>,
    /// Whether this viewer may cancel.
    pub may_cancel: bool,
    /// Whether this viewer must give a second factor again before confirming.
    pub needs_fresh_second_factor: bool,
}

/// A stretch of text as shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// As it is.
    Text(String),
    /// An invisible, bidirectional, control or look-alike character: shown as its code point, `U+202E`; or a byte that is no
    /// text, `0xFF`.
    CodePoint(String),
    /// So many blanks in a row.
    Blanks(usize),
    /// So many bytes left out here; the whole can be downloaded.
    Cut(usize),
    /// A masked value.
    Masked,
}

/// A body as shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// There is none.
    Empty,
    /// Fields of a form, or JSON members by path, in their order; doubled ones are all there.
    Fields(Vec<(Vec<Piece>, Vec<Piece>)>),
    /// Parts of a multipart form.
    Parts(Vec<Part>),
    /// Text.
    Text(Vec<Piece>),
    /// First bytes as hexadecimal lines.
    Binary(Vec<String>),
}

/// A part of a multipart form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The field's name.
    pub name: Vec<Piece>,
    /// The file's name, for files.
    pub file_name: Option<Vec<Piece>>,
    /// As declared.
    pub content_type: Option<String>,
    /// In bytes.
    pub length: usize,
    /// RFC 9530 digest; empty when the part is masked.
    pub digest: String,
    /// The content, when it is text.
    pub text: Option<Vec<Piece>>,
}

/// How telling somebody went.
#[derive(Debug, Clone)]
pub struct NoticeState {
    /// By which channel.
    pub channel: Channel,
    /// The user name.
    pub to: String,
    /// Where the message stands.
    pub state: OutboxState,
    /// The last failure.
    pub error: Option<Failure>,
}

// === impl NoticeState ===

impl NoticeState {
    /// Whether somebody should know that it did not arrive: it is over, or the last try failed and another one follows.
    pub fn is_amiss(&self) -> bool {
        matches!(self.state, OutboxState::Failed | OutboxState::Uncertain) || self.error.is_some()
    }
}
