//! The table of styles of OpenAPI 3.1, 4.8.12.3, and what is near each of its rows.

use proptest::prelude::*;

use super::*;
use crate::limits::Limits;

const TEXT: Types =
    Types { string: true, number: false, boolean: false, array: false, object: false };

fn wire(style: Style, explode: bool, shape: Shape) -> Wire {
    Wire { style, explode, shape }
}

fn one() -> Shape {
    Shape::One(TEXT)
}

fn list() -> Shape {
    Shape::List(TEXT)
}

fn object() -> Shape {
    let text = Member { types: TEXT, items: TEXT };
    let names = ["R", "G", "B"].map(|name| (name.to_owned(), text));
    Shape::Object(Members::of_names(names))
}

/// The value as text: `a`, `[a,b]`, `{R=100}`, or the broken rule.
fn shown(read: Result<Read, Rule>) -> String {
    match read {
        Ok(Read::One(text)) => text,
        Ok(Read::List(texts)) => format!("[{}]", texts.join(",")),
        Ok(Read::Object(members)) => {
            let members: Vec<String> = members.iter().map(|(n, v)| format!("{n}={v}")).collect();
            format!("{{{}}}", members.join(","))
        }
        Err(rule) => format!("! {rule}"),
    }
}

fn decode(raw: &str) -> Result<String, Rule> {
    query::decoded(raw, &Limits::default())
}

fn text(wire: &Wire, raw: &str) -> String {
    shown(wire.read("color", raw, &decode))
}

fn pairs(wire: &Wire, raw: &str) -> String {
    let limits = Limits::default();
    let pairs = query::pairs(raw, &limits).unwrap();
    let own: Vec<&Pair<'_>> = pairs.iter().filter(|pair| wire.owns("color", &pair.name)).collect();
    wire.read_pairs("color", &own, &limits).map_or_else(|| "-".to_owned(), shown)
}

#[test]
fn one_text_is_read_by_its_style() {
    use Style::{Label, Matrix, Simple};
    let rgb = "{R=100,G=200}";
    for (style, explode, shape, raw, value) in [
        (Simple, false, one(), "blue", "blue"),
        (Simple, false, one(), "a,b", "a,b"),
        (Simple, false, list(), "blue,black", "[blue,black]"),
        (Simple, true, list(), "blue,black", "[blue,black]"),
        (Simple, false, list(), "a%2Cb,c", "[a,b,c]"),
        (Simple, false, object(), "R,100,G,200", rgb),
        (Simple, false, object(), "R,100,G", "! style"),
        (Simple, true, object(), "R=100,G=200", rgb),
        (Simple, true, object(), "R=100,G", "! style"),
        (Simple, false, one(), "%zz", "! percent_encoding"),
        (Label, false, one(), ".blue", "blue"),
        (Label, false, one(), "blue", "! style"),
        (Label, false, list(), ".blue,black", "[blue,black]"),
        (Label, true, list(), ".blue.black", "[blue,black]"),
        (Label, false, object(), ".R,100,G,200", rgb),
        (Label, true, object(), ".R=100.G=200", rgb),
        (Matrix, false, one(), ";color=blue", "blue"),
        (Matrix, false, one(), ";color", ""),
        (Matrix, false, one(), "color=blue", "! style"),
        (Matrix, false, one(), ";colour=blue", "! style"),
        (Matrix, false, one(), ";color=blue;color=red", "! style"),
        (Matrix, false, list(), ";color=blue,black", "[blue,black]"),
        (Matrix, true, list(), ";color=blue;color=black", "[blue,black]"),
        (Matrix, true, list(), ";color=blue;size=1", "! style"),
        (Matrix, false, object(), ";color=R,100,G,200", rgb),
        (Matrix, true, object(), ";R=100;G=200", rgb),
    ] {
        assert_eq!(text(&wire(style, explode, shape), raw), value, "{style:?} {explode} {raw}");
    }
}

#[test]
fn pairs_are_read_by_their_style() {
    use Style::{DeepObject, Form, PipeDelimited, SpaceDelimited};
    let rgb = "{R=100,G=200}";
    for (style, explode, shape, raw, value) in [
        (Form, true, one(), "color=blue", "blue"),
        (Form, true, one(), "color=a+b", "a b"),
        (Form, true, one(), "size=1", "-"),
        (Form, true, one(), "color=a&color=b", "! repeated"),
        (Form, true, list(), "color=blue&color=black", "[blue,black]"),
        (Form, false, list(), "color=blue,black", "[blue,black]"),
        (Form, false, list(), "color=a%2Cb", "[a,b]"),
        (Form, false, list(), "color=a&color=b", "! repeated"),
        (Form, false, object(), "color=R,100,G,200", rgb),
        (Form, true, object(), "R=100&G=200&size=1", rgb),
        (SpaceDelimited, false, list(), "color=blue%20black+red", "[blue,black,red]"),
        (SpaceDelimited, true, list(), "color=blue&color=black", "[blue,black]"),
        (SpaceDelimited, false, object(), "color=R%20100%20G%20200", rgb),
        (PipeDelimited, false, list(), "color=blue|black%7Cred", "[blue,black,red]"),
        (PipeDelimited, false, list(), "color=a,b", "[a,b]"),
        (PipeDelimited, false, object(), "color=R|100|G|200", rgb),
        (DeepObject, true, object(), "color[R]=100&color%5BG%5D=200", rgb),
        (DeepObject, true, object(), "color[R][x]=100", "-"),
        (DeepObject, true, object(), "color=100", "-"),
    ] {
        assert_eq!(pairs(&wire(style, explode, shape), raw), value, "{style:?} {explode} {raw}");
    }
}

/// `[a,b]` stands for one item with a comma as well: told apart by their number.
#[test]
fn an_encoded_separator_separates_nothing() {
    let limits = Limits::default();
    let commas = wire(Style::Form, false, list());
    let count = |raw| commas.parts(raw, &|raw| query::form_decoded(raw, &limits)).unwrap().len();
    assert_eq!((count("a%2Cb"), count("a,b")), (1, 2));
    assert_eq!(commas.rewritten("a%2cb,c%64", &limits), "a%2Cb,cd");
    let pipes = wire(Style::PipeDelimited, false, list());
    assert_eq!(pipes.rewritten("a|b%7cc,d", &limits), "a%7Cb%7Cc%2Cd");
}

#[test]
fn members_stand_once_and_lists_are_bounded() {
    let limits = Limits { items_max: 2, ..Limits::default() };
    let push = |wire: &Wire, read: Read| wire.push(&read, &limits, &mut Tape::default());
    let texts = |names: &[&str]| {
        Read::Object(names.iter().map(|n| ((*n).to_owned(), "1".to_owned())).collect())
    };
    let rgb = wire(Style::Form, true, object());
    assert_eq!(push(&rgb, texts(&["R", "G"])), Ok(()));
    assert_eq!(push(&rgb, texts(&["R", "R"])), Err("repeated"));
    assert_eq!(push(&rgb, texts(&["R", "G", "B"])), Err("items_max"));
    let json = wire(Style::Form, true, Shape::Json);
    let send = |text: &str| push(&json, Read::One(text.to_owned()));
    assert_eq!(send(r#"{"a":[1]}"#), Ok(()));
    assert_eq!(send(r#"{"a":1,"a":2}"#), Err("duplicate_member"));
    assert_eq!(send("{}x"), Err("trailing_data"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    /// Whatever is sent, what is written anew is read as the same, and is written the same again.
    #[test]
    fn what_is_written_anew_reads_the_same(
        raw in "([a-z,|%+.=;]|%20|%2C|%7C|%25){0,24}",
        style in 0_usize..3,
        kind in 0_usize..3,
    ) {
        let limits = Limits::default();
        let style = [Style::Form, Style::SpaceDelimited, Style::PipeDelimited][style];
        let wire = wire(style, false, [one(), list(), object()][kind].clone());
        let decode = |raw: &str| query::form_decoded(raw, &limits);
        if let Ok(read) = wire.read("color", &raw, &decode) {
            let written = wire.rewritten(&raw, &limits);
            prop_assert_eq!(wire.read("color", &written, &decode), Ok(read));
            prop_assert_eq!(wire.rewritten(&written, &limits), written);
        }
    }

    #[test]
    fn any_text_ends_without_panic(raw in "\\PC{0,24}", style in 0_usize..3, explode: bool, kind in 0_usize..3) {
        let style = [Style::Simple, Style::Label, Style::Matrix][style];
        let wire = wire(style, explode, [one(), list(), object()][kind].clone());
        if let Ok(read) = wire.read("color", &raw, &decode) {
            prop_assert!(read.len() <= raw.len() + 1);
        }
    }
}
