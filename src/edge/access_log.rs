//! One line per request: who asked for what, what was decided by which rule, and what came of it.
//!
//! The query is told by its length alone (it may hold secrets); no header is told. Texts are written escaped, and cut.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use pingora::http::RequestHeader;
use uuid::Uuid;

use super::address;
use super::backend::Target;
use super::stop::Stop;
use crate::policy::{CanonicalTarget, Decision, Rule, Site};
use crate::portal::{Refused, Visit};
use crate::session::Presented;

/// What is gathered about a request on its way.
#[derive(Debug, Default)]
pub(super) struct Record {
    /// The method.
    pub method: http::Method,
    /// The canonical path, or, of a request refused before it had one, what was sent.
    pub path: String,
    /// Bytes of query.
    pub query_length: usize,
    /// What was decided.
    pub decision: Verdict,
    /// Why it was refused.
    pub because: Option<Cow<'static, str>>,
    /// The rule that decided.
    pub rule: Option<Arc<Rule>>,
    /// Where it went.
    pub backend: Option<Arc<Target>>,
}

/// What was decided, as log and metrics name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) enum Verdict {
    /// Forwarded to a backend.
    Forward,
    /// Handed to the portal.
    Portal,
    /// Held for a validator.
    Hold,
    /// A kept answer was shown.
    KeptAnswer,
    /// A request laid aside was taken up, and forwarded to a backend.
    Resume,
    /// Asked to sign in.
    SignIn,
    /// Asked for more than the session has.
    StepUp,
    /// No.
    Refuse,
    /// Something here or behind failed.
    #[default]
    Error,
}

/// What came of a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outcome {
    /// The status answered; 0 when it was cut off, by the client or by us.
    pub status: u16,
    /// Content bytes received.
    pub received: usize,
    /// Content bytes sent.
    pub sent: usize,
    /// From the head to the end of the answer.
    pub took: Duration,
}

/// Longer texts are cut.
const LONGEST: usize = 1024;

// === impl Record ===

impl Record {
    /// Writes the line.
    pub fn write(&self, visit: &Visit, outcome: Outcome) {
        let mut user = Uuid::encode_buffer();
        tracing::info!(
            target: "access",
            request_id = &*visit.request_id,
            client = address::text(visit.address),
            method = self.method.as_str(),
            host = cut(&visit.host),
            path = cut(&self.path),
            query_length = self.query_length,
            status = outcome.status,
            decision = self.decision.as_str(),
            because = self.because.as_deref().map(cut),
            site = visit.site.as_deref().map(|site| site.name.as_str()),
            rule = self.rule.as_deref().map(|rule| rule.name.as_str()),
            user = user_id(&visit.presented, &mut user),
            backend = self.backend.as_deref().map(Target::url),
            received = outcome.received,
            sent = outcome.sent,
            milliseconds = u64::try_from(outcome.took.as_millis()).unwrap_or(u64::MAX),
        );
    }

    /// What can be said before anything is checked.
    pub fn first_sight(&mut self, header: &RequestHeader) {
        self.method = header.method.clone();
        let raw = header.raw_path();
        let end = raw.iter().position(|byte| *byte == b'?').unwrap_or(raw.len());
        self.path = printable(&raw[..end.min(LONGEST)]);
        self.query_length = raw.len() - end;
    }

    /// The target as it is judged.
    pub fn target(&mut self, target: &CanonicalTarget) {
        target.path().clone_into(&mut self.path);
        self.query_length = target.query().map_or(0, str::len);
    }

    /// What the policy said.
    pub fn decided(&mut self, decision: &Decision) {
        (self.decision, self.rule) = match decision {
            Decision::Forward(permit) => (Verdict::Forward, Some(Arc::clone(permit.rule()))),
            Decision::Hold(rule) => (Verdict::Hold, Some(Arc::clone(rule))),
            Decision::SignIn => (Verdict::SignIn, None),
            Decision::StepUp(_) => (Verdict::StepUp, None),
            Decision::Refuse(_) => (Verdict::Refuse, None),
            Decision::ReadBody => (Verdict::Error, None),
        };
    }

    /// Why it went no further.
    pub fn refused(&mut self, stop: &Stop) {
        self.because = Some(stop.because.clone());
        let failed = matches!(
            stop.told,
            Refused::Internal
                | Refused::Unavailable { .. }
                | Refused::BadGateway
                | Refused::GatewayTimeout
                | Refused::NoAnswer
        );
        if failed {
            self.decision = Verdict::Error;
        } else if self.decision == Verdict::Error {
            self.decision = Verdict::Refuse;
        }
    }

    /// The client went away before the answer.
    pub fn client_gone(&mut self) {
        self.because.get_or_insert(Cow::Borrowed("the client went away"));
    }

    /// Nothing of the body came any more.
    pub fn upload_stopped(&mut self) {
        self.because.get_or_insert(Cow::Borrowed("the body stopped arriving"));
    }

    /// The session it was in did not outlive it.
    pub fn session_ended(&mut self) {
        self.because.get_or_insert(Cow::Borrowed("its session ended"));
    }

    /// The site's name, as metrics say it.
    pub fn site_name(site: Option<&Site>) -> &str {
        site.map_or("", |site| site.name.as_str())
    }
}

/// As text, with what cannot be printed in hexadecimal.
fn printable(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if bytes.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'\\') => text.to_owned(),
        _ => bytes.escape_ascii().to_string(),
    }
}

fn user_id<'b>(presented: &Presented, buffer: &'b mut [u8]) -> Option<&'b str> {
    match presented {
        Presented::Live(signed_in) => Some(signed_in.user.id.0.hyphenated().encode_lower(buffer)),
        _ => None,
    }
}

fn cut(text: &str) -> &str {
    let mut end = text.len().min(LONGEST);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

// === impl Verdict ===

impl Verdict {
    /// How many there are: the last one tells.
    pub const COUNT: usize = Self::Error as usize + 1;

    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::Portal => "portal",
            Self::Hold => "hold",
            Self::KeptAnswer => "kept-answer",
            Self::Resume => "resume",
            Self::SignIn => "sign-in",
            Self::StepUp => "step-up",
            Self::Refuse => "refuse",
            Self::Error => "error",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_2_a_long_text_is_cut_between_letters() {
        let text = "é".repeat(LONGEST);
        assert_eq!(cut(&text).len(), LONGEST);
        assert_eq!(cut(&text[..10]), "ééééé");
        assert!(cut(&format!("x{text}")).len() < LONGEST);
    }
}
