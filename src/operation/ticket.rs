//! The kept answer, for the requester alone; and the one-use ticket to see it at the address of the original request.
//!
//! A ticket is the operation's id and 32 random bytes. What is stored is a MAC over those, the session and the address: it
//! works once, in the session it was made for, at that address and no other.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::answer::Kept;
use super::{Answer, OperationError, Operations, State};
use crate::identity::{SessionId, SignedIn};
use crate::secret::{Place, Purpose, random_bytes};
use crate::store::operations::OperationRow;

// === impl Operations ===

impl Operations {
    /// The kept answer, for the requester alone.
    pub async fn answer(&self, id: &str, viewer: &SignedIn) -> Result<Option<Answer>, OperationError> {
        let row = self.asked_by(id, viewer).await?;
        Ok(self.kept(&row)?.map(|kept| kept.answer))
    }

    /// Makes a one-use ticket for showing the answer at the address of the original request: (cookie value, path and query).
    pub async fn answer_ticket(&self, id: &str, viewer: &SignedIn) -> Result<(String, String), OperationError> {
        let row = self.asked_by(id, viewer).await?;
        let kept = self.kept(&row)?.ok_or(OperationError::NotFound)?;
        let secret: [u8; 32] = random_bytes(self.parts.accounts.random.as_ref());
        let stored = self.ticket_mac(id, &secret, viewer.session, &kept.target);
        if !self.store().set_answer_ticket(id, &stored).await? {
            return Err(OperationError::NotFound);
        }
        Ok((format!("{id}.{}", URL_SAFE_NO_PAD.encode(secret)), kept.target))
    }

    /// Uses a ticket presented with a GET of `target`: the kept answer, once.
    pub async fn redeem_ticket(
        &self,
        ticket: &str,
        target: &str,
        viewer: &SignedIn,
    ) -> Result<Option<Answer>, OperationError> {
        let Some((id, secret)) = read(ticket) else { return Ok(None) };
        let Ok(row) = self.asked_by(id, viewer).await else { return Ok(None) };
        let Some(kept) = self.kept(&row)?.filter(|kept| kept.target == target) else { return Ok(None) };
        let presented = self.ticket_mac(id, &secret, viewer.session, target);
        Ok(self.store().use_answer_ticket(id, &presented).await?.then_some(kept.answer))
    }

    async fn asked_by(&self, id: &str, viewer: &SignedIn) -> Result<OperationRow, OperationError> {
        let involved = self.involved(id, viewer).await?;
        if involved.is_requester() { Ok(involved.row) } else { Err(OperationError::NotFound) }
    }

    fn kept(&self, row: &OperationRow) -> Result<Option<Kept>, OperationError> {
        let in_time = row.answer_until.is_some_and(|until| self.now() < until);
        let Some(answer) = row.answer.as_ref().filter(|_| row.state == State::Done && in_time) else { return Ok(None) };
        let bytes = self.parts.accounts.keyring.open(place(&row.id), answer).map_err(|_| OperationError::SealBroken)?;
        Kept::decode(&bytes).map(Some).ok_or(OperationError::SealBroken)
    }

    fn ticket_mac(&self, id: &str, secret: &[u8; 32], session: SessionId, target: &str) -> [u8; 32] {
        let parts: [&[u8]; 4] = [id.as_bytes(), secret, session.0.as_bytes(), target.as_bytes()];
        self.parts.accounts.keyring.mac(Purpose::AnswerTicket, &parts)
    }
}

/// Where an answer is sealed.
pub(super) fn place(operation: &str) -> Place<'_> {
    Place { table: "operations", column: "answer", row: operation }
}

fn read(ticket: &str) -> Option<(&str, [u8; 32])> {
    let (id, secret) = ticket.split_once('.')?;
    let secret = URL_SAFE_NO_PAD.decode(secret).ok()?.try_into().ok()?;
    Some((id, secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_an_id_and_32_bytes() {
        let ticket = format!("48271935.{}", URL_SAFE_NO_PAD.encode([7; 32]));
        assert_eq!(read(&ticket), Some(("48271935", [7; 32])));
        for wrong in ["", "48271935", "48271935.", "48271935.AAAA", &format!("{ticket}AA"), &format!("{ticket}=")] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
