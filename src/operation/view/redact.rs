//! Which values are masked.

/// The fields a rule masks, by name.
#[derive(Debug, Clone, Default)]
pub(in crate::operation) struct Redaction {
    names: Vec<String>,
    everything: bool,
}

// === impl Redaction ===

impl Redaction {
    /// Those of a rule.
    pub(in crate::operation) fn of(names: &[String]) -> Self {
        Self { names: names.iter().map(|name| name.to_lowercase()).collect(), everything: false }
    }

    /// Every value: the rule that would say which is not there any more.
    pub(in crate::operation) fn everything() -> Self {
        Self { names: Vec::new(), everything: true }
    }

    /// Whether anything is masked at all.
    pub(in crate::operation) fn masks(&self) -> bool {
        self.everything || !self.names.is_empty()
    }

    /// Whether the value of the field `name` is masked: by its name in any case, or by the last step of `user[password]`
    /// and `user.password`.
    pub(super) fn hits(&self, name: &str) -> bool {
        let name = name.trim().to_lowercase();
        let last = name.trim_end_matches(']').rsplit(['[', '.']).next().unwrap_or(&name);
        self.everything || self.names.iter().any(|own| *own == name || *own == last)
    }

    /// Whether the value under these JSON members, outermost first, is masked: whatever is inside a masked member is.
    pub(super) fn hits_path(&self, members: &[String]) -> bool {
        let dotted = || members.join(".").to_lowercase();
        members.iter().any(|member| self.hits(member))
            || (!members.is_empty() && self.hits(&dotted()))
            || self.everything
    }

    /// Whether a title made from `template` would show a masked value.
    pub(in crate::operation) fn hits_title(&self, template: &str) -> bool {
        template.split('{').skip(1).filter_map(|rest| rest.split_once('}')).any(|(placeholder, _)| {
            let field = placeholder.split_once('.').map(|(_, field)| field);
            self.masks() && field.is_some_and(|field| self.hits(field) || field.split('.').any(|step| self.hits(step)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password() -> Redaction {
        Redaction::of(&["Password".to_owned()])
    }

    #[test]
    fn a_field_is_masked_by_its_name_in_any_case_and_nesting() {
        for name in ["password", "PASSWORD", "user[password]", "user.password", " password"] {
            assert!(password().hits(name), "{name}");
        }
        for name in ["passwords", "user[password][hint]", "word"] {
            assert!(!password().hits(name), "{name}");
        }
    }

    #[test]
    fn whatever_is_inside_a_masked_member_is_masked() {
        let path = |members: &[&str]| members.iter().map(|member| (*member).to_owned()).collect::<Vec<_>>();
        assert!(password().hits_path(&path(&["user", "password", "old"])));
        assert!(!password().hits_path(&path(&["user", "name"])));
        assert!(Redaction::of(&["user.pin".to_owned()]).hits_path(&path(&["user", "pin"])));
        assert!(Redaction::everything().hits_path(&[]));
    }

    #[test]
    fn a_title_that_names_a_masked_field_is_found() {
        assert!(password().hits_title("Set {form.password} for {id}"));
        assert!(password().hits_title("Set {json.user.password}"));
        assert!(!password().hits_title("Set the password of {form.user} ({id})"));
    }
}
