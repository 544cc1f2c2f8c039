//! The target of a request: whatever the head, an accepted target is canonical and reads the same when it is read again.

use edge::{Limits, Target};
use http::Request;
use http::request::Parts;

/// The bytes are a head: a line `METHOD TARGET`, then lines `name: value`.
pub fn edge_target(data: &[u8]) {
    let Some(head) = head(data) else { return };
    let limits = Limits::default();
    let Ok(target) = Target::parse(&head, None, &limits) else { return };

    let path = target.path();
    assert!(path.starts_with('/'), "path {path:?}");
    assert!(path.bytes().all(|byte| byte.is_ascii_graphic()), "path {path:?}");
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    let inner = segments.split_last().map_or(&[][..], |(_, inner)| inner);
    assert!(inner.iter().all(|segment| !segment.is_empty()), "path {path:?}");
    assert!(!segments.iter().any(|segment| matches!(*segment, "." | "..")), "path {path:?}");
    let lower = path.to_ascii_lowercase();
    for dangerous in ["%2f", "%5c", "%2e", "%00", "\\"] {
        assert!(!lower.contains(dangerous), "path {path:?}");
    }
    assert_eq!(target.host(), target.host().to_ascii_lowercase());
    if let Some(query) = target.query() {
        assert!(query.bytes().all(|byte| byte.is_ascii_graphic()), "query {query:?}");
    }

    // A service behind the gateway reads what the gateway read.
    let query = target.query().map(|query| format!("?{query}")).unwrap_or_default();
    let again = Request::get(format!("{path}{query}")).header("host", target.host()).body(());
    let (again, ()) = again.expect("a canonical target is a URI").into_parts();
    assert_eq!(Target::parse(&again, None, &limits).as_ref(), Ok(&target));
    assert!(
        Target::parse(&head, Some("elsewhere.invalid"), &limits).is_err()
            || target.host() == "elsewhere.invalid"
    );
}

fn head(data: &[u8]) -> Option<Parts> {
    let mut lines = data.split(|byte| *byte == b'\n');
    let first = lines.next()?;
    let space = first.iter().position(|byte| *byte == b' ')?;
    let (method, target) = first.split_at(space);
    let mut request = Request::builder().method(method).uri(&target[1..]);
    for line in lines {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) = line.split_at(colon);
        request = request.header(name, value[1..].trim_ascii());
    }
    Some(request.body(()).ok()?.into_parts().0)
}
