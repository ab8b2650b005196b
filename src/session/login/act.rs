//! One act of a sign-in: what it needs, the try it reserves, the refusal it may come to, and the password.

use crate::account::lockout::{Attempt, Subject};
use crate::account::strangers::Slot;
use crate::account::{HashPool, names};
use crate::audit::{NewEvent, Origin};
use crate::identity::{Amr, UserId};
use crate::policy::Security;
use crate::secret::{BrowserDigest, BrowserToken, SecretText};
use crate::session::login::progress::{PENDING, Proven};
use crate::session::{Browser, Login, LoginError, Step};
use crate::store::Store;
use crate::store::lockouts::Settled;
use crate::store::sessions::{SessionRow, Stage};
use crate::store::users::UserRow;
use crate::time::Timestamp;

/// What every act needs. Each of its methods is one.
#[derive(Debug)]
pub struct Act<'a> {
    pub(super) login: &'a Login,
    pub(super) security: &'a Security,
    pub(super) browser: Browser,
    pub(super) origin: Origin,
    /// Whether the browser is to be remembered once the sign-in is whole.
    pub(super) wish: bool,
}

/// What the trail says of a guess.
const WRONG: &str = "wrong name or password";

/// A try reserved for this step, and whose.
#[must_use = "a reserved try is consumed by its outcome"]
pub(super) struct Try {
    attempt: Attempt,
    subject: Subject,
    user: Option<UserId>,
    /// None in a browser known to the user.
    slot: Option<Slot>,
    /// The limit's last: the lock is set.
    last: bool,
}

impl<'a> Act<'a> {
    pub(super) fn store(&self) -> &'a Store {
        &self.login.accounts.store
    }

    pub(super) fn hashing(&self) -> &'a HashPool {
        &self.login.accounts.hashing
    }

    pub(super) fn now(&self) -> Timestamp {
        self.origin.now
    }

    /// The same act, and the browser is to be remembered if its user wishes so. The wish stays with the sign-in, in the
    /// store, until that is whole.
    pub fn remembering(self, wish: bool) -> Self {
        Self { wish, ..self }
    }

    /// An event of the user's own doing.
    pub(super) fn event(&self, act: &'static str, result: &'static str, user: UserId) -> NewEvent {
        NewEvent { actor: Some(user), ..self.origin.event(act, result).about(user) }
    }

    /// Name and password. Same work and same answer for unknown, wrong, disabled, expired and a temporary password that has
    /// begun a sign-in before (in the browser that holds that sign-in it goes on); the same time for locked. What an unknown name costs and what a known one costs are the same
    /// statements and the same hash.
    pub async fn password(&self, name: &str, password: SecretText) -> Result<Step, LoginError> {
        let folded = names::fold(name);
        let found = self.store().user_by_login(&folded).await?;
        let reserved = match &found {
            Some(row) => self.reserve(row.user.id).await?,
            None => self.reserve_for_nobody(&folded).await?,
        };
        let may_act = found.as_ref().is_some_and(|row| row.user.may_act(self.now()));
        // Who may not act has no hash: a right password is refused as late as a wrong one.
        let hash = found.as_ref().filter(|_| may_act).and_then(|row| row.password_hash.clone());
        let why_not = if found.is_some() && !may_act { "disabled or outside its dates" } else { WRONG };
        let reserved = self.checked_or(reserved, &password, hash, why_not).await?;
        let Some(row) = found else { return self.refuse(reserved, WRONG).await };
        if row.password_spent {
            return match self.begun_here(&row).await? {
                Some(step) => reserved.give_back(self.store()).await.map(|()| step),
                None => self.refuse(reserved, "temporary password used already").await,
            };
        }
        self.strengthen(&row, password).await?;
        self.end_presented().await?;
        let proven = Proven { amr: vec![Amr::Pwd], second_factor_at: None };
        self.begin(&row, proven, reserved).await
    }

    /// Compares a password; wrong: refused. When the queue is full nothing was checked: the try is given back.
    pub(super) async fn checked(
        &self,
        reserved: Try,
        password: &SecretText,
        hash: Option<String>,
    ) -> Result<Try, LoginError> {
        self.checked_or(reserved, password, hash, WRONG).await
    }

    /// The same, with what the trail says when it is wrong.
    async fn checked_or(
        &self,
        reserved: Try,
        password: &SecretText,
        hash: Option<String>,
        why_not: &'static str,
    ) -> Result<Try, LoginError> {
        match self.hashing().verify(password.clone(), hash).await {
            Ok(true) => Ok(reserved),
            Ok(false) => self.refuse(reserved, why_not).await,
            Err(busy) => {
                reserved.give_back(self.store()).await?;
                Err(busy.into())
            }
        }
    }

    /// Makes an older, weaker hash of a password just given a stronger one. A full queue leaves it for the next time.
    async fn strengthen(&self, row: &UserRow, password: SecretText) -> Result<(), LoginError> {
        let Some(old) = row.password_hash.as_deref().filter(|hash| self.hashing().is_outdated(hash)) else {
            return Ok(());
        };
        if let Ok(new) = self.hashing().hash(password).await {
            self.store().rehash_password(row.user.id, old, &new).await?;
        }
        Ok(())
    }

    /// The user of a session at one of `stages`, read again (MFA-4): over when the session's time is, or the user's.
    pub(super) async fn user_of(&self, session: &SessionRow, stages: &[Stage]) -> Result<UserRow, LoginError> {
        if !stages.contains(&session.stage) || self.now() >= session.expires_at {
            return Err(LoginError::Over);
        }
        let found = self.store().user(session.user).await?;
        found.filter(|row| row.user.may_act(self.now())).ok_or(LoginError::Over)
    }

    /// Whether a session proved itself so lately that it may change what proves it. One that a device opened never did.
    pub(super) fn is_fresh(&self, session: &SessionRow) -> bool {
        session.proven_at().is_some_and(|at| self.now().since(at) < PENDING)
    }

    // --- tries ---

    /// Reserves a try of a user, in a browser known to them one of its own; locked: refused, as late as a hash would be.
    pub(super) async fn reserve(&self, user: UserId) -> Result<Try, LoginError> {
        match self.known_browser(user).await? {
            Some(browser) => self.reserve_as(Subject::browser(user, browser), Some(user)).await,
            None => self.reserve_as_stranger(Subject::user(user), Some(user)).await,
        }
    }

    /// The same statements as for a user whom nobody locked out.
    async fn reserve_for_nobody(&self, folded: &str) -> Result<Try, LoginError> {
        let _nobody_is_known = self.known_browser(UserId(uuid::Uuid::nil())).await?;
        self.reserve_as_stranger(Subject::unknown(&self.login.accounts.keyring, folded), None).await
    }

    /// This browser, when the user has fully signed in from it before.
    async fn known_browser(&self, user: UserId) -> Result<Option<BrowserDigest>, LoginError> {
        let Some(browser) = self.browser.token.as_ref().map(BrowserToken::digest) else { return Ok(None) };
        Ok(self.store().knows_browser(user, browser).await?.then_some(browser))
    }

    /// A stranger takes a slot of their network too, before anything is checked. Guesses at a locked name take none.
    async fn reserve_as_stranger(&self, subject: Subject, user: Option<UserId>) -> Result<Try, LoginError> {
        let (strangers, limits) = (&self.login.strangers, self.security.strangers);
        strangers.check(self.origin.address, limits, self.now())?;
        let reserved = self.reserve_as(subject, user).await?;
        match strangers.take(self.origin.address, limits, self.now()) {
            Ok(slot) => Ok(Try { slot: Some(slot), ..reserved }),
            Err(too_many) => {
                reserved.give_back(self.store()).await?;
                Err(too_many.into())
            }
        }
    }

    async fn reserve_as(&self, subject: Subject, user: Option<UserId>) -> Result<Try, LoginError> {
        let outcome = Attempt::reserve(self.store(), subject.clone(), self.security.lockout, self.now()).await?;
        if let Ok((attempt, last)) = outcome {
            return Ok(Try { attempt, subject, user, slot: None, last });
        }
        tokio::time::sleep(self.hashing().usual()).await;
        self.store().append_events(&[self.refused(&subject, user, "locked")]).await?;
        Err(LoginError::Refused)
    }

    /// Wrong: the try stays counted, the trail says why, the client does not learn it.
    pub(super) async fn refuse<T>(&self, reserved: Try, reason: &'static str) -> Result<T, LoginError> {
        let Try { attempt, subject, user, slot, last } = reserved;
        attempt.spend();
        let mut events = vec![self.refused(&subject, user, reason)];
        if let Some(slot) = slot {
            slot.spend();
            events.extend(self.stuffing(&subject));
        }
        if last {
            let until = self.now().plus(self.security.lockout.duration);
            events.push(self.about(&subject, user, "lockout.locked", "ok").with("until", until.to_string()));
        }
        self.store().append_events(&events).await?;
        Err(LoginError::Refused)
    }

    /// What the trail says at the moment when so many names have failed that it is credential stuffing.
    fn stuffing(&self, subject: &Subject) -> Option<NewEvent> {
        let limits = self.security.strangers;
        let begins = self.login.strangers.failed(subject.as_str(), limits, self.now());
        begins.then(|| {
            tracing::error!(names = limits.stuffing_names, "credential stuffing: so many names failed in ten minutes");
            NewEvent { actor: None, ..self.origin.event("login.stuffing", "refused") }
                .with("names", limits.stuffing_names)
        })
    }

    fn refused(&self, subject: &Subject, user: Option<UserId>, reason: &'static str) -> NewEvent {
        self.about(subject, user, "login.refused", "refused").with("reason", reason)
    }

    /// About whoever is behind a subject: a user by id, a name of nobody by its MAC.
    fn about(&self, subject: &Subject, user: Option<UserId>, act: &'static str, result: &'static str) -> NewEvent {
        let event = self.origin.event(act, result);
        match user {
            Some(user) => event.about(user),
            None => event.on(subject.as_str()),
        }
    }
}

// === impl Try ===

impl Try {
    /// Not looked at, or right and begins nothing.
    pub(super) async fn give_back(self, store: &Store) -> Result<(), LoginError> {
        Ok(self.attempt.give_back(store).await?)
    }

    /// What a session at `stage` that this try opens makes of it: in, the counter goes; with more to come, this try alone.
    pub(super) fn settled(&self, stage: Stage) -> Option<Settled> {
        if stage == Stage::Live { Some(self.cleared()) } else { self.given_back() }
    }

    /// The counter goes with the session that enters.
    pub(super) fn cleared(&self) -> Settled {
        self.attempt.cleared()
    }

    /// This try goes with the session that enters.
    pub(super) fn given_back(&self) -> Option<Settled> {
        self.attempt.given_back()
    }
}
