//! The application's JSON interface.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::customers::{Customer, Customers};

pub(super) async fn list(State(customers): State<Arc<Customers>>) -> Json<Vec<Customer>> {
    Json(customers.all())
}

pub(super) async fn show(State(customers): State<Arc<Customers>>, Path(id): Path<u32>) -> Response {
    customers.get(id).map_or_else(|| missing(id), |customer| Json(customer).into_response())
}

pub(super) async fn delete(State(customers): State<Arc<Customers>>, Path(id): Path<u32>) -> Response {
    customers.delete(id).map_or_else(|| missing(id), |customer| Json(json!({ "deleted": customer })).into_response())
}

fn missing(id: u32) -> Response {
    (StatusCode::NOT_FOUND, Json(json!({ "error": format!("there is no customer {id}") }))).into_response()
}
