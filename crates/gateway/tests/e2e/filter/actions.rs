//! What happens with what was found: observe, strip, exceptions, each in the answer, at the service, in the record and in
//! the metric.

use std::process::Command;

use super::*;

const SCRIPT: &str = "<script>alert(7)</script>";

fn note(text: &str) -> Request<Bytes> {
    with(Spot::Json, text)
}

/// What arrived of a body, as text.
fn body(arrived: Option<Arrived>) -> String {
    String::from_utf8(arrived.expect("something arrived").body).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn filter_observes_a_class() {
    let filtered = Filtered::new("{ classes: { xss: observe } }");
    let before = filtered.gateway.metric(&["sallyport_requests_observed_total"]);
    let (answer, arrived) = filtered.send(note(SCRIPT)).await;
    assert_eq!(answer.status, 200);
    assert!(body(arrived).contains(SCRIPT), "as it came");
    assert!(filtered.told(&answer).contains("filter.xss"));
    assert!(filtered.gateway.metric(&["sallyport_requests_observed_total"]) > before);
    // Another class is enforced.
    let (answer, arrived) = filtered.send(note("' or 1=1--")).await;
    assert!(answer.status == 403 && arrived.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn filter_strips_what_may_be_changed() {
    let filtered = Filtered::new("{ classes: { xss: strip } }");
    let before = filtered.gateway.metric(&["sallyport_requests_observed_total"]);
    let (answer, arrived) = filtered.send(note(SCRIPT)).await;
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    assert_eq!(body(arrived), r#"{"note":"scriptalert7script"}"#);
    assert!(filtered.told(&answer).contains("stripped.xss"));
    assert!(filtered.gateway.metric(&["sallyport_requests_observed_total"]) > before);
    let (answer, arrived) = filtered.send(with(Spot::Query, SCRIPT)).await;
    assert_eq!(answer.status, 200);
    assert_eq!(arrived.unwrap().line(), "GET /texts/a?note=scriptalert7script");
    let (answer, arrived) = filtered.send(with(Spot::Form, SCRIPT)).await;
    assert_eq!(answer.status, 200);
    assert_eq!(body(arrived), "note=scriptalert7script");

    // What the client signed is not changed, nor what has no part that could be taken out, nor another class.
    for field in [
        "content-digest",
        "repr-digest",
        "digest",
        "content-md5",
        "signature",
        "signature-input",
        "signature-key",
    ] {
        let mut signed = note(SCRIPT);
        signed.headers_mut().insert(field, "sig1=:AAAA:".parse().unwrap());
        let (answer, arrived) = filtered.send(signed).await;
        assert!(answer.status == 403 && arrived.is_none(), "{field}: {}", answer.status);
    }
    let mut unsigned = note(SCRIPT);
    unsigned.headers_mut().insert("x-signature", "sig1=:AAAA:".parse().unwrap());
    assert_eq!(filtered.send(unsigned).await.0.status, 200, "no field of a signature");
    for request in [with(Spot::Header, SCRIPT), with(Spot::Part, SCRIPT), note("' or 1=1--")] {
        let (answer, arrived) = filtered.send(request).await;
        assert!(answer.status == 403 && arrived.is_none(), "{}", answer.status);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn filter_exceptions_let_pass_and_are_counted() {
    let filtered = Filtered::new(
        "{ exceptions: [{ operations: [notes], fields: ['body:/note'], rules: [xss] }] }",
    );
    let (answer, arrived) = filtered.send(note("<b onclick=alert(7)>")).await;
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    assert!(arrived.is_some());
    assert!(filtered.told(&answer).contains("excepted.xss"));
    let used = |id: &str| {
        filtered.gateway.metric(&["sallyport_filter_exceptions_used_total", "api=\"Texts\"", id])
    };
    // Once for each rule that found something.
    let first = used(r#"exception="apis[0].filter.exceptions[0]""#);
    assert!(first >= 1.0, "{first}");
    assert_eq!(used(r#"exception="notes/x-filter[0]""#), 0.0);
    // Of the document: commands in `code`, and nowhere else.
    let code = |name: &str| {
        let body = serde_json::json!({ name: "ls; id" }).to_string();
        request("/notes", "application/json", body)
    };
    let (answer, _) = filtered.send(code("code")).await;
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    assert!(filtered.told(&answer).contains("excepted.command"));
    assert!(used(r#"exception="notes/x-filter[0]""#) >= 1.0);
    assert_eq!(used(r#"exception="apis[0].filter.exceptions[0]""#), first);
    for request in [code("note"), with(Spot::Query, "<b onclick=alert(7)>"), note("' or 1=1--")] {
        let (answer, arrived) = filtered.send(request).await;
        assert!(answer.status == 403 && arrived.is_none(), "{}", answer.status);
    }
    // Each is told at the start and by `check`.
    let mut check = Command::new(env!("CARGO_BIN_EXE_gateway"));
    let check = check.arg("check").arg(filtered.site.path("gateway.yaml")).output().unwrap();
    let told = String::from_utf8_lossy(&check.stdout).into_owned()
        + &String::from_utf8_lossy(&check.stderr);
    assert!(told.contains("the filter lets xss pass in body:/note"), "{told}");
}
