//! Signing keys over the store: the first one, rotation, damage.

use std::time::Duration;

use vantail::identity::keys::{KEPT_AFTER_USE, KeyRing, PUBLISHED_BEFORE_USE, rotate};
use vantail::secret::{Keyring, SystemRandom};
use vantail::store::StoreError;
use vantail::time::Timestamp;

use super::world::World;

fn published(ring: &KeyRing, now: Timestamp) -> Vec<String> {
    let set: serde_json::Value = serde_json::from_str(&ring.jwks(now)).unwrap();
    set["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

async fn load(world: &World) -> KeyRing {
    KeyRing::load(&world.store, &world.accounts().keyring, &SystemRandom, world.now()).await.unwrap()
}

#[tokio::test]
async fn the_first_key_is_made_once_whoever_starts() {
    let world = World::new().await;
    let (one, other) = tokio::join!(load(&world), load(&world));
    let kids = published(&one, world.now());
    assert_eq!(kids.len(), 1);
    assert_eq!(published(&other, world.now()), kids);
    assert_eq!(published(&load(&world).await, world.now()), kids, "after a restart");
}

#[tokio::test]
async fn a_rotated_key_joins_the_set_and_the_old_one_leaves_a_day_after() {
    let world = World::new().await;
    let ring = load(&world).await;
    let old = published(&ring, world.now());
    let new = rotate(&world.store, &world.accounts().keyring, &SystemRandom, &world.command()).await.unwrap();
    ring.reload(&world.store, &world.accounts().keyring, world.now()).await.unwrap();
    assert_eq!(published(&ring, world.now()), [new.clone(), old[0].clone()]);
    let end = world.after(PUBLISHED_BEFORE_USE).plus(KEPT_AFTER_USE);
    assert_eq!(published(&ring, end.minus(Duration::from_secs(1))).len(), 2);
    assert_eq!(published(&ring, end), [new]);
    assert!(world.acts().await.contains(&"key.rotated".to_owned()));
}

#[tokio::test]
async fn keys_sealed_with_another_key_are_damage_and_not_replaced() {
    let world = World::new().await;
    load(&world).await;
    let another = Keyring::new(&[9; 32]);
    let outcome = KeyRing::load(&world.store, &another, &SystemRandom, world.now()).await;
    assert!(matches!(outcome, Err(StoreError::Damaged(_))));
}
