//! Why an SMS or a mail was not delivered, for people: a stable word, which pages say in their reader's language. What the
//! provider itself answered is for the log alone.

words! {
    /// Why a message was not delivered, or may not have been.
    pub enum Failure {
        /// Nothing is set up to send by this channel.
        NotConfigured = "not-configured",
        /// The settings lead to nothing that could be sent.
        WrongSettings = "wrong-settings",
        /// The number or address cannot be written to.
        WrongAddress = "wrong-address",
        /// No connection could be made.
        Unreachable = "unreachable",
        /// The provider was too busy to take it.
        Busy = "busy",
        /// The provider does not take it.
        Refused = "refused",
        /// The provider had it, and gave no answer in time.
        NoAnswer = "no-answer",
        /// The provider had it, or part of it, and broke off.
        BrokenOff = "broken-off",
        /// What it was worth sending for was over first.
        TimeOver = "time-over",
        /// The gateway stopped while it was being sent.
        Interrupted = "interrupted",
        /// Its record was changed by somebody else than the gateway.
        SealBroken = "seal-broken",
        /// Another version of the gateway wrote it, or says why.
        OtherVersion = "other-version",
    }
}
