//! Scopes, then the access list; with an anonymous caller, the only one that can be made here. Callers with tokens
//! are held against access in the pipeline's own test.

use super::{Access, Rule};
use crate::refusal::Refusal;
use authn::{Demand, identify};

async fn anonymous() -> authn::Principal {
    let headers = http::HeaderMap::new();
    identify(&Demand::Anonymous, &headers, crate::clock::now()).await.unwrap()
}

#[tokio::test]
async fn an_anonymous_caller_passes_only_where_both_files_say_so() {
    let caller = anonymous().await;
    let address = "192.0.2.1".parse().unwrap();
    let scopes = vec![vec!["read:orders".to_owned()]];
    let closed = Access::new(scopes.clone(), false, Vec::new());
    let refused = closed.authorize(&caller, address).unwrap_err();
    assert!(matches!(refused, Refusal::ScopeMissing(wanted) if &*wanted == "read:orders"));
    assert!(Access::new(scopes, true, Vec::new()).authorize(&caller, address).is_ok());
}

#[tokio::test]
async fn the_access_list_holds_networks_and_clients() {
    let caller = anonymous().await;
    let inside = Rule { networks: vec!["192.0.2.0/24".parse().unwrap()], ..Rule::default() };
    let access = Access::new(Vec::new(), true, vec![inside.clone()]);
    assert!(access.authorize(&caller, "192.0.2.9".parse().unwrap()).is_ok());
    let outside = access.authorize(&caller, "198.51.100.9".parse().unwrap());
    assert!(matches!(outside, Err(Refusal::AccessDenied)));
    let named = Rule { clients: vec!["backoffice".to_owned()], ..inside };
    let access = Access::new(Vec::new(), true, vec![named]);
    let nobody = access.authorize(&caller, "192.0.2.9".parse().unwrap());
    assert!(matches!(nobody, Err(Refusal::AccessDenied)));
}
