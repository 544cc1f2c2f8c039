//! The order book: a bounded map in memory, each order visible to its own tenant only. It knows
//! neither connections nor assertions.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::super::listener;

/// Orders in the book; a further one is refused.
const ORDERS_MAX: usize = 1_000;
/// Orders in one answer, if the caller asks for no other number.
const PAGE_DEFAULT: usize = 20;
/// Most orders in one answer.
const PAGE_MAX: usize = 100;

/// Why an operation did not succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BookError {
    /// No such order of this tenant.
    Unknown,
    /// The body is not an order.
    Malformed,
    /// The book is full.
    Full,
}

impl BookError {
    /// The status that says so.
    pub(super) fn status(self) -> StatusCode {
        match self {
            Self::Unknown => StatusCode::NOT_FOUND,
            Self::Malformed => StatusCode::BAD_REQUEST,
            Self::Full => StatusCode::INSUFFICIENT_STORAGE,
        }
    }

    /// A word for the answer.
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::Unknown => "order_unknown",
            Self::Malformed => "order_malformed",
            Self::Full => "book_full",
        }
    }
}

/// What a caller may say of a new order.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewOrder {
    item: String,
    quantity: u32,
    #[serde(default)]
    note: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
struct Order {
    id: String,
    status: &'static str,
    item: String,
    quantity: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    placed_by: String,
    #[serde(skip)]
    tenant: String,
}

/// All orders; the ids (UUID v7) sort by age.
#[derive(Debug, Default)]
pub(super) struct Book(BTreeMap<Uuid, Order>);

impl Book {
    /// The tenant's orders, oldest first, as the query's `status` and `limit` ask for.
    pub(super) fn list(&self, tenant: &str, query: Option<&str>) -> Response<Bytes> {
        let parameter = |wanted: &str| {
            let pairs = query.unwrap_or_default().split('&');
            pairs.filter_map(|pair| pair.split_once('=')).find(|(name, _)| *name == wanted)
        };
        let status = parameter("status").map(|(_, value)| value);
        let limit = parameter("limit").and_then(|(_, value)| value.parse().ok());
        let orders: Vec<&Order> = self
            .0
            .values()
            .filter(|order| order.tenant == tenant)
            .filter(|order| status.is_none_or(|status| order.status == status))
            .take(limit.unwrap_or(PAGE_DEFAULT).min(PAGE_MAX))
            .collect();
        listener::json(StatusCode::OK, &json!({ "orders": orders }))
    }

    /// Adds an order.
    pub(super) fn place(
        &mut self,
        tenant: &str,
        client: &str,
        body: &[u8],
    ) -> Result<Response<Bytes>, BookError> {
        let new: NewOrder = serde_json::from_slice(body).map_err(|_| BookError::Malformed)?;
        if self.0.len() >= ORDERS_MAX {
            return Err(BookError::Full);
        }
        let id = Uuid::now_v7();
        let order = Order {
            id: id.to_string(),
            status: "open",
            item: new.item,
            quantity: new.quantity,
            note: new.note,
            placed_by: client.to_owned(),
            tenant: tenant.to_owned(),
        };
        let mut answer = listener::json(StatusCode::CREATED, &json!(order));
        if let Ok(location) = HeaderValue::from_str(&format!("/orders/{id}")) {
            answer.headers_mut().insert(header::LOCATION, location);
        }
        self.0.insert(id, order);
        Ok(answer)
    }

    /// One order.
    pub(super) fn find(&self, tenant: &str, id: &str) -> Result<Response<Bytes>, BookError> {
        self.own(tenant, id).map(|order| listener::json(StatusCode::OK, &json!(order)))
    }

    /// Removes an order.
    pub(super) fn cancel(&mut self, tenant: &str, id: &str) -> Result<Response<Bytes>, BookError> {
        let key = key(id)?;
        self.own(tenant, id)?;
        self.0.remove(&key);
        let mut answer = Response::new(Bytes::new());
        *answer.status_mut() = StatusCode::NO_CONTENT;
        Ok(answer)
    }

    /// The order with this id, if it is this tenant's; another's is as unknown as none.
    fn own(&self, tenant: &str, id: &str) -> Result<&Order, BookError> {
        self.0.get(&key(id)?).filter(|order| order.tenant == tenant).ok_or(BookError::Unknown)
    }
}

fn key(id: &str) -> Result<Uuid, BookError> {
    Uuid::parse_str(id).map_err(|_| BookError::Unknown)
}

#[cfg(test)]
mod tests;
