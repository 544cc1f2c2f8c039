//! Harmless texts by the thousand, made of parts in every combination: what people type into forms, what browsers send, what
//! tools write. Always the same ones.

const FIRST: [&str; 24] = [
    "Maria",
    "John",
    "Aoife",
    "Jean-Luc",
    "Siobhán",
    "Zoë",
    "Ngozi",
    "D'Arcy",
    "Mary Ann",
    "Søren",
    "Łukasz",
    "Anne-Marie",
    "José",
    "Wei",
    "Fatima",
    "Ka'ahumanu",
    "Björn",
    "Chloé",
    "İbrahim",
    "Renée",
    "Null",
    "True",
    "Select",
    "And",
];
const LAST: [&str; 24] = [
    "O'Brien",
    "O'Neil",
    "D'Angelo",
    "McDonald",
    "van der Berg",
    "de la Cruz",
    "N'Dour",
    "Smith-Jones",
    "Müller",
    "Ñíguez",
    "L'Oréal",
    "Grant",
    "Drop",
    "Union",
    "Table",
    "Order",
    "Group",
    "Like",
    "Case",
    "Script",
    "O’Connor",
    "Dell'Acqua",
    "Sant'Anna",
    "Qur'an",
];
const STREETS: [&str; 12] = [
    "12 Rue de l'Église",
    "5/7 King's Road",
    "Apt. #4, 22 Main St.",
    "St. John's Wood",
    "1 Place d'Armes",
    "Unit 3; Building B",
    "77 Union Square (rear)",
    "Coeur d'Alene Ave",
    "Flat 2 & 3, Mill Lane",
    "P.O. Box 12/34",
    "c/o O'Hara",
    "Straße des 17. Juni 135",
];
const CITIES: [&str; 10] = [
    "Saint-Étienne",
    "L'Aquila",
    "'s-Hertogenbosch",
    "Val-d'Or",
    "Winston-Salem",
    "St. Louis",
    "Xi'an",
    "Newcastle-upon-Tyne",
    "N'Djamena",
    "Ho Chi Minh City",
];
const SUBJECTS: [&str; 16] = [
    "the union of workers",
    "a select committee",
    "our drop-in centre",
    "the order by mail",
    "the group",
    "my friend's cat",
    "your table by the door",
    "this script",
    "the update",
    "an insert",
    "the alert",
    "that document",
    "a command",
    "the template",
    "her window",
    "the exec (CEO)",
];
const VERBS: [&str; 12] = [
    "will select",
    "may drop",
    "likes",
    "has updated",
    "is having",
    "can't delete",
    "didn't execute",
    "wants to alter",
    "would like",
    "creates",
    "joins",
    "inserts",
];
const OBJECTS: [&str; 16] = [
    "a table for two",
    "friends over for tea",
    "all of them; then rest",
    "5 > 3 and 2 < 4",
    "or else, and soon",
    "one in ten or two in five",
    "Tom & Jerry",
    "items 1, 2 and 3",
    "10% off (today only)",
    "$5 or $10 each",
    "the file at home",
    "what's on TV = nothing",
    "rock 'n' roll",
    "a \"quoted\" word",
    "https://example.com/a?b=c",
    "the price: 3*4 = 12",
];
const PRODUCTS: [&str; 12] = [
    "USB-C cable",
    "Men's shoes",
    "3/4\" pipe",
    "LED lamp (E27)",
    "A4 paper, 500 sheets",
    "50% wool scarf",
    "Ladies' watch",
    "C++ primer",
    "Rubik's cube",
    "AC/DC T-shirt",
    "M&M's 200g",
    "Wi-Fi router",
];
const QUALITIES: [&str; 10] = [
    "black/white",
    "5' 11\"",
    "€ 12,99",
    "< 2 kg",
    "100% cotton",
    "2 x 4 m",
    "<3 it",
    "24/7",
    "#1 choice",
    "no. 7 & 8",
];
const TOPICS: [&str; 12] = [
    "how to select from a table in sql",
    "drop table meaning",
    "what is ../ in a path",
    "union vs join",
    "c# or java",
    "best <b> tags",
    "python import os",
    "ls command",
    "cat pictures",
    "javascript: the good parts",
    "sleep 8 hours",
    "etc hosts file",
];
const ENDINGS: [&str; 8] =
    ["", "?", " 2024", " near me", " & reviews", " (pdf)", " -free", " \"exact\""];
const PATHS: [&str; 10] = [
    "index.html",
    "a/b/c.png",
    "search?q=it%27s",
    "api/v1/items?filter=name%3Dx&sort=-date",
    "p/123#top",
    "~user/docs",
    "img/logo@2x.png",
    "s?k=men%27s+shoes",
    "a%20b/c",
    "cart?coupon=10%25OFF",
];
const HOSTS: [&str; 8] = [
    "example.com",
    "www.example.org",
    "cdn.example.net:8443",
    "shop.example.co.uk",
    "xn--bcher-kva.example",
    "user.example.io",
    "8.8.8.8",
    "sub.a-b.example",
];
const CODE: [&str; 20] = [
    "let x = a.iter().map(|v| v + 1).collect();",
    "for (int i = 0; i < n; i++) { sum += a[i]; }",
    "if (a && b || !c) return d;",
    "SELECT is a keyword",
    "def f(x): return x * 2",
    "x = y if y else 'none'",
    "const f = (a, b) => a + b;",
    "print(\"hello\")",
    "a[i] = b[j] | c[k];",
    "return { id, name: 'x' };",
    "#include <stdio.h>",
    "import os, sys",
    "fn main() {}",
    "background: url(\"a.png\");",
    "<p class=\"x\">text</p>",
    "<a href=\"https://example.com\">link</a>",
    "- [ ] task",
    "git commit -m 'x'",
    "npm install",
    "let s = `${a} of ${b}`;",
];
const NOTES: [&str; 8] = ["", "// a note: ", "> ", "* ", "1. ", "## ", "NB: ", "e.g. "];

fn each(
    parts: [&[&str]; 3],
    join: [&str; 2],
    out: &mut Vec<(&'static str, String)>,
    kind: &'static str,
) {
    let [firsts, seconds, thirds] = parts;
    let [left, right] = join;
    for first in firsts {
        for second in seconds {
            out.extend(
                thirds.iter().map(|third| (kind, format!("{first}{left}{second}{right}{third}"))),
            );
        }
    }
}

/// Each text with its kind.
pub(crate) fn texts() -> Vec<(&'static str, String)> {
    let mut out = Vec::new();
    each([&FIRST, &LAST, &["", ", Jr."]], [" ", ""], &mut out, "names");
    each([&STREETS, &CITIES, &["", " 10115"]], [", ", ""], &mut out, "addresses");
    each([&SUBJECTS, &VERBS, &OBJECTS], [" ", " "], &mut out, "sentences");
    each([&PRODUCTS, &QUALITIES, &["", " - new"]], [", ", ""], &mut out, "products");
    each([&TOPICS, &ENDINGS, &[""]], ["", ""], &mut out, "searches");
    each([&["https://", "http://"], &HOSTS, &PATHS], ["", "/"], &mut out, "addresses of pages");
    each([&NOTES, &CODE, &[""]], ["", ""], &mut out, "code lines");
    out
}
