//! XML bodies: every refusal beside a near miss that passes.

use std::ops::ControlFlow;
use std::sync::Arc;

use http::HeaderMap;
use proptest::prelude::*;

use crate::{Contract, Document, Limits, Mode, Payload, RequestView};

const SHOP: &str = r"
openapi: 3.1.0
info: { title: Xml, version: '1' }
paths:
  /x:
    post:
      requestBody:
        content:
          application/xml: { schema: { $ref: '#/components/schemas/Order' } }
components:
  schemas:
    Order:
      type: object
      required: [id]
      properties:
        id: { type: integer, xml: { attribute: true } }
        note: { type: string, maxLength: 20 }
        paid: { type: boolean }
        tags: { type: array, maxItems: 2, items: { type: string } }
        lines: { type: array, items: { type: object, properties: { n: { type: integer } }, xml: { name: line } }, xml: { wrapped: true } }
        ship: { type: object, xml: { prefix: s, namespace: 'urn:ship' }, properties: { to: { type: string, xml: { prefix: s, namespace: 'urn:ship' } } } }
        sub: { $ref: '#/components/schemas/Order' }
";

fn contract() -> Arc<Contract> {
    let limits = Limits { depth_max: 6, string_bytes_max: 64, ..Limits::default() };
    let document = Document::parse(SHOP, "x", &limits).unwrap_or_else(|m| panic!("{m:#?}"));
    assert!(document.notes().is_empty(), "{:?}", document.notes());
    Arc::clone(&document.operations()[0].contract)
}

fn send(body: &str) -> Result<Payload, String> {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", "application/xml".parse().unwrap());
    let view = RequestView { path_parameters: &[], query: None, headers: &headers, has_body: true };
    let shown = |found: Vec<crate::Violation>| format!("{} {}", found[0].place, found[0].rule);
    let opened = contract().open(&view, Mode::Enforce).map_err(shown)?;
    opened.finish(body.to_owned().into()).map_err(shown)
}

#[test]
fn bodies_become_the_values_of_their_schema() {
    for body in [
        r#"<Order id="1"/>"#,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Order id='1'>\n <note>a &lt; b &#65;</note>\n</Order>\n",
        r#"<Order id="1"><paid> true </paid><tags>a</tags><note/><tags>b</tags></Order>"#,
        r#"<Order id="1"><lines><line><n>1</n></line><line/></lines></Order>"#,
        r#"<Order id="1"><note><![CDATA[<b>]]></note></Order>"#,
        r#"<Order id="1" xmlns:s="urn:ship"><s:ship><s:to>x</s:to></s:ship></Order>"#,
        r#"<Order id="1"><s:ship xmlns:s="urn:ship"/></Order>"#,
        r#"<Order id="1"><sub id="2"><sub id="3"/></sub></Order>"#,
    ] {
        let payload = send(body).unwrap_or_else(|found| panic!("{body}: {found}"));
        assert_eq!(payload.body(), body);
    }
    for (body, found) in [
        ("<Order/>", "body: schema"),
        (r#"<Order id="x"/>"#, "body: schema"),
        (r#"<Order id="1"><note>aaaaaaaaaaaaaaaaaaaaaaaaa</note></Order>"#, "body: schema"),
        (r#"<Order id="1"><tags/><tags/><tags/></Order>"#, "body: schema"),
        (r#"<order id="1"/>"#, "body: xml_root"),
        (r#"<Order><id>1</id></Order>"#, "body: undeclared"),
        (r#"<Order id="1" admin="1"/>"#, "body: undeclared"),
        (r#"<Order id="1"><admin>1</admin></Order>"#, "body: undeclared"),
        (r#"<Order id="1"><note>a</note><note>b</note></Order>"#, "body:/note repeated"),
        (r#"<Order id="1"><note x="1">a</note></Order>"#, "body:/note undeclared"),
        (r#"<Order id="1"><note><b/></note></Order>"#, "body:/note undeclared"),
        (r#"<Order id="1">text</Order>"#, "body: xml_text"),
        (r#"<Order id="1"><lines><row/></lines></Order>"#, "body:/lines undeclared"),
        (r#"<Order id="1"><line/></Order>"#, "body: undeclared"),
    ] {
        assert_eq!(send(body).unwrap_err(), found, "{body}");
    }
}

#[test]
fn namespaces_are_those_of_the_schema() {
    for (body, found) in [
        (r#"<Order id="1"><s:ship/></Order>"#, "body:/ship xml_namespace"),
        (r#"<Order id="1"><s:ship xmlns:s="urn:other"/></Order>"#, "body:/ship xml_namespace"),
        (r#"<Order id="1" xmlns="urn:ship"/>"#, "body: xml_namespace"),
        (r#"<Order id="1" xmlns:x="urn:ship"/>"#, "body: xml_namespace"),
        (r#"<Order id="1" xmlns:s="urn:ship"><ship/></Order>"#, "body: undeclared"),
        (r#"<s:Order xmlns:s="urn:ship" id="1"/>"#, "body: xml_root"),
        (
            r#"<Order id="1" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="a b"/>"#,
            "body: xml_namespace",
        ),
        (r#"<Order id="1" xsi:type="x"/>"#, "body: undeclared"),
        (r#"<Order id="1"><xi:include href="file:///etc/passwd"/></Order>"#, "body: undeclared"),
    ] {
        assert_eq!(send(body).unwrap_err(), found, "{body}");
    }
}

#[test]
fn what_parsers_do_beyond_reading_is_refused() {
    let deep = format!("{}{}", "<sub>".repeat(6), "</sub>".repeat(6));
    let many: String = (0..65).map(|n| format!(" a{n}='1'")).collect();
    for (body, rule) in [
        (r#"<!DOCTYPE Order><Order id="1"/>"#.to_owned(), "xml_doctype"),
        (
            r#"<!DOCTYPE o [<!ENTITY a "b">]><Order id="1"><note>&a;</note></Order>"#.to_owned(),
            "xml_doctype",
        ),
        (
            r#"<!DOCTYPE o SYSTEM "http://a.example/x.dtd"><Order id="1"/>"#.to_owned(),
            "xml_doctype",
        ),
        (r#"<Order id="1"><note>&a;</note></Order>"#.to_owned(), "xml_entity"),
        (r#"<Order id="&a;"/>"#.to_owned(), "xml_entity"),
        (r#"<?php x?><Order id="1"/>"#.to_owned(), "xml_instruction"),
        (r#"<Order id="1"><?x y?></Order>"#.to_owned(), "xml_instruction"),
        (r#"<Order id="1"/><?xml version="1.0"?>"#.to_owned(), "xml_instruction"),
        (r#"<?xml version="1.1"?><Order id="1"/>"#.to_owned(), "xml_declaration"),
        (r#"<?xml version="1.0" encoding="utf-16"?><Order id="1"/>"#.to_owned(), "charset"),
        (r#"<?xml version="1.0" standalone="no"?><Order id="1"/>"#.to_owned(), "xml_declaration"),
        (r#"<Order id="1"><note>a<!-- x -->b</note></Order>"#.to_owned(), "xml_comment"),
        (r#"<Order id="1"/><Order id="2"/>"#.to_owned(), "xml_syntax"),
        (r#"<Order id="1"/>x"#.to_owned(), "xml_syntax"),
        (r#"x<Order id="1"/>"#.to_owned(), "xml_syntax"),
        (r#"<Order id="1">"#.to_owned(), "xml_syntax"),
        (r#"<Order id="1"></order>"#.to_owned(), "xml_syntax"),
        (r#"<Order id="1" id="2"/>"#.to_owned(), "xml_syntax"),
        (r#"<Order id=1/>"#.to_owned(), "xml_syntax"),
        (r#"<Order id="1"paid="true"/>"#.to_owned(), "xml_syntax"),
        (r#"<Order id="<"/>"#.to_owned(), "xml_syntax"),
        (r#"<Order id="1"><note>a]]>b</note></Order>"#.to_owned(), "xml_syntax"),
        (r#"<Order id="1"><note>a & b</note></Order>"#.to_owned(), "xml_syntax"),
        (String::new(), "xml_syntax"),
        ("<Order id=\"1\"><note>\u{1}</note></Order>".to_owned(), "xml_character"),
        (r#"<Order id="1"><note>&#0;</note></Order>"#.to_owned(), "xml_character"),
        (format!(r#"<Order id="1">{deep}</Order>"#), "depth_max"),
        (format!(r#"<Order id="1"{many}/>"#), "attributes_max"),
        (format!(r#"<Order id="1"><note>{}</note></Order>"#, "a".repeat(65)), "string_bytes_max"),
    ] {
        let found = send(&body).unwrap_err();
        let other = rule == "xml_character" && found == "body: xml_syntax";
        assert!(found == format!("body: {rule}") || other, "{body}: {found}");
    }
    assert_eq!(send("\u{feff}<Order id=\"1\"/>").unwrap_err(), "body: byte_order_mark");
}

#[test]
fn every_text_is_handed_over() {
    let payload = send(r#"<Order id="1"><note>&lt;in-note&gt;</note><tags>in-tags</tags></Order>"#);
    let mut texts = Vec::new();
    payload.unwrap().each_text(&mut |text, _| {
        texts.push(text.to_owned());
        ControlFlow::Continue(())
    });
    assert_eq!(texts, ["<in-note>", "in-tags"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn any_text_ends_without_panic(
        text in "(<Order id=\"1\">|</Order>|<note>|</note>|<|>|&|;|<!\\[CDATA\\[|\\]\\]>|<!--|-->|xmlns|=\"|\\PC){0,16}",
    ) {
        for body in [text.clone(), format!("<Order id=\"1\"><note>{text}</note></Order>")] {
            if let Ok(payload) = send(&body) {
                prop_assert_eq!(payload.body(), &body);
            }
        }
    }
}
