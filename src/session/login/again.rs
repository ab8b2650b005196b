//! A session that proves itself again, and a temporary password that is changed.

use crate::account::password;
use crate::identity::Amr;
use crate::secret::SecretText;
use crate::session::login::act::{Act, Try};
use crate::session::login::factor::with_otp;
use crate::session::{LoginError, NewPasswordFault, Proof, Step};
use crate::store::sessions::{SessionRow, Stage};
use crate::store::users::UserRow;

impl Act<'_> {
    /// Password (and code where enrolled) again, in a live session: `auth_time` and `second_factor_at` are now; the token
    /// is rotated. The session's absolute end stays where it was. One try for both, so that nobody learns which was wrong.
    pub async fn reauthenticate(&self, session: &SessionRow, proof: Proof) -> Result<Step, LoginError> {
        let row = self.user_of(session, &[Stage::Live]).await?;
        let reserved = self.reserve(row.user.id).await?;
        let mut reserved = self.checked(reserved, &proof.password, row.password_hash.clone()).await?;
        let enrolled = self.store().second_factors(row.user.id).await?.iter().any(|own| own.confirmed_at.is_some());
        if enrolled {
            reserved = self.code_used(reserved, session, proof.code.as_deref().unwrap_or_default()).await?;
        }
        let now = self.now();
        let amr = if enrolled { with_otp(&[Amr::Pwd]) } else { vec![Amr::Pwd] };
        let event = self.event("login.reauthenticated", "ok", row.user.id).on(session.id.to_string());
        let proven_again = |next: &mut SessionRow| {
            (next.amr, next.auth_time, next.second_factor_at) = (amr, now, enrolled.then_some(now));
        };
        let step = self.advance(session, &row, proven_again, vec![event]).await?;
        reserved.redeem(self.store()).await?;
        Ok(step)
    }

    /// The new password, for a pending session of stage `ChangePassword` (any other: `Over`). All other sessions of the
    /// user end. `Overtaken` when the user was changed meanwhile, by an administrator's reset for example: that stands.
    pub async fn change_password(&self, session: &SessionRow, new: SecretText) -> Result<Step, LoginError> {
        let row = self.user_of(session, &[Stage::ChangePassword]).await?;
        if !row.password_must_change {
            return Err(LoginError::Over);
        }
        self.check_new(&new)?;
        let reserved = self.reserve(row.user.id).await?;
        let hash = match self.new_hash(&row, new).await {
            Ok(hash) => hash,
            Err(error) => {
                reserved.give_back(self.store()).await?;
                return Err(error);
            }
        };
        match self.advance_with_password(session, &row, &hash).await? {
            Some((step, stage)) => {
                self.settle(&row, stage, reserved).await?;
                Ok(step)
            }
            None => self.overtaken(&row, reserved).await,
        }
    }

    /// Somebody else was first, an administrator's reset most of all: theirs stands. Nothing was guessed.
    async fn overtaken(&self, row: &UserRow, reserved: Try) -> Result<Step, LoginError> {
        reserved.give_back(self.store()).await?;
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
