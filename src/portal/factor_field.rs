//! The field for a second factor in a form: what an authenticator shows, or, on the other tab, a recovery code.
//!
//! A **tab** is the page's own address with another `with`: it needs no script. A form says by the field it sends which it was.

use serde::Deserialize;

use super::return_to::encoded;
use super::texts::Texts;
use crate::secret::SecretText;
use crate::session::Given;
use crate::store::second_factors::SecondFactorRow;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum With {
    /// What an authenticator shows.
    #[default]
    Code,
    /// A recovery code.
    Recovery,
}

/// The field for what an authenticator shows.
#[derive(Debug, Clone)]
pub struct CodeInput {
    /// What it is called.
    pub label: &'static str,
    /// What a browser takes.
    pub pattern: &'static str,
    /// As many digits at most.
    pub longest: u8,
    /// At so many digits it sends itself; never where a shorter code may be meant.
    pub sends_at: Option<u8>,
}

/// The field and its tabs.
#[derive(Debug, Clone)]
pub struct FactorField {
    /// What is asked for.
    pub with: With,
    /// The field for a code.
    pub code: CodeInput,
    /// The tab for a code.
    pub to_code: String,
    /// The tab for a recovery code.
    pub to_recovery: String,
    /// Whether nothing stands before it in its form.
    pub is_first: bool,
}

// === impl With ===

impl With {
    /// What a form asked for, by the field it sent.
    pub const fn of(recovery_code: Option<&SecretText>) -> Self {
        if recovery_code.is_some() { Self::Recovery } else { Self::Code }
    }

    /// The key of the error to be shown with it.
    pub const fn error(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Recovery => "recovery-code",
        }
    }
}

// === impl CodeInput ===

impl CodeInput {
    /// For the codes of `authenticators`; for six digits where there is none yet.
    pub fn of(authenticators: &[SecondFactorRow], t: Texts) -> Self {
        let any = |digits| authenticators.iter().any(|authenticator| authenticator.digits == digits);
        match (any(6), any(8)) {
            (true, true) => {
                let (label, pattern) = (t.say("second-factor.code-any"), "[0-9]{6}|[0-9]{8}");
                Self { label, pattern, longest: 8, sends_at: None }
            }
            (false, true) => {
                let (label, pattern) = (t.say("second-factor.code-8"), "[0-9]{8}");
                Self { label, pattern, longest: 8, sends_at: Some(8) }
            }
            (_, false) => {
                let (label, pattern) = (t.say("second-factor.code"), "[0-9]{6}");
                Self { label, pattern, longest: 6, sends_at: Some(6) }
            }
        }
    }
}

// === impl FactorField ===

impl FactorField {
    /// For a form on the page at `path`, whose address has `query` besides.
    pub fn new(
        with: With,
        authenticators: &[SecondFactorRow],
        t: Texts,
        (path, query): (&str, &[(&str, &str)]),
    ) -> Self {
        let address = |with: Option<&str>| {
            let own = query.iter().copied().filter(|(_, value)| !value.is_empty());
            let pairs: Vec<_> = own.chain(with.map(|with| ("with", with))).collect();
            let pairs: Vec<_> = pairs.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
            if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
        };
        Self {
            with,
            code: CodeInput::of(authenticators, t),
            to_code: address(None),
            to_recovery: address(Some("recovery")),
            is_first: false,
        }
    }

    /// Nothing stands before it.
    pub fn first(self) -> Self {
        Self { is_first: true, ..self }
    }
}

/// What was typed: a form that sent a recovery code, however empty, meant one.
pub fn given(code: SecretText, recovery_code: Option<SecretText>) -> Given {
    recovery_code.map_or(Given::Code(code), Given::Recovery)
}

/// A field that was not sent.
pub fn nothing() -> SecretText {
    SecretText::new("")
}

#[cfg(test)]
mod tests {
    use super::super::Language;
    use super::*;
    use crate::identity::UserId;
    use crate::secret::Sealed;
    use crate::time::Timestamp;

    const EN: Texts = Texts::of_language(Language::En);

    fn authenticator(digits: i64) -> SecondFactorRow {
        let id = uuid::Uuid::from_u128(1);
        let (seed, created_at) = (Sealed::from_stored(vec![]), Timestamp::from_secs(1));
        let (algorithm, user) = ("SHA1".to_owned(), UserId(id));
        SecondFactorRow {
            id,
            user,
            seed,
            algorithm,
            digits,
            period_secs: 30,
            created_at,
            confirmed_at: None,
            last_step: 0,
        }
    }

    #[test]
    fn a_field_takes_as_many_digits_as_the_authenticators_have_and_sends_itself_only_where_that_is_sure() {
        let of = |digits: &[i64]| {
            let input = CodeInput::of(&digits.iter().map(|digits| authenticator(*digits)).collect::<Vec<_>>(), EN);
            (input.pattern, input.longest, input.sends_at)
        };
        assert_eq!(of(&[]), ("[0-9]{6}", 6, Some(6)));
        assert_eq!(of(&[6, 6]), ("[0-9]{6}", 6, Some(6)));
        assert_eq!(of(&[8]), ("[0-9]{8}", 8, Some(8)));
        assert_eq!(of(&[6, 8]), ("[0-9]{6}|[0-9]{8}", 8, None));
    }

    #[test]
    fn a_tab_keeps_what_else_is_in_the_address() {
        let field = FactorField::new(With::Code, &[], EN, ("/x", &[("return_to", "/a?b=c"), ("authenticator", "")]));
        assert_eq!(field.to_code, "/x?return_to=/a%3Fb%3Dc");
        assert_eq!(field.to_recovery, "/x?return_to=/a%3Fb%3Dc&with=recovery");
        assert_eq!(FactorField::new(With::Code, &[], EN, ("/x", &[])).to_code, "/x");
    }
}
