//! A session that proves itself again.

use crate::identity::Amr;
use crate::session::login::act::{Act, Try};
use crate::session::login::factor::{Right, WRONG_CODE, with_otp};
use crate::session::login::progress::With;
use crate::session::{LoginError, Proof, Step};
use crate::store::sessions::{SessionRow, Stage};
use crate::store::users::UserRow;

impl Act<'_> {
    /// Password (and code where enrolled) again, in a live session: `auth_time` and `second_factor_at` are now; the token
    /// is rotated. The session's absolute end stays where it was.
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

    /// The password and, where a second factor is on, what proves it: right, and not used yet. One try for both, so that nobody
    /// learns which was wrong.
    pub(super) async fn prove(&self, row: &UserRow, proof: &Proof) -> Result<(Try, Option<Right>), LoginError> {
        let reserved = self.reserve(row.user.id).await?;
        let reserved = self.checked(reserved, &proof.password, row.password_hash.clone()).await?;
        if self.authenticators(row.user.id).await?.is_empty() {
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
}
