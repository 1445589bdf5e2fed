//! Who goes first: a host that gives a lock up while others wait for it does not take it from under their noses (R26).

#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests fail as tests do.

use std::cell::RefCell;
use std::rc::Rc;

use futures::future::{Either, join, select};
use oarlock_block::Clock;
use oarlock_engine::{Guard, Host, Want};
use oarlock_format::{HostName, LockName, Timing};

use crate::machine::{Machine, SMALL};

async fn host(machine: &Machine, name: &str) -> Host {
    let world = machine.process().0;
    Host::join(world, &HostName::new(name).unwrap(), Rc::new(|_| {})).await.unwrap()
}

async fn take(machine: &Machine, host: &Host) -> Guard {
    let deadline = machine.time.now().plus(Timing::DEFAULT.beat * 4);
    host.lock(&LockName::new("nightly").unwrap(), Want::Exclusive, deadline).await.unwrap()
}

#[test]
fn a_holder_lets_those_go_first_who_came_while_it_held() {
    let machine = Machine::new(SMALL);
    machine.format();
    let beat = Timing::DEFAULT.beat;
    let order = RefCell::new(Vec::new());
    machine.time.run(async {
        let (a, b) = (host(&machine, "a").await, host(&machine, "b").await);
        let story = async {
            let held = take(&machine, &a).await;
            let greedy = async {
                // By then the other's interest stands on the disk, and its pauses have grown to their longest.
                machine.time.sleep_until(machine.time.now().plus(beat)).await;
                held.release().await;
                let again = take(&machine, &a).await;
                order.borrow_mut().push("a");
                again.release().await;
            };
            let patient = async {
                let got = take(&machine, &b).await;
                order.borrow_mut().push("b");
                got.release().await;
            };
            join(greedy, patient).await;
        };
        let lives = join(a.run(), b.run());
        futures::pin_mut!(story, lives);
        match select(story, lives).await {
            Either::Left(_) => {}
            Either::Right((ended, _)) => panic!("the hosts ended: {ended:?}"),
        }
    });
    assert_eq!(order.into_inner(), ["b", "a"]);
}
