//! The bounds of the table. What it has in common with other stores is tested once for all of them.

use std::time::Duration;

use super::{Bill, Limit, SWEEP_EVERY_NS, Table, Verdict};

const START: u64 = 1_000_000_000_000;

fn bill(limit: Limit) -> Bill {
    Bill { rate: limit, quota: None, cost: 1 }
}

fn slow() -> Limit {
    Limit::new(1, Duration::from_secs(1000), 1).unwrap()
}

#[test]
fn a_full_table_refuses_strangers_and_forgets_nobody() {
    let table = Table::new(100);
    let bill = bill(slow());
    let kept: Vec<u32> =
        (0..10_000).filter(|key| table.spend(key, &bill, START) != Verdict::Full).collect();
    assert!(!kept.is_empty() && kept.len() <= 128, "bounded to whole shards, got {}", kept.len());
    for key in &kept {
        assert!(matches!(table.spend(key, &bill, START + 1), Verdict::Denied(_)), "still counted");
    }
    assert_eq!(table.spend(&10_001, &bill, START + 2), Verdict::Full);
}

#[test]
fn keys_at_rest_make_room() {
    let table = Table::new(1);
    let quick = bill(Limit::new(1000, Duration::from_secs(1), 1).unwrap());
    assert!(matches!(table.spend(&1, &quick, START), Verdict::Spent(_)));
    assert_eq!(table.spend(&2, &quick, START), Verdict::Full);
    let later = START + SWEEP_EVERY_NS;
    assert!(matches!(table.spend(&2, &quick, later), Verdict::Spent(_)));
    assert_eq!(table.spend(&1, &quick, later), Verdict::Full, "the room is taken now");
}

#[test]
fn a_fine_is_paid_even_beyond_the_limit_but_never_beyond_its_window() {
    let table = Table::new(10);
    let limit = Limit::new(1, Duration::from_secs(1), 3).unwrap();
    for _ in 0..100 {
        table.fine(&1, &limit, START);
    }
    let Verdict::Denied(debts) = table.spend(&1, &bill(limit), START) else { panic!("all spent") };
    assert_eq!(debts.rate_ns, 3_000_000_000);
    assert!(matches!(table.spend(&1, &bill(limit), START + 1_000_000_000), Verdict::Spent(_)));
}

#[test]
fn a_clock_set_back_heals() {
    let table = Table::new(10);
    let limit = Limit::new(1, Duration::from_secs(1), 1).unwrap();
    assert!(matches!(table.spend(&1, &bill(limit), START * 2), Verdict::Spent(_)));
    assert!(matches!(table.spend(&1, &bill(limit), START), Verdict::Denied(_)));
    assert!(matches!(table.spend(&1, &bill(limit), START + 1_000_000_000), Verdict::Spent(_)));
}
