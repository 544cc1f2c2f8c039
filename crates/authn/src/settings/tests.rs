//! Tests of the settings checks.

use std::time::Duration;

use super::{IssuerSettings, KeySource, SettingsError, Source, check};

fn shop() -> IssuerSettings {
    IssuerSettings::new("shop", "https://idp.test/realms/shop")
}

fn fault(change: impl FnOnce(&mut IssuerSettings)) -> Option<SettingsError> {
    let mut settings = shop();
    change(&mut settings);
    check(&settings).err()
}

#[test]
fn each_bad_setting_is_refused_and_its_near_miss_is_not() {
    let seconds = Duration::from_secs;
    assert_eq!(fault(|_| {}), None);
    assert_eq!(fault(|s| s.name.clear()), Some(SettingsError::Name));
    assert_eq!(fault(|s| s.algorithms.clear()), Some(SettingsError::NoAlgorithms));
    assert_eq!(fault(|s| s.tokens.typ.clear()), Some(SettingsError::NoTypes));
    assert_eq!(fault(|s| s.tokens.typ.push(String::new())), Some(SettingsError::NoTypes));
    assert_eq!(fault(|s| s.tokens.leeway = seconds(61)), Some(SettingsError::Leeway));
    assert_eq!(fault(|s| s.tokens.leeway = seconds(60)), None);
    assert_eq!(fault(|s| s.tokens.lifetime_max = seconds(0)), Some(SettingsError::Lifetime));
    assert_eq!(fault(|s| s.refresh = seconds(9)), Some(SettingsError::Refresh));
    assert_eq!(fault(|s| s.refresh = seconds(10)), None);
    assert_eq!(fault(|s| s.refresh = seconds(86_401)), Some(SettingsError::Refresh));
    assert_eq!(fault(|s| s.keys_age_max = seconds(299)), Some(SettingsError::KeysAge));
    assert_eq!(fault(|s| s.keys_age_max = seconds(300)), None);
}

#[test]
fn d1_urls_are_plain_and_https() {
    for bad in [
        "",
        "idp.test",
        "ftp://idp.test",
        "https://",
        "https://u@idp.test",
        "https://u:p@idp.test",
        "https://idp.test/?a=b",
        "https://idp.test/#a",
        "file:///etc/passwd",
    ] {
        let expected = Some(SettingsError::IssuerUrl(bad.to_owned()));
        assert_eq!(fault(|s| s.issuer = bad.to_owned()), expected, "{bad}");
    }
    let plain = "http://idp.test".to_owned();
    let insecure = Some(SettingsError::InsecureUrl(plain.clone()));
    assert_eq!(fault(|s| s.issuer = plain.clone()), insecure);
    assert_eq!(fault(|s| s.keys = KeySource::Url(plain.clone())), insecure);
    let allowed = |s: &mut IssuerSettings| {
        s.insecure_http = true;
        s.issuer = plain.clone();
        s.keys = KeySource::Url("http://idp.test/keys?v=1".to_owned());
    };
    assert_eq!(fault(allowed), None);
    let keys = "ftp://idp.test/keys".to_owned();
    assert_eq!(
        fault(|s| s.keys = KeySource::Url(keys.clone())),
        Some(SettingsError::KeysUrl(keys))
    );
}

#[test]
fn d2_both_forms_of_discovery() {
    let places = |issuer: &str| {
        let mut settings = shop();
        settings.issuer = issuer.to_owned();
        let Ok(Source::Discovery(places)) = check(&settings) else { panic!("discovery") };
        places.map(|place| place.to_string())
    };
    let with_path = [
        "https://idp.test/realms/shop/.well-known/openid-configuration",
        "https://idp.test/.well-known/oauth-authorization-server/realms/shop",
    ];
    assert_eq!(places("https://idp.test/realms/shop"), with_path);
    assert_eq!(places("https://idp.test/realms/shop/"), with_path);
    let without = [
        "https://idp.test:8443/.well-known/openid-configuration",
        "https://idp.test:8443/.well-known/oauth-authorization-server",
    ];
    assert_eq!(places("https://idp.test:8443"), without);
    assert_eq!(places("https://idp.test:8443/"), without);
}
