//! Segments: dots, empty ones, slashes within them, and what follows a semicolon.

use super::NotCanonical;
use super::escapes::has_escape;

/// Merges separators and removes dot segments; above the root there is nothing (RFC 3986 section 5.2.4).
pub(super) fn resolve(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut folder = true;
    for segment in path.split('/') {
        folder = matches!(segment, "" | "." | "..");
        match segment {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            segment => kept.push(segment),
        }
    }
    let mut clean = String::with_capacity(path.len() + 1);
    for segment in &kept {
        clean.push('/');
        clean.push_str(segment);
    }
    if folder || kept.is_empty() {
        clean.push('/');
    }
    clean
}

pub(super) fn check_encoded_slash(path: &str, allowed: impl Fn(&str) -> bool) -> Result<(), NotCanonical> {
    if !allowed(path) {
        return Err(NotCanonical("the path holds an encoded slash"));
    }
    let climbs =
        |segment: &str| segment.contains("%2F") && segment.split("%2F").any(|part| matches!(part, "" | "." | ".."));
    if path.split('/').any(climbs) {
        return Err(NotCanonical("the path holds dot segments or empty ones behind an encoded slash"));
    }
    Ok(())
}

/// The path with each segment cut at its first `;`, as servers with path parameters read it; nothing when there is none.
pub(super) fn cut_parameters(path: &str) -> Option<String> {
    if !path.contains(';') && !has_escape(path, "%3B") {
        return None;
    }
    let cut: Vec<&str> = path
        .split('/')
        .map(|segment| segment.split(';').next().unwrap_or(segment))
        .map(|segment| segment.split("%3B").next().unwrap_or(segment))
        .collect();
    Some(resolve(&cut.join("/")))
}
