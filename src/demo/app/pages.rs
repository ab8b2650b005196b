//! The application's pages.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

use super::customers::{Customer, Customers};
use super::visitor::{self, Visitor};

#[derive(Template)]
#[template(path = "front.html", config = "src/demo/askama.toml")]
struct Front {
    visitor: Visitor,
}

#[derive(Template)]
#[template(path = "staff.html", config = "src/demo/askama.toml")]
struct Staff {
    visitor: Visitor,
    customers: usize,
}

#[derive(Template)]
#[template(path = "orders.html", config = "src/demo/askama.toml")]
struct Orders {
    visitor: Visitor,
}

#[derive(Template)]
#[template(path = "admin.html", config = "src/demo/askama.toml")]
struct Admin {
    visitor: Visitor,
    customers: Vec<Customer>,
}

#[derive(Template)]
#[template(path = "deleted.html", config = "src/demo/askama.toml")]
struct Deleted {
    visitor: Visitor,
    customer: Customer,
    operation: Option<String>,
}

#[derive(Template)]
#[template(path = "headers.html", config = "src/demo/askama.toml")]
struct Headers {
    visitor: Visitor,
    received: Vec<(String, String)>,
    claims: Option<String>,
}

#[derive(Template)]
#[template(path = "echo.html", config = "src/demo/askama.toml")]
struct Echo {
    visitor: Visitor,
}

#[derive(Template)]
#[template(path = "missing.html", config = "src/demo/askama.toml")]
struct Missing {
    visitor: Visitor,
    /// What is not there.
    what: String,
}

pub(super) async fn front(headers: HeaderMap) -> Response {
    shown(&Front { visitor: Visitor::of(&headers) })
}

pub(super) async fn staff(State(customers): State<Arc<Customers>>, headers: HeaderMap) -> Response {
    shown(&Staff { visitor: Visitor::of(&headers), customers: customers.all().len() })
}

pub(super) async fn orders(headers: HeaderMap) -> Response {
    shown(&Orders { visitor: Visitor::of(&headers) })
}

pub(super) async fn admin(State(customers): State<Arc<Customers>>, headers: HeaderMap) -> Response {
    shown(&Admin { visitor: Visitor::of(&headers), customers: customers.all() })
}

/// Deletes at once, as old applications do. Its answer has relative links and a cookie of its own.
pub(super) async fn delete(
    State(customers): State<Arc<Customers>>,
    Path(id): Path<u32>,
    headers: HeaderMap,
) -> Response {
    let visitor = Visitor::of(&headers);
    let Some(customer) = customers.delete(id) else {
        return missing(visitor, format!("There is no customer {id}."));
    };
    let cookie = format!("legacy-last-deleted={id}; Path=/; HttpOnly; SameSite=Lax");
    let page = shown(&Deleted { visitor, customer, operation: visitor::operation(&headers) });
    ([(header::SET_COOKIE, cookie)], page).into_response()
}

/// Every header received, for people as a page and for programs as lines.
pub(super) async fn headers(headers: HeaderMap) -> Response {
    let text = |value: &axum::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let all: Vec<_> = headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
    if visitor::wants_page(&headers) {
        return shown(&Headers { visitor: Visitor::of(&headers), received: all, claims: visitor::claims(&headers) });
    }
    let lines: String = all.iter().flat_map(|(name, value)| [name, ": ", value, "\n"]).collect();
    lines.into_response()
}

pub(super) async fn echo(headers: HeaderMap) -> Response {
    shown(&Echo { visitor: Visitor::of(&headers) })
}

pub(super) async fn asset(Path(file): Path<String>) -> Response {
    let (kind, content) = match file.as_str() {
        "legacy.css" => ("text/css; charset=utf-8", include_str!("legacy.css")),
        "echo.js" => ("text/javascript; charset=utf-8", include_str!("echo.js")),
        "stamp.svg" => ("image/svg+xml", include_str!("stamp.svg")),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    ([(header::CONTENT_TYPE, kind)], content).into_response()
}

pub(super) async fn favicon() -> StatusCode {
    StatusCode::NO_CONTENT
}

pub(super) async fn not_found(headers: HeaderMap) -> Response {
    missing(Visitor::of(&headers), "This application has no such page.".to_owned())
}

fn missing(visitor: Visitor, what: String) -> Response {
    (StatusCode::NOT_FOUND, shown(&Missing { visitor, what })).into_response()
}

fn shown(page: &impl Template) -> Response {
    match page.render() {
        Ok(html) => Html(html).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
