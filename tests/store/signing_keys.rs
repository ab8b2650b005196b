//! Signing keys.

use std::sync::Arc;

use vantail::store::changes::Change;
use vantail::store::signing_keys::SigningKeyRow;
use vantail::time::Timestamp;

use crate::base::{Base, at_once, both, keyring};
use crate::made::{NOW, event, minutes, sealed};

both!(of_many_first_starts_one_makes_the_key, rotated_keys_stay_published_for_their_time);

fn key(kid: &str, at: Timestamp) -> SigningKeyRow {
    SigningKeyRow {
        kid: kid.to_owned(),
        private: sealed(&keyring(), "signing_keys", "private", kid),
        public_jwk: format!(r#"{{"kid":"{kid}"}}"#),
        created_at: at,
        signs_from: at,
        published_until: None,
    }
}

async fn kids(base: &Base, now: Timestamp) -> Vec<String> {
    base.store.signing_keys(now).await.unwrap().into_iter().map(|row| row.kid).collect()
}

async fn of_many_first_starts_one_makes_the_key(base: Arc<Base>) {
    let results = at_once(20, |number| {
        let base = Arc::clone(&base);
        async move {
            base.store.add_signing_key(&key(&number.to_string(), NOW), NOW, true, &[event("key.made")]).await.unwrap()
        }
    })
    .await;
    assert_eq!(results.into_iter().filter(|made| *made).count(), 1);
    assert_eq!(kids(&base, NOW).await.len(), 1);
    assert_eq!(base.store.events(0, 100).await.unwrap().len(), 1);
}

async fn rotated_keys_stay_published_for_their_time(base: Arc<Base>) {
    let mut changes = base.store.follow_changes().await.unwrap();
    base.store.add_signing_key(&key("old", NOW), NOW, true, &[]).await.unwrap();
    let later = NOW.plus(minutes(1));
    assert!(base.store.add_signing_key(&key("new", later), later.plus(minutes(5)), false, &[]).await.unwrap());
    assert_eq!(changes.next().await.unwrap(), [Change::Keys, Change::Keys]);
    assert_eq!(kids(&base, later).await, ["new", "old"]);
    assert_eq!(kids(&base, later.plus(minutes(5))).await, ["new"]);
    let stored = base.store.signing_keys(later).await.unwrap();
    assert_eq!((stored[1].published_until, stored[0].published_until), (Some(later.plus(minutes(5))), None));
    assert_eq!(stored[0].private.as_bytes().len(), key("new", later).private.as_bytes().len());
    assert_eq!((stored[0].public_jwk.as_str(), stored[0].signs_from), (r#"{"kid":"new"}"#, later));
}
