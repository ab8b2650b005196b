//! One's own second factor on a whole gateway: sessions that end within a second, mails that arrive.

use vantail::demo::inbox::{Channel, Message};

use crate::sessions::is_out_within_a_second;
use crate::support::answer::Answer;
use crate::world::{PASSWORD, World};

const CODES: &str = "/secure/account/recovery-codes";
const REMOVE: &str = "/secure/account/second-factor/remove";

fn codes_on(page: &Answer) -> Vec<String> {
    let text = page.text();
    text.split("<li><code>").skip(1).map(|line| line.split('<').next().unwrap().to_owned()).collect()
}

async fn mail(world: &World, to: &str, subject: &str) -> Message {
    let wanted = |mail: &Message| {
        mail.channel == Channel::Mail && mail.to.contains(to) && mail.subject.as_deref() == Some(subject)
    };
    world.inbox.wait_for(wanted).await.unwrap_or_else(|error| panic!("{error}"))
}

#[tokio::test]
async fn sess_3_a_change_of_factors_ends_the_other_sessions_within_a_second_and_is_told_by_mail() {
    let world = World::start().await;
    let (own, other) = (world.signed_in("alice").await, world.signed_in("alice").await);
    let before = own.client.twin();
    let code = world.next_code("alice");
    let shown = own.client.fill(CODES, CODES, &[("password", PASSWORD), ("code", &code)]).await;
    assert_eq!(shown.status, 200, "{}", shown.text());
    let codes = codes_on(&shown);
    assert_eq!(codes.len(), 8);
    is_out_within_a_second(&other.client, "recovery codes made").await;
    assert!(before.get("/app/x").await.asks_for_sign_in(), "the token before opens");
    assert_eq!(own.client.get("/app/x").await.status, 200);
    mail(&world, "alice@", "Your recovery codes were replaced").await;

    let again = world.person("alice");
    again.give_password(PASSWORD).await;
    let page = "/secure/login/second-factor";
    let done = again.client.fill(page, page, &[("recovery_code", &codes[0].to_lowercase())]).await;
    assert_eq!(done.status, 303, "{}", done.text());
    assert_eq!(again.client.get("/app/x").await.status, 200);
    let told = mail(&world, "alice@", "A recovery code of your account was used").await;
    assert!(told.text.contains("Recovery codes left: 7") && !told.text.contains(&codes[0]), "{}", told.text);

    let typed = [("password", PASSWORD), ("recovery_code", codes[1].as_str())];
    let done = own.client.fill(REMOVE, REMOVE, &typed).await;
    assert_eq!(done.status, 303, "{}", done.text());
    is_out_within_a_second(&again.client, "second factor switched off").await;
    mail(&world, "alice@", "Your second factor was switched off").await;
    let acts = world.acts().await;
    for act in ["second-factor.recovery-codes-renewed ok", "second-factor.switched-off ok"] {
        assert!(acts.iter().any(|own| own == act), "{act} is not in {acts:?}");
    }
}
