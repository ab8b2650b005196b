//! The demo's people, made as an administrator would make them.

use uuid::Uuid;

use super::inbox::Inbox;
use super::people::{Person, people};
use crate::account::{AccountError, Accounts, Addition};
use crate::audit::Origin;
use crate::identity::User;
use crate::policy::Security;
use crate::secret::{Place, SecretText, random_bytes};
use crate::store::second_factors::SecondFactorRow;
use crate::time::Timestamp;

/// Makes whoever is not there yet, and puts their authenticator on the inbox's page.
pub async fn seed(accounts: &Accounts, security: &Security, inbox: &Inbox, now: Timestamp) -> Result<(), AccountError> {
    let origin = Origin { now, actor: None, door: "command", address: None, request_id: None };
    for person in people() {
        introduce(person, inbox);
        if accounts.store.user_by_login(person.name).await?.is_none() {
            let (user, _) = accounts.add(security, addition(person), &origin).await?;
            enrol(accounts, person, &user, &origin).await?;
        }
    }
    Ok(())
}

fn introduce(person: &Person, inbox: &Inbox) {
    let addresses: Vec<&str> = person.phone.into_iter().chain([person.email]).collect();
    inbox.introduce(person.name, &addresses);
    if let Some(seed) = person.seed {
        inbox.show_authenticator(person.name, seed);
    }
}

fn addition(person: &Person) -> Addition {
    Addition {
        name: person.name.to_owned(),
        full_name: person.full_name.to_owned(),
        email: person.email.to_owned(),
        phone: person.phone.map(str::to_owned),
        language: person.language.map(str::to_owned),
        groups: person.groups.iter().map(ToString::to_string).collect(),
        rights: person.rights.to_vec(),
        password: Some(SecretText::new(person.password)),
        temporary: false,
    }
}

/// Gives `person` the authenticator whose codes the inbox's page shows.
async fn enrol(accounts: &Accounts, person: &Person, user: &User, origin: &Origin) -> Result<(), AccountError> {
    let Some(seed) = person.seed else { return Ok(()) };
    let id = row_id(accounts, origin.now);
    let place = Place { table: "second_factors", column: "seed", row: &id.to_string() };
    let row = SecondFactorRow {
        id,
        user: user.id,
        seed: accounts.keyring.seal(accounts.random.as_ref(), place, seed),
        algorithm: "SHA1".to_owned(),
        digits: 6,
        period_secs: 30,
        created_at: origin.now,
        confirmed_at: None,
        last_step: 0,
    };
    accounts.store.put_second_factor(&row).await?;
    let event = origin.event("second-factor.enrolled", "ok").about(user.id);
    // Step 1 was in 1970: every code of today is still good.
    accounts.store.confirm_second_factor(id, 1, origin.now, &[event]).await?;
    Ok(())
}

fn row_id(accounts: &Accounts, now: Timestamp) -> Uuid {
    let millis = u64::try_from(now.as_millis()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &random_bytes(accounts.random.as_ref())).into_uuid()
}
