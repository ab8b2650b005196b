//! A session that proves itself again.

use crate::identity::Amr;
use crate::session::login::act::{Act, Try};
use crate::session::login::factor::{WRONG_CODE, with_otp};
use crate::session::login::progress::With;
use crate::session::{LoginError, Proof, Step};
use crate::store::second_factors::Code;
use crate::store::sessions::{SessionRow, Stage};
use crate::store::users::UserRow;

impl Act<'_> {
    /// Password (and code where enrolled) again, in a live session: `auth_time` and `second_factor_at` are now; the token
    /// is rotated. The session's absolute end stays where it was.
    pub async fn reauthenticate(&self, session: &SessionRow, proof: Proof) -> Result<Step, LoginError> {
        let row = self.user_of(session, &[Stage::Live]).await?;
        let (reserved, code) = self.proven_again(session, &row, &proof).await?;
        let (now, enrolled) = (self.now(), code.is_some());
        let with = code.map_or_else(With::default, With::code);
        let amr = if enrolled { with_otp(&[Amr::Pwd]) } else { vec![Amr::Pwd] };
        let event = self.event("login.reauthenticated", "ok", row.user.id).on(session.id.to_string());
        let proven_again = |next: &mut SessionRow| {
            (next.amr, next.auth_time, next.second_factor_at) = (amr, now, enrolled.then_some(now));
        };
        let with = with.settling(Some(reserved.cleared())).telling(event);
        self.advance_or_refuse(reserved, session, &row, proven_again, with).await
    }

    /// The password is right, and so is the code where one is enrolled: the try both were given on, and the use of the code
    /// that is still to be made. One try for both, so that nobody learns which was wrong.
    pub(super) async fn proven_again(
        &self,
        session: &SessionRow,
        row: &UserRow,
        proof: &Proof,
    ) -> Result<(Try, Option<Code>), LoginError> {
        let reserved = self.reserve(row.user.id).await?;
        let reserved = self.checked(reserved, &proof.password, row.password_hash.clone()).await?;
        let enrolled = self.store().second_factors(row.user.id).await?.iter().any(|own| own.confirmed_at.is_some());
        if !enrolled {
            return Ok((reserved, None));
        }
        match self.right_code(session, proof.code.as_deref().unwrap_or_default()).await? {
            Some(right) => Ok((reserved, Some(right))),
            None => self.refuse(reserved, WRONG_CODE).await,
        }
    }
}
