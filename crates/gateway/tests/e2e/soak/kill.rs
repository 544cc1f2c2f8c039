//! The gateway is killed again and again, under way and while it starts; no record is lost and none is made up.

use crate::client::PROTOCOLS;
use crate::parts::accepts;
use crate::parts::process::wait_until;
use crate::site::{Gateway, LIMIT, Site};

use super::crowd::Crowd;
use super::{Dice, Stand, Witness, account};

/// Kills under way.
const KILLS: usize = 60;
/// The most whole answers between a start and a kill.
const ANSWERS_MAX: usize = 60;
/// The longest life of a gateway that is killed while it starts, in steps of [`STEP`].
const STEPS_MAX: usize = 60;
const STEP: std::time::Duration = std::time::Duration::from_millis(10);
/// Whole answers on each protocol that make this a campaign.
const ANSWERS_MIN: usize = KILLS;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "soak"]
async fn soak_kill_and_restart() {
    let mut dice = Dice::new();
    let stand = Stand::new();
    let _witness = Witness::new(&dice, &stand);
    let tokens = stand.tokens().await;
    let mut gateway = stand.site.start();
    let crowd = Crowd::begin(&stand.site, &gateway, &tokens);
    for round in 0..KILLS {
        let answers = 1 + dice.below(ANSWERS_MAX);
        crowd.await_answers(dice.one_of(&PROTOCOLS), answers);
        gateway.process.kill();
        crowd.shut();
        if round % 4 == 0 {
            killed_while_it_starts(&stand.site, &mut dice).await;
        }
        gateway = start_again(&stand.site);
        crowd.open();
    }
    crowd.await_answers(dice.one_of(&PROTOCOLS), ANSWERS_MAX);
    let told = crowd.end().await;
    stand.finish(gateway);
    let [topic, files] = account::settle(&stand, &told, true);
    for protocol in PROTOCOLS {
        let count = told.iter().filter(|t| t.protocol == protocol && t.answer.is_ok()).count();
        assert!(count >= ANSWERS_MIN, "{count} answers on {protocol:?} are no campaign");
    }
    for told in &told {
        // 503: a gateway that has just started and has no keys of the issuer yet.
        let usual = |(_, status): &(String, u16)| told.ask.is_usual(*status) || *status == 503;
        assert!(told.answer.as_ref().map_or(true, usual), "{told:?}");
    }
    assert_eq!(topic.unknown(), files.unknown());
    super::report(&format!(
        "{} asked, {} unknown, again: {} on the topic, {} in the files",
        told.len(),
        topic.unknown(),
        topic.again,
        files.again,
    ));
}

/// A start that is not allowed to end.
async fn killed_while_it_starts(site: &Site, dice: &mut Dice) {
    let mut gateway = site.launch(&mut site.run());
    let steps = u32::try_from(dice.below(STEPS_MAX)).expect("a few");
    tokio::time::sleep(STEP * steps).await;
    gateway.process.kill();
}

/// Starts it where it was. While it was away a client may have been lent its port: it is tried again then.
pub(super) fn start_again(site: &Site) -> Gateway {
    let mut gateway = site.launch(&mut site.run());
    wait_until("the gateway serves again", LIMIT, || {
        if let Some(status) = gateway.process.ended() {
            let told = gateway.process.output();
            assert!(told.contains("in use"), "it does not start again ({status}):\n{told}");
            gateway = site.launch(&mut site.run());
        }
        accepts(gateway.status) && accepts(gateway.address)
    });
    gateway
}
