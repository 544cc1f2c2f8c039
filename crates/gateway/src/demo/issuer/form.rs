//! Reads `application/x-www-form-urlencoded` bodies strictly: each name at most once
//! (RFC 6749 3.2). It knows no parameter by name.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;

/// Parameters of one form.
const PARAMETERS_MAX: usize = 16;

/// A parsed form.
#[derive(Debug)]
pub(super) struct Form(BTreeMap<String, String>);

impl Form {
    /// Parses a body; `None` where it is not UTF-8, names something twice or is too long.
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(body).ok()?;
        let mut parameters = BTreeMap::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=')?;
            let twice = parameters.insert(decode(name)?, decode(value)?).is_some();
            if twice || parameters.len() > PARAMETERS_MAX {
                return None;
            }
        }
        Some(Self(parameters))
    }

    /// The value of this parameter.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

/// Form decoding of one name or value; `None` where the bytes are not UTF-8.
pub(super) fn decode(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().ok().map(|decoded| decoded.into_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Form;

    #[test]
    fn a_parameter_named_twice_is_refused_and_two_parameters_pass() {
        assert!(Form::parse(b"scope=a&scope=b").is_none());
        let form = Form::parse(b"scope=a+b&grant_type=client%5Fcredentials").expect("a form");
        assert_eq!(form.get("scope"), Some("a b"));
        assert_eq!(form.get("grant_type"), Some("client_credentials"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let form = Form::parse(&body);
            let bounded = form.is_none_or(|form| form.0.len() <= super::PARAMETERS_MAX);
            prop_assert!(bounded);
        }
    }
}
