//! The arrows: every way an operation goes from one state to the next, with what is told and what is recorded.

use super::{Cause, Operations, State};
use crate::audit::{NewEvent, Origin};
use crate::identity::User;
use crate::notify::{Notice, Times};
use crate::store::StoreError;
use crate::store::operations::{Move, OperationRow};
use crate::store::outbox::NewOutbox;

/// Where an operation goes.
#[derive(Debug)]
pub(super) struct Exit<'a> {
    pub(super) to: State,
    /// A stable word, or a denier's own words.
    pub(super) reason: Option<&'a str>,
    /// Whether the requester is told by mail: not of what they did themselves.
    pub(super) tell: bool,
    /// What else goes into the audit trail.
    pub(super) alarm: Option<NewEvent>,
}

/// The act in the audit trail that is committed with `sending`: an operation it is told of is never sent again.
pub(super) const SENT: &str = "operation.sent";

// === impl Exit ===

impl<'a> Exit<'a> {
    /// With a mail to the requester.
    pub(super) fn told(to: State, cause: Cause) -> Self {
        Self { to, reason: Some(cause.as_str()), tell: true, alarm: None }
    }

    /// Without.
    pub(super) fn untold(to: State, cause: Option<Cause>) -> Self {
        Self { to, reason: cause.map(Cause::as_str), tell: false, alarm: None }
    }

    /// With a mail, and in the words of the one who denies.
    pub(super) fn denied(words: &'a str) -> Self {
        Self { to: State::Denied, reason: Some(words), tell: true, alarm: None }
    }
}

// === impl Operations ===

impl Operations {
    /// Walks the arrow from where `row` stands; false when it does not stand there any more.
    pub(super) async fn leave(&self, row: &OperationRow, exit: Exit<'_>, origin: &Origin) -> Result<bool, StoreError> {
        let requester = if exit.tell { self.store().user(row.requester).await? } else { None };
        let outbox: Vec<_> =
            requester.iter().map(|requester| self.ended_mail(&requester.user, row, exit.to, exit.reason)).collect();
        let mut event = event(origin, exit.to, row);
        if let Some(reason) = exit.reason {
            event = event.with("reason", reason);
        }
        let events: Vec<_> = exit.alarm.into_iter().chain([event]).collect();
        let arrow = Move {
            operation: &row.id,
            from: row.state,
            to: exit.to,
            reason: exit.reason,
            at: self.now(),
            outbox: &outbox,
            events: &events,
        };
        let moved = self.store().move_operation(&arrow).await?;
        if moved {
            self.parts.hub.moved(&row.id);
            self.parts.notices.queued();
        }
        Ok(moved)
    }

    /// Its standing is gone: it will not be sent.
    pub(super) async fn withdraw(&self, row: &OperationRow, why: Cause, origin: &Origin) -> Result<bool, StoreError> {
        tracing::info!(event = "operation.withdrawn", operation = %row.id, why = why.as_str());
        self.leave(row, Exit::told(State::Withdrawn, why), origin).await
    }

    /// Somebody changed the record in the database: it is dead, and somebody should look (HOLD-3).
    pub(super) async fn bury(&self, row: &OperationRow, origin: &Origin) -> Result<bool, StoreError> {
        tracing::error!(
            event = "operation.seal-broken",
            operation = %row.id,
            "the record of an operation was changed in the database by somebody else than the gateway"
        );
        let alarm = origin.event("operation.seal-broken", "failed").about(row.requester).on(row.id.clone());
        let exit = Exit { alarm: Some(alarm), ..Exit::told(State::Withdrawn, Cause::SealBroken) };
        self.leave(row, exit, origin).await
    }

    /// The mail that says what became of it.
    pub(super) fn ended_mail(&self, to: &User, row: &OperationRow, state: State, reason: Option<&str>) -> NewOutbox {
        let notice = Notice::OperationEnded {
            operation: &row.id,
            title: self.title_for(to, row),
            state: state.as_str(),
            reason,
        };
        self.parts.notices.mail(to, &notice, Times::of_mail(self.now()))
    }

    /// Its name in the language of `reader`.
    pub(super) fn title_for<'a>(&self, reader: &User, row: &'a OperationRow) -> &'a str {
        if self.parts.notices.language_of(reader) == "fr" { &row.title_fr } else { &row.title_en }
    }
}

/// The event of an arrow to `state`.
pub(super) fn event(origin: &Origin, state: State, row: &OperationRow) -> NewEvent {
    let (act, result) = match state {
        State::Waiting => ("operation.asked", "ok"),
        State::Confirmed => ("operation.confirmed", "ok"),
        State::Sending => (SENT, "ok"),
        State::Done => ("operation.done", "ok"),
        State::Denied => ("operation.denied", "ok"),
        State::Expired => ("operation.expired", "ok"),
        State::Cancelled => ("operation.cancelled", "ok"),
        State::Withdrawn => ("operation.withdrawn", "ok"),
        State::Unknown => ("operation.unknown", "failed"),
    };
    origin.event(act, result).about(row.requester).on(row.id.clone())
}
