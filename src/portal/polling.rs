//! Which addresses are asked again and again by a page or a program on its own: that is no use of a session (SESS-2).

/// Whether asking `path` is polling: it must not move the session's idle end.
pub fn is_polling(path: &str) -> bool {
    let waiting = path.strip_prefix("/secure/operations/").and_then(|rest| rest.strip_suffix("/wait"));
    let status = path.strip_prefix("/secure/api/operations/");
    waiting.or(status).is_some_and(|id| !id.is_empty() && !id.contains('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_and_asking_for_the_state_is_polling_and_nothing_else_is() {
        assert!(is_polling("/secure/operations/48271935/wait"));
        assert!(is_polling("/secure/api/operations/48271935"));
        for used in [
            "/secure/operations/48271935",
            "/secure/operations/48271935/answer",
            "/secure/api/operations/",
            "/app/wait",
        ] {
            assert!(!is_polling(used), "{used} is use");
        }
    }
}
