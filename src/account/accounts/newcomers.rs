//! Newcomers of an import: those who are there already set apart, the others added together.

use super::{AccountError, Accounts, new_row, shown, words};
use crate::account::import::{Fault, Newcomer};
use crate::account::password::Foreign;
use crate::account::{names, new_id};
use crate::audit::{NewEvent, Origin};
use crate::identity::{User, UserId};
use crate::store::users::NewUser;

impl Accounts {
    /// Those of `newcomers` who are there already, by name or address, each with what to do about it; the others stay.
    pub async fn set_apart_known(&self, newcomers: &mut Vec<Newcomer>) -> Result<Vec<(Newcomer, Fault)>, AccountError> {
        let taken = self.store.logins().await?;
        let (mut known, mut others) = (Vec::new(), Vec::new());
        for newcomer in newcomers.drain(..) {
            match fault_of(&newcomer, |login| taken.contains(login)) {
                Some(fault) => known.push((newcomer, fault)),
                None => others.push(newcomer),
            }
        }
        *newcomers = others;
        Ok(known)
    }

    /// Adds all of `newcomers`, or, when one cannot be, none. `told` hears how many are added, from time to time.
    pub async fn import(
        &self,
        newcomers: Vec<Newcomer>,
        origin: &Origin,
        told: &mut (dyn FnMut(usize) + Send),
    ) -> Result<(), AccountError> {
        let rows = newcomers.into_iter().map(|newcomer| self.admitted(newcomer, origin));
        let (rows, events): (Vec<_>, Vec<_>) = rows.unzip();
        Ok(self.store.insert_users(&rows, &events, told).await?)
    }

    fn admitted(&self, newcomer: Newcomer, origin: &Origin) -> (NewUser, NewEvent) {
        let id = UserId(new_id(&*self.random, origin.now));
        let phone = newcomer.phone.as_ref().map(|phone| phone.seal(&self.keyring, &*self.random, id));
        let algorithm = newcomer.password.as_ref().map(Foreign::algorithm);
        let hash = newcomer.password.as_ref().map(|foreign| foreign.stored().to_owned());
        let must_change = newcomer.password_must_change && hash.is_some();
        let user = user_of(id, newcomer);
        let event = origin.event("user.added", "ok").about(id).with("because", "import");
        let event = event.with("groups", user.groups.clone()).with("rights", words(&user.rights));
        let event = event.with("password", algorithm.unwrap_or("none"));
        (new_row(user, phone, hash, must_change, origin.now), event)
    }
}

fn fault_of(newcomer: &Newcomer, is_taken: impl Fn(&str) -> bool) -> Option<Fault> {
    let what = if is_taken(&names::fold(&newcomer.name)) {
        format!("there is a user {} already", shown(&newcomer.name))
    } else if is_taken(&names::fold(&newcomer.email)) {
        format!("there is a user with the address {} already", shown(&newcomer.email))
    } else {
        return None;
    };
    Some(Fault::new(
        newcomer.line,
        format!("{what}; take the line out, or leave such users as they are: --skip-existing"),
    ))
}

fn user_of(id: UserId, newcomer: Newcomer) -> User {
    let Newcomer { name, full_name, email, language, mut groups, mut rights, state, valid_from, valid_until, .. } =
        newcomer;
    groups.sort_unstable();
    groups.dedup();
    rights.sort_unstable();
    rights.dedup();
    User { id, name, full_name, email, language, groups, rights, state, valid_from, valid_until }
}
