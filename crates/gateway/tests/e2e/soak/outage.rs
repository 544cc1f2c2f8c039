//! Everything around the gateway goes away and comes back, in random order, while clients ask: it answers what
//! ARCHITECTURE.md declares, recovers by itself, and every transaction is on the topic in the end.

use crate::client::{Client, PROTOCOLS};
use crate::site::{Gateway, LIMIT};

use super::crowd::{Ask, Crowd, Tokens, Told};
use super::{Dice, Stand, Witness, account};

/// How often each fault of each part happens at least, after the first outage.
const TURNS: usize = 2;
/// The least and the most whole answers that an outage lasts; the least is more than one client's turn of everything.
const ANSWERS_MIN: usize = 10;
const ANSWERS_MAX: usize = 30;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Kafka,
    Redis,
    Issuer,
    Service,
}

/// What happens to a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// Killed: connections are refused.
    Gone,
    /// Frozen: connections stay, nothing answers.
    Frozen,
}

const FAULTS: [(Part, Fault); 7] = [
    (Part::Kafka, Fault::Gone),
    (Part::Kafka, Fault::Frozen),
    (Part::Redis, Fault::Gone),
    (Part::Redis, Fault::Frozen),
    (Part::Issuer, Fault::Gone),
    (Part::Service, Fault::Gone),
    (Part::Service, Fault::Frozen),
];

fn take_away(stand: &mut Stand, part: Part, fault: Fault) {
    match (part, fault) {
        (Part::Kafka, Fault::Gone) => stand.kafka.stop(),
        (Part::Kafka, Fault::Frozen) => stand.kafka.pause(),
        (Part::Redis, Fault::Gone) => stand.redis.stop(),
        (Part::Redis, Fault::Frozen) => stand.redis.pause(),
        (Part::Issuer, _) => stand.idp.stop(),
        (Part::Service, Fault::Gone) => stand.service.stop(),
        (Part::Service, Fault::Frozen) => stand.service.pause(),
    }
}

fn bring_back(stand: &mut Stand, part: Part, fault: Fault) {
    match (part, fault) {
        (Part::Kafka, Fault::Gone) => stand.kafka.restart(),
        (Part::Kafka, Fault::Frozen) => stand.kafka.resume(),
        (Part::Redis, Fault::Gone) => stand.redis.restart(),
        (Part::Redis, Fault::Frozen) => stand.redis.resume(),
        (Part::Issuer, _) => stand.idp.restart(),
        (Part::Service, Fault::Gone) => stand.service.restart(),
        (Part::Service, Fault::Frozen) => stand.service.resume(),
    }
}

/// One outage: what was away in it. The first one is the issuer, before the gateway ever had a key.
type Away = Vec<(Part, Fault)>;

/// Every fault of every part in random order, each alone or together with one of another part.
fn draw(dice: &mut Dice) -> Vec<Away> {
    let mut order = Vec::new();
    for _ in 0..TURNS {
        let mut left = FAULTS.to_vec();
        while !left.is_empty() {
            order.push(left.remove(dice.below(left.len())));
        }
    }
    let with_another = |fault: (Part, Fault)| {
        let other = dice.one_of(&FAULTS);
        let both = other.0 != fault.0 && dice.below(2) == 0;
        if both { vec![fault, other] } else { vec![fault] }
    };
    order.into_iter().map(with_another).collect()
}

/// Whether ARCHITECTURE.md declares this answer while these parts are away.
fn is_declared(told: &Told, away: &[Away]) -> bool {
    let was_away = |part| {
        let (began, ended) = told.rounds;
        away[began..=ended].iter().flatten().any(|(other, _)| *other == part)
    };
    let needs_keys = !matches!(told.ask, Ask::NoToken | Ask::NoSuchPath);
    let goes_inside = matches!(told.ask, Ask::Read | Ask::Write | Ask::TooOften);
    match told.answer.as_ref().map_or(0, |(_, status)| *status) {
        // Broken off: the service died in the middle of its answer.
        0 => goes_inside && was_away(Part::Service),
        503 => needs_keys && told.rounds.0 == 0,
        502 | 504 => goes_inside && was_away(Part::Service),
        // Redis, Kafka and an issuer whose keys are known change nothing.
        status => told.ask.is_usual(status),
    }
}

/// By itself: every protocol answers as ever, and every named state is up.
async fn await_recovery(gateway: &Gateway, client: &Client, tokens: &Tokens) {
    for protocol in PROTOCOLS {
        let mut status = 0;
        let deadline = std::time::Instant::now() + LIMIT;
        while status != 200 {
            assert!(std::time::Instant::now() < deadline, "no recovery on {protocol:?}: {status}");
            let answer = client.try_send(protocol, Ask::Read.request(tokens)).await;
            status = answer.map_or(0, |answer| answer.status.as_u16());
        }
    }
    gateway.await_all_up();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "soak"]
async fn soak_outages() {
    let mut dice = Dice::new();
    let mut stand = Stand::new();
    let _witness = Witness::new(&dice, &stand);
    // Short, so that a frozen service is told from a slow one within the campaign.
    stand.site.amend("connect: 1m, response: 1m", "connect: 2s, response: 4s");
    let tokens = stand.tokens().await;
    let mut away: Vec<Away> = vec![vec![(Part::Issuer, Fault::Gone)]];
    stand.idp.stop();
    let gateway = stand.site.start();
    let probe = Client::new(&stand.site.authority.ca_pem(), gateway.address);
    let crowd = Crowd::begin(&stand.site, &gateway, &tokens);
    for protocol in PROTOCOLS {
        crowd.await_answers(protocol, ANSWERS_MAX);
    }
    stand.idp.restart();
    await_recovery(&gateway, &probe, &tokens).await;
    for parts in draw(&mut dice) {
        crowd.enter(away.len());
        away.push(parts.clone());
        for (part, fault) in &parts {
            take_away(&mut stand, *part, *fault);
            crowd.await_answers(dice.one_of(&PROTOCOLS), ANSWERS_MIN + dice.below(ANSWERS_MAX));
        }
        for (part, fault) in &parts {
            bring_back(&mut stand, *part, *fault);
        }
        await_recovery(&gateway, &probe, &tokens).await;
    }
    let told = crowd.end().await;
    stand.finish(gateway);
    for told in &told {
        assert!(is_declared(told, &away), "{told:?} while {away:?}");
    }
    let [topic, files] = account::settle(&stand, &told, false);
    assert_eq!((topic.unknown(), files.unknown()), (0, 0), "nothing was killed");
    assert_eq!(files.again, 0, "the file sink took each record once");
    let count = |wanted: u16| {
        let status = |told: &&Told| told.answer.as_ref().is_ok_and(|(_, is)| *is == wanted);
        told.iter().filter(status).count()
    };
    // The issuer was away before the first key; the service was gone; it was frozen.
    for status in [503, 502, 504] {
        assert!(count(status) > 0, "nobody was told {status}");
    }
    let statuses = [200, 401, 403, 404, 429, 502, 503, 504].map(|status| (status, count(status)));
    super::report(&format!("{away:?}; {statuses:?}; again on the topic: {}", topic.again));
}
