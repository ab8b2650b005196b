//! What programs are told.

use http::StatusCode;
use vantail::operation::State;

use crate::gate::Gate;

#[tokio::test]
async fn a_program_asks_for_the_state_and_takes_the_answer() {
    let gate = Gate::new().await;
    let alice = gate.signed_in("alice").await;
    let mut val = gate.signed_in("val").await;
    let id = gate.held_by(&alice).await;
    let mut program = alice.program();
    let status = format!("/secure/api/operations/{id}");
    let waiting = program.opens(&status).await;
    assert_eq!((waiting.status, waiting.header("retry-after")), (StatusCode::OK, "2"));
    let told = waiting.json();
    assert_eq!(told["operation"], id.as_str());
    assert_eq!(
        (&told["title"], &told["state"], &told["reason"]),
        (&"Delete customer 42".into(), &"waiting".into(), &serde_json::Value::Null)
    );
    assert_eq!(told["status_url"], format!("https://gw.test{status}"));
    assert_eq!(told["answer_url"], format!("https://gw.test/secure/operations/{id}/answer"));
    let answer = format!("/secure/operations/{id}/answer");
    assert_eq!(program.opens(&answer).await.status, StatusCode::ACCEPTED);
    let token = gate.token(&id, "val").await;
    val.fills(&format!("/secure/operations/{id}"), &format!("/secure/operations/{id}/confirm"), &[("token", &token)])
        .await;
    assert_eq!(gate.ended(&id, &alice).await, State::Done);
    let done = program.opens(&status).await;
    assert_eq!((done.json()["state"].as_str(), done.header("retry-after")), (Some("done"), ""));
    let answer = program.opens(&answer).await;
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, "<h1>Customer 42 is gone</h1>"));
    assert_eq!((answer.header("content-type"), answer.header("set-cookie")), ("text/html", "app=1; Path=/"));
    assert_eq!(answer.headers.get("content-security-policy"), None, "the backend's answer was changed");
}

#[tokio::test]
async fn a_denied_operation_has_no_answer_and_says_why() {
    let gate = Gate::new().await;
    let alice = gate.signed_in("alice").await;
    let mut val = gate.signed_in("val").await;
    let id = gate.held_by(&alice).await;
    val.fills(&format!("/secure/operations/{id}"), &format!("/secure/operations/{id}/deny"), &[("reason", "Not now")])
        .await;
    let answer = alice.program().opens(&format!("/secure/operations/{id}/answer")).await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert_eq!((&answer.json()["state"], &answer.json()["reason"]), (&"denied".into(), &"Not now".into()));
}

#[tokio::test]
async fn a_program_that_is_refused_gets_a_problem_document() {
    let gate = Gate::new().await;
    let mut program = gate.stranger().program();
    let refused = program.opens("/secure/api/operations/48271935").await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    assert_eq!(refused.header("content-type"), "application/problem+json");
    assert!(refused.header("www-authenticate").starts_with("Session"));
    let problem = refused.json();
    assert_eq!((&problem["type"], &problem["status"]), (&"urn:vantail:problem:sign-in".into(), &401.into()));
    assert_eq!(problem["request_id"], "request-7");
    assert!(problem["sign_in_url"].as_str().unwrap().starts_with("https://gw.test/secure/login?return_to="));
    let nothing = program.opens("/secure/api/nothing").await;
    assert_eq!(
        (nothing.status, &nothing.json()["type"]),
        (StatusCode::NOT_FOUND, &"urn:vantail:problem:not-found".into())
    );
}

#[tokio::test]
async fn the_published_keys_are_public_keys() {
    let gate = Gate::new().await;
    let keys = gate.stranger().opens("/secure/jwks.json").await;
    assert_eq!(keys.header("content-type"), "application/jwk-set+json");
    let keys = keys.json();
    let key = &keys["keys"][0];
    assert_eq!((&key["kty"], &key["crv"], key.get("d")), (&"EC".into(), &"P-256".into(), None));
}

#[tokio::test]
async fn the_description_names_addresses_that_exist_and_all_of_them() {
    let gate = Gate::new().await;
    let mut program = gate.stranger().program();
    let description = program.opens("/secure/api/openapi.json").await.json();
    let paths = description["paths"].as_object().unwrap();
    for path in paths.keys() {
        let answer = program.opens(&path.replace("{id}", "48271935")).await;
        assert_ne!(answer.status, StatusCode::NOT_FOUND, "{path} is described and does not exist");
    }
    let routes = include_str!("../../src/portal/mod.rs");
    let api = routes.split(".route(\"").skip(1).filter_map(|rest| rest.split('"').next());
    for route in api.filter(|route| route.starts_with("/secure/api/")) {
        assert!(paths.contains_key(route), "{route} exists and is not described");
    }
}
