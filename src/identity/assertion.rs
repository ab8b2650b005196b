//! The signed identity a backend gets: a JWT (ES256), short-lived, for one site.
//!
//! An **assertion** says who a session belongs to, to one **site** (`aud`), for [`LIFETIME`]. It is signed once per
//! session and site and reused while more than half its life is left, so that a request costs a look-up and no signature.
//! What it said of a user who has changed since, or of a session proven again since, is not reused.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderValue;
use quick_cache::Equivalent;
use quick_cache::sync::Cache;
use serde::Serialize;

use super::keys::{KeyRing, NoKey};
use super::plain::Plain;
use super::{Amr, SessionId, SignedIn, User};
use crate::secret::{Random, random_bytes};
use crate::time::Timestamp;

/// How long an assertion is valid.
pub const LIFETIME: Duration = Duration::from_mins(1);
/// How long it is reused.
const REUSED: Duration = Duration::from_secs(30);
/// How many are kept. Beyond, the least used are signed again when asked for.
const KEPT: usize = 16_384;

/// What a confirmed operation adds to the claims.
#[derive(Debug, Clone, Serialize)]
#[expect(missing_docs, reason = "interface.md names the claims")]
pub struct OperationClaim {
    pub id: String,
    pub digest: String,
    pub requested_at: i64,
    pub confirmed_by: Vec<String>,
    pub confirmed_at: i64,
}

/// The one request a confirmed operation's assertion is good for.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Sent<'a> {
    /// The operation.
    pub operation: &'a OperationClaim,
    /// The method.
    pub htm: &'a str,
    /// Path and query, exactly as sent.
    pub target: &'a str,
}

/// Signs, with a cache per session and site. Cheap to clone.
#[derive(Clone)]
pub struct Assertions {
    inner: Arc<Inner>,
}

struct Inner {
    issuer: String,
    ring: KeyRing,
    random: Arc<dyn Random>,
    kept: Cache<Key, Arc<Kept>>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Key(SessionId, Box<str>);

/// A [`Key`] to look up with, nothing copied.
#[derive(Hash)]
struct KeyRef<'a>(SessionId, &'a str);

/// A signed assertion, as text and as the field value it is sent as, and the plain identity that goes beside it. Cheap to
/// clone.
#[derive(Clone, PartialEq, Eq)]
pub struct Signed {
    text: Arc<str>,
    field: HeaderValue,
    plain: Arc<Plain>,
}

/// A signed assertion and what it was made of.
struct Kept {
    token: Signed,
    issued_at: Timestamp,
    of: SignedIn,
}

/// RFC 7519, with OpenID Connect's names where it has them.
#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: super::UserId,
    iat: i64,
    nbf: i64,
    exp: i64,
    jti: String,
    preferred_username: &'a str,
    name: &'a str,
    email: &'a str,
    groups: &'a [String],
    amr: &'a [Amr],
    auth_time: i64,
    sid: SessionId,
    #[serde(flatten)]
    sent: Option<Sent<'a>>,
}

// === impl Assertions ===

impl Assertions {
    /// Signing in the name of `issuer`, with the keys in `ring`.
    pub fn new(issuer: String, ring: KeyRing, random: Arc<dyn Random>) -> Self {
        Self { inner: Arc::new(Inner { issuer, ring, random, kept: Cache::new(KEPT) }) }
    }

    /// The assertion for `site`; reused while more than half its life (60 s) is left, dropped when the session or its user
    /// changes.
    pub fn for_site(&self, signed_in: &SignedIn, site: &str, now: Timestamp) -> Result<Signed, NoKey> {
        let kept = self.inner.kept.get(&KeyRef(signed_in.session, site));
        if let Some(kept) = kept.filter(|kept| kept.is_good(signed_in, now)) {
            return Ok(kept.token.clone());
        }
        let token = self.sign(signed_in, site, None, now)?;
        let kept = Kept { token: token.clone(), issued_at: now, of: signed_in.clone() };
        self.inner.kept.insert(Key(signed_in.session, site.into()), Arc::new(kept));
        Ok(token)
    }

    /// A fresh one for a confirmed operation, with `operation`, `htm` and `target`.
    pub fn for_operation(
        &self,
        signed_in: &SignedIn,
        site: &str,
        sent: Sent<'_>,
        now: Timestamp,
    ) -> Result<Signed, NoKey> {
        self.sign(signed_in, site, Some(sent), now)
    }

    fn sign(&self, of: &SignedIn, site: &str, sent: Option<Sent<'_>>, now: Timestamp) -> Result<Signed, NoKey> {
        let user = &*of.user;
        let claims = Claims {
            iss: &self.inner.issuer,
            aud: site,
            sub: user.id,
            iat: now.as_secs(),
            nbf: now.as_secs(),
            exp: now.plus(LIFETIME).as_secs(),
            jti: URL_SAFE_NO_PAD.encode(random_bytes::<16>(&*self.inner.random)),
            preferred_username: &user.name,
            name: &user.full_name,
            email: &user.email,
            groups: &user.groups,
            amr: &of.amr,
            auth_time: of.auth_time.as_secs(),
            sid: of.session,
            sent,
        };
        let claims = serde_json::to_vec(&claims).expect("claims are texts, numbers and lists of them");
        self.inner.ring.with_signer(now, |key| {
            let mut token = key.header.clone();
            URL_SAFE_NO_PAD.encode_string(claims, &mut token);
            let signature = key.sign(token.as_bytes());
            token.push('.');
            URL_SAFE_NO_PAD.encode_string(signature, &mut token);
            Signed::new(token, user)
        })
    }
}

impl fmt::Debug for Assertions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Assertions").field("issuer", &self.inner.issuer).finish_non_exhaustive()
    }
}

// === impl Signed ===

impl Signed {
    pub(crate) fn new(token: String, user: &User) -> Self {
        let text = Arc::from(token.as_str());
        let mut field = HeaderValue::try_from(token).expect("base64url and dots are a field value");
        field.set_sensitive(true);
        Self { text, field, plain: Arc::new(Plain::of(user)) }
    }

    /// As it is sent.
    pub fn field(&self) -> &HeaderValue {
        &self.field
    }

    /// The same user, for those who verify nothing.
    pub fn plain(&self) -> &Plain {
        &self.plain
    }
}

impl Deref for Signed {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signed(..)")
    }
}

// === impl Kept ===

impl Kept {
    /// Whether it may be used again: young enough (and not from the future, should the clock have been set back), and made
    /// of the same session, proven as then, of the same user.
    fn is_good(&self, signed_in: &SignedIn, now: Timestamp) -> bool {
        now >= self.issued_at
            && now.since(self.issued_at) < REUSED
            && self.of.auth_time == signed_in.auth_time
            && self.of.second_factor_at == signed_in.second_factor_at
            && self.of.amr == signed_in.amr
            && (Arc::ptr_eq(&self.of.user, &signed_in.user) || self.of.user == signed_in.user)
    }
}

// === impl Key ===

impl Equivalent<Key> for KeyRef<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.0 == key.0 && self.1 == &*key.1
    }
}

#[cfg(test)]
mod tests;
