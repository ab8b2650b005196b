//! Two hundred writes a second, whatever comes of them: guesses, codes, held requests, confirmations.
//!
//! The writes are **offered** by the clock, not one after the other: a slow gateway is not spared. What was acknowledged goes
//! onto the [`Ledger`].

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use vantail::identity::UserId;
use vantail::time::{Clock as _, SystemClock};

use crate::crowd::{Crowd, Somebody};
use crate::facts::{Fact, LIMIT, Ledger};
use crate::process::{Installation, Running};
use crate::support::client::Client;

/// Between two writes.
const PACE: Duration = Duration::from_millis(5);

/// What is offered, over and over: each letter is a write.
const MIX: &[u8; 20] = b"gagcgagkgagcgagcgakc";

/// Who and what the writes are about, through all the kills.
pub struct Load {
    installation: Arc<Installation>,
    victims: Vec<Somebody>,
    requesters: Vec<Somebody>,
    pub ledger: Ledger,
    offered: AtomicUsize,
    guesses: AtomicUsize,
    asked: AtomicUsize,
    /// Who can give a code, and the step of their last one. Whoever's answer was lost is not asked again.
    holders: Mutex<VecDeque<(Somebody, i64)>>,
    /// Operations and tokens that came by SMS.
    tokens: Mutex<VecDeque<(String, String)>>,
}

/// What a write needs of a gateway that has just begun.
struct Ready {
    gateway: Arc<Running>,
    stranger: Client,
    strangers_csrf: String,
    validator: Client,
    validators_csrf: String,
}

// === impl Load ===

impl Load {
    pub fn new(installation: Arc<Installation>, crowd: Crowd) -> Arc<Self> {
        let Crowd { victims, requesters, holders } = crowd;
        Arc::new(Self {
            installation,
            victims,
            requesters,
            ledger: Ledger::default(),
            offered: AtomicUsize::new(0),
            guesses: AtomicUsize::new(0),
            asked: AtomicUsize::new(0),
            holders: Mutex::new(holders.into_iter().map(|holder| (holder, 0)).collect()),
            tokens: Mutex::default(),
        })
    }

    /// How many writes were offered so far.
    pub fn offered(&self) -> usize {
        self.offered.load(Ordering::Relaxed)
    }

    /// Puts every token that comes by SMS where a confirmation finds it; never ends.
    pub async fn read_messages(self: Arc<Self>) {
        let mut last = 0;
        loop {
            let sms = self.installation.next_token_sms(last).await;
            last = sms.id;
            let id = sms.text.split_once("(operation ").unwrap().1[..8].to_owned();
            let token = sms.text.split_once("Token: ").unwrap().1.chars().take(9).collect();
            self.tokens.lock().unwrap().push_back((id, token));
        }
    }

    /// Who is this?
    pub fn victim(&self, id: UserId) -> &Somebody {
        self.victims.iter().find(|victim| victim.id == id).unwrap()
    }

    /// Offers writes for `time`, then kills the gateway in the midst of them; how long they were really offered.
    pub async fn offer_and_kill(self: &Arc<Self>, gateway: &Arc<Running>, time: Duration) -> Duration {
        let ready = Arc::new(self.prepare(gateway).await);
        let mut writes = JoinSet::new();
        let mut ticks = tokio::time::interval(PACE);
        let begin = Instant::now();
        while begin.elapsed() < time {
            ticks.tick().await;
            let number = self.offered.fetch_add(1, Ordering::Relaxed);
            let (load, ready) = (self.clone(), ready.clone());
            writes.spawn(async move { load.write(&ready, number).await });
        }
        let offered = begin.elapsed();
        gateway.kill();
        writes.join_all().await;
        // Whether a guess without an answer was counted is not known: the next ones are at somebody else's password.
        let guesses = self.guesses.load(Ordering::Relaxed);
        self.guesses.store(guesses.next_multiple_of(LIMIT), Ordering::Relaxed);
        offered
    }

    async fn prepare(&self, gateway: &Arc<Running>) -> Ready {
        let stranger = Client::new(gateway.address).host("localhost").browser();
        let strangers_csrf = stranger.get("/secure/login").await.field("csrf");
        let validator = self.installation.client(gateway, "val");
        let validators_csrf = validator.get("/secure/operations").await.field("csrf");
        let stranger = stranger.of_one_that_may_be_gone();
        Ready { gateway: gateway.clone(), stranger, strangers_csrf, validator, validators_csrf }
    }

    async fn write(&self, ready: &Ready, number: usize) {
        match MIX[number % MIX.len()] {
            b'g' => self.guess(ready).await,
            b'k' => self.give_code(ready).await,
            b'c' => self.confirm(ready).await,
            _ => self.ask(ready).await,
        }
    }

    async fn guess(&self, ready: &Ready) {
        let victim = &self.victims[self.guesses.fetch_add(1, Ordering::Relaxed) / LIMIT % self.victims.len()];
        let fields = [("csrf", ready.strangers_csrf.as_str()), ("username", &victim.name), ("password", "wrong")];
        if ready.stranger.twin().post_form("/secure/login", &fields).await.status == 422 {
            self.ledger.write(Fact::Refused(victim.id));
        }
    }

    async fn give_code(&self, ready: &Ready) {
        let next = self.holders.lock().unwrap().pop_front();
        let Some((holder, last)) = next else { return self.ask(ready).await };
        // A code is good in the step before its own, in its own and in the next.
        let (present, step) = (present_step(), (last + 1).max(present_step() - 1));
        if step > present + 1 {
            self.holders.lock().unwrap().push_back((holder, last));
            return self.ask(ready).await;
        }
        let browser = Installation::client_with(&ready.gateway, &holder.session);
        let Some(csrf) = browser.get("/secure/login/confirm?need=second-factor").await.hidden("csrf") else {
            return self.holders.lock().unwrap().push_back((holder, last));
        };
        let code = holder.code(step);
        let fields = [("csrf", csrf.as_str()), ("need", "second-factor"), ("code", &code)];
        self.ledger.asked(holder.id);
        let status = browser.post_form("/secure/login/confirm", &fields).await.status;
        if status != 0 {
            self.ledger.answered(holder.id);
        }
        if status == 303 {
            let holder = Somebody { session: browser.cookie("vantail").unwrap(), ..holder };
            self.ledger.write(Fact::CodeUsed { holder: holder.clone(), step });
            self.holders.lock().unwrap().push_back((holder, step));
        }
    }

    async fn ask(&self, ready: &Ready) {
        let number = self.asked.fetch_add(1, Ordering::Relaxed);
        let requester = &self.requesters[number % self.requesters.len()];
        let browser = Installation::client_with(&ready.gateway, &requester.session);
        let target = format!("/admin/ops/{number}?name={number}");
        let answer = browser.send("POST", &target, &[("Content-Type", "application/json")], b"{}").await;
        if answer.status == 303 {
            self.ledger.write(Fact::Held(answer.location().split('/').nth(3).unwrap().to_owned()));
        }
    }

    /// Confirms what waits longest; while nothing does, asks for more.
    async fn confirm(&self, ready: &Ready) {
        let next = self.tokens.lock().unwrap().pop_front();
        let Some((id, token)) = next else { return self.ask(ready).await };
        let fields = [("csrf", ready.validators_csrf.as_str()), ("token", &token)];
        let target = format!("/secure/operations/{id}/confirm");
        if ready.validator.twin().post_form(&target, &fields).await.status == 303 {
            self.ledger.write(Fact::Confirmed(id));
        }
    }
}

/// The step of codes that is now, counted from the epoch.
fn present_step() -> i64 {
    SystemClock.now().as_secs().div_euclid(30)
}
