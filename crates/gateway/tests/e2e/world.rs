//! The usual place of a test that needs no provider: a site with an issuer of its own and nginx behind it.

use serde_json::Value;

use crate::issuer::Issuer;
use crate::parts::authority::Usage;
use crate::parts::nginx::{self, Nginx};
use crate::site::{FILE_SINK, Site, WIDE_LIMITS};

/// A site, who issues its tokens, and its service.
pub(crate) struct World {
    pub(crate) site: Site,
    pub(crate) issuer: Issuer,
    pub(crate) service: Nginx,
}

/// A configured world; `rest` ends the configuration.
pub(crate) fn world(rest: &str) -> World {
    let site = Site::new();
    let issuer = Issuer::new(&site);
    let service = service(&site, &[]);
    site.configure(&Issuer::configuration(), service.address(), rest);
    World { site, issuer, service }
}

/// nginx as the orders service of a site; it logs these request fields.
pub(crate) fn service(site: &Site, fields: &[&str]) -> Nginx {
    let server = site.authority.issue("orders", &["orders.internal"], &[], Usage::Server);
    Nginx::start(&nginx::Settings {
        server: &server,
        client_ca_pem: &site.authority.ca_pem(),
        answer: r#"{"orders":[]}"#,
        fields,
    })
}

/// Wide limits and a file sink.
pub(crate) fn usual() -> String {
    format!("{WIDE_LIMITS}{FILE_SINK}")
}

impl World {
    /// A good token.
    pub(crate) fn token(&self) -> String {
        self.issuer.token("shop", "read:orders write:orders")
    }
}

/// `stage.reason` of an event.
pub(crate) fn reason(event: &Value) -> String {
    event["status_detail"].as_str().unwrap_or_default().to_owned()
}
