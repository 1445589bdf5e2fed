//! A workload that a dumb disk can be judged by: hosts that count in one block, each change one ATS.

#![allow(dead_code)]

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use futures::future::{Either, select};
use oarlock_block::{Answer, Clock, Device, Lba, Random};
use oarlock_sim::{
    Choices, Effect, Execution, FaultPlan, Handle, HostLife, HostSetup, Image, Lane, Observer, TrueTime,
    World, WorldOptions,
};

/// The block that everybody counts in.
pub const COUNTER: Lba = Lba(5);

/// How long a host waits for a command.
const PATIENCE: Duration = Duration::from_secs(2);

/// So many seconds from the beginning.
pub fn second(seconds: u64) -> TrueTime {
    TrueTime::from_start(Duration::from_secs(seconds))
}

/// The count in an image.
pub fn count_in(image: &[u8]) -> u64 {
    let mut count = [0; 8];
    count.copy_from_slice(&image[..8]);
    u64::from_le_bytes(count)
}

/// The next image: one more, and a nonce, so that no image is written twice (I1).
pub fn next_image(image: &[u8], nonce: u128) -> [u8; 512] {
    let mut next = [0; 512];
    next[..8].copy_from_slice(&(count_in(image) + 1).to_le_bytes());
    next[8..24].copy_from_slice(&nonce.to_le_bytes());
    next
}

/// What the hosts were told.
#[derive(Default)]
pub struct Told {
    pub swapped: Cell<u64>,
    pub unknown: Cell<u64>,
    pub miscompared: Cell<u64>,
    pub refused: Cell<u64>,
}

fn add(cell: &Cell<u64>) {
    cell.set(cell.get() + 1);
}

/// One host counts for ever: reads, swaps, pauses; a command without a reply is given up.
pub async fn count_for_ever(life: HostLife, told: Rc<Told>) {
    let (device, clock, random) = (life.device(Lane::Work), life.clock(), life.random());
    loop {
        let patience = clock.sleep_until(clock.now().plus(PATIENCE));
        let mut image = [0; 512];
        let read = select(device.read(COUNTER, &mut image), patience).await;
        if !matches!(read, Either::Left((Ok(()), _))) {
            continue;
        }
        drop(read);
        let next = next_image(&image, random.nonce());
        let patience = clock.sleep_until(clock.now().plus(PATIENCE));
        add(&told.unknown);
        let attempt = select(device.compare_and_write(COUNTER, &image, &next), patience).await;
        if let Either::Left((answer, _)) = attempt {
            let known = match answer.outcome {
                Ok(Answer::Swapped) => &told.swapped,
                Ok(Answer::Miscompared { .. }) => &told.miscompared,
                Ok(Answer::Unknown { .. }) => &told.unknown,
                Err(_) => &told.refused,
            };
            told.unknown.set(told.unknown.get() - 1);
            add(known);
        }
        clock.sleep_until(clock.now().plus(Duration::from_millis(random.below(100)))).await;
    }
}

/// Keeps every swap of the counter.
#[derive(Default)]
pub struct Swaps {
    pub images: RefCell<Vec<(Image, Image)>>,
    pub repeats: Cell<u64>,
}

impl Observer for Swaps {
    fn on_execute(&self, execution: &Execution) {
        if execution.repeated {
            add(&self.repeats);
        }
        if let (Effect::Swapped, Some(before), Some(after)) =
            (execution.effect, &execution.before, &execution.after)
        {
            self.images.borrow_mut().push((Rc::clone(before), Rc::clone(after)));
        }
    }
}

/// A world of `hosts` that count, and are started again a second after each death.
pub fn counting_world(seed: u64, hosts: u64, faults: FaultPlan) -> (World, Rc<Told>, Rc<Swaps>) {
    let world = World::new(WorldOptions::calm(seed).with_faults(faults), Choices::seeded(seed));
    let (told, swaps) = (Rc::new(Told::default()), Rc::new(Swaps::default()));
    world.observe(Rc::clone(&swaps) as Rc<dyn Observer>);
    let overseer = world.start_life(world.add_host(HostSetup::OVERSEER));
    for _ in 0..hosts {
        overseer.spawn(keep_alive(world.handle(), Rc::clone(&told)));
    }
    (world, told, swaps)
}

async fn keep_alive(handle: Handle, told: Rc<Told>) {
    let host = handle.add_host(HostSetup::MEMBER);
    loop {
        let life = handle.start_life(host);
        life.spawn(count_for_ever(life.clone(), Rc::clone(&told)));
        life.ended().await;
        handle.sleep_until(handle.now().plus(Duration::from_secs(1))).await;
    }
}
