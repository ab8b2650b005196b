//! Databases of earlier versions.

use std::sync::Arc;

use vantail::store::{Open, Store, StoreError};

use crate::base::{Base, both, keyring};
use crate::made::store_user;

both!(a_database_of_the_first_version_is_brought_up_with_all_that_is_in_it);

async fn a_database_of_the_first_version_is_brought_up_with_all_that_is_in_it(base: Arc<Base>) {
    let alice = store_user(&base.store, "alice").await;
    let before = base.store.user(alice).await.unwrap().unwrap();
    base.tamper("ALTER TABLE users DROP COLUMN password_spent").await;
    base.tamper("DROP TABLE earlier_passwords").await;
    base.tamper("DROP TABLE password_changes").await;
    base.tamper("DROP TABLE recovery_codes").await;
    base.tamper("DROP TABLE detours").await;
    base.tamper("DROP TABLE known_browsers").await;
    base.tamper("DROP INDEX sessions_by_device; DROP TABLE devices").await;
    base.tamper("ALTER TABLE sessions DROP COLUMN device_id; ALTER TABLE sessions DROP COLUMN remember").await;
    base.tamper("UPDATE meta SET value = '1' WHERE name = 'schema'").await;
    let refused = Store::open(&base.url, &keyring(), Open::AsIs).await;
    assert!(matches!(refused, Err(StoreError::Missing(told)) if told.contains("vantail store migrate")));

    let migrated = Store::open(&base.url, &keyring(), Open::Migrate).await.unwrap();
    let after = migrated.user(alice).await.unwrap().unwrap();
    assert_eq!((after.user, after.password_hash), (before.user, before.password_hash));
    assert!(!after.password_spent);
    assert_eq!(migrated.recovery_codes_left(alice).await.unwrap(), 0);
    migrated.close().await;
    base.another().await.close().await;
}
