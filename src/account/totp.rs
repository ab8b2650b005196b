//! Time-based codes (RFC 6238).
//!
//! An **enrolment** is a seed, sealed in its row, shown to its owner until the first right code **confirms** it. A code
//! belongs to a **step**; a step is used once. The **parameters** (algorithm, digits, the length of a step) are stored with the
//! enrolment and used from there: those this version makes may change, those of an authenticator that is out there do not.

use qrcode::QrCode;
use qrcode::render::svg;
use totp_rs::{Algorithm, Builder, Totp};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::identity::UserId;
use crate::secret::{DoesNotOpen, Keyring, Place, Random, equal, random_bytes};
use crate::store::second_factors::{SecondFactorRow, Seed};
use crate::time::Timestamp;

/// A new enrolment as shown once to its owner.
pub struct Enrolment {
    /// To store.
    pub row: SecondFactorRow,
    /// Base 32 in groups of four.
    pub letters: String,
    /// `otpauth://` address.
    pub uri: String,
    /// The QR code, inline SVG.
    pub qr_svg: String,
}

/// Why a stored enrolment cannot be used. Nothing was compared: it is no wrong code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// Its seed does not open.
    #[error(transparent)]
    Sealed(#[from] DoesNotOpen),
    /// Another version's, or a damaged row's.
    #[error(
        "a second factor has parameters this version does not know: {digits} digits, steps of {period_secs} s, or its algorithm"
    )]
    Parameters {
        /// As stored.
        digits: i64,
        /// As stored.
        period_secs: i64,
    },
}

/// The parameters of an enrolment, known to this version.
#[derive(Debug, Clone, Copy)]
struct Parameters {
    algorithm: Algorithm,
    digits: u8,
    period_secs: i64,
}

/// Steps accepted before and after the present one: a phone's clock may be half a minute off (RFC 6238 section 5.2).
const SKEW: i64 = 1;
/// What a new enrolment gets: the parameters that every app can read.
const ALGORITHM: &str = "SHA1";
const DIGITS: i64 = 6;
const PERIOD_SECS: i64 = 30;
/// The longest step that is believed, seconds: a code is good for three of them.
const LONGEST_PERIOD_SECS: i64 = 300;
/// 160 bits, as RFC 4226 section 4 recommends.
const SEED_BYTES: usize = 20;

// === impl Enrolment ===

impl Enrolment {
    /// Makes a seed of 20 bytes, SHA-1, 6 digits, 30 s (what apps can read), for the row `id` of `user`.
    pub fn generate(
        keyring: &Keyring,
        random: &dyn Random,
        (id, user): (Uuid, UserId),
        account_name: &str,
        issuer: &str,
        now: Timestamp,
    ) -> Self {
        let seed = Zeroizing::new(random_bytes::<SEED_BYTES>(random));
        let row = SecondFactorRow {
            id,
            user,
            seed: keyring.seal(random, place(&id.to_string()), &owned(&seed[..], user)),
            algorithm: ALGORITHM.into(),
            digits: DIGITS,
            period_secs: PERIOD_SECS,
            created_at: now,
            confirmed_at: None,
            last_step: 0,
        };
        let usual = Parameters { algorithm: Algorithm::SHA1, digits: 6, period_secs: PERIOD_SECS };
        Self::shown(row, usual, &seed[..], (account_name, issuer))
    }

    /// Shows a stored, unconfirmed one again.
    pub fn reopen(keyring: &Keyring, row: SecondFactorRow, account_name: &str, issuer: &str) -> Result<Self, Unusable> {
        let parameters = Parameters::of(&row)?;
        let seed = open(keyring, &row)?;
        Ok(Self::shown(row, parameters, &seed, (account_name, issuer)))
    }

    fn shown(row: SecondFactorRow, parameters: Parameters, seed: &[u8], (account_name, issuer): (&str, &str)) -> Self {
        let totp = parameters.totp(seed, without_colon(account_name), without_colon(issuer));
        let base32 = Zeroizing::new(totp.secret().to_base32());
        let groups: Vec<&str> =
            base32.as_bytes().chunks(4).map(|group| std::str::from_utf8(group).expect("base 32 is ASCII")).collect();
        let uri = totp.to_url().expect("the account has a name, and neither it nor the issuer a colon");
        Self { row, letters: groups.join(" "), qr_svg: qr_svg(&uri), uri }
    }
}

/// Shows nothing of the seed.
impl std::fmt::Debug for Enrolment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Enrolment").field("row", &self.row).finish_non_exhaustive()
    }
}

/// The step `code` is right for (one step of skew each way), if any and later than the last used. Only exactly as many ASCII
/// digits as the enrolment has are compared (MFA-2).
pub fn matching_step(
    keyring: &Keyring,
    row: &SecondFactorRow,
    code: &str,
    now: Timestamp,
) -> Result<Option<i64>, Unusable> {
    let parameters = Parameters::of(row)?;
    if code.len() != usize::from(parameters.digits) || !code.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(None);
    }
    let totp = parameters.totp(&open(keyring, row)?, String::new(), String::new());
    let present = now.as_secs().div_euclid(parameters.period_secs);
    // All steps are computed and compared, so that time does not tell which one came near.
    let matching = (present - SKEW..=present + SKEW).fold(None, |found, step| {
        let right = u64::try_from(step * parameters.period_secs)
            .is_ok_and(|seconds| equal(totp.generate(seconds).to_string().as_bytes(), code.as_bytes()));
        if right { Some(step) } else { found }
    });
    Ok(matching.filter(|step| *step > row.last_step))
}

// === impl Parameters ===

impl Parameters {
    /// Those of a row: what is unknown is told apart from a wrong code.
    fn of(row: &SecondFactorRow) -> Result<Self, Unusable> {
        let algorithm = match row.algorithm.as_str() {
            "SHA1" => Some(Algorithm::SHA1),
            "SHA256" => Some(Algorithm::SHA256),
            "SHA512" => Some(Algorithm::SHA512),
            _ => None,
        };
        let digits = u8::try_from(row.digits).ok().filter(|digits| matches!(digits, 6 | 8));
        let known_period = (1..=LONGEST_PERIOD_SECS).contains(&row.period_secs);
        match (algorithm, digits) {
            (Some(algorithm), Some(digits)) if known_period => {
                Ok(Self { algorithm, digits, period_secs: row.period_secs })
            }
            _ => Err(Unusable::Parameters { digits: row.digits, period_secs: row.period_secs }),
        }
    }

    fn totp(self, seed: &[u8], account_name: String, issuer: String) -> Totp {
        Builder::new()
            .with_algorithm(self.algorithm)
            .with_digits(self.digits)
            .with_skew(0)
            .with_step_duration(self.period_secs.unsigned_abs())
            .with_secret(seed.to_vec())
            .with_account_name(account_name)
            .with_issuer(Some(issuer).filter(|issuer| !issuer.is_empty()))
            .build_noncompliant()
    }
}

/// A seed and whose it is, as they are sealed together: the seal binds both to the row, and the row to its user.
fn owned(seed: &[u8], user: UserId) -> Zeroizing<Vec<u8>> {
    Zeroizing::new([seed, user.0.as_bytes()].concat())
}

/// The seed of a row. In another row, or under another user, it does not open. (Rows of earlier versions hold the seed alone, of
/// 20 bytes, and are bound to their row.)
fn open(keyring: &Keyring, row: &SecondFactorRow) -> Result<Zeroizing<Vec<u8>>, DoesNotOpen> {
    let mut seed = keyring.open::<Seed>(place(&row.id.to_string()), &row.seed).map(Zeroizing::new)?;
    let owner = row.user.0.as_bytes();
    let Some(length) = seed.len().checked_sub(owner.len()).filter(|length| *length >= SEED_BYTES) else {
        return Ok(seed);
    };
    if !equal(&seed[length..], owner) {
        return Err(DoesNotOpen);
    }
    seed.truncate(length);
    Ok(seed)
}

fn place(row: &str) -> Place<'_> {
    Place { table: "second_factors", column: "seed", row }
}

/// A colon parts issuer and account in the address; an issuer like `https://gate:8443` has its own.
fn without_colon(text: &str) -> String {
    let text = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or(text);
    text.replace(':', " ")
}

/// Dark on light whatever the page's colours: scanners want it so. No size of its own: the page gives it one.
fn qr_svg(uri: &str) -> String {
    let code = QrCode::new(uri.as_bytes()).expect("an address of a few hundred bytes fits into a QR code");
    let svg = code.render::<svg::Color<'_>>().dark_color(svg::Color("#000")).light_color(svg::Color("#fff")).build();
    // An XML declaration has no place inside a page.
    svg.find("<svg").map(|start| svg[start..].to_owned()).unwrap_or(svg)
}

#[cfg(test)]
mod tests;
