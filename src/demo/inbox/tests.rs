use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufStream};
use tokio::net::TcpStream;

use super::*;

const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);
const SHORT: Duration = Duration::from_millis(200);

async fn inbox() -> Inbox {
    Inbox::start(ANY, ANY).await.unwrap()
}

fn client() -> reqwest::Client {
    // Another test of this process may have installed it first; either way it is there.
    let _installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
    reqwest::Client::new()
}

async fn send_sms(inbox: &Inbox, to: &str, text: &str) -> reqwest::Result<reqwest::StatusCode> {
    let body = serde_json::json!({ "to": to, "text": text });
    let request = client().post(format!("http://{}/send", inbox.http_addr())).json(&body).timeout(SHORT * 5);
    Ok(request.send().await?.status())
}

async fn send_mail(inbox: &Inbox, to: &str, text: &str) -> Result<(), lettre::transport::smtp::Error> {
    let mail = lettre::Message::builder()
        .from("Gate <gate@example.org>".parse().unwrap())
        .to(to.parse().unwrap())
        .subject("Opération refusée")
        .body(text.to_owned())
        .unwrap();
    let address = inbox.smtp_addr();
    let sender = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(address.ip().to_string())
        .port(address.port())
        .timeout(Some(SHORT * 5))
        .build();
    sender.send(mail).await.map(drop)
}

/// Says `lines` one after the other and gives the last line of each answer.
async fn converse(inbox: &Inbox, lines: &[&str]) -> Vec<String> {
    let mut stream = BufStream::new(TcpStream::connect(inbox.smtp_addr()).await.unwrap());
    let mut answers = vec![answer(&mut stream).await];
    for line in lines {
        stream.write_all(line.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        answers.push(answer(&mut stream).await);
    }
    answers
}

async fn answer(stream: &mut BufStream<TcpStream>) -> String {
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.unwrap();
        if line.as_bytes().get(3) != Some(&b'-') {
            return line.trim_end().to_owned();
        }
    }
}

#[tokio::test]
async fn an_sms_arrives() {
    let inbox = inbox().await;
    assert_eq!(send_sms(&inbox, "+33639980001", "Token: K7QF-2M9X").await.unwrap(), 202);
    let message = inbox.wait_for(|message| message.to == "+33639980001").await.unwrap();
    assert_eq!((message.channel, message.text.as_str()), (Channel::Sms, "Token: K7QF-2M9X"));
}

#[tokio::test]
async fn a_mail_arrives_as_a_person_would_read_it() {
    let inbox = inbox().await;
    send_mail(&inbox, "alice@example.org", "Bob a refusé.\n.\n..fin").await.unwrap();
    let message = inbox.wait_for(|message| message.channel == Channel::Mail).await.unwrap();
    assert_eq!(message.subject.as_deref(), Some("Opération refusée"));
    assert_eq!(message.text.trim_end(), "Bob a refusé.\n.\n..fin");
    assert_eq!(message.to, "alice@example.org");
}

#[tokio::test]
async fn every_recipient_of_a_mail_gets_it() {
    let inbox = inbox().await;
    let mail = "Subject: both\r\n\r\n..stuffed\r\n.\r\n";
    let lines =
        ["EHLO test\r\n", "MAIL FROM:<>\r\n", "RCPT TO:<a@b>\r\n", "RCPT TO:<c@d>\r\n", "DATA\r\n", mail, "QUIT\r\n"];
    let answers = converse(&inbox, &lines).await;
    let codes: Vec<_> = answers.iter().map(|answer| &answer[..3]).collect();
    assert_eq!(codes, ["220", "250", "250", "250", "250", "354", "250", "221"]);
    let messages = inbox.messages();
    let got: Vec<_> = messages.iter().map(|message| (message.to.as_str(), message.text.trim_end())).collect();
    assert_eq!(got, [("a@b", ".stuffed"), ("c@d", ".stuffed")]);
}

#[tokio::test]
async fn commands_out_of_order_and_unknown_ones_are_refused() {
    let inbox = inbox().await;
    let lines =
        ["RCPT TO:<a@b>\r\n", "DATA\r\n", "STARTTLS\r\n", "MAIL FROM:a@b\r\n", "MAIL FROM:<a@b> SIZE=99999999\r\n"];
    let answers = converse(&inbox, &lines).await;
    let codes: Vec<_> = answers.iter().map(|answer| &answer[..3]).collect();
    assert_eq!(codes, ["220", "503", "503", "502", "501", "552"]);
    assert_eq!(inbox.messages(), []);
}

#[tokio::test]
async fn a_line_feed_alone_does_not_end_a_mail() {
    let inbox = inbox().await;
    let smuggled = "Subject: one\r\n\r\nbody\n.\nMAIL FROM:<x@y>\r\n.\r\n";
    converse(&inbox, &["MAIL FROM:<a@b>\r\n", "RCPT TO:<c@d>\r\n", "DATA\r\n", smuggled]).await;
    let messages = inbox.messages();
    assert_eq!(messages.len(), 1);
    assert!(messages[0].text.contains("MAIL FROM"), "{}", messages[0].text);
}

#[tokio::test]
async fn receivers_fail_and_hang_as_they_are_told() {
    let inbox = inbox().await;
    inbox.behave(Channel::Sms, Conduct::Fail);
    inbox.behave(Channel::Mail, Conduct::Fail);
    assert_eq!(send_sms(&inbox, "1", "lost").await.unwrap(), 500);
    assert!(send_mail(&inbox, "alice@example.org", "lost").await.unwrap_err().is_transient());
    inbox.behave(Channel::Sms, Conduct::Hang);
    assert!(send_sms(&inbox, "1", "lost").await.unwrap_err().is_timeout());
    assert_eq!(inbox.messages(), []);
    inbox.behave(Channel::Sms, Conduct::AcceptSilently);
    assert!(send_sms(&inbox, "1", "kept").await.unwrap_err().is_timeout());
    inbox.behave(Channel::Sms, Conduct::Slow(SHORT));
    assert_eq!(send_sms(&inbox, "1", "late").await.unwrap(), 202);
    let texts: Vec<_> = inbox.messages().into_iter().map(|message| message.text).collect();
    assert_eq!((texts.as_slice(), inbox.offered(Channel::Sms)), (["kept".into(), "late".into()].as_slice(), 4));
}

#[tokio::test]
async fn what_does_not_arrive_is_told_with_what_did() {
    let inbox = inbox().await;
    send_sms(&inbox, "1", "another").await.unwrap();
    let error = inbox.wait_for_within(SHORT, |message| message.text == "this").await.unwrap_err();
    assert!(error.to_string().contains("another"), "{error}");
}

#[tokio::test]
async fn the_page_shows_names_codes_and_links_newest_first() {
    let inbox = inbox().await;
    inbox.introduce("bob", &["+33639980002"]);
    inbox.show_authenticator("bob", b"12345678901234567890");
    send_sms(&inbox, "+33639980002", "first <b>").await.unwrap();
    send_sms(&inbox, "+33639980002", "second http://localhost:8080/secure/operations/1").await.unwrap();
    let base = format!("http://{}", inbox.http_addr());
    let page = client().get(&base).send().await.unwrap().text().await.unwrap();
    assert!(page.contains(r#"<meta http-equiv="refresh""#));
    assert!(page.contains(r#"<a href="http://localhost:8080/secure/operations/1">"#));
    assert!(page.find("second").unwrap() < page.find("first &#60;b&#62;").unwrap());
    assert!(page.contains("<output>"));
    let still = client().get(format!("{base}/?refresh=off")).send().await.unwrap().text().await.unwrap();
    assert!(!still.contains("http-equiv"));
    let list: serde_json::Value =
        client().get(format!("{base}/messages.json")).send().await.unwrap().json().await.unwrap();
    assert_eq!((list[0]["channel"].as_str(), list[1]["text"].as_str()), (Some("sms"), Some("first <b>")));
}
