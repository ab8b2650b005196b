//! Why something is not done about an operation, and why one ended: stable words, which pages, mails and documents say in
//! their readers' language. Tests walk over all of them and miss a text in either.

words! {
    /// Why somebody may not do what they asked for.
    pub enum MayNot {
        /// The rule does not hold requests.
        NotHeld = "not-held",
        /// The requester may not ask for it (any more).
        RightsLost = "rights-lost",
        /// Only a person confirms.
        Machine = "machine",
        /// Without the right, or unable to act at all.
        NotAValidator = "not-a-validator",
        /// The rule names groups, and they are in none of them.
        WrongGroup = "wrong-group",
        /// It is their own.
        Requester = "requester",
        /// They read the requester's SMS.
        SharesPhone = "shares-phone",
        /// They read the requester's mail.
        SharesMail = "shares-mail",
        /// They have confirmed it.
        AlreadyConfirmed = "already-confirmed",
        /// Somebody who has confirmed it is the same person, as far as anybody can tell.
        KinConfirmed = "kin-confirmed",
        /// The policy asks for a second factor of people like them, and their session has none.
        NeedsSecondFactor = "needs-second-factor",
        /// No token can reach them.
        NoPhone = "no-phone",
        /// They have no token for it.
        NoToken = "no-token",
        /// Their token's time is over.
        TokenExpired = "token-expired",
        /// Their token was used or replaced while it was compared.
        TokenReplaced = "token-replaced",
        /// It is not waiting any more.
        NotWaiting = "not-waiting",
        /// The rule behind it is gone or holds nothing any more.
        RuleChanged = "rule-changed",
        /// The requester's account is gone.
        RequesterGone = "requester-gone",
        /// A denial says why.
        ReasonMissing = "reason-missing",
        /// Only the requester cancels.
        NotTheRequester = "not-the-requester",
        /// A masked body is given out to nobody.
        Masked = "masked",
    }
}

words! {
    /// Why an operation ended as it did, where no person said so in their own words.
    pub enum Cause {
        /// Nobody confirmed it in time.
        Expired = "expired",
        /// How long it waited is not known: the clock was set back.
        ClockSetBack = "clock-set-back",
        /// By its requester.
        Cancelled = "cancelled",
        /// By somebody at the command line.
        ByCommand = "by-command",
        /// Too many wrong tokens.
        TooManyTries = "too-many-tries",
        /// The requester's account is gone.
        RequesterGone = "requester-gone",
        /// The requester's account was switched off.
        RequesterDisabled = "requester-disabled",
        /// The requester's account came to its end.
        RequesterExpired = "requester-expired",
        /// The requester's groups, rights, password or second factor were changed.
        RequesterChanged = "requester-changed",
        /// The policy does not let the requester ask for this any more.
        RightsLost = "rights-lost",
        /// The session it was asked in ended.
        SessionEnded = "session-ended",
        /// Its site is gone.
        SiteGone = "site-gone",
        /// Its rule, or what the rule depends on, was changed.
        RuleChanged = "rule-changed",
        /// Its record was changed by somebody else than the gateway.
        SealBroken = "seal-broken",
        /// Somebody who confirmed it may no longer do so.
        ValidatorLostRight = "validator-lost-right",
        /// Those who confirmed it are not as many people as they seemed.
        ValidatorsAreOne = "validators-are-one",
        /// Surely nothing was sent: no connection could be made.
        NotSent = "not-sent",
        /// The backend gave no whole answer.
        NoAnswer = "no-answer",
        /// The gateway stopped while it was being sent.
        Interrupted = "interrupted",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::Catalogue;
    use crate::store::operations::State;

    #[test]
    fn the_mail_has_words_for_every_end_and_every_cause_and_for_nothing_else() {
        let catalogue = Catalogue::shipped();
        let causes: std::collections::BTreeSet<_> = Cause::ALL.iter().map(|cause| cause.as_str()).collect();
        let ends = State::ALL.iter().filter(|state| state.is_final()).map(|state| state.as_str());
        let ends: std::collections::BTreeSet<_> = ends.collect();
        for language in ["en", "fr"] {
            let mail = &catalogue.of(language).operation_ended;
            assert_eq!(mail.reason.keys().map(String::as_str).collect::<std::collections::BTreeSet<_>>(), causes);
            for table in [&mail.outcome, &mail.advice] {
                assert_eq!(table.keys().map(String::as_str).collect::<std::collections::BTreeSet<_>>(), ends);
            }
        }
    }
}
