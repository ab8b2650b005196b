//! Checks by an implementation that is not ours: PyJWT on the system's own Python.

use std::process::Stdio;

use tokio::process::Command;

use super::soon;

/// Debian's Python, which has PyJWT as `python3-jwt`.
const PYTHON: &str = "/usr/bin/python3";

/// What must hold of an assertion.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// Where the keys are: `https://…/secure/jwks.json`.
    pub keys: &'a str,
    /// The site's name.
    pub audience: &'a str,
    /// The portal's address.
    pub issuer: &'a str,
}

/// Runs `script` with `arguments`; what it printed, or what it complained of.
pub async fn python(script: &str, arguments: &[&str]) -> Result<String, String> {
    let mut command = Command::new(PYTHON);
    command.args(["-I", "-c", script]).args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    let done = soon("a Python script", command.output()).await.unwrap_or_else(|error| panic!("{PYTHON}: {error}"));
    let (said, complaint) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    if done.status.success() { Ok(said.into_owned()) } else { Err(complaint.into_owned()) }
}

/// Has PyJWT fetch the keys and verify `assertion`: its claims, or why it is refused.
pub async fn verify(assertion: &str, expected: Expected<'_>) -> Result<serde_json::Value, String> {
    let Expected { keys, audience, issuer } = expected;
    let claims = python(include_str!("verify.py"), &[assertion, keys, audience, issuer]).await?;
    Ok(serde_json::from_str(&claims).expect("the script prints JSON"))
}
