//! What a backend's verifier sees: the assertion as `docs` tells backends to verify it, and everything an attacker may make
//! of one.

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::keys::tests::{NOW, ring};
use super::*;
use crate::identity::{Right, User, UserId, UserState};
use crate::secret::SystemRandom;

const ISSUER: &str = "https://gate.example.org";

fn user() -> User {
    User {
        id: UserId(Uuid::from_u128(1)),
        name: "alice".into(),
        full_name: "Alice Martin".into(),
        email: "alice@example.org".into(),
        language: None,
        groups: Vec::new(),
        rights: vec![Right::Administrator],
        state: UserState::Active,
        valid_from: None,
        valid_until: None,
    }
}

fn signed_in() -> SignedIn {
    SignedIn {
        session: SessionId(Uuid::from_u128(2)),
        user: Arc::new(user()),
        amr: vec![Amr::Pwd, Amr::Otp],
        auth_time: NOW,
        second_factor_at: Some(NOW),
    }
}

/// Assertions and the key set a backend would have fetched.
fn assertions() -> (Assertions, String) {
    let ring = ring();
    let key_set = ring.jwks(NOW).to_string();
    (Assertions::new(ISSUER.into(), ring, Arc::new(SystemRandom)), key_set)
}

/// The verifier for backends: one algorithm, the key by its id from the set, issuer and audience, both times, the type.
fn verify(token: &str, key_set: &str, site: &str, now: Timestamp) -> Result<Value, String> {
    let header = jsonwebtoken::decode_header(token).map_err(|error| error.to_string())?;
    if header.typ.as_deref() != Some("JWT") {
        return Err("typ".into());
    }
    let set: JwkSet = serde_json::from_str(key_set).map_err(|error| error.to_string())?;
    let key = header.kid.and_then(|kid| set.find(&kid).cloned()).ok_or("kid")?;
    let key = DecodingKey::from_jwk(&key).map_err(|error| error.to_string())?;
    let mut rules = Validation::new(Algorithm::ES256);
    rules.set_issuer(&[ISSUER]);
    rules.set_audience(&[site]);
    rules.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
    // The times are compared by hand: the library reads the machine's clock.
    (rules.validate_exp, rules.validate_nbf) = (false, false);
    let claims = jsonwebtoken::decode::<Value>(token, &key, &rules).map_err(|error| error.to_string())?.claims;
    let (from, until) = (claims["nbf"].as_i64().ok_or("nbf")?, claims["exp"].as_i64().ok_or("exp")?);
    let valid = from <= now.as_secs() && now.as_secs() < until && until - from <= 60;
    valid.then_some(claims).ok_or_else(|| "time".into())
}

fn after(secs: i64) -> Timestamp {
    Timestamp::from_secs(NOW.as_secs() + secs)
}

#[test]
fn a_backend_reads_who_is_asking() {
    let (assertions, key_set) = assertions();
    let token = assertions.for_site(&signed_in(), "crm", NOW).unwrap();
    let mut claims = verify(&token, &key_set, "crm", NOW).unwrap();
    assert_eq!(claims["jti"].take().as_str().map(str::len), Some(22));
    assert_eq!(
        claims,
        json!({
            "iss": ISSUER, "aud": "crm", "sub": "00000000-0000-0000-0000-000000000001",
            "iat": NOW.as_secs(), "nbf": NOW.as_secs(), "exp": NOW.as_secs() + 60, "jti": null,
            "preferred_username": "alice", "name": "Alice Martin", "email": "alice@example.org", "groups": [],
            "amr": ["pwd", "otp"], "auth_time": NOW.as_secs(), "sid": "00000000-0000-0000-0000-000000000002",
        })
    );
}

#[test]
fn a_confirmed_operation_says_what_was_confirmed() {
    let (assertions, key_set) = assertions();
    let operation = OperationClaim {
        id: "48271935".into(),
        digest: "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:".into(),
        requested_at: NOW.as_secs() - 100,
        confirmed_by: vec!["bob".into()],
        confirmed_at: NOW.as_secs(),
    };
    let sent = Sent { operation: &operation, htm: "POST", target: "/admin/customers/42/delete?x=1" };
    let token = assertions.for_operation(&signed_in(), "crm", sent, NOW).unwrap();
    let claims = verify(&token, &key_set, "crm", NOW).unwrap();
    assert_eq!(claims["operation"]["confirmed_by"], json!(["bob"]));
    assert_eq!(claims["operation"]["id"], "48271935");
    assert_eq!((&claims["htm"], &claims["target"]), (&json!("POST"), &json!("/admin/customers/42/delete?x=1")));
    let plain = assertions.for_site(&signed_in(), "crm", NOW).unwrap();
    assert!(verify(&plain, &key_set, "crm", NOW).unwrap().get("operation").is_none(), "it is not kept for others");
}

#[test]
fn it_is_signed_once_while_more_than_half_its_life_is_left() {
    let (assertions, _) = assertions();
    let first = assertions.for_site(&signed_in(), "crm", NOW).unwrap();
    assert_eq!(assertions.for_site(&signed_in(), "crm", after(29)).unwrap(), first);
    assert_ne!(assertions.for_site(&signed_in(), "crm", after(30)).unwrap(), first);
    assert_ne!(assertions.for_site(&signed_in(), "crm", after(-1)).unwrap(), first, "a clock set back signs again");
}

#[test]
fn what_was_said_of_a_changed_user_or_session_is_not_said_again() {
    let (assertions, _) = assertions();
    let first = assertions.for_site(&signed_in(), "crm", NOW).unwrap();
    let moved = SignedIn { user: Arc::new(User { groups: vec!["staff".into()], ..user() }), ..signed_in() };
    let proven_again = SignedIn { auth_time: after(5), ..signed_in() };
    let other_session = SignedIn { session: SessionId(Uuid::from_u128(3)), ..signed_in() };
    for changed in [moved, proven_again, other_session] {
        assert_ne!(assertions.for_site(&changed, "crm", after(5)).unwrap(), first);
    }
}

#[test]
fn tok_4_an_altered_assertion_is_refused() {
    let (assertions, key_set) = assertions();
    let token = assertions.for_site(&signed_in(), "crm", NOW).unwrap().to_string();
    let claims = verify(&token, &key_set, "crm", NOW).unwrap();
    let parts: Vec<&str> = token.split('.').collect();
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[0]).unwrap()).unwrap();

    let none = encode(&json!({ "alg": "none", "typ": "JWT", "kid": header["kid"] }));
    let own_key = encode(&json!({ "alg": "ES256", "typ": "JWT", "kid": "mine", "jku": "https://evil.example/jwks" }));
    let mut forged = claims.clone();
    forged["sub"] = json!("00000000-0000-0000-0000-000000000009");
    for (what, altered) in [
        ("alg none", format!("{none}.{}.", parts[1])),
        ("alg none, signature kept", format!("{none}.{}.{}", parts[1], parts[2])),
        ("a key of its own", format!("{own_key}.{}.{}", parts[1], parts[2])),
        ("other claims", format!("{}.{}.{}", parts[0], encode(&forged), parts[2])),
        ("no signature", format!("{}.{}.", parts[0], parts[1])),
        ("cut", token[..token.len() - 4].to_owned()),
    ] {
        assert!(verify(&altered, &key_set, "crm", NOW).is_err(), "{what} was accepted");
    }
}

#[test]
fn tok_4_the_public_key_is_no_shared_secret() {
    let (assertions, key_set) = assertions();
    let token = assertions.for_site(&signed_in(), "crm", NOW).unwrap();
    let claims = verify(&token, &key_set, "crm", NOW).unwrap();
    let set: Value = serde_json::from_str(&key_set).unwrap();
    let public = [&set["keys"][0]["x"], &set["keys"][0]["y"]].map(|part| part.as_str().unwrap().to_owned());
    for secret in [key_set.clone(), set["keys"][0].to_string(), public.concat(), String::new()] {
        let mut header = Header::new(Algorithm::HS256);
        header.kid = set["keys"][0]["kid"].as_str().map(str::to_owned);
        let forged = jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap();
        assert!(verify(&forged, &key_set, "crm", NOW).is_err());
    }
}

#[test]
fn tok_4_another_audience_issuer_key_or_time_is_refused() {
    let (assertions, key_set) = assertions();
    let token = assertions.for_site(&signed_in(), "crm", NOW).unwrap();
    assert!(verify(&token, &key_set, "billing", NOW).is_err(), "another site's");
    assert!(verify(&token, &key_set, "crm", after(60)).is_err(), "expired");
    assert!(verify(&token, &key_set, "crm", after(-1)).is_err(), "not yet valid");
    assert!(verify(&token, &ring().jwks(NOW), "crm", NOW).is_err(), "another gateway's key");
    let impostor =
        Assertions::new("https://evil.example".into(), assertions.inner.ring.clone(), Arc::new(SystemRandom));
    let token = impostor.for_site(&signed_in(), "crm", NOW).unwrap();
    assert!(verify(&token, &key_set, "crm", NOW).is_err(), "another issuer's");
}

#[test]
fn tok_4_one_flipped_bit_is_refused() {
    let (assertions, key_set) = assertions();
    let token = assertions.for_site(&signed_in(), "crm", NOW).unwrap();
    let parts: Vec<Vec<u8>> = token.split('.').map(|part| URL_SAFE_NO_PAD.decode(part).unwrap()).collect();
    for part in 0..3 {
        for bit in (0..parts[part].len() * 8).step_by(7) {
            let mut changed = parts.clone();
            changed[part][bit / 8] ^= 1 << (bit % 8);
            let changed: Vec<_> = changed.iter().map(|bytes| URL_SAFE_NO_PAD.encode(bytes)).collect();
            assert!(verify(&changed.join("."), &key_set, "crm", NOW).is_err(), "part {part}, bit {bit}");
        }
    }
}
