//! Two hosts at work on one datastore, and what they leave.

#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests fail as tests do.

use std::rc::Rc;
use std::time::Duration;

use futures::future::{self, Either, select};
use oarlock_block::Device;
use oarlock_engine::Ended;
use oarlock_sim::disks::Survey;

use crate::company;
use crate::estate::Worker;
use crate::ledger;
use crate::machine::Machine;

/// Runs a story beside both hosts, lets both leave, and surveys what they left.
pub fn beside_two(cluster: u64, story: impl AsyncFnOnce(&Worker, &Worker)) -> Survey {
    beside_two_on(160 << 20, cluster, story)
}

/// As [`beside_two`], on a datastore of so many bytes.
pub fn beside_two_on(bytes: u64, cluster: u64, story: impl AsyncFnOnce(&Worker, &Worker)) -> Survey {
    let machine = Machine::new(bytes);
    machine.format_clusters(cluster);
    beside_two_at(&machine, story)
}

/// As [`beside_two`], on a datastore that is there already.
pub fn beside_two_at(machine: &Machine, story: impl AsyncFnOnce(&Worker, &Worker)) -> Survey {
    beside_two_by(machine, Rc::clone(&machine.disk) as Rc<dyn Device>, story)
}

/// As [`beside_two_at`], where the second host sees the disk as that device.
pub fn beside_two_by(
    machine: &Machine,
    seconds: Rc<dyn Device>,
    story: impl AsyncFnOnce(&Worker, &Worker),
) -> Survey {
    let worker = |name, device: Rc<dyn Device>| Worker {
        machine: machine.clone(),
        device: Rc::clone(&device),
        host: company::join(machine, machine.process_on(device).0, name),
    };
    let (first, second) = (worker("a", Rc::clone(&machine.disk) as _), worker("b", seconds));
    machine.time.run(async {
        let runs = future::join(first.host.run(), second.host.run());
        let story = async {
            story(&first, &second).await;
            for worker in [&first, &second, &first] {
                worker.host.tend_layers().await.unwrap();
            }
            // What came free in a group of the other host's is cleared a little later.
            first.pause(Duration::from_secs(30)).await;
            let left = future::join(first.host.leave(first.soon()), second.host.leave(second.soon())).await;
            assert_eq!(left, (Ended::Left, Ended::Left));
        };
        futures::pin_mut!(runs, story);
        match select(story, runs).await {
            Either::Left(((), _)) => {}
            Either::Right((ended, story)) => {
                assert_eq!(ended, (Ended::Left, Ended::Left));
                story.await;
            }
        }
    });
    let survey = ledger::survey(machine).unwrap();
    assert_eq!(survey.held, 0, "every lock was given up");
    let report = machine.check();
    let found = (&report.findings[..], &report.not_judged[..]);
    assert_eq!(found, (&[][..], &[][..]), "a check finds nothing wrong");
    survey
}
