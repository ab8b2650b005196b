//! Holding a request: record, tokens and notices in one transaction, before anything is answered.

use std::time::Duration;

use super::rights::reachable;
use super::view::Redaction;
use super::{Ask, Asked, MayNot, OperationError, Operations, State, leave, seal};
use crate::account::phone::Phone;
use crate::audit::{NewEvent, Origin};
use crate::identity::{Right, User, UserId};
use crate::notify::{Notice, Times};
use crate::policy::Hold;
use crate::secret::{OperationToken, random_digits};
use crate::store::StoreError;
use crate::store::operations::{Inserted, MOST_WAITING, OperationRow, TokenRow};
use crate::store::outbox::NewOutbox;
use crate::store::users::UserRow;
use crate::test_points;
use crate::time::Timestamp;

/// A validator, and where their token goes.
pub(super) struct Recipient<'a> {
    pub(super) user: &'a User,
    pub(super) phone: Phone,
}

/// What is stored with an operation.
struct Invitations {
    tokens: Vec<TokenRow>,
    outbox: Vec<NewOutbox>,
}

/// Ids tried before giving up: with a million operations kept, sixteen taken ones in a row do not happen.
const ID_TRIES: usize = 16;
const ID_DIGITS: usize = 8;
/// Characters of a title that are kept.
const TITLE_LENGTH: usize = 200;

// === impl Operations ===

impl Operations {
    /// Holds a request: record, tokens and notices in one transaction, before anything is answered. Nobody there to confirm
    /// it does not let it through: it is held all the same, and the audit trail says so loudly.
    pub async fn ask(&self, ask: Ask, origin: &Origin) -> Result<Asked, OperationError> {
        let hold = ask.rule.hold.as_ref().ok_or(OperationError::NotAllowed(MayNot::NotHeld))?;
        let now = self.now();
        let requester = self.store().user(ask.requester.user.id).await?;
        let requester = requester
            .filter(|requester| requester.user.may_act(now))
            .ok_or(OperationError::NotAllowed(MayNot::RightsLost))?;
        let holders = self.store().holders(Right::TokenValidator).await?;
        let recipients: Vec<_> =
            reachable(&holders, &requester, hold, now).filter_map(|row| self.recipient(row)).collect();

        let mut row = new_row(&ask, hold, &requester, now);
        for _ in 0..ID_TRIES {
            row.id = random_digits(self.parts.accounts.random.as_ref(), ID_DIGITS);
            self.seal(&mut row, &ask);
            let Invitations { tokens, outbox } = self.invitations(&row, &requester.user, &recipients, hold);
            let events = asked_events(origin, &row, recipients.len());
            let inserted = self.store().insert_operation(&row, &tokens, &outbox, &events).await?;
            if inserted == Inserted::TooMany {
                return Err(OperationError::TooMany);
            }
            if inserted == Inserted::Stored {
                test_points::reach("operation-stored");
                self.parts.notices.queued();
                warn_if_alone(&row, recipients.len());
                return Ok(Asked {
                    id: row.id,
                    title_en: row.title_en,
                    title_fr: row.title_fr,
                    expires_at: row.expires_at,
                });
            }
        }
        Err(StoreError::Unavailable("no operation id is free".to_owned()).into())
    }

    /// Whether one more of `requester` may wait: asked before a request is read whole, so that nobody is read in vain.
    /// Storing it counts again, and decides.
    pub async fn may_ask(&self, requester: UserId) -> Result<(), OperationError> {
        if self.store().count_waiting(requester).await? >= MOST_WAITING {
            return Err(OperationError::TooMany);
        }
        Ok(())
    }

    fn seal(&self, row: &mut OperationRow, ask: &Ask) {
        let accounts = &self.parts.accounts;
        seal::seal(&accounts.keyring, accounts.random.as_ref(), row, &ask.request);
    }

    /// Who can be told; a phone that does not open is one that cannot.
    pub(super) fn recipient<'a>(&self, row: &'a UserRow) -> Option<Recipient<'a>> {
        match self.parts.accounts.phone(row) {
            Ok(phone) => phone.map(|phone| Recipient { user: &row.user, phone }),
            Err(error) => {
                tracing::error!(event = "user.phone-unreadable", user = %row.user.id, %error, "no SMS can be sent to them");
                None
            }
        }
    }

    /// A token of their own and an SMS for each.
    fn invitations(
        &self,
        row: &OperationRow,
        requester: &User,
        recipients: &[Recipient<'_>],
        hold: &Hold,
    ) -> Invitations {
        let (tokens, outbox) =
            recipients.iter().map(|recipient| self.invitation(row, requester, recipient, hold.token_lifetime)).unzip();
        Invitations { tokens, outbox }
    }

    /// A new token for `recipient` and the SMS that carries it. It lives no longer than the operation.
    pub(super) fn invitation(
        &self,
        row: &OperationRow,
        requester: &User,
        recipient: &Recipient<'_>,
        lifetime: Duration,
    ) -> (TokenRow, NewOutbox) {
        let accounts = &self.parts.accounts;
        let now = self.now();
        let expires_at = now.plus(lifetime).min(row.expires_at);
        let token = OperationToken::generate(accounts.random.as_ref());
        let validator = recipient.user.id;
        let digest = token.digest(&accounts.keyring, &row.id, &validator.to_string());
        let notice = Notice::OperationAsked {
            operation: &row.id,
            title: self.title_for(recipient.user, row),
            requester: &requester.name,
            token: &token,
            minutes: expires_at.since(now).as_secs().div_ceil(60),
        };
        let times = Times { now, deadline: expires_at };
        let sms = self.parts.notices.sms(recipient.user, &recipient.phone, &notice, times);
        (TokenRow { validator, digest, issued_at: now, expires_at }, sms)
    }
}

fn new_row(ask: &Ask, hold: &Hold, requester: &UserRow, now: Timestamp) -> OperationRow {
    let redaction = Redaction::of(&hold.redact);
    let title = |made: &str, template: &str| {
        // A masked value must not stand in a title, which goes out by SMS: the rule's own name stands there instead.
        one_line(if redaction.hits_title(template) { &ask.rule.name } else { made })
    };
    OperationRow {
        id: String::new(),
        version: 1,
        state: State::Waiting,
        reason: None,
        requester: requester.user.id,
        session: ask.requester.session,
        requester_epoch: requester.epoch,
        site: ask.site.name.clone(),
        rule: ask.rule.name.clone(),
        rule_version: ask.rule.version.clone(),
        backend: ask.backend.clone(),
        method: ask.request.method.clone(),
        title_en: title(&ask.title_en, &hold.title.en),
        title_fr: title(&ask.title_fr, &hold.title.fr),
        quorum: i64::from(hold.confirmations.max(1)),
        created_at: now,
        expires_at: now.plus(hold.expires),
        tries: 0,
        captured: None,
        seal: Vec::new(),
        // An unkeyed digest of a body of which all but a password is known is the password's digest.
        digest: if redaction.masks() { String::new() } else { ask.request.digest() },
        changed_at: now,
        status: None,
        answer: None,
        answer_until: None,
    }
}

/// A title that cannot begin a line of its own, and that fits.
fn one_line(title: &str) -> String {
    title.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).take(TITLE_LENGTH).collect()
}

fn asked_events(origin: &Origin, row: &OperationRow, validators: usize) -> Vec<NewEvent> {
    let asked = leave::event(origin, State::Waiting, row)
        .with("site", row.site.clone())
        .with("rule", row.rule.clone())
        .with("method", row.method.clone())
        .with("validators", validators);
    let nobody = (validators == 0)
        .then(|| origin.event("operation.nobody-can-confirm", "failed").about(row.requester).on(row.id.clone()));
    [asked].into_iter().chain(nobody).collect()
}

fn warn_if_alone(row: &OperationRow, validators: usize) {
    if validators == 0 {
        tracing::warn!(
            event = "operation.nobody-can-confirm",
            operation = %row.id,
            site = %row.site,
            rule = %row.rule,
            "no token validator with a phone may confirm it: grant the right, or add a phone number"
        );
    }
}
