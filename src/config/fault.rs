//! What is wrong with the configuration.
/// One fault: where, which key, what was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {what}")]
pub struct ConfigFault {
    /// `config/vantail.toml:12` or `VANTAIL_STORE__DATABASE`.
    pub place: String,
    /// What is wrong and what to do.
    pub what: String,
}
