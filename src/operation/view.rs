//! An operation as shown to those concerned.
use crate::identity::User;
use crate::store::operations::State;
use crate::time::Timestamp;
/// Everything a page or the API shows. Redacted fields are masked already; texts carry visible code points for invisible characters.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "plain")]
pub struct View { pub id: String, pub state: State, pub reason: Option<String>, pub title_en: String, pub title_fr: String, pub site: String, pub rule: String, pub requester: Option<User>, pub client: String, pub amr: Vec<crate::identity::Amr>, pub auth_time: Timestamp, pub method: String, pub scheme: String, pub host: String, pub target: Vec<Piece>, pub headers: Vec<(String, Vec<Piece>)>, pub body: Body, pub body_length: usize, pub digest: String, pub created_at: Timestamp, pub expires_at: Timestamp, pub quorum: i64, pub confirmed_by: Vec<(String, Timestamp)>, pub notices: Vec<NoticeState>, pub status: Option<i64>, /// Whether this viewer may confirm, and if not, the stable word why.
    pub may_confirm: Result<(), &'static str>, pub may_cancel: bool, pub needs_fresh_second_factor: bool }
/// A stretch of text as shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece { /// As it is.
    Text(String), /// An invisible, bidirectional, control or look-alike character: shown as its code point.
    CodePoint(String), /// So many blanks in a row.
    Blanks(usize), /// So many bytes left out here; the whole can be downloaded.
    Cut(usize), /// A masked value.
    Masked }
/// A body as shown.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "plain")]
pub enum Body { Empty, /// Fields of a form or JSON members by path.
    Fields(Vec<(Vec<Piece>, Vec<Piece>)>), /// Parts of a multipart form.
    Parts(Vec<Part>), Text(Vec<Piece>), /// First bytes as hex lines.
    Binary(Vec<String>) }
/// A part.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "plain")]
pub struct Part { pub name: Vec<Piece>, pub file_name: Option<Vec<Piece>>, pub content_type: Option<String>, pub length: usize, pub digest: String, pub text: Option<Vec<Piece>> }
/// How telling a validator went.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "plain")]
pub struct NoticeState { pub channel: &'static str, pub to: String, pub state: crate::store::outbox::OutboxState, pub error: Option<String> }
