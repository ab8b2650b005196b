//! A session that proves itself again, and a temporary password that is changed.

use crate::account::password;
use crate::identity::Amr;
use crate::secret::SecretText;
use crate::session::login::act::{Act, Try};
use crate::session::login::factor::{Right, WRONG_CODE, with_otp};
use crate::session::login::progress::With;
use crate::session::{LoginError, NewPasswordFault, Proof, Step};
use crate::store::sessions::{SessionRow, Stage};
use crate::store::users::UserRow;

impl Act<'_> {
    /// Password (and code where enrolled) again, in a live session: `auth_time` and `second_factor_at` are now; the token
    /// is rotated. The session's absolute end stays where it was. One try for both, so that nobody learns which was wrong.
    pub async fn reauthenticate(&self, session: &SessionRow, proof: Proof) -> Result<Step, LoginError> {
        let row = self.user_of(session, &[Stage::Live]).await?;
        let (reserved, right) = self.prove(&row, &proof).await?;
        let enrolled = right.is_some();
        let with = right.map_or_else(With::default, Right::with);
        let now = self.now();
        let amr = if enrolled { with_otp(&[Amr::Pwd]) } else { vec![Amr::Pwd] };
        let event = self.event("login.reauthenticated", "ok", row.user.id).on(session.id.to_string());
        let proven_again = |next: &mut SessionRow| {
            (next.amr, next.auth_time, next.second_factor_at) = (amr, now, enrolled.then_some(now));
        };
        let with = with.settling(Some(reserved.cleared())).telling(event);
        self.advance_or_refuse(reserved, session, &row, proven_again, with).await
    }

    /// The password and, where a second factor is on, what proves it: right, and not used yet. One try for both.
    pub(super) async fn prove(&self, row: &UserRow, proof: &Proof) -> Result<(Try, Option<Right>), LoginError> {
        let reserved = self.reserve(row.user.id).await?;
        let reserved = self.checked(reserved, &proof.password, row.password_hash.clone()).await?;
        if self.devices(row.user.id).await?.is_empty() {
            return Ok((reserved, None));
        }
        let right = match &proof.code {
            Some(given) => self.right_code(&row.user, given).await?,
            None => None,
        };
        match right {
            Some(right) => Ok((reserved, Some(right))),
            None => self.refuse(reserved, WRONG_CODE).await,
        }
    }

    /// The new password, for a pending session of stage `ChangePassword` (any other: `Over`). All other sessions of the
    /// user end. `Overtaken` when the user was changed meanwhile, by an administrator's reset for example: that stands.
    /// `PasswordSet` when the temporary password is gone already, by this form sent twice most of all.
    ///
    /// Takes no try: nothing is guessed here, and the temporary password that led here is spent. A stranger who locks the
    /// account meanwhile would otherwise make it worthless.
    pub async fn change_password(&self, session: &SessionRow, new: SecretText) -> Result<Step, LoginError> {
        let row = self.user_of(session, &[Stage::ChangePassword]).await?;
        if !row.password_must_change {
            return Err(LoginError::PasswordSet);
        }
        self.check_new(&new)?;
        let hash = self.new_hash(&row, new).await?;
        match self.advance_with_password(session, &row, &hash).await? {
            Some(step) => Ok(step),
            None => self.overtaken(&row).await,
        }
    }

    /// Somebody else was first, an administrator's reset most of all: theirs stands. Where the password is no longer a
    /// temporary one, this very form was, sent twice: nothing was refused.
    async fn overtaken(&self, row: &UserRow) -> Result<Step, LoginError> {
        if self.store().user(row.user.id).await?.is_some_and(|now| !now.password_must_change) {
            return Err(LoginError::PasswordSet);
        }
        let event = self.event("password.changed", "refused", row.user.id);
        let event = event.with("reason", "the account was changed, or the sign-in ended, meanwhile");
        self.store().append_events(&[event]).await?;
        Err(LoginError::Overtaken)
    }

    fn check_new(&self, new: &SecretText) -> Result<(), NewPasswordFault> {
        let minimum = self.security.passwords.minimum_length;
        if new.expose().len() > password::LONGEST {
            Err(NewPasswordFault::TooLong)
        } else if new.expose().chars().count() < minimum {
            Err(NewPasswordFault::TooShort { minimum })
        } else {
            Ok(())
        }
    }

    async fn new_hash(&self, row: &UserRow, new: SecretText) -> Result<String, LoginError> {
        if self.hashing().verify(new.clone(), row.password_hash.clone()).await? {
            return Err(NewPasswordFault::Unchanged.into());
        }
        Ok(self.hashing().hash(new).await?)
    }
}
