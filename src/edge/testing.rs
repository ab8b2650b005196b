//! What the edge's own unit tests share.

use std::path::PathBuf;
use std::sync::Arc;

use crate::policy::Site;
use crate::policy::load::{Texts, check};

/// The site that `text` describes.
pub(super) fn site(text: &str) -> Arc<Site> {
    let rule = "[[rule]]\nname = \"all\"\npaths = [\"/**\"]\naccess = \"open\"\n";
    let texts = Texts { sites: vec![(PathBuf::from("site.toml"), format!("{text}{rule}"))], ..Texts::default() };
    let (policy, _) = check(&texts).expect("the site of a test is a good one");
    Arc::clone(&policy.sites[0])
}
