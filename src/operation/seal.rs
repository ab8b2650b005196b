//! The MAC over an operation's record; checked at every read that matters.
//!
//! Two halves of 32 bytes. The first is over the row: everything a person is shown or a rule was asked about. The second is
//! over the first and the captured request. When the request is gone (the operation is over), the row can still be
//! checked. State, tries and reason are not sealed: they change.
//!
//! Each confirmation carries a MAC of its own, over the seal, the validator and the moment: a row that somebody else wrote
//! counts for nothing, nor does one of another operation.

use super::capture::CapturedRequest;
use crate::identity::UserId;
use crate::secret::{Keyring, Place, Purpose, Random, Sealed, equal};
use crate::store::operations::{Captured, Confirmation, OperationRow};
use crate::time::Timestamp;

/// The record was changed by somebody else than the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the seal of an operation is broken")]
pub(super) struct SealBroken;

/// Seals `request` into `row`: the captured bytes, and the MAC over all.
pub(super) fn seal(keyring: &Keyring, random: &dyn Random, row: &mut OperationRow, request: &CapturedRequest) {
    let encoded = request.encode();
    row.captured = Some(keyring.seal(random, place(&row.id), &encoded));
    let over_row = over_row(keyring, row);
    row.seal = [over_row, over_request(keyring, &over_row, &encoded)].concat();
}

/// The captured request, when the row and it are as they were sealed; none when it is not kept any more.
pub(super) fn open(keyring: &Keyring, row: &OperationRow) -> Result<Option<CapturedRequest>, SealBroken> {
    let (over_row, over_request) = halves(row)?;
    if !keyring.verify(Purpose::OperationSeal, &parts(row).each_ref().map(Vec::as_slice), over_row) {
        return Err(SealBroken);
    }
    row.captured.as_ref().map(|captured| open_request(keyring, row, captured, [over_row, over_request])).transpose()
}

/// The MAC that is stored with a confirmation.
pub(super) fn confirmation(keyring: &Keyring, row: &OperationRow, validator: UserId, at: Timestamp) -> [u8; 32] {
    keyring.mac(
        Purpose::OperationSeal,
        &[b"confirmation", row.id.as_bytes(), &row.seal, validator.0.as_bytes(), &at.as_millis().to_be_bytes()],
    )
}

/// Whether the gateway itself stored `given`.
pub(super) fn is_confirmed(keyring: &Keyring, row: &OperationRow, given: &Confirmation) -> bool {
    equal(&confirmation(keyring, row, given.validator, given.at), &given.mac)
}

fn open_request(
    keyring: &Keyring,
    row: &OperationRow,
    captured: &Sealed<Captured>,
    [over_row, over_request]: [&[u8]; 2],
) -> Result<CapturedRequest, SealBroken> {
    let encoded = keyring.open(place(&row.id), captured).map_err(|_| SealBroken)?;
    if !keyring.verify(Purpose::OperationSeal, &[b"request", over_row, &encoded], over_request) {
        return Err(SealBroken);
    }
    CapturedRequest::decode(&encoded).ok_or(SealBroken)
}

fn halves(row: &OperationRow) -> Result<(&[u8], &[u8]), SealBroken> {
    if row.seal.len() != 64 {
        return Err(SealBroken);
    }
    Ok(row.seal.split_at(32))
}

fn over_row(keyring: &Keyring, row: &OperationRow) -> [u8; 32] {
    keyring.mac(Purpose::OperationSeal, &parts(row).each_ref().map(Vec::as_slice))
}

fn over_request(keyring: &Keyring, over_row: &[u8; 32], encoded: &[u8]) -> [u8; 32] {
    keyring.mac(Purpose::OperationSeal, &[b"request", over_row, encoded])
}

fn place(operation: &str) -> Place<'_> {
    Place { table: "operations", column: "captured", row: operation }
}

/// What must not change, in a fixed order. The keyring frames each part by its length.
fn parts(row: &OperationRow) -> [Vec<u8>; 16] {
    let number = |number: i64| number.to_be_bytes().to_vec();
    let text = |text: &str| text.as_bytes().to_vec();
    [
        text("row"),
        text(&row.id),
        row.requester.0.as_bytes().to_vec(),
        row.session.0.as_bytes().to_vec(),
        number(row.requester_epoch),
        text(&row.site),
        text(&row.rule),
        text(&row.rule_version),
        text(&row.backend),
        text(&row.method),
        text(&row.title_en),
        text(&row.title_fr),
        number(row.quorum),
        number(row.created_at.as_millis()),
        number(row.expires_at.as_millis()),
        text(&row.digest),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::capture::tests::request;
    use super::*;
    use crate::identity::{SessionId, UserId};
    use crate::secret::SystemRandom;
    use crate::store::operations::State;
    use crate::time::Timestamp;
    use uuid::Uuid;

    fn keyring() -> Keyring {
        Keyring::new(&[7; 32])
    }

    fn sealed() -> OperationRow {
        let mut row = OperationRow {
            id: "48271935".to_owned(),
            version: 1,
            state: State::Waiting,
            reason: None,
            requester: UserId(Uuid::from_u128(1)),
            session: SessionId(Uuid::from_u128(2)),
            requester_epoch: 3,
            site: "crm".to_owned(),
            rule: "delete a customer".to_owned(),
            rule_version: "abc".to_owned(),
            backend: "http://127.0.0.1:8000".to_owned(),
            method: "POST".to_owned(),
            title_en: "Delete customer 42".to_owned(),
            title_fr: "Supprimer le client 42".to_owned(),
            quorum: 1,
            created_at: Timestamp::from_secs(1_000),
            expires_at: Timestamp::from_secs(1_900),
            tries: 0,
            captured: None,
            seal: Vec::new(),
            digest: request().digest(),
            changed_at: Timestamp::from_secs(1_000),
            status: None,
            answer: None,
            answer_until: None,
        };
        seal(&keyring(), &SystemRandom, &mut row, &request());
        row
    }

    #[test]
    fn what_was_sealed_opens() {
        assert_eq!(open(&keyring(), &sealed()), Ok(Some(request())));
    }

    #[test]
    fn state_tries_and_reason_may_change() {
        let mut row = sealed();
        row.state = State::Done;
        row.tries = 3;
        row.version = 9;
        row.reason = Some("because".to_owned());
        row.captured = None;
        assert_eq!(open(&keyring(), &row), Ok(None));
    }

    #[test]
    fn hold_3_any_other_change_breaks_the_seal() {
        let changes: [fn(&mut OperationRow); 16] = [
            |row| row.id = "48271936".to_owned(),
            |row| row.requester = UserId(Uuid::from_u128(9)),
            |row| row.session = SessionId(Uuid::from_u128(9)),
            |row| row.requester_epoch = 4,
            |row| row.site = "erp".to_owned(),
            |row| row.rule = "another".to_owned(),
            |row| row.rule_version = "abd".to_owned(),
            |row| row.backend = "http://127.0.0.1:9000".to_owned(),
            |row| row.method = "DELETE".to_owned(),
            |row| row.title_en = "Look at customer 42".to_owned(),
            |row| row.title_fr = "Voir le client 42".to_owned(),
            |row| row.quorum = 0,
            |row| row.created_at = Timestamp::from_secs(1_001),
            |row| row.expires_at = Timestamp::from_secs(9_999),
            |row| row.digest = "sha-256=:AAAA:".to_owned(),
            |row| row.seal.truncate(32),
        ];
        for (index, change) in changes.into_iter().enumerate() {
            let mut row = sealed();
            change(&mut row);
            assert_eq!(open(&keyring(), &row), Err(SealBroken), "change {index}");
        }
    }

    #[test]
    fn hold_3_one_bit_of_the_captured_request_breaks_the_seal() {
        let row = sealed();
        let bytes = row.captured.clone().unwrap().into_bytes();
        for index in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[index] ^= 1;
            let row = OperationRow { captured: Some(Sealed::from_stored(changed)), ..row.clone() };
            assert_eq!(open(&keyring(), &row), Err(SealBroken), "byte {index}");
        }
    }

    #[test]
    fn hold_3_the_request_of_an_earlier_record_of_the_same_id_does_not_fit() {
        let earlier = sealed();
        let mut later = sealed();
        later.created_at = Timestamp::from_secs(2_000);
        let other = CapturedRequest { body: b"{}".to_vec(), ..request() };
        seal(&keyring(), &SystemRandom, &mut later, &other);
        later.captured = earlier.captured;
        assert_eq!(open(&keyring(), &later), Err(SealBroken));
    }
}
