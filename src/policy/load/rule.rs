//! `[[rule]]` and `[rule.hold]`.

use std::collections::BTreeMap;
use std::time::Duration;

use http::{HeaderName, Method};

use super::Reading;
use crate::config::document::child;
use crate::policy::fields::Condition;
use crate::policy::file::{HoldFile, RuleFile, SiteFile};
use crate::policy::pattern::PathPattern;
use crate::policy::rule::{Demand, METHODS, Matcher, Origin};
use crate::policy::title::{Placeholder, placeholders};
use crate::policy::{Access, Hold, NetworkSet, Networks, Rule, Security, Title};
use crate::secret::sha256;

/// What a rule is read in.
pub(super) struct Surroundings<'a> {
    pub site: &'a SiteFile,
    pub networks: &'a Networks,
    /// The site's own networks.
    pub own: Option<&'a NetworkSet>,
    pub security: &'a Security,
    pub fold: bool,
}

impl Reading<'_, SiteFile> {
    /// The rule at `index`; nothing when it has no sound path.
    pub(super) fn rule(&mut self, index: usize, around: &Surroundings<'_>) -> Option<Rule> {
        let at = format!("/rule/{index}");
        let said = &around.site.rule[index];
        if said.name.trim().is_empty() {
            self.fault(
                &child(&at, "name"),
                "the rule has no name",
                "name it: the log and the audit trail call it by that",
            );
        }
        let matcher = self.matcher(&at, said, around.fold);
        let demand = self.demand(&at, said, around);
        let paths = matcher.as_ref().map_or(&[][..], |matcher| &matcher.paths);
        let hold = said.hold.as_ref().map(|hold| self.hold(&at, said, hold, paths, around.security));
        self.contradictions(&at, said);
        Some(Rule {
            name: said.name.clone(),
            access: said.access,
            hold,
            version: version(around.site, said),
            report_only: said.report_only,
            matcher: matcher?,
            demand,
            origin: Origin { file: self.file.as_path().into(), line: self.document.line(&at) },
        })
    }

    fn matcher(&mut self, at: &str, said: &RuleFile, fold: bool) -> Option<Matcher> {
        let any = ["/**".to_owned()];
        let texts = if said.paths.is_empty() { &any[..] } else { &said.paths[..] };
        let parsed: Vec<_> = texts.iter().map(|text| PathPattern::parse(text, fold)).collect();
        let place = child(at, "paths");
        let paths: Vec<PathPattern> = parsed
            .into_iter()
            .enumerate()
            .filter_map(|(index, pattern)| self.value(&child(&place, index), pattern))
            .collect();
        let matcher = Matcher {
            methods: self.methods(at, &said.methods),
            query: self.conditions(at, "query", &said.query),
            form: self.conditions(at, "form", &said.form),
            json: self.conditions(at, "json", &said.json),
            headers: self.header_conditions(at, &said.headers),
            paths,
        };
        (matcher.paths.len() == texts.len()).then_some(matcher)
    }

    fn methods(&mut self, at: &str, said: &[String]) -> Vec<Method> {
        let mut methods = Vec::new();
        for (index, text) in said.iter().enumerate() {
            let place = child(&child(at, "methods"), index);
            match METHODS.iter().find(|method| method.as_str() == text) {
                Some(method) => methods.push(method.clone()),
                None if matches!(text.as_str(), "CONNECT" | "TRACE") => {
                    self.fault(
                        &place,
                        format!("{text} is never forwarded"),
                        "remove it: such requests are refused with 405",
                    );
                }
                None => {
                    let known: Vec<&str> = METHODS.iter().map(Method::as_str).collect();
                    let what = format!("unknown method `{text}`");
                    self.fault(&place, what, format!("write one of {}, in capitals", known.join(", ")));
                }
            }
        }
        methods
    }

    fn conditions(&mut self, at: &str, key: &str, said: &BTreeMap<String, String>) -> Vec<Condition> {
        let mut conditions = Vec::new();
        for (field, glob) in said {
            let place = child(&child(at, key), field);
            let condition = Condition::new(field, glob).map_err(|error| {
                (format!("the glob `{glob}` cannot be read: {error}"), "use `*`, `?`, `{a,b}`, `[abc]`")
            });
            conditions.extend(self.value(&place, condition));
            if field.trim().is_empty() {
                self.fault(&place, "the condition names no field", "write field = \"glob\"");
            }
        }
        conditions
    }

    fn header_conditions(&mut self, at: &str, said: &BTreeMap<String, String>) -> Vec<Condition> {
        for name in said.keys() {
            if HeaderName::from_bytes(name.as_bytes()).is_err() {
                let what = format!("`{name}` is not a header's name");
                self.fault(&child(&child(at, "headers"), name), what, "use letters, digits and `-`");
            }
        }
        let lower = said.iter().map(|(name, glob)| (name.to_ascii_lowercase(), glob.clone())).collect();
        self.conditions(at, "headers", &lower)
    }

    fn demand(&mut self, at: &str, said: &RuleFile, around: &Surroundings<'_>) -> Demand {
        let place = child(at, "networks");
        let networks = self.networks(&place, said.networks.as_deref(), around.networks);
        if let (Some(own), Some(site)) = (&networks, around.own)
            && !own.is_empty()
            && !site.is_empty()
            && !own.overlaps(site)
        {
            let what = "the rule's networks and the site's have no address in common, so nobody could ever meet it";
            self.fault(&place, what, "add the rule's networks to the site's, or leave them out of the rule");
        }
        let fresh = self.needed(&child(at, "fresh"), said.fresh.as_ref());
        Demand {
            users: said.users.iter().map(|user| user.to_lowercase()).collect(),
            groups: said.groups.clone(),
            networks,
            factors: said.factors.unwrap_or(1),
            fresh,
        }
    }

    fn hold(&mut self, at: &str, said: &RuleFile, hold: &HoldFile, paths: &[PathPattern], security: &Security) -> Hold {
        let at = child(at, "hold");
        let title = self.title(&at, said, hold, paths);
        let span = |found: Option<Duration>, default: Duration| found.unwrap_or(default);
        let expires = self.needed(&child(&at, "expires"), hold.expires.as_ref());
        let token_lifetime = self.needed(&child(&at, "token_lifetime"), hold.token_lifetime.as_ref());
        Hold {
            title,
            confirmations: hold.confirmations.unwrap_or(1),
            validators: hold.validators.clone(),
            redact: hold.redact.clone(),
            self_confirm: hold.self_confirm,
            expires: span(expires, security.holding.expires),
            token_lifetime: span(token_lifetime, security.holding.token_lifetime),
            session_needed: hold.session_needed,
        }
    }

    /// Each language falls back to the other, and both to the rule's name.
    fn title(&mut self, at: &str, said: &RuleFile, hold: &HoldFile, paths: &[PathPattern]) -> Title {
        for (language, text) in [("en", &hold.title.en), ("fr", &hold.title.fr)] {
            if let Some(text) = text {
                self.title_faults(&child(&child(at, "title"), language), text, paths);
            }
        }
        let plain = said.name.replace(['{', '}'], "");
        let first = hold.title.en.as_ref().or(hold.title.fr.as_ref()).unwrap_or(&plain);
        Title { en: first.clone(), fr: hold.title.fr.as_ref().unwrap_or(first).clone() }
    }

    fn title_faults(&mut self, at: &str, text: &str, paths: &[PathPattern]) {
        if text.trim().is_empty() {
            self.fault(at, "the title is empty", "write what validators are to read");
        }
        for placeholder in self.value(at, placeholders(text)).unwrap_or_default() {
            let Placeholder::Path(name) = placeholder else { continue };
            let bearing = paths.iter().filter(|path| path.names().any(|own| own == name)).count();
            if bearing == 0 {
                let what = format!("the title uses {{{name}}}, which none of the rule's paths names");
                self.fault(at, what, format!("write {{{name}}} as a segment of a path, or take it out of the title"));
            } else if bearing < paths.len() {
                let what = format!("the title uses {{{name}}}, which some of the rule's paths do not name");
                self.warn(at, what, "there it shows as `?`: name the segment in every path");
            }
        }
    }

    fn contradictions(&mut self, at: &str, said: &RuleFile) {
        let open = said.access == Access::Open;
        if said.hold.is_some() && said.access != Access::SignedIn {
            let what = if open {
                "an open rule cannot hold: nobody is known to have asked"
            } else {
                "a denied rule has nothing to hold"
            };
            self.fault(&child(at, "hold"), what, "write access = \"signed-in\", or remove [rule.hold]");
        }
        let asks = [
            ("users", !said.users.is_empty()),
            ("groups", !said.groups.is_empty()),
            ("factors", said.factors.is_some()),
            ("fresh", said.fresh.is_some()),
        ];
        for (key, _) in asks.into_iter().filter(|(_, asked)| *asked && said.access != Access::SignedIn) {
            let what = format!("`{key}` says who among those signed in, and the rule asks nobody to sign in");
            self.fault(&child(at, key), what, "write access = \"signed-in\", or remove it");
        }
    }
}

/// See [`Rule::version`].
fn version(site: &SiteFile, rule: &RuleFile) -> String {
    let bears = serde_json::json!({
        "rule": rule,
        "site": site.name,
        "backends": site.backends,
        "path_case": site.path_case,
        "encoded_slash": site.encoded_slash,
        "method_override": site.method_override,
    });
    hex::encode(sha256(bears.to_string().as_bytes()))
}
