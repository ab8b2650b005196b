//! A password that is changed: because the one there is must be, or because its owner wants another.
//!
//! * A **forced** change stands between a sign-in and what it is for: the password was made by an administrator, or is older
//!   than passwords may be. It takes no try, for nothing is guessed at it, and no limit counts it.
//! * An **own** change is made in a live session by whoever proves everything again. It is counted where changes are limited.
//!
//! Either way the new password keeps the rules, is none of those before it, ends all other sessions and is told to its owner by
//! mail: all of it in one step, or none.

use crate::account::{PasswordError, PasswordFault, PasswordFaults};
use crate::audit::NewEvent;
use crate::identity::Amr;
use crate::notify::News;
use crate::policy::security::Changes;
use crate::secret::{BrowserToken, SecretText};
use crate::session::login::act::{Act, Try};
use crate::session::login::factor::{WRONG_CODE, with_otp};
use crate::session::login::progress::{NewDevice, Proven, next_stage};
use crate::session::{LoginError, Proof, Step};
use crate::store::entering::{Entered, Entry};
use crate::store::outbox::NewOutbox;
use crate::store::passwords::{ChangeLimit, Changed, NewPassword};
use crate::store::sessions::{SessionRow, Stage};
use crate::store::users::UserRow;
use crate::time::Timestamp;

/// What the trail says of the sessions that end with a change.
const CHANGED: &str = "the password was changed";

/// Why a sign-in leads to a change of password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forced {
    /// It was made by an administrator.
    Temporary,
    /// It is older than passwords may be.
    TooOld,
}

impl Act<'_> {
    /// Why this sign-in is at the change of its password; nothing when it need not be changed any more.
    pub async fn forced(&self, session: &SessionRow) -> Result<Option<Forced>, LoginError> {
        let row = self.user_of(session, &[Stage::ChangePassword]).await?;
        Ok(self.must_change(&row))
    }

    /// The new password, for a pending session of stage `ChangePassword` (any other: `Over`). All other sessions of the
    /// user end. `Overtaken` when the user was changed meanwhile, by an administrator's reset for example: that stands.
    /// `PasswordSet` when the password was changed already, by this form sent twice most of all.
    ///
    /// Takes no try: nothing is guessed here, and a temporary password that led here is spent. A stranger who locks the
    /// account meanwhile would otherwise make it worthless.
    pub async fn change_password(&self, session: &SessionRow, new: SecretText) -> Result<Step, LoginError> {
        let row = self.user_of(session, &[Stage::ChangePassword]).await?;
        let Some(forced) = self.must_change(&row) else {
            let is_set = row.password_set_at.is_some_and(|at| at >= session.created_at);
            return Err(if is_set { LoginError::PasswordSet } else { LoginError::Over });
        };
        let accounts = &self.login.accounts;
        let fit = accounts.fit_password(self.security, &row.user, new).await?;
        let hash = accounts.hash_new_password(self.security, &row, fit).await?;
        match self.advance_with_password(session, &row, &hash, forced).await? {
            Some(step) => Ok(step),
            None => self.overtaken(&row).await,
        }
    }

    /// Another password, for a live session, by whoever proves password (and code where enrolled) again: on the one counter of
    /// tries. The token is rotated, the proofs are of now, all other sessions end. What is wrong with the new password by
    /// itself is said before anything is proven: it is no guess.
    pub async fn change_own_password(
        &self,
        session: &SessionRow,
        proof: Proof,
        new: SecretText,
    ) -> Result<Step, LoginError> {
        let row = self.user_of(session, &[Stage::Live]).await?;
        let fit = self.login.accounts.fit_password(self.security, &row.user, new).await?;
        if let Some(until) = self.next_change(&row).await? {
            return self.too_many(&row, until).await;
        }
        let (reserved, right) = self.prove(&row, &proof).await?;
        let hash = match self.login.accounts.hash_new_password(self.security, &row, fit).await {
            Ok(hash) => hash,
            // Right, and begins nothing.
            Err(error) => return reserved.give_back(self.store()).await.and(Err(error.into())),
        };
        let (code, told) = right.map_or((None, None), |right| {
            let (code, told) = right.into_parts();
            (Some(code), told)
        });
        let (token, next, _) = self.raised(session, |next| {
            (next.id, next.auth_time) = (self.another_id(), self.now());
            next.memory = next.memory.without_device();
            (next.amr, next.second_factor_at) = match code {
                Some(_) => (with_otp(&[Amr::Pwd]), Some(self.now())),
                None => (vec![Amr::Pwd], None),
            };
        });
        let (more, mut mails): (Vec<_>, Vec<_>) = told.into_iter().unzip();
        mails.push(self.mail_to_owner(&row));
        let browser = self.browser.token.as_ref().map(BrowserToken::digest);
        let tries = Some(reserved.cleared());
        let entry = Entry { code, tries, browser, outbox: &mails, ..Entry::of(&next, row.epoch) };
        let limit = self.security.advanced.changes.map(ChangeLimit::from);
        let new = NewPassword { limit, ..self.new_password(&hash) };
        let changed = self.store_password(session, &entry, new, &self.own_change(&next, more)).await?;
        self.changed(changed, reserved, &row).await?;
        Ok(self.step(token, &next, row.user, None))
    }

    /// Puts the new password in the place of the one that must be changed, and the session at what comes next, in one step;
    /// the user's other sessions end. Nothing when the session is gone or the user was changed since `row` was read.
    async fn advance_with_password(
        &self,
        session: &SessionRow,
        row: &UserRow,
        hash: &str,
        forced: Forced,
    ) -> Result<Option<Step>, LoginError> {
        let settled = UserRow { password_must_change: false, password_set_at: Some(self.now()), ..row.clone() };
        let proven = Proven { amr: session.amr.clone(), second_factor_at: session.second_factor_at };
        let stage = next_stage(&settled, self.security, self.now(), session.second_factor_at.is_some(), &proven);
        let (token, next, device) = self.raised(session, |next| next.stage = stage);
        let arrives = next.stage == Stage::Live;
        let mut events = vec![self.event("password.changed", "ok", row.user.id).with("because", forced.in_the_trail())];
        if arrives {
            events.extend(self.signed_in_events(&next, device.as_ref()));
        }
        let mails = [self.mail_to_owner(row)];
        let entry = Entry {
            tries: arrives.then(|| self.settled_without_try(row)),
            signed_in_at: arrives.then(|| self.now()),
            browser: self.browser.token.as_ref().map(BrowserToken::digest),
            device: device.as_ref().map(NewDevice::row),
            outbox: &mails,
            // All others end: nothing has to make room.
            ..Entry::of(&next, row.epoch)
        };
        let changed = self.store_password(session, &entry, self.new_password(hash), &events).await?;
        Ok(changed.is_in().then(|| self.step(token, &next, row.user.clone(), device)))
    }

    // --- how ---

    /// Why a password must be changed before anything else, when it must.
    pub(super) fn must_change(&self, row: &UserRow) -> Option<Forced> {
        Forced::of(row, self.security, self.now())
    }

    async fn next_change(&self, row: &UserRow) -> Result<Option<Timestamp>, LoginError> {
        let Some(limit) = self.security.advanced.changes else { return Ok(None) };
        Ok(self.store().next_change(row.user.id, limit.into(), self.now()).await?)
    }

    fn new_password<'h>(&self, hash: &'h str) -> NewPassword<'h> {
        NewPassword { remembered: self.security.advanced.remembered, ..NewPassword::of(hash, self.now()) }
    }

    /// What the trail says of an own change, before `more`.
    fn own_change(&self, next: &SessionRow, more: Vec<NewEvent>) -> Vec<NewEvent> {
        let changed = self.event("password.changed", "ok", next.user).on(next.id.to_string());
        let ended = self.event("session.ended", "ok", next.user).on("all others").with("reason", CHANGED);
        [vec![changed.with("because", "its owner wanted to"), ended], more].concat()
    }

    /// The password with its session, its mails and its events; what this process knew of the user's sessions is forgotten.
    async fn store_password(
        &self,
        session: &SessionRow,
        entry: &Entry<'_>,
        new: NewPassword<'_>,
        events: &[NewEvent],
    ) -> Result<Changed, LoginError> {
        let changed = self.store().change_password(session.digest, entry, &new, events).await?;
        if changed.is_in() {
            self.login.sessions.forget_user(session.user);
            self.login.notices.queued();
        }
        Ok(changed)
    }

    /// What an own change that did not happen comes to.
    async fn changed(&self, changed: Changed, reserved: Try, row: &UserRow) -> Result<(), LoginError> {
        match changed {
            Changed::Session(Entered::In) => Ok(()),
            Changed::Session(Entered::CodeUsed) => self.refuse(reserved, WRONG_CODE).await,
            Changed::Session(Entered::Overtaken) => {
                self.tell_refused(row, OVERTAKEN).await?;
                Err(LoginError::Over)
            }
            Changed::TooMany { until } => {
                reserved.give_back(self.store()).await?;
                self.too_many(row, until).await
            }
        }
    }

    async fn too_many<T>(&self, row: &UserRow, until: Timestamp) -> Result<T, LoginError> {
        self.tell_refused(row, "changed as often as is allowed").await?;
        Err(PasswordFaults::from(PasswordFault::TooManyChanges { until }).into())
    }

    /// Somebody else was first, an administrator's reset most of all: theirs stands. Where the password need not be changed
    /// any more, this very form was, sent twice: nothing was refused.
    async fn overtaken(&self, row: &UserRow) -> Result<Step, LoginError> {
        if self.store().user(row.user.id).await?.is_some_and(|now| self.must_change(&now).is_none()) {
            return Err(LoginError::PasswordSet);
        }
        self.tell_refused(row, OVERTAKEN).await?;
        Err(LoginError::Overtaken)
    }

    async fn tell_refused(&self, row: &UserRow, reason: &'static str) -> Result<(), LoginError> {
        let event = self.event("password.changed", "refused", row.user.id).with("reason", reason);
        Ok(self.store().append_events(&[event]).await?)
    }

    fn mail_to_owner(&self, row: &UserRow) -> NewOutbox {
        self.login.notices.mail_to_owner(&row.user, News::PasswordChanged, &self.origin)
    }
}

/// What the trail says of a change that somebody else's overtook.
const OVERTAKEN: &str = "the account was changed, or the sign-in ended, meanwhile";

// === impl Forced ===

impl Forced {
    /// Why `row`'s password must be changed, when it must.
    pub(super) fn of(row: &UserRow, security: &crate::policy::Security, now: Timestamp) -> Option<Self> {
        if row.password_must_change {
            Some(Self::Temporary)
        } else {
            security.advanced.is_over(row.password_set_at, now).then_some(Self::TooOld)
        }
    }

    const fn in_the_trail(self) -> &'static str {
        match self {
            Self::Temporary => "it was temporary",
            Self::TooOld => "it was older than passwords may be",
        }
    }
}

// === conversions ===

impl From<Changes> for ChangeLimit {
    fn from(Changes { allowed, period }: Changes) -> Self {
        Self { allowed, period }
    }
}

impl From<PasswordError> for LoginError {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::Faults(faults) => faults.into(),
            PasswordError::Busy(busy) => busy.into(),
            PasswordError::Store(error) => error.into(),
        }
    }
}
