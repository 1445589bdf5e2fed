//! JSON: the bodies that clients send to the daemon, the documents that it answers with, and the file of events.

use std::fmt::Debug;

use oarlock_host::api::{
    ErrorBody, EventEntry, EvictRequest, Evicted, HostEntry, LockEntry, LockLine, LockRequest, Released,
    Status,
};
use oarlock_host::fuzzing::events_in;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Any bytes as any document, and as a file of events.
pub fn check(data: &[u8]) {
    document::<LockRequest>(data);
    document::<EvictRequest>(data);
    document::<Status>(data);
    document::<Vec<HostEntry>>(data);
    document::<Vec<LockEntry>>(data);
    document::<LockLine>(data);
    document::<Released>(data);
    document::<Evicted>(data);
    document::<ErrorBody>(data);
    document::<EventEntry>(data);
    events(data);
}

/// What is taken is written so that it is read as the same.
fn document<T: DeserializeOwned + Serialize + PartialEq + Debug>(data: &[u8]) {
    if let Ok(document) = serde_json::from_slice::<T>(data) {
        let text = serde_json::to_vec(&document).expect("a document can be written");
        assert_eq!(serde_json::from_slice::<T>(&text).ok(), Some(document));
    }
}

/// Whatever stands in a file of events before a line, the line is found.
fn events(data: &[u8]) {
    let found = events_in(data);
    assert!(found.len() <= data.len());
    let Some(event) = events_in(LINE).pop() else { unreachable!("the line is an event") };
    let torn = [data, b"\n", LINE].concat();
    let mut expected = found;
    expected.push(event);
    assert_eq!(events_in(&torn), expected);
}

const LINE: &[u8] = br#"{"time":"","kind":"path","cause":"","layer":"","action":"","detail":""}"#;
