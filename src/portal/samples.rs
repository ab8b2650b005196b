//! Every page with sample data: proven to be readable by everybody, and, with `VANTAIL_PAGES=FOLDER`, written out to be looked at.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use uuid::Uuid;

use super::account::{AccountPage, Factor};
use super::answer::AnswerPage;
use super::devices::{DeviceCard, DevicesPage};
use super::enrol::EnrolPage;
use super::factor_field::{FactorField, With};
use super::front::FrontPage;
use super::login::LoginPage;
use super::logout::LogoutPage;
use super::not_kept::NotKeptPage;
use super::operation::{Fault, OperationPage};
use super::operations::{Line, OperationsPage};
use super::own_factor::{Authenticator, AuthenticatorsPage, SecondFactorPage};
use super::own_password::{self, OwnPasswordPage};
use super::page::Page;
use super::password::{NewPasswordPage, Rule, faults_in_words};
use super::reauthenticate::ProofPage;
use super::recovery_codes::{RecoveryPage, ShownPage, warning};
use super::refuse::shown;
use super::remove_factor::RemovePage;
use super::second_factor::CodePage;
use super::sessions::{SessionCard, SessionsPage};
use super::show::{Moment, lasting};
use super::texts::Texts;
use super::wait::WaitPage;
use super::{Language, Refused, Visit};
use crate::account::PasswordFault;
use crate::account::password::rules::Class;
use crate::identity::{Amr, DeviceId, Level, Right, SessionId, SignedIn, User, UserId, UserState};
use crate::operation::view::{Body, NoticeState, Piece};
use crate::operation::{MayNot, Part, State, View};
use crate::policy::load::{self, check};
use crate::policy::security::Passwords;
use crate::session::Presented;
use crate::store::failure::Failure;
use crate::store::outbox::{Channel, OutboxState};
use crate::time::Timestamp;

mod tests;

const NOW: Timestamp = Timestamp::from_secs(1_772_366_520);
const CSRF: &str = "3q2-7wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

type Pages = BTreeMap<String, String>;

fn user(name: &str, full_name: &str, rights: Vec<Right>) -> User {
    let id = UserId(Uuid::from_u128(name.bytes().fold(1, |sum, byte| sum * 31 + u128::from(byte))));
    let groups = vec!["admins".to_owned(), "staff".to_owned()];
    let email = format!("{name}@example.org");
    let (state, valid_from, valid_until) = (UserState::Active, None, None);
    let (name, full_name, language) = (name.to_owned(), full_name.to_owned(), None);
    User { id, name, full_name, email, language, groups, rights, state, valid_from, valid_until }
}

fn visit(language: Language, presented: Presented) -> Visit {
    Visit {
        request_id: "01JNB2W6V4Q5".into(),
        now: NOW,
        address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 17)),
        secure: true,
        loopback: false,
        host: "gate.example.org".into(),
        site: None,
        presented,
        token: None,
        language,
        wants_page: true,
    }
}

fn as_user(language: Language, user: User) -> Visit {
    let signed_in = SignedIn {
        session: SessionId(Uuid::from_u128(7)),
        user: Arc::new(user),
        amr: vec![Amr::Pwd, Amr::Otp],
        auth_time: Timestamp::from_secs(1_772_366_400),
        second_factor_at: Some(Timestamp::from_secs(1_772_366_405)),
    };
    visit(language, Presented::Live(Arc::new(signed_in)))
}

fn validator(language: Language) -> Visit {
    as_user(language, user("val", "Valérie Arnaud", vec![Right::TokenValidator]))
}

fn requester(language: Language) -> Visit {
    as_user(language, user("alice", "Alice Martin", vec![]))
}

fn text(words: &str) -> Vec<Piece> {
    vec![Piece::Text(words.to_owned())]
}

/// A deletion as interface.md tells it, waiting.
fn deletion() -> View {
    View {
        id: "48271935".into(),
        state: State::Waiting,
        reason: None,
        title_en: "Delete customer 42".into(),
        title_fr: "Supprimer le client 42".into(),
        site: "crm".into(),
        rule: "delete a customer".into(),
        requester: Some(user("alice", "Alice Martin", vec![])),
        client: "192.0.2.17".into(),
        amr: vec![Amr::Pwd, Amr::Otp],
        auth_time: Timestamp::from_secs(1_772_366_000),
        method: "POST".into(),
        scheme: "https".into(),
        host: "crm.example.org".into(),
        target: text("/admin/customers/42/delete?force=1"),
        headers: vec![
            ("content-type".into(), text("application/x-www-form-urlencoded")),
            ("user-agent".into(), text("Mozilla/5.0 (X11; Linux x86_64; rv:135.0) Gecko/20100101 Firefox/135.0")),
        ],
        body: Body::Fields(vec![
            (text("reason"), text("Asked for by the customer, ticket 1187")),
            (text("erase_invoices"), text("no")),
        ]),
        body_length: 96,
        body_note: None,
        kept: true,
        masked: false,
        digest: "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:".into(),
        created_at: Timestamp::from_secs(1_772_366_460),
        expires_at: Timestamp::from_secs(1_772_367_360),
        quorum: 1,
        confirmed_by: vec![],
        notices: vec![
            NoticeState { channel: Channel::Sms, to: "val".into(), state: OutboxState::Sent, error: None },
            NoticeState {
                channel: Channel::Sms,
                to: "bob".into(),
                state: OutboxState::Failed,
                error: Some(Failure::NotConfigured),
            },
        ],
        status: None,
        may_confirm: Ok(()),
        may_deny: Ok(()),
        may_renew: Ok(()),
        may_cancel: false,
        needs_fresh_second_factor: false,
    }
}

/// What an attacker would like the validator not to see (HOLD-2).
fn hostile() -> View {
    let pieces = vec![
        Piece::Text("{\"note\": \"<script>alert(1)</script>\", \"who\": \"adm".into()),
        Piece::CodePoint("U+0456".into()),
        Piece::Text("n".into()),
        Piece::CodePoint("U+202E".into()),
        Piece::Text("\"".into()),
        Piece::Blanks(10_000),
        Piece::Text("\"amount\": 1000000}".into()),
        Piece::Cut(1_000_000),
    ];
    View {
        title_en: "Pay <b>supplier</b> with a name so long that it fills two lines on any telephone".into(),
        title_fr: "Payer <b>le fournisseur</b> au nom si long qu'il remplit deux lignes sur tout téléphone".into(),
        body: Body::Text(pieces),
        quorum: 2,
        confirmed_by: vec![("bob".into(), Timestamp::from_secs(1_772_366_500))],
        ..deletion()
    }
}

fn upload() -> View {
    let part = |name: &str, file: Option<&str>| Part {
        name: text(name),
        file_name: file.map(text),
        content_type: file.map(|_| "application/pdf".into()),
        length: 48_123,
        digest: "sha-256=:uU0nuZNNPgilLlLX2n2r+sSE7+N6U4DukIj3rOLvzek=:".into(),
        text: file.is_none().then(|| text("Contract of March")),
    };
    let parts = vec![part("label", None), part("document", Some("contract.pdf"))];
    let binary = View { body: Body::Parts(parts), ..deletion() };
    View { method: "PUT".into(), ..binary }
}

/// A rule masks a field: neither its value nor a digest that would let it be guessed is shown.
fn masked() -> View {
    let body = Body::Fields(vec![(text("password"), vec![Piece::Masked])]);
    View { body, masked: true, digest: String::new(), ..deletion() }
}

/// For somebody who may neither confirm nor deny.
fn may_do_nothing(why: MayNot) -> View {
    View { may_confirm: Err(why), may_deny: Err(why), may_renew: Err(why), ..deletion() }
}

/// Over: the request itself is gone.
fn ended(state: State, reason: &str) -> View {
    let (body, target) = (Body::Empty, vec![]);
    View { state, reason: Some(reason.into()), kept: false, body, target, ..may_do_nothing(MayNot::NotWaiting) }
}

fn put(pages: &mut Pages, name: &str, page: &impl Template) {
    let known = pages.insert(name.to_owned(), page.render().unwrap());
    assert!(known.is_none(), "two samples are called {name}");
}

fn sign_in_pages(language: Language, pages: &mut Pages) {
    let t = Texts::of_language(language);
    let anon = visit(language, Presented::Nothing);
    let page = |title: &'static str| Page::new(&anon, Some(CSRF), title.to_owned());
    let login = |error, notice| LoginPage {
        page: page(t.say("login.title")),
        username: if error { "alice".into() } else { String::new() },
        return_to: "/admin/customers/42".into(),
        notice: if notice { t.of("notice", "signed-out") } else { None },
        error: if error { t.of("error", "sign-in") } else { None },
        remember: Some(t.say_with("login.remember", &[("time", &lasting(Duration::from_hours(720), t))])),
        ticked: error,
    };
    put(pages, "login", &login(false, false));
    put(pages, "login-refused", &login(true, false));
    put(pages, "login-signed-out", &login(false, true));
    let code = |with, error| {
        let field = field(with, t).first();
        CodePage { page: page(t.say("second-factor.title")), field, return_to: "/".into(), error }
    };
    put(pages, "second-factor", &code(With::Code, None));
    put(pages, "second-factor-refused", &code(With::Code, t.of("error", "code")));
    put(pages, "second-factor-recovery", &code(With::Recovery, None));
    put(pages, "second-factor-recovery-refused", &code(With::Recovery, t.of("error", "recovery-code")));
    put(pages, "enrol", &enrol(page(t.say("enrol.title")), t));
    for (name, why) in [("password", "password.why-temporary"), ("password-too-old", "password.why-too-old")] {
        put(pages, name, &new_password(page(t.say("password.title")), t.say(why), t));
    }
    let (title, back) = (t.say("not-kept.title"), "/app/form".to_owned());
    put(pages, "not-kept", &NotKeptPage { page: page(title), back });
    put(pages, "front-anonymous", &FrontPage { page: page(t.say("front.title")), waiting: None });
}

fn field(with: With, t: Texts) -> FactorField {
    FactorField::new(with, &[], t, ("/secure/login/second-factor", &[("return_to", "/")]))
}

fn new_password(page: Page, why: &'static str, t: Texts) -> NewPasswordPage {
    NewPasswordPage { page, why, rule: Rule::new(&Passwords::default(), t), return_to: String::new(), errors: vec![] }
}

/// Shown again, with all that can be wrong at once.
fn own_password(page: Page, t: Texts) -> OwnPasswordPage {
    let all = Passwords { require_all_classes: true, ..Passwords::default() };
    let faults = [PasswordFault::TooShort { minimum: 12 }, PasswordFault::Missing(Class::Digit), PasswordFault::Own];
    let errors = faults.into_iter().flat_map(|fault| faults_in_words(&fault.into(), t)).collect();
    let (username, return_to) = ("val".to_owned(), String::new());
    OwnPasswordPage {
        page,
        username,
        field: Some(own_password::field(field(With::Code, t))),
        rule: Rule::new(&all, t),
        return_to,
        errors,
    }
}

fn enrol(page: Page, t: Texts) -> EnrolPage {
    let code =
        qrcode::QrCode::new(b"otpauth://totp/gate.example.org:alice?secret=JBSWY3DPEHPK3PXP&issuer=gate.example.org");
    let svg = code.unwrap().render::<qrcode::render::svg::Color<'_>>().build();
    let enrolment = crate::account::totp::Enrolment {
        row: crate::store::second_factors::SecondFactorRow {
            id: Uuid::from_u128(3),
            user: UserId(Uuid::from_u128(4)),
            seed: crate::secret::Sealed::from_stored(vec![]),
            algorithm: "SHA1".into(),
            digits: 6,
            period_secs: 30,
            created_at: NOW,
            confirmed_at: None,
            last_step: 0,
        },
        letters: "JBSW Y3DP EHPK 3PXP JBSW Y3DP EHPK 3PXP".into(),
        uri: "otpauth://totp/gate.example.org:alice?secret=JBSWY3DPEHPK3PXP".into(),
        qr_svg: svg,
    };
    let frame = super::enrol::Frame {
        action: "/secure/login/enrol",
        why: t.say("enrol.required"),
        return_to: String::new(),
        error: None,
        is_sign_in: true,
    };
    super::enrol::filled(page, &enrolment, frame)
}

fn account_pages(language: Language, pages: &mut Pages) {
    let t = Texts::of_language(language);
    let val = validator(language);
    let page = |title: &'static str| Page::new(&val, Some(CSRF), title.to_owned());
    let user = User::clone(&val.signed_in().unwrap().user);
    let account = AccountPage {
        page: page(t.say("account.title")),
        notice: t.of("notice", "password-changed"),
        rights: vec![t.of("right", "token-validator").unwrap()],
        factor: Factor::On(Moment::of(NOW, t)),
        warning: warning(2, t),
        signed_in: Moment::of(NOW, t),
        ends: Moment::of(Timestamp::from_secs(1_772_409_600), t),
        user,
    };
    put(pages, "account", &account);
    put(pages, "own-password", &own_password(page(t.say("password.own-title")), t));
    put(pages, "sessions", &sessions(page(t.say("sessions.title")), t));
    let notice = t.of("notice", "device-forgotten");
    put(pages, "devices", &devices(page(t.say("devices.title")), notice, t));
    put(pages, "devices-none", &DevicesPage { page: page(t.say("devices.title")), cards: vec![], notice: None });
    let offered = SecondFactorPage {
        page: page(t.say("account.second-factor")),
        hidden: false,
        field: None,
        return_to: String::new(),
        error: t.of("error", "password"),
    };
    put(pages, "account-second-factor", &offered);
    let (asked, title) = (Some(field(With::Code, t)), t.say("authenticators.add"));
    let add =
        SecondFactorPage { page: page(title), hidden: false, field: asked, return_to: String::new(), error: None };
    put(pages, "account-second-authenticator", &add);
    let proof = ProofPage {
        page: page(t.say("reauthenticate.title")),
        username: "val".into(),
        need: "sign-in",
        asks_password: true,
        field: Some(field(With::Code, t)),
        return_to: "/secure/operations/48271935".into(),
        error: None,
    };
    put(pages, "reauthenticate", &proof);
    own_factor_pages(&page, t, pages);
    put(pages, "logout", &LogoutPage { page: page(t.say("logout.title")) });
    put(pages, "front-validator", &FrontPage { page: page(t.say("front.title")), waiting: Some(2) });
}

fn own_factor_pages(page: &dyn Fn(&'static str) -> Page, t: Texts, pages: &mut Pages) {
    let authenticator = |id: &str| Authenticator { id: id.into(), added: Moment::of(NOW, t), used: Moment::of(NOW, t) };
    let left = |n| t.say_with("recovery.left", &[("left", n)]);
    for (name, count, may_go) in [("authenticators", 2, true), ("authenticators-required", 1, false)] {
        let authenticators = ["one", "other"].iter().take(count).map(|id| authenticator(id)).collect();
        let (page, left) = (page(t.say("account.second-factor")), left("1"));
        let warning = warning(1, t);
        let page = AuthenticatorsPage { page, authenticators, may_add: count < 2, may_go, left, warning };
        put(pages, name, &page);
    }
    for (name, chosen, may_go) in [
        ("remove-one", Some(authenticator("one")), true),
        ("remove-all", None, true),
        ("remove-all-required", None, false),
    ] {
        let field = may_go.then(|| field(With::Recovery, t));
        let (page, error) = (page(t.say("authenticators.off")), t.of("error", "proof"));
        put(pages, name, &RemovePage { page, authenticator: chosen, named: "one".into(), field, error });
    }
    for (name, on) in [("recovery-codes", true), ("recovery-codes-none", false)] {
        let field = on.then(|| field(With::Code, t));
        let (page, onward) = (page(t.say("recovery.title")), on.then(|| "/app/".to_owned()));
        let (warning, return_to) = (warning(1, t).filter(|_| on), String::new());
        let page = RecoveryPage { page, left: left("1"), warning, field, onward, return_to, error: None };
        put(pages, name, &page);
    }
    let codes = (0..8).map(|n| format!("K7QF{n}-2M9XA")).collect();
    put(pages, "recovery-shown", &ShownPage { page: page(t.say("recovery.shown")), codes, onward: "/app/".into() });
}

/// This session, and one of a browser that says odd things of itself.
fn sessions(page: Page, t: Texts) -> SessionsPage {
    let firefox = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:135.0) Gecko/20100101 Firefox/135.0";
    let this = SessionCard {
        id: SessionId(Uuid::from_u128(7)),
        is_this: true,
        browser: super::sessions::browser_in_words(firefox, t),
        level: super::said::level(Level::TwoFactors, t),
        is_remembered: true,
        address: "192.0.2.17".into(),
        since: Moment::of(NOW, t),
        seen: Moment::of(NOW, t),
    };
    let other = SessionCard {
        id: SessionId(Uuid::from_u128(8)),
        is_this: false,
        browser: super::sessions::browser_in_words("<script>alert(1)</script>", t),
        level: super::said::level(Level::Remembered, t),
        is_remembered: false,
        address: "2001:db8:1234:5678:9abc:def0:1234:5678".into(),
        since: Moment::of(NOW, t),
        seen: Moment::of(NOW, t),
    };
    SessionsPage { page, cards: vec![this, other], notice: None }
}

fn devices(page: Page, notice: Option<&'static str>, t: Texts) -> DevicesPage {
    let card = |id, is_this| DeviceCard {
        id: DeviceId(Uuid::from_u128(id)),
        is_this,
        browser: "Safari, iPhone".into(),
        address: "192.0.2.17".into(),
        since: Moment::of(NOW, t),
        seen: Moment::of(NOW, t),
        until: Moment::of(NOW, t),
    };
    DevicesPage { page, cards: vec![card(9, true), card(10, false)], notice }
}

fn operation_pages(language: Language, pages: &mut Pages) {
    let (val, alice) = (validator(language), requester(language));
    let shown = |visit: &Visit, view, fault| OperationPage::of(visit, CSRF, view, fault);
    let wrong = Texts::of_language(language).say_with("error.token", &[("left", "3")]);
    put(pages, "operation", &shown(&val, deletion(), Fault::default()));
    put(pages, "operation-wrong-token", &shown(&val, deletion(), Fault { error: Some(wrong), ..Fault::default() }));
    put(pages, "operation-hostile", &shown(&val, hostile(), Fault::default()));
    put(pages, "operation-masked", &shown(&val, masked(), Fault::default()));
    put(pages, "operation-upload", &shown(&val, upload(), Fault::default()));
    put(pages, "operation-denied", &shown(&val, ended(State::Denied, "Ask the customer first"), Fault::default()));
    let stale = Visit { now: Timestamp::from_secs(1_772_367_000), site: Some(site()), ..val.clone() };
    put(pages, "operation-prove-again", &shown(&stale, deletion(), Fault::default()));
    let own = View { may_cancel: true, ..may_do_nothing(MayNot::Requester) };
    let kin = View { quorum: 2, may_deny: Ok(()), ..may_do_nothing(MayNot::KinConfirmed) };
    let late = View { may_confirm: Err(MayNot::NoToken), ..deletion() };
    put(pages, "operation-kin", &shown(&val, kin, Fault::default()));
    put(pages, "operation-no-token", &shown(&val, late, Fault::default()));
    put(pages, "operation-own", &shown(&alice, own, Fault::default()));
    for (name, view) in [
        ("wait", View { may_cancel: true, ..deletion() }),
        ("wait-denied", ended(State::Denied, "Ask the customer first")),
        ("wait-unknown", ended(State::Unknown, "connection lost")),
    ] {
        put(pages, name, &WaitPage::of(&alice, CSRF, view));
    }
    put(pages, "operations", &lists(&val));
    let page = Page::new(&alice, Some(CSRF), "Delete customer 42".into());
    let what = Texts::of_language(language).say("answer.not-kept");
    put(pages, "answer-not-kept", &AnswerPage { page, status: 200, what });
}

fn lists(visit: &Visit) -> OperationsPage {
    let t = Texts::of_language(visit.language);
    let line = |view: View| Line::waiting(&view, t, NOW);
    OperationsPage {
        page: Page::new(visit, Some(CSRF), t.say("operations.title").to_owned()),
        is_validator: true,
        waiting: vec![line(deletion()), line(hostile())],
        own: vec![line(ended(State::Done, "")), line(ended(State::Expired, "expired"))],
        typed: String::new(),
        error: None,
    }
}

fn site() -> Arc<crate::policy::Site> {
    let site = r#"
        name = "crm"
        hosts = ["gate.example.org"]
        backends = ["http://127.0.0.1:1"]
        [[rule]]
        name = "everything"
        paths = ["/**"]
        access = "signed-in"
    "#;
    let sites = vec![("sites/crm.toml".into(), site.to_owned())];
    let (policy, _) = check(&load::Texts { sites, ..load::Texts::default() }).unwrap();
    Arc::clone(&policy.sites[0])
}

fn refusals(language: Language, pages: &mut Pages) {
    let anon = visit(language, Presented::Nothing);
    for refused in every_refusal() {
        let page = String::from_utf8(shown(&anon, &refused).into_body().to_vec()).unwrap();
        pages.insert(format!("refused-{}", refused.word()), page);
    }
}

/// One of each.
pub fn every_refusal() -> Vec<Refused> {
    let step_up = crate::policy::StepUp { factors: 2, fresh: None };
    vec![
        Refused::SignIn { return_to: "/".into() },
        Refused::StepUp { step_up, return_to: "/".into() },
        Refused::ProofTooOld { again: "/secure/login/confirm?need=sign-in&return_to=/".into() },
        Refused::NoSecondFactor,
        Refused::NotKept,
        Refused::SentAlready,
        Refused::NoAnswer,
        Refused::BadRequest("no Host"),
        Refused::Forbidden,
        Refused::ForeignForm,
        Refused::StaleForm,
        Refused::InsecureConnection,
        Refused::NotFound,
        Refused::MethodNotAllowed,
        Refused::Conflict,
        Refused::NotImplemented,
        Refused::Misdirected,
        Refused::PayloadTooLarge { limit: 1_048_576 },
        Refused::UnsupportedMediaType("the body is compressed, and a rule must look into it"),
        Refused::HeadersTooLarge,
        Refused::UriTooLong,
        Refused::Timeout,
        Refused::BadGateway,
        Refused::GatewayTimeout,
        Refused::TooManyRequests { retry_after: 60 },
        Refused::TooManyTries { retry_after: 600 },
        Refused::Unavailable { retry_after: 5 },
        Refused::Internal,
    ]
}

fn all(language: Language) -> Pages {
    let mut pages = Pages::new();
    sign_in_pages(language, &mut pages);
    account_pages(language, &mut pages);
    operation_pages(language, &mut pages);
    refusals(language, &mut pages);
    pages
}
