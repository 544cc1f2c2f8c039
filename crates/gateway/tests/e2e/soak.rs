//! Bounded campaigns of a few minutes among all real parts, run by `./scripts/test --soak`: what they share. Each draws its
//! moments from a seed, which a failure tells; `SALLYPORT_SEED` repeats it.

mod account;
mod crowd;
mod kill;
mod outage;
mod reload;
mod schemathesis;
mod siem;

use std::io::Write as _;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Map;

use crate::parts::idp::{self, Algorithm, Idp};
use crate::parts::kafka::Kafka;
use crate::parts::nginx::Nginx;
use crate::parts::process::wait_until;
use crate::parts::redis::Redis;
use crate::site::{AUDIENCE, Gateway, LIMIT, Site, redis_and_kafka};
use crate::world::service;

/// The topic of the events.
const TOPIC: &str = "audit.events";
/// Longer than any campaign, and no longer than a token may live.
const TOKEN_SECONDS: u32 = 3600;
/// Lines of the gateway's log that a failure shows.
const SHOWN_LINES: usize = 150;

/// Every real part, and a configured gateway among them that is not started yet.
struct Stand {
    site: Site,
    service: Nginx,
    redis: Redis,
    kafka: Kafka,
    idp: Idp,
    shop: idp::Client,
    slow: idp::Client,
}

impl Stand {
    fn new() -> Self {
        let site = Site::new();
        let service = service(&site, &["x-request-id"]);
        let (redis, kafka) = (Redis::start(), Kafka::start(1));
        kafka.create_topic(TOPIC);
        kafka.create_topic("audit.checkpoints");
        let [shop, slow] = [("shop", "wide"), ("slow", "tiny")].map(|(id, tier)| {
            let claims = Map::from_iter([("sla_tier".to_owned(), tier.into())]);
            idp::Client { id, secret: "a-secret-of-a-test-client", claims }
        });
        let scopes = ["read:orders", "write:orders"];
        let idp = Idp::start(&site.authority, &[AUDIENCE], &scopes, &[shop.clone(), slow.clone()]);
        let issuer = format!("    issuer: {}\n    ca: ca.pem", idp.issuer());
        site.configure(&issuer, service.address(), &redis_and_kafka(&redis, &kafka));
        Self { site, service, redis, kafka, idp, shop, slow }
    }

    /// Tokens of the ordinary client and of the one that may ask twice an hour.
    async fn tokens(&self) -> crowd::Tokens {
        let token = async |client| {
            let scope = "read:orders write:orders";
            let algorithm = Algorithm::Es256;
            let wanted = idp::Wanted {
                client,
                audience: AUDIENCE,
                scope,
                algorithm,
                seconds: TOKEN_SECONDS,
            };
            self.idp.token(wanted).await
        };
        crowd::Tokens { shop: token(&self.shop).await, slow: token(&self.slow).await }
    }

    /// Waits until every sink has everything, then stops the gateway the ordinary way.
    fn finish(&self, mut gateway: Gateway) {
        wait_until("all records delivered", 2 * LIMIT, || {
            gateway.metric(&["sallyport_audit_backlog{"]) == 0.0
        });
        gateway.process.signal("TERM");
        assert!(gateway.process.wait(2 * LIMIT).success(), "a clean end");
    }
}

/// A source of moments and choices: SplitMix64, all from one seed.
struct Dice {
    seed: u64,
    state: u64,
}

impl Dice {
    #[expect(clippy::disallowed_methods, reason = "a seed for a test: given, or of this moment")]
    fn new() -> Self {
        let given = std::env::var("SALLYPORT_SEED").ok().and_then(|seed| seed.parse().ok());
        let now = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |now| now.as_secs());
        let seed = given.unwrap_or_else(now);
        Self { seed, state: seed }
    }

    /// A number below `end`.
    fn below(&mut self, end: usize) -> usize {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        usize::try_from(mixed % end as u64).expect("below a usize")
    }

    /// One of these.
    fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }
}

/// Tells what a campaign came to; the test runner shows it where it is asked to (`--nocapture`) or the test fails.
#[expect(clippy::print_stdout, reason = "the figures of a campaign, for whoever looks")]
fn report(figures: &str) {
    println!("{figures}");
}

/// Tells what is needed to look into a failure, where there is one.
struct Witness {
    seed: u64,
    log: PathBuf,
}

impl Witness {
    fn new(dice: &Dice, stand: &Stand) -> Self {
        Self { seed: dice.seed, log: stand.site.path("gateway.log") }
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let end = lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n");
        let seed = self.seed;
        let told = format!("{end}\n---- above: the gateway's log. SALLYPORT_SEED={seed}\n");
        drop(std::io::stderr().write_all(told.as_bytes()));
    }
}
