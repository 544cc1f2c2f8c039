//! Does this request fit its OpenAPI contract, and is it free of attacks? It knows no connections,
//! no routes, no identities and no configuration format.
//!
//! ```
//! use validate::{Document, Limits, Mode, RequestView};
//!
//! let text = r#"
//! openapi: 3.1.0
//! info: { title: Orders, version: "1" }
//! paths:
//!   /orders:
//!     get:
//!       parameters: [ { name: page, in: query, schema: { type: integer } } ]
//!       responses: {}
//! "#;
//! let document = Document::parse(text, "orders.yaml", &Limits::default()).unwrap();
//! let contract = &document.operations()[0].contract;
//! let headers = http::HeaderMap::new();
//! let request = |query| RequestView {
//!     path_parameters: &[],
//!     query: Some(query),
//!     headers: &headers,
//!     has_body: false,
//! };
//! assert!(contract.open(&request("page=2"), Mode::Enforce).is_ok());
//! assert!(contract.open(&request("page=two"), Mode::Enforce).is_err());
//! assert!(contract.open(&request("debug=1"), Mode::Enforce).is_err());
//! ```

mod contract;
mod document;
mod filter;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod json;
mod limits;
mod schema;
mod violation;

pub use contract::{
    AnswerPlan, AnswerSchema, Codings, Contract, Handling, Mode, Opened, Payload, RequestView,
    Unbounded, Undeclared,
};
pub use document::{Document, Mistake, Operation, Requirement, Security};
pub use filter::{
    Action, Actions, Attack, Class, Clean, Cure, Excepted, Exception, Filter, FilterSettings, Rule,
    Severity, rule, rules,
};
pub use limits::Limits;
pub use violation::{ParameterIn, Place, Violation};
