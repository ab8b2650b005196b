//! `security.toml`.

use std::time::Duration;

use super::{Findings, Reading, Texts, profile};
use crate::config::document::child;
use crate::config::units::Quantity;
use crate::identity::Right;
use crate::policy::file::SecurityFile;
use crate::policy::security::{
    Advanced, Changes, Holding, Lockout, Passwords, SecondFactor, Security, Sessions, Strangers, Strength, Who,
};

/// Held bodies and kept answers stand in the database: larger ones do not belong there.
const LARGEST: usize = 64 << 20;

const DAY: Duration = Duration::from_hours(24);

/// The values to live by.
pub(super) fn check(texts: &Texts, findings: &mut Findings) -> Security {
    let Some((file, text)) = &texts.security else { return Security::default() };
    let mut reading = Reading::<SecurityFile>::of(file, text, findings);
    reading.take_profile(&texts.profiles);
    reading.meant()
}

impl Reading<'_, SecurityFile> {
    /// Puts the values of the profile that the file names where it says nothing itself.
    fn take_profile(&mut self, own: &[(std::path::PathBuf, String)]) {
        let Some(name) = self.content.profile.clone() else { return };
        let Some((file, text)) = profile::called(&name, own) else {
            let remedy = format!("write one of: {}; or add profiles/{name}.toml", profile::names(own).join(", "));
            return self.fault("/profile", format!("there is no profile called `{name}`"), remedy);
        };
        let told = self.findings.faults.len();
        let mut profile = Reading::<SecurityFile>::of(&file, text, &mut *self.findings);
        if profile.content.profile.is_some() {
            profile.fault("/profile", "a profile names no other profile", "take the line out");
        }
        // Judged by itself first, so that its mistakes are told where they stand.
        profile.meant();
        let values = std::mem::take(&mut profile.content);
        if self.findings.faults.len() == told {
            self.content = profile::beneath(&self.content, &values);
        }
    }

    fn meant(&mut self) -> Security {
        Security {
            lockout: self.lockout(),
            strangers: self.strangers(),
            sessions: self.sessions(),
            second_factor: self.second_factor(),
            holding: self.holding(),
            passwords: self.passwords(),
            advanced: self.advanced(),
        }
    }

    fn passwords(&mut self) -> Passwords {
        let default = Passwords::default();
        let hashing = self.hashing();
        let said = &self.content.passwords;
        Passwords {
            minimum_length: said.minimum_length.map_or(default.minimum_length, |length| length as usize),
            require_all_classes: said.require_all_classes.unwrap_or(default.require_all_classes),
            refuse_known_bad: said.refuse_known_bad.unwrap_or(default.refuse_known_bad),
            force_change_after_reset: said.force_change_after_reset.unwrap_or(default.force_change_after_reset),
            installation: default.installation,
            hashing,
        }
    }

    /// A limit on changes in no time is none.
    fn advanced(&self) -> Advanced {
        let said = &self.content.advanced;
        if said.enabled == Some(false) {
            return Advanced::OFF;
        }
        let default = Advanced::default();
        let days = |count: u32| (count > 0).then(|| DAY * count);
        let allowed = said.changes_allowed.filter(|allowed| *allowed > 0);
        Advanced {
            validity: said.password_validity_days.map_or(default.validity, days),
            remembered: said.remembered_passwords.unwrap_or(default.remembered),
            changes: allowed
                .zip(said.changes_period_days.map_or(Some(DAY), days))
                .map(|(allowed, period)| Changes { allowed, period }),
        }
    }

    /// Not below what OWASP asks for, and not above what a sign-in may take.
    fn hashing(&mut self) -> Strength {
        let at = "/passwords/hashing/memory";
        let default = Strength::default();
        let said = self.content.passwords.hashing.clone();
        let memory = self.size(at, said.memory.as_ref());
        let strength = Strength {
            memory: memory.map_or(default.memory, |bytes| u32::try_from(bytes >> 10).unwrap_or(u32::MAX)),
            passes: said.passes.unwrap_or(default.passes),
            lanes: said.lanes.unwrap_or(default.lanes),
        };
        if strength.is_too_weak() {
            let what = "passwords hashed so are guessed too fast: it is below what OWASP asks for";
            let (least, passes) = (strength.least_memory() >> 10, strength.passes);
            self.fault(
                at,
                what,
                format!("write memory = \"{least}MiB\" or more with passes = {passes}, or leave both out"),
            );
        } else if strength.is_too_costly() {
            let what = "a sign-in would take too much memory or time";
            self.fault(
                at,
                what,
                "write at most \"256MiB\" of memory, and so few passes that memory times passes is 1GiB or less",
            );
        }
        strength
    }

    /// A lock of no length is none.
    fn lockout(&self) -> Lockout {
        let default = Lockout::default();
        let said = &self.content.lockout;
        let duration = said.minutes.map_or(default.duration, |minutes| Duration::from_secs(u64::from(minutes) * 60));
        let attempts = if duration.is_zero() { 0 } else { said.attempts.unwrap_or(default.attempts) };
        Lockout { attempts, duration }
    }

    /// Wrong sign-ins that count for no time do not count.
    fn strangers(&self) -> Strangers {
        let default = Strangers::default();
        let said = &self.content.lockout;
        let duration = said.address_minutes.map_or(default.duration, |minutes| Duration::from_mins(u64::from(minutes)));
        let attempts = if duration.is_zero() { 0 } else { said.address_attempts.unwrap_or(default.attempts) };
        Strangers { attempts, duration, stuffing_names: said.stuffing_names.unwrap_or(default.stuffing_names) }
    }

    fn sessions(&mut self) -> Sessions {
        let default = Sessions::default();
        let said = self.content.sessions.clone();
        let idle = self.limit("/sessions/idle", said.idle.as_ref(), default.idle);
        let lifetime = self.needed("/sessions/lifetime", said.lifetime.as_ref()).unwrap_or(default.lifetime);
        Sessions {
            idle,
            lifetime,
            remember: self.limit("/sessions/remember", said.remember.as_ref(), default.remember),
            remembered_idle: self.limit(
                "/sessions/remembered_idle",
                said.remembered_idle.as_ref(),
                default.remembered_idle,
            ),
            maximum_per_user: said.maximum_per_user.filter(|maximum| *maximum > 0),
        }
    }

    fn second_factor(&mut self) -> SecondFactor {
        let default = SecondFactor::default();
        let said = self.content.second_factor.clone();
        let required = said.required.map(|list| self.whos("/second_factor/required", &list));
        let hidden = said.hidden.map(|list| self.whos("/second_factor/hidden", &list));
        let both =
            SecondFactor { required: required.unwrap_or(default.required), hidden: hidden.unwrap_or(default.hidden) };
        if let Some(index) = both.hidden.iter().position(|who| both.required.contains(who)) {
            let remedy = "take it out of `hidden`, or out of `required`";
            self.fault(&child("/second_factor/hidden", index), "a second factor is both required and hidden", remedy);
        }
        both
    }

    fn whos(&mut self, at: &str, list: &[String]) -> Vec<Who> {
        let parsed = list.iter().enumerate().map(|(index, text)| (child(at, index), who(text)));
        parsed.collect::<Vec<_>>().into_iter().filter_map(|(at, who)| self.value(&at, who)).collect()
    }

    fn holding(&mut self) -> Holding {
        let default = Holding::default();
        let said = self.content.holding.clone();
        let expires = self.needed("/holding/expires", said.expires.as_ref());
        let token_lifetime = self.needed("/holding/token_lifetime", said.token_lifetime.as_ref());
        let body_limit = self.stored_size("/holding/body_limit", said.body_limit.as_ref());
        if body_limit == Some(0) {
            self.fault("/holding/body_limit", "`body_limit` cannot be off", "write a size like \"1MiB\"");
        }
        if said.token_attempts == Some(0) {
            self.fault("/holding/token_attempts", "`token_attempts` cannot be off", "write a number like 5");
        }
        Holding {
            expires: expires.unwrap_or(default.expires),
            token_lifetime: token_lifetime.unwrap_or(default.token_lifetime),
            token_attempts: said.token_attempts.unwrap_or(default.token_attempts),
            body_limit: body_limit.unwrap_or(default.body_limit),
            memory: self.memory(body_limit.unwrap_or(default.body_limit)),
            answer_limit: self
                .stored_size("/holding/answer_limit", said.answer_limit.as_ref())
                .unwrap_or(default.answer_limit),
            keep_answer: self
                .duration("/holding/keep_answer", said.keep_answer.as_ref())
                .unwrap_or(default.keep_answer),
        }
    }

    /// Room for at least one body of the limit: with less, nothing of that length could ever be held.
    fn memory(&mut self, body_limit: usize) -> usize {
        let at = "/holding/memory";
        let said = self.content.holding.memory.clone();
        let memory = self.size(at, said.as_ref()).unwrap_or(Holding::default().memory.max(body_limit));
        if memory < body_limit {
            self.fault(at, "`memory` has no room for one body of `body_limit`", "write a size like \"256MiB\"");
        }
        memory
    }

    fn size(&mut self, at: &str, said: Option<&Quantity>) -> Option<usize> {
        self.value(at, said?.size().map_err(|expected| ("this is not a size", expected)))
    }

    /// The size of what stands in the database.
    fn stored_size(&mut self, at: &str, said: Option<&Quantity>) -> Option<usize> {
        let size = self.size(at, said)?;
        if size > LARGEST {
            self.fault(at, "this is larger than the database should hold", "write 64MiB or less");
        }
        Some(size)
    }
}

impl<T> Reading<'_, T> {
    /// A duration; 0 is one.
    pub(super) fn duration(&mut self, at: &str, said: Option<&Quantity>) -> Option<Duration> {
        self.value(at, said?.duration().map_err(|expected| ("this is not a duration", expected)))
    }

    /// A duration that 0 switches off; `default` where nothing is said.
    pub(super) fn limit(&mut self, at: &str, said: Option<&Quantity>, default: Option<Duration>) -> Option<Duration> {
        self.duration(at, said).map_or(default, |limit| (!limit.is_zero()).then_some(limit))
    }

    /// A duration that cannot be off.
    pub(super) fn needed(&mut self, at: &str, said: Option<&Quantity>) -> Option<Duration> {
        let duration = self.duration(at, said)?;
        if duration.is_zero() {
            let key = at.rsplit('/').next().unwrap_or_default();
            self.fault(at, format!("`{key}` cannot be off"), "write a duration like \"15m\"");
        }
        Some(duration)
    }
}

fn who(text: &str) -> Result<Who, (String, String)> {
    let remedy = || "write \"right:administrator\", \"right:token-validator\" or \"group:NAME\"".to_owned();
    match text.split_once(':') {
        Some(("group", group)) if !group.trim().is_empty() => Ok(Who::Group(group.trim().to_owned())),
        Some(("right", right)) => right
            .trim()
            .parse::<Right>()
            .map(Who::Right)
            .map_err(|_| (format!("there is no right `{right}`"), remedy())),
        _ => Err((format!("`{text}` is neither a right nor a group"), remedy())),
    }
}
