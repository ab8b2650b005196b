//! The numbered list of what the gateway acknowledged, and the reading of it all in the store.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use vantail::account::lockout::Subject;
use vantail::identity::UserId;
use vantail::operation::State;
use vantail::secret::SessionToken;
use vantail::store::Store;
use vantail::store::audit::EventRow;
use vantail::time::{Clock as _, SystemClock};

use crate::crowd::Somebody;

/// Guesses at one password before the lock.
pub const LIMIT: usize = 5;

/// Something the gateway answered for.
#[derive(Debug, Clone)]
pub enum Fact {
    /// A wrong guess was refused; the fifth of one victim is a lock.
    Refused(UserId),
    /// A code was taken: its step is used, and the session goes on under a new cookie.
    CodeUsed { holder: Somebody, step: i64 },
    /// An operation is held.
    Held(String),
    /// It was confirmed.
    Confirmed(String),
}

/// The list: a fact's number is its place.
#[derive(Debug, Default)]
pub struct Ledger {
    facts: Mutex<Vec<Fact>>,
    /// Who gave a code and was not answered yet: whether their session goes on under the old cookie is not known.
    unanswered: Mutex<BTreeSet<UserId>>,
}

/// The audit trail, by act and what it is about.
struct Trail(BTreeMap<(String, String), usize>);

// === impl Fact ===

impl Fact {
    /// Which of the four it is.
    pub fn kind(&self) -> usize {
        match self {
            Self::Refused(_) => 0,
            Self::CodeUsed { .. } => 1,
            Self::Held(_) => 2,
            Self::Confirmed(_) => 3,
        }
    }
}

// === impl Ledger ===

impl Ledger {
    pub fn write(&self, fact: Fact) {
        self.facts.lock().unwrap().push(fact);
    }

    /// A holder gives a code.
    pub fn asked(&self, holder: UserId) {
        self.unanswered.lock().unwrap().insert(holder);
    }

    /// A holder was answered.
    pub fn answered(&self, holder: UserId) {
        self.unanswered.lock().unwrap().remove(&holder);
    }

    pub fn len(&self) -> usize {
        self.facts.lock().unwrap().len()
    }

    /// The facts from number `from` on.
    pub fn since(&self, from: usize) -> Vec<Fact> {
        self.facts.lock().unwrap()[from..].to_vec()
    }

    /// Whoever was locked last, from fact `from` on.
    pub fn locked_since(&self, from: usize) -> Option<UserId> {
        let refusals = refusals(&self.since(from));
        refusals.into_iter().find(|(_, count)| *count == LIMIT).map(|(victim, _)| victim)
    }

    /// Reads the facts from number `from` on in the store and in its trail after `seq`; the trail's last line.
    pub async fn read_back(&self, store: &Store, from: usize, seq: i64) -> i64 {
        let events = store.events(seq, 1_000_000).await.unwrap();
        let last = events.last().map_or(seq, |event| event.seq);
        let (facts, trail) = (self.since(from), Trail::of(&events));
        refused_are_counted(store, &facts, &trail).await;
        let mut last_codes = BTreeMap::new();
        for (number, fact) in facts.iter().enumerate() {
            match fact {
                Fact::Refused(_) => {}
                Fact::CodeUsed { holder, step } => {
                    let told = last_codes.entry(holder.id).or_insert((0, holder, *step));
                    *told = (told.0 + 1, holder, *step);
                }
                Fact::Held(id) => {
                    assert!(store.operation(id).await.unwrap().is_some(), "fact {number}: {id} is gone");
                    assert_eq!(trail.count("operation.asked", id), 1, "fact {number}: {id} has no line");
                }
                Fact::Confirmed(id) => {
                    let row = store.operation(id).await.unwrap().unwrap();
                    assert_ne!(row.state, State::Waiting, "fact {number}: the confirmation of {id} is gone");
                    assert_eq!(store.confirmations(id).await.unwrap().len(), 1, "fact {number}: {id}");
                    assert_eq!(trail.count("operation.confirmed", id), 1, "fact {number}: {id} has no line");
                }
            }
        }
        for (count, holder, step) in last_codes.into_values() {
            let factors = store.second_factors(holder.id).await.unwrap();
            assert!(factors[0].last_step >= step, "{} could use step {step} again", holder.name);
            let digest = SessionToken::parse(&holder.session).unwrap().digest();
            let goes_on = store.session(digest).await.unwrap().is_some();
            let is_sure = !self.unanswered.lock().unwrap().contains(&holder.id);
            assert!(goes_on || !is_sure, "the session of {} is gone", holder.name);
            let told = trail.count("login.step-up", &holder.id.to_string());
            assert!(told >= count, "{}: {told} lines about {count} codes", holder.name);
        }
        last
    }
}

fn refusals(facts: &[Fact]) -> BTreeMap<UserId, usize> {
    facts.iter().fold(BTreeMap::new(), |mut counts, fact| {
        if let Fact::Refused(victim) = fact {
            *counts.entry(*victim).or_default() += 1;
        }
        counts
    })
}

/// Every refusal is a try that stays counted and a line; the limit's last is a lock, and a line of its own.
async fn refused_are_counted(store: &Store, facts: &[Fact], trail: &Trail) {
    for (victim, count) in refusals(facts) {
        let row = store.lockout(Subject::user(victim).as_str()).await.unwrap().expect("a counter");
        assert!(row.tries >= i64::try_from(count).unwrap(), "{} of {count} guesses are counted", row.tries);
        let about = victim.to_string();
        assert!(trail.count("login.refused", &about) >= count, "a line about {victim} is gone");
        if count == LIMIT {
            assert!(row.locked_until.is_some_and(|until| until > SystemClock.now()), "the lock of {victim} is gone");
            assert_eq!(trail.count("lockout.locked", &about), 1, "the lock of {victim} has no line");
        }
    }
}

// === impl Trail ===

impl Trail {
    fn of(events: &[EventRow]) -> Self {
        let about = |event: &EventRow| {
            let user = event.user.map(|user| user.to_string());
            user.into_iter().chain(event.target.clone()).collect::<Vec<_>>()
        };
        Self(events.iter().fold(BTreeMap::new(), |mut counts, event| {
            for about in about(event) {
                *counts.entry((event.act.clone(), about)).or_default() += 1;
            }
            counts
        }))
    }

    fn count(&self, act: &str, about: &str) -> usize {
        self.0.get(&(act.to_owned(), about.to_owned())).copied().unwrap_or(0)
    }
}
