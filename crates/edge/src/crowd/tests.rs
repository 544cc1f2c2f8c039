//! The share that is taken, against a model of a worker; what is turned away, evenly.

use super::*;

const DELAY_MAX: Duration = Duration::from_millis(250);

/// A worker as a model: each turn it serves all who wait; a request that is taken costs `cost`, one that is turned away
/// a fifth of it. `arrivals` is the load: requests per second from clients who wait for no answer.
struct Model {
    control: Control,
    taken: u32,
    now: Instant,
    waiting: f64,
    served: f64,
    longest: Duration,
}

impl Model {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            control: Control::new(DELAY_MAX, now),
            taken: WHOLE,
            now,
            waiting: 0.0,
            served: 0.0,
            longest: Duration::ZERO,
        }
    }

    fn run(&mut self, span: Duration, arrivals: f64, cost: Duration) {
        let end = self.now + span;
        (self.served, self.longest) = (0.0, Duration::ZERO);
        while self.now < end {
            let share = f64::from(self.taken) / f64::from(WHOLE);
            let work = self.waiting * (share + (1.0 - share) / 5.0);
            let turn = cost.mul_f64(work);
            self.served += self.waiting * share;
            let step = EVERY + turn;
            self.now += step;
            self.waiting = arrivals * step.as_secs_f64();
            self.longest = self.longest.max(turn);
            self.taken = self.control.measured(self.now, turn);
        }
    }
}

const COST: Duration = Duration::from_micros(250); // 4,000 requests per second at the most
const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_worker_that_keeps_up_turns_nobody_away() {
    let mut model = Model::new();
    model.run(20 * SECOND, 3_000.0, COST);
    assert_eq!(model.taken, WHOLE);
    assert!(model.longest < DELAY_MAX, "{:?}", model.longest);
}

#[test]
fn twice_the_load_keeps_its_delay_and_most_of_its_work() {
    let mut model = Model::new();
    model.run(20 * SECOND, 8_000.0, COST); // until it has found its share
    model.run(20 * SECOND, 8_000.0, COST);
    assert!(model.taken < WHOLE);
    assert!(model.longest < 2 * DELAY_MAX, "{:?}", model.longest);
    // 4,000 per second less a fifth of each one turned away: 3,000 taken and 5,000 turned away fill the second.
    assert!(model.served / 20.0 > 2_500.0, "{}", model.served / 20.0);
    model.run(4 * SECOND, 1_000.0, COST);
    assert_eq!(model.taken, WHOLE, "the crowd is gone");
}

#[test]
fn a_hiccup_turns_nobody_away() {
    let start = Instant::now();
    let mut control = Control::new(DELAY_MAX, start);
    let hiccup = control.measured(start + 3 * SECOND, 3 * SECOND);
    assert_eq!(hiccup, WHOLE);
    assert_eq!(control.measured(start + 3 * SECOND + EVERY, Duration::from_micros(300)), WHOLE);
    // The near miss: it was no hiccup.
    control.measured(start + 6 * SECOND, 3 * SECOND);
    assert_eq!(control.measured(start + 9 * SECOND, 3 * SECOND), WHOLE / 2);
}

#[test]
fn something_is_taken_in_any_crowd() {
    let mut now = Instant::now();
    let mut control = Control::new(DELAY_MAX, now);
    let mut taken = WHOLE;
    for _ in 0..100 {
        now += 10 * SECOND;
        taken = control.measured(now, 10 * SECOND);
    }
    assert_eq!(taken, 20_000);
}

#[test]
fn requests_are_turned_away_evenly_and_connections_last() {
    let crowd = Crowd::default();
    let shed = |of: &dyn Fn() -> bool| (0..1000).filter(|_| of()).count();
    let request: &dyn Fn() -> bool = &|| crowd.sheds_request();
    let connection: &dyn Fn() -> bool = &|| crowd.sheds_connection();
    assert_eq!((shed(request), shed(connection)), (0, 0));
    crowd.taken.store(WHOLE / 2, Ordering::Relaxed);
    assert_eq!((shed(request), shed(connection)), (500, 0));
    crowd.taken.store(WHOLE / 4, Ordering::Relaxed);
    assert_eq!((shed(request), shed(connection)), (750, 500));
    assert!(
        !(crowd.sheds_request()
            && crowd.sheds_request()
            && crowd.sheds_request()
            && crowd.sheds_request())
    );
}
