//! What a backend can rely on: TOK-4, and an independent verifier.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::support::python::{self, Expected};
use crate::world::World;

/// The claims after PyJWT has checked signature, audience and issuer; only the time is the test's own.
pub async fn claims_at_any_time(assertion: &str, expected: Expected<'_>) -> Value {
    let Expected { keys, audience, issuer } = expected;
    let script = r#"
import json, sys, jwt
assertion, keys, audience, issuer = sys.argv[1:]
key = jwt.PyJWKClient(keys).get_signing_key_from_jwt(assertion).key
options = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}
print(json.dumps(jwt.decode(assertion, key, algorithms=["ES256"], audience=audience, issuer=issuer, options=options)))
"#;
    let claims =
        python::python(script, &[assertion, keys, audience, issuer]).await.unwrap_or_else(|error| panic!("{error}"));
    serde_json::from_str(&claims).unwrap()
}

async fn assertion(world: &World) -> String {
    let carol = world.signed_in("carol").await;
    assert_eq!(carol.client.get("/app/x").await.status, 200);
    world.backend.last().header("x-vantail-assertion").expect("an assertion").to_owned()
}

fn parts(assertion: &str) -> (Value, Value, String) {
    let mut parts = assertion.split('.');
    let mut read = || serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts.next().unwrap()).unwrap()).unwrap();
    (read(), read(), parts.next().unwrap().to_owned())
}

fn encoded(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_independent_verifier_accepts_the_assertion_and_its_claims() {
    let world = World::start().await;
    // PyJWT's clock is the machine's: the world's is set to it for once.
    world.clock.set(vantail::time::Clock::now(&vantail::time::SystemClock));
    let assertion = assertion(&world).await;
    let keys = format!("http://{}/secure/jwks.json", world.gateway);
    let claims =
        python::verify(&assertion, Expected { keys: &keys, audience: "gw", issuer: "https://gw.test" }).await.unwrap();
    assert_eq!(claims["sub"], world.user("carol").await.id.to_string());
    assert_eq!(claims["preferred_username"], "carol");
    assert_eq!(claims["groups"], json!(["customers"]));
    assert_eq!(claims["amr"], json!(["pwd"]));
    assert!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap() <= 60);
    assert!(claims["sid"].is_string() && claims["auth_time"].is_i64() && claims["jti"].is_string());
    assert!(claims.get("operation").is_none());
    let (header, _, _) = parts(&assertion);
    assert_eq!((&header["alg"], &header["typ"]), (&json!("ES256"), &json!("JWT")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tok_4_altered_assertions_are_refused() {
    let world = World::start().await;
    world.clock.set(vantail::time::Clock::now(&vantail::time::SystemClock));
    let assertion = assertion(&world).await;
    let keys = format!("http://{}/secure/jwks.json", world.gateway);
    let expected = Expected { keys: &keys, audience: "gw", issuer: "https://gw.test" };
    let (header, claims, signature) = parts(&assertion);
    let with = |name: &str, value: Value| {
        let mut changed = header.clone();
        changed[name] = value;
        format!("{}.{}.{signature}", encoded(&changed), encoded(&claims))
    };
    let claiming = |name: &str, value: Value| {
        let mut changed = claims.clone();
        changed[name] = value;
        format!("{}.{}.{signature}", encoded(&header), encoded(&changed))
    };
    let mut flipped = URL_SAFE_NO_PAD.decode(&signature).unwrap();
    flipped[0] ^= 1;
    let head = assertion.rsplit_once('.').unwrap().0;
    for altered in [
        with("alg", json!("none")),
        with("alg", json!("HS256")),
        with("kid", json!("nobody's")),
        with("jwk", json!({"kty": "oct", "k": ""})),
        with("jku", json!("http://evil.test/keys")),
        claiming("aud", json!("other")),
        claiming("iss", json!("https://evil.test")),
        claiming("preferred_username", json!("root")),
        claiming("exp", json!(4_000_000_000_i64)),
        format!("{head}.{}", URL_SAFE_NO_PAD.encode(&flipped)),
        format!("{head}."),
    ] {
        assert!(python::verify(&altered, expected).await.is_err(), "accepted: {altered}");
    }
    assert!(python::verify(&assertion, Expected { audience: "other", ..expected }).await.is_err(), "another backend's");
    assert!(python::verify(&assertion, expected).await.is_ok(), "the honest one is accepted");
}

#[tokio::test]
async fn an_assertion_is_reused_for_a_while_and_never_past_its_half_life() {
    let world = World::start().await;
    let carol = world.signed_in("carol").await;
    let ask = || async {
        carol.client.get("/app/x").await;
        world.backend.last().header("x-vantail-assertion").unwrap().to_owned()
    };
    let first = ask().await;
    assert_eq!(ask().await, first);
    world.advance(Duration::from_secs(31));
    assert_ne!(ask().await, first);
}

#[tokio::test]
async fn a_rotated_key_is_published_with_the_old_one() {
    let world = World::start().await;
    let before = assertion(&world).await;
    let (old, _, _) = parts(&before);
    let tools = &world.tools;
    let random = &vantail::secret::SystemRandom;
    let new = vantail::identity::keys::rotate(&tools.store, &tools.keyring, random, &world.operator()).await.unwrap();
    let begin = std::time::Instant::now();
    loop {
        let set = world.program().get("/secure/jwks.json").await.json();
        let ids: Vec<_> =
            set["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect();
        if ids.contains(&new) {
            assert!(ids.contains(&old["kid"].as_str().unwrap().to_owned()), "{ids:?}");
            break;
        }
        assert!(begin.elapsed() < Duration::from_secs(3), "the new key is not published: {ids:?}");
    }
}
