//! `--json`, on every command there is: the list of them is the program's own.

use std::process::Stdio;

use serde_json::{Deserializer, Value};
use vantail::account::totp::Enrolment;
use vantail::app::{Means, Tools};
use vantail::config::Config;
use vantail::secret::SystemRandom;

use crate::installation::{Installation, Serving};

/// What it writes on standard output is the log, one JSON object per line, until it is stopped.
const LOGS: &str = "serve";

/// Writes one object per event, because a trail may be longer than memory.
const WRITES_LINES: &str = "audit export";

/// What is typed after each command to make it say something, in this order. `OPERATION` is one that waits.
const TYPED: [(&str, &[&str]); 32] = [
    ("config check", &[]),
    ("config show", &[]),
    ("config schema", &["security"]),
    ("policy check", &[]),
    ("policy test", &[]),
    ("policy explain", &["--site", "gw", "--user", "root", "GET", "/app/x"]),
    ("user add", &["carol", "--email", "carol@gw.test", "--name", "Carol", "--phone", CAROLS, "--temporary"]),
    ("user import", &["people.csv"]),
    ("user list", &[]),
    ("user show", &["carol"]),
    ("user edit", &["carol", "--email", "carole@gw.test"]),
    ("user grant", &["carol", "auditor"]),
    ("user revoke", &["carol", "auditor"]),
    ("user disable", &["carol"]),
    ("user enable", &["carol"]),
    ("user reset-password", &["carol"]),
    ("user reset-second-factor", &["enrolled"]),
    ("user unlock", &["carol"]),
    ("session list", &[]),
    ("operation list", &[]),
    ("operation show", &["OPERATION"]),
    ("operation cancel", &["OPERATION"]),
    ("session end", &["--user", "root"]),
    ("audit list", &[]),
    ("audit verify", &[]),
    ("audit export", &[]),
    ("key list", &[]),
    ("key rotate", &[]),
    ("store migrate", &[]),
    ("store check", &[]),
    ("store backup", &["copy.db"]),
    ("hash-password", &[]),
];

/// A number that is sealed in the store, and that only `user show` may tell.
const CAROLS: &str = "+33639980014";

/// Goes on until it is stopped; what it says first is looked at.
const GOES_ON: (&str, &[&str]) = ("demo", &["--listen", "127.0.0.1:0", "--inbox", "127.0.0.1:0"]);

/// Everything that can be typed, `config check` and the like.
fn commands(of: &clap::Command, path: &str) -> Vec<String> {
    let below: Vec<_> = of.get_subcommands().filter(|command| command.get_name() != "help").collect();
    if below.is_empty() {
        return vec![path.to_owned()];
    }
    below.into_iter().flat_map(|command| commands(command, format!("{path} {}", command.get_name()).trim())).collect()
}

/// All values in what was printed, with nothing else between them.
fn values(command: &str, printed: &str) -> Vec<Value> {
    let values = Deserializer::from_str(printed).into_iter();
    values.map(|value| value.unwrap_or_else(|error| panic!("{command}: {error} in {printed}"))).collect()
}

/// A rule that holds, somebody to ask and somebody who could confirm, and somebody with a second factor.
async fn installation() -> Installation {
    let here = Installation::new();
    let site = std::fs::read_to_string(here.file("policies/sites/gw.toml")).unwrap();
    let hold =
        "[[rule]]\nname = \"held\"\nmethods = [\"POST\"]\npaths = [\"/delete\"]\naccess = \"signed-in\"\n[rule.hold]\n";
    here.write("policies/sites/gw.toml", &site.replacen("[[rule]]", &format!("{hold}[[rule]]"), 1));
    for (name, right, phone) in [
        ("root", "administrator", "+33639980011"),
        ("val", "token-validator", "+33639980012"),
        ("enrolled", "auditor", "+33639980013"),
    ] {
        let email = format!("{name}@gw.test");
        here.ok(&["user", "add", name, "--email", &email, "--name", name, "--right", right, "--phone", phone]);
    }
    here.write("people.csv", "name,email\ndora,dora@gw.test\n");
    enrol(&here).await;
    here
}

/// Gives `enrolled` a second factor, as if they had typed its first code.
async fn enrol(here: &Installation) {
    let config = Config::load(Some(&here.file("vantail.toml"))).unwrap();
    let means = Means::of(&config).unwrap();
    let tools = Tools::open(config, means).await.unwrap();
    let user = tools.accounts.find("enrolled").await.unwrap().user;
    let (id, now) = (uuid::Uuid::from_u128(7), tools.means.clock.now());
    let shown = Enrolment::generate(&tools.keyring, &SystemRandom, (id, user.id), &user.name, "gw", now);
    tools.store.put_second_factor(&shown.row).await.unwrap();
    assert!(tools.store.confirm_second_factor(id, 1, now, &[]).await.unwrap());
    tools.store.close().await;
}

/// Asks for something that is held; the operation's id. The gateway is gone then.
fn held(gateway: &Serving) -> String {
    let cookie = gateway.sign_in("root");
    let location = gateway.post("/delete", &cookie);
    location.split('/').nth(3).unwrap_or_else(|| panic!("not held: {location}")).to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_that_prints_data_prints_json_when_asked() {
    let here = installation().await;
    let operation = held(&here.serve());
    for (command, typed) in TYPED {
        let copy = here.file("copy.db").display().to_string();
        let typed = typed.iter().map(|word| match *word {
            "OPERATION" => operation.as_str(),
            "copy.db" => copy.as_str(),
            word => word,
        });
        let arguments: Vec<&str> = command.split(' ').chain(typed).chain(["--json"]).collect();
        let printed = here.ok(&arguments);
        assert!(command == "user show" || !printed.contains(CAROLS), "{command} tells a number: {printed}");
        let values = values(command, &printed);
        if command == WRITES_LINES {
            assert!(values.len() > 1 && values.iter().all(Value::is_object), "{values:?}");
        } else {
            assert_eq!(values.len(), 1, "{command}: {values:?}");
        }
    }
}

#[test]
fn the_demo_introduces_itself_in_json_when_asked() {
    let here = Installation::new();
    let (command, typed) = GOES_ON;
    // In a folder of the test's own: a demo that is killed cannot remove one.
    let folder = here.file("demo").display().to_string();
    let arguments: Vec<&str> =
        [command].into_iter().chain(typed.iter().copied()).chain(["--data", &folder, "--json"]).collect();
    let mut demo = here.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let told = Deserializer::from_reader(demo.stdout.take().unwrap()).into_iter::<Value>().next();
    demo.kill().unwrap();
    demo.wait().unwrap();
    let told = told.expect("it says something");
    let told = told.unwrap();
    assert!(told["gateway"].as_str().unwrap().starts_with("http://localhost:"), "{told}");
    assert!(told["accounts"].as_array().unwrap().iter().any(|account| account["name"] == "alice"), "{told}");
}

#[test]
fn no_command_is_forgotten() {
    let typed = TYPED.iter().map(|(command, _)| *command);
    let mut tried: Vec<String> = typed.chain([GOES_ON.0, LOGS]).map(str::to_owned).collect();
    let mut there = commands(&vantail::cli::definition(), "");
    tried.sort_unstable();
    there.sort_unstable();
    assert_eq!(tried, there, "each command is typed above, with --json");
}
