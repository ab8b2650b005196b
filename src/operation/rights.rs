//! Who may see, confirm, deny, cancel: the person and phone checks of H1, H8, H10. Pure functions.
//!
//! * A **validator of an operation** holds the right, may act now, and is in one of the groups the rule names (if any).
//! * **Kin** of the requester is whoever is the same person as far as anybody can tell: the requester, or somebody with the
//!   same phone number or mailbox. Kin confirms only where the rule's `self_confirm` says so, with a fresh second factor.
//! * A validator **can** confirm only with a phone: the token comes by SMS.

use std::time::Duration;

use super::MayNot;
use crate::account::names;
use crate::identity::{Right, SignedIn};
use crate::policy::{Hold, SelfConfirm};
use crate::store::users::UserRow;
use crate::time::Timestamp;

/// How somebody relates to the requester.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kinship {
    /// Another person.
    Stranger,
    /// The requester.
    Requester,
    /// Somebody who reads the SMS of the requester.
    SharesPhone,
    /// Somebody who reads the mail of the requester.
    SharesMail,
}

/// In what capacity somebody may confirm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capacity {
    /// As a validator of somebody else's operation.
    Validator,
    /// Of their own, because the rule lets them: the second factor must be fresh.
    OwnOperation,
}

/// How old a second factor may be to confirm one's own operation.
pub const FRESH: Duration = Duration::from_mins(5);

/// Whether `person` is a validator of operations held by `hold`, kin or not: they may see it.
pub fn is_validator(person: &UserRow, hold: &Hold, now: Timestamp) -> bool {
    holds_right(person, now) && is_in_groups(person, hold)
}

fn holds_right(person: &UserRow, now: Timestamp) -> bool {
    person.user.has(Right::TokenValidator) && person.user.may_act(now)
}

fn is_in_groups(person: &UserRow, hold: &Hold) -> bool {
    hold.validators.is_empty() || hold.validators.iter().any(|group| person.user.is_in(group))
}

/// How `person` relates to `requester`.
pub fn kinship(person: &UserRow, requester: &UserRow) -> Kinship {
    if person.user.id == requester.user.id {
        Kinship::Requester
    } else if person.phone_mac.is_some() && person.phone_mac == requester.phone_mac {
        Kinship::SharesPhone
    } else if mailbox(&person.user.email) == mailbox(&requester.user.email) {
        Kinship::SharesMail
    } else {
        Kinship::Stranger
    }
}

/// In what capacity `person` may confirm an operation of `requester`; else why not. `holders` are all
/// holders of the right.
pub fn capacity(
    person: &UserRow,
    requester: &UserRow,
    hold: &Hold,
    holders: &[UserRow],
    now: Timestamp,
) -> Result<Capacity, MayNot> {
    if !holds_right(person, now) {
        return Err(MayNot::NotAValidator);
    }
    if !is_in_groups(person, hold) {
        return Err(MayNot::WrongGroup);
    }
    let refusal = match kinship(person, requester) {
        Kinship::Stranger => return Ok(Capacity::Validator),
        Kinship::Requester => MayNot::Requester,
        Kinship::SharesPhone => MayNot::SharesPhone,
        Kinship::SharesMail => MayNot::SharesMail,
    };
    let alone = || !holders.iter().any(|other| is_other_who_can(other, requester, hold, now));
    match hold.self_confirm {
        SelfConfirm::Allowed => Ok(Capacity::OwnOperation),
        SelfConfirm::WhenAlone if alone() => Ok(Capacity::OwnOperation),
        SelfConfirm::WhenAlone | SelfConfirm::Never => Err(refusal),
    }
}

/// Those of `holders` who may confirm and can be told: each gets a token.
pub fn reachable<'a>(
    holders: &'a [UserRow],
    requester: &UserRow,
    hold: &Hold,
    now: Timestamp,
) -> impl Iterator<Item = &'a UserRow> {
    holders
        .iter()
        .filter(move |person| person.phone.is_some() && capacity(person, requester, hold, holders, now).is_ok())
}

/// Whether the session gave a second factor within [`FRESH`]. A moment in the future (the clock was set back) is not fresh.
pub fn has_fresh_second_factor(session: &SignedIn, now: Timestamp) -> bool {
    session.second_factor_at.is_some_and(|at| at <= now && now.since(at) <= FRESH)
}

fn is_other_who_can(person: &UserRow, requester: &UserRow, hold: &Hold, now: Timestamp) -> bool {
    person.phone.is_some() && is_validator(person, hold, now) && kinship(person, requester) == Kinship::Stranger
}

/// The mailbox an address leads to: what stands behind `+` is only a label in it.
fn mailbox(address: &str) -> String {
    let folded = names::fold(address);
    match folded.rsplit_once('@') {
        Some((local, domain)) => format!("{}@{domain}", local.split('+').next().unwrap_or(local)),
        None => folded,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{User, UserId, UserState};
    use crate::policy::Title;
    use crate::secret::Sealed;
    use uuid::Uuid;

    const NOW: Timestamp = Timestamp::from_secs(1_000);

    fn person(name: &str, number: u128) -> UserRow {
        let user = User {
            id: UserId(Uuid::from_u128(number)),
            name: name.to_owned(),
            full_name: name.to_owned(),
            email: format!("{name}@example.org"),
            language: None,
            groups: vec!["clinical-leads".to_owned()],
            rights: vec![Right::TokenValidator],
            state: UserState::Active,
            valid_from: None,
            valid_until: None,
        };
        UserRow {
            user,
            phone: Some(Sealed::from_stored(vec![1])),
            phone_mac: Some(number.to_be_bytes().to_vec()),
            password_hash: None,
            password_set_at: None,
            password_must_change: false,
            password_spent: false,
            created_at: NOW,
            last_login_at: None,
            epoch: 0,
        }
    }

    fn hold(self_confirm: SelfConfirm) -> Hold {
        Hold {
            title: Title { en: String::new(), fr: String::new() },
            confirmations: 1,
            validators: Vec::new(),
            redact: Vec::new(),
            self_confirm,
            expires: Duration::from_mins(15),
            token_lifetime: Duration::from_mins(15),
            session_needed: false,
        }
    }

    /// Everybody who could be taken for the requester, and those who could not.
    fn people() -> (UserRow, Vec<(&'static str, UserRow)>) {
        let alice = person("alice", 1);
        let mut phone_twin = person("phil", 3);
        phone_twin.phone_mac = alice.phone_mac.clone();
        let mut mail_twin = person("mel", 4);
        mail_twin.user.email = "Alice+second@Example.org".to_owned();
        let mut disabled = person("dan", 5);
        disabled.user.state = UserState::Disabled;
        let mut over = person("ove", 6);
        over.user.valid_until = Some(NOW);
        let mut without_right = person("nora", 7);
        without_right.user.rights = vec![Right::Administrator];
        let others = vec![
            ("another validator", person("val", 2)),
            ("the requester", alice.clone()),
            ("who shares the phone", phone_twin),
            ("who shares the mailbox", mail_twin),
            ("disabled", disabled),
            ("past the end date", over),
            ("without the right", without_right),
        ];
        (alice, others)
    }

    fn matrix(self_confirm: SelfConfirm, alone: bool) -> Vec<String> {
        let (alice, others) = people();
        let holders: Vec<UserRow> = others
            .iter()
            .filter(|(what, _)| !alone || *what != "another validator")
            .map(|(_, person)| person.clone())
            .collect();
        let hold = hold(self_confirm);
        let word = |person: &UserRow| match capacity(person, &alice, &hold, &holders, NOW) {
            Ok(Capacity::Validator) => "may".to_owned(),
            Ok(Capacity::OwnOperation) => "may, freshly".to_owned(),
            Err(why) => why.to_string(),
        };
        others.iter().map(|(what, person)| format!("{what}: {}", word(person))).collect()
    }

    #[test]
    fn hold_4_who_may_confirm() {
        insta::assert_debug_snapshot!(matrix(SelfConfirm::Never, false), @r#"
        [
            "another validator: may",
            "the requester: requester",
            "who shares the phone: shares-phone",
            "who shares the mailbox: shares-mail",
            "disabled: not-a-validator",
            "past the end date: not-a-validator",
            "without the right: not-a-validator",
        ]
        "#);
    }

    #[test]
    fn a_requester_who_is_alone_may_confirm_where_the_rule_lets_them() {
        assert_eq!(matrix(SelfConfirm::WhenAlone, false), matrix(SelfConfirm::Never, false));
        insta::assert_debug_snapshot!(matrix(SelfConfirm::WhenAlone, true), @r#"
        [
            "another validator: may",
            "the requester: may, freshly",
            "who shares the phone: may, freshly",
            "who shares the mailbox: may, freshly",
            "disabled: not-a-validator",
            "past the end date: not-a-validator",
            "without the right: not-a-validator",
        ]
        "#);
        assert_eq!(matrix(SelfConfirm::Allowed, false), matrix(SelfConfirm::WhenAlone, true));
    }

    #[test]
    fn a_validator_without_a_phone_cannot_confirm_and_leaves_the_requester_alone() {
        let alice = person("alice", 1);
        let mut val = person("val", 2);
        val.phone = None;
        val.phone_mac = None;
        let hold = hold(SelfConfirm::WhenAlone);
        let holders = [alice.clone(), val];
        let reached: Vec<_> = reachable(&holders, &alice, &hold, NOW).map(|person| person.user.name.as_str()).collect();
        assert_eq!(reached, ["alice"]);
    }

    #[test]
    fn two_people_without_a_phone_do_not_share_one() {
        let [mut alice, mut val] = [person("alice", 1), person("val", 2)];
        alice.phone_mac = None;
        val.phone_mac = None;
        assert_eq!(kinship(&val, &alice), Kinship::Stranger);
    }

    #[test]
    fn a_rule_narrows_the_validators_to_its_groups() {
        let mut narrowed = hold(SelfConfirm::Never);
        narrowed.validators = vec!["directors".to_owned()];
        assert!(!is_validator(&person("val", 2), &narrowed, NOW));
        narrowed.validators.push("clinical-leads".to_owned());
        assert!(is_validator(&person("val", 2), &narrowed, NOW));
    }

    #[test]
    fn a_second_factor_is_fresh_for_five_minutes_and_never_from_the_future() {
        let session = |second_factor_at| SignedIn {
            session: crate::identity::SessionId(Uuid::from_u128(9)),
            user: std::sync::Arc::new(person("alice", 1).user),
            amr: Vec::new(),
            auth_time: NOW,
            second_factor_at,
        };
        let now = Timestamp::from_secs(10_000);
        assert!(has_fresh_second_factor(&session(Some(now.minus(FRESH))), now));
        assert!(!has_fresh_second_factor(&session(Some(now.minus(FRESH + Duration::from_millis(1)))), now));
        assert!(!has_fresh_second_factor(&session(Some(now.plus(Duration::from_secs(1)))), now));
        assert!(!has_fresh_second_factor(&session(None), now));
    }
}
