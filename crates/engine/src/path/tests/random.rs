//! Thousands of requests of all sizes and alignments, of several clients at once, against the naive disk.

use super::world::{Odds, SECTOR, World};
use crate::path::*;

const KINDS: [RequestKind; 14] = [
    RequestKind::Read,
    RequestKind::Read,
    RequestKind::Read,
    RequestKind::Write { durable: false },
    RequestKind::Write { durable: false },
    RequestKind::Write { durable: false },
    RequestKind::Write { durable: true },
    RequestKind::Trim { durable: false },
    RequestKind::Trim { durable: true },
    RequestKind::WriteZeroes { durable: false, keep: false, fast: false },
    RequestKind::WriteZeroes { durable: false, keep: true, fast: false },
    RequestKind::Flush,
    RequestKind::BlockStatus,
    RequestKind::Cache,
];

fn request(world: &mut World) -> Request {
    let kind = KINDS[world.random.below(KINDS.len())];
    if kind == RequestKind::Flush {
        return Request::FLUSH;
    }
    let sectors = world.cluster * world.clusters / SECTOR;
    let per_cluster = world.cluster / SECTOR;
    let unit = [1, 1, 8, per_cluster][world.random.below(4)];
    let most = [8, per_cluster, 3 * per_cluster, 20 * per_cluster][world.random.below(4)];
    let first = world.random.below(sectors) / unit * unit;
    let count = (world.random.below(most) + 1).next_multiple_of(unit).min(sectors - first);
    Request { kind, offset: (first * SECTOR) as u64, length: (count * SECTOR) as u64 }
}

/// One run; a failure names the seed that replays it.
fn run(seed: u64, (cluster, clusters): (usize, usize), clients: usize, requests: usize, odds: Odds) {
    println!("run({seed}, ({cluster}, {clusters}), {clients}, ..)");
    let mut world = match odds.lapse {
        0 => World::new(seed, cluster, clusters, clients, PathMode::default()),
        _ => World::without_lease(seed, (cluster, clusters), clients, PathMode::default()),
    };
    world.odds = odds;
    world.verbose = std::env::var_os("OARLOCK_VERBOSE").is_some();
    let mut left = requests;
    let mut turns = 0;
    while left > 0 {
        turns += 1;
        assert!(turns < 400_000, "the world stands still: {:?}", world.path);
        let idle = (0..clients).find(|client| world.clients[*client].result.is_some());
        match idle {
            Some(client) if world.random.one_in(6) => {
                left -= 1;
                let request = request(&mut world);
                world.begin(client, request);
            }
            _ => world.turn(),
        }
    }
    assert!(odds.lapse == 0 || world.held > 20, "the lease lapsed, and held {} times", world.held);
    world.check_at_rest();
}

const SHAPES: [(usize, usize); 3] = [(64 << 10, 20), (4 << 10, 48), (16 << 10, 24)];

fn runs(first_seed: u64, clients: usize, odds: Odds) {
    for seed in 0..9 {
        let shape = SHAPES[usize::try_from(seed % 3).unwrap()];
        run(first_seed + seed, shape, clients, 300, odds);
    }
}

#[test]
fn one_client_reads_what_it_wrote_through_snapshots() {
    runs(100, 1, Odds { snapshot: 8, evict: 6, ..Odds::default() });
}

#[test]
fn two_clients_see_each_sector_as_one_register() {
    runs(200, 2, Odds { snapshot: 12, evict: 8, ..Odds::default() });
}

#[test]
fn three_clients_see_each_sector_as_one_register() {
    runs(300, 3, Odds { snapshot: 12, evict: 8, ..Odds::default() });
}

#[test]
fn lapses_at_any_point_hold_and_lose_nothing() {
    runs(400, 3, Odds { snapshot: 16, evict: 16, lapse: 90, ..Odds::default() });
}

#[test]
fn failures_of_all_kinds_at_any_point_show_no_secret_and_lose_no_cluster() {
    let odds = Odds {
        full: 40,
        unknown: 60,
        medium: 60,
        busy: 30,
        lapse: 200,
        snapshot: 16,
        evict: 16,
        no_space: 6,
        give_up: 30,
    };
    runs(500, 3, odds);
    runs(600, 2, Odds { full: 0, lapse: 0, ..odds });
}

#[test]
#[ignore = "minutes: more seeds of everything"]
fn many_seeds() {
    let odds = Odds {
        full: 80,
        unknown: 90,
        medium: 90,
        busy: 50,
        lapse: 300,
        snapshot: 20,
        evict: 16,
        no_space: 20,
        give_up: 40,
    };
    let first = std::env::var("OARLOCK_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1_000_000);
    for seed in first..first + 150 {
        let clients = 1 + usize::try_from(seed % 4).unwrap();
        let shape = SHAPES[usize::try_from(seed % 3).unwrap()];
        run(
            seed,
            shape,
            clients,
            400,
            if seed % 2 == 0 { odds } else { Odds { snapshot: 20, evict: 16, ..Odds::default() } },
        );
    }
}
