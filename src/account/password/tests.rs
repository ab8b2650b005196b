use super::*;
use crate::secret::SystemRandom;

const LIGHT: Strength = Strength { memory: 64, passes: 1, lanes: 1 };

fn pool() -> HashPool {
    HashPool::start(1, 16, LIGHT, Arc::new(SystemRandom)).unwrap()
}

async fn verify(pool: &HashPool, password: &str, hash: &str) -> bool {
    pool.verify(SecretText::new(password), Some(hash.to_owned())).await.unwrap()
}

#[tokio::test]
async fn a_password_is_known_by_its_hash() {
    let pool = pool();
    let hash = pool.hash(SecretText::new("correct horse battery")).await.unwrap();
    assert!(hash.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{hash}");
    assert!(verify(&pool, "correct horse battery", &hash).await);
    assert!(!verify(&pool, "correct horse batterz", &hash).await);
    assert_ne!(hash, pool.hash(SecretText::new("correct horse battery")).await.unwrap(), "salts differ");
}

#[tokio::test]
async fn the_hash_is_that_of_another_implementation() {
    // argon2 (C reference): echo -n password | argon2 somesalt -id -t 2 -m 8 -p 1 -l 32 -e
    let hash = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
    assert!(verify(&pool(), "password", hash).await);
}

#[tokio::test]
async fn two_keyboards_type_one_password() {
    let pool = pool();
    let hash = pool.hash(SecretText::new("caf\u{e9} cr\u{e8}me")).await.unwrap();
    assert!(verify(&pool, "cafe\u{301} cre\u{300}me", &hash).await);
}

#[tokio::test]
async fn nobody_costs_what_somebody_costs() {
    let pool = pool();
    assert!(!pool.verify(SecretText::new("anything"), None).await.unwrap());
    assert!(!verify(&pool, "anything", "damaged").await);
    assert_eq!(pool.computed(), 2);
}

#[tokio::test]
async fn what_is_longer_than_a_password_is_not_hashed() {
    let pool = pool();
    assert!(!pool.verify(SecretText::new("x".repeat(LONGEST + 1)), None).await.unwrap());
    assert_eq!(pool.computed(), 0);
    assert!(!pool.verify(SecretText::new("x".repeat(LONGEST)), None).await.unwrap());
    assert_eq!(pool.computed(), 1);
}

#[tokio::test]
async fn a_full_queue_says_when_to_come_back() {
    let pool = HashPool::start(1, 1, Strength { memory: 16_384, passes: 1, lanes: 1 }, Arc::new(SystemRandom)).unwrap();
    let asked: Vec<_> = (0..20)
        .map(|_| {
            tokio::spawn({
                let pool = pool.clone();
                async move { pool.verify(SecretText::new("x"), None).await }
            })
        })
        .collect();
    let mut busy = Vec::new();
    for task in asked {
        if let Err(error) = task.await.unwrap() {
            busy.push(error);
        }
    }
    assert!(busy.len() >= 10, "{} of 20 were turned away", busy.len());
    assert!(busy.iter().all(|busy| busy.retry_after >= 1));
    assert_eq!(pool.computed(), 20 - busy.len() as u64);
}

#[tokio::test]
async fn a_weaker_hash_is_seen_as_outdated() {
    let (weak, strong) =
        (pool(), HashPool::start(1, 1, Strength { memory: 128, passes: 1, lanes: 1 }, Arc::new(SystemRandom)).unwrap());
    let hash = weak.hash(SecretText::new("x")).await.unwrap();
    assert!(!weak.is_outdated(&hash));
    assert!(strong.is_outdated(&hash));
}

#[test]
fn the_default_is_what_owasp_asks_for() {
    assert_eq!(Strength::default(), Strength { memory: 19_456, passes: 2, lanes: 1 });
}

/// Hashes of "correct horse battery": bcrypt by htpasswd, SSHA by passlib, Argon2id of other parameters by the C reference.
const OTHERS: [&str; 3] = [
    "$2y$04$Ie9UT1CBmXV.QCeJbu3fPu6XrTpcAwG..4oggPyCgGpCz2yTDET4.",
    "{SSHA}G4kmZiIU3xh2Z84OkUXMMEk2vuVhYmNkZWZnaA==",
    "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$zyGkcknq0tngfkqn9yjGnrZeJOb3Za8uvhBvofDKuoE",
];

#[tokio::test]
async fn auth_4_whatever_is_stored_costs_the_usual_work_once() {
    let pool = pool();
    let own = pool.hash(SecretText::new("correct horse battery")).await.unwrap();
    let before = pool.computed();
    assert!(verify(&pool, "correct horse battery", &own).await);
    assert_eq!(pool.computed(), before + 1, "our own");
    for (round, hash) in OTHERS.iter().enumerate() {
        let before = pool.computed();
        assert!(verify(&pool, "correct horse battery", hash).await, "{hash}");
        assert!(!verify(&pool, "wrong", hash).await, "{hash}");
        assert!(!pool.verify(SecretText::new("wrong"), None).await.unwrap());
        assert_eq!(pool.computed(), before + 3, "round {round}");
    }
}

#[tokio::test]
async fn auth_4_a_no_is_kept_back_for_what_the_slowest_hash_takes() {
    let pool = pool();
    assert!(!pool.verify(SecretText::new("wrong"), None).await.unwrap());
    assert_eq!(pool.inner.meter.beside(), Duration::ZERO, "there is nothing but our own");
    assert!(verify(&pool, "correct horse battery", OTHERS[0]).await);
    let slowest = pool.inner.meter.beside();
    assert!(slowest > Duration::ZERO);
    assert!(pool.usual() >= slowest, "a locked name's answer comes no earlier");
    let asked = Instant::now();
    assert!(!pool.verify(SecretText::new("wrong"), None).await.unwrap());
    assert!(asked.elapsed() >= slowest, "a name of nobody was answered earlier");
    assert!(verify(&pool, "correct horse battery", OTHERS[1]).await);
    assert!(pool.inner.meter.beside() > slowest / 2, "one quick hash makes it forget the slow one");
}

#[tokio::test]
async fn every_foreign_hash_gives_way_and_none_of_our_own_does_to_less() {
    let now = pool();
    for (hash, algorithm) in OTHERS.iter().zip(["bcrypt", "ssha", "argon2id"]) {
        let marked = Foreign::read(hash).unwrap().stored().to_owned();
        assert_eq!(now.outdated(&marked), Some(algorithm));
    }
    let stronger = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$XTu19IC4rYL/ERsDZr2HOZe9bcMx88ARJ/VVfT2Lb3U";
    assert!(!now.is_outdated(stronger), "it is our own, of a day when more was asked for");
    assert_eq!(now.outdated(OTHERS[2]), Some("argon2id"), "eight bytes of salt are few");
    assert_eq!(now.outdated("damaged"), Some("unreadable"));
    let stored = now.hash(SecretText::new("x")).await.unwrap();
    for (memory, passes, lanes, gives_way) in
        [(64, 1, 1, false), (65, 1, 1, true), (64, 2, 1, true), (64, 1, 2, true), (32, 1, 1, false), (32, 2, 1, false)]
    {
        let strength = Strength { memory, passes, lanes };
        let pool = HashPool::start(1, 1, strength, Arc::new(SystemRandom)).unwrap();
        assert_eq!(pool.is_outdated(&stored), gives_way, "{strength:?}");
        assert!(verify(&pool, "x", &stored).await, "{strength:?}");
    }
}
