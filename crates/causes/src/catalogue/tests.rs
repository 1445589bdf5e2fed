//! What must be true of every page of the catalogue.

use crate::entry::{Entry, Source};
use crate::{Cause, Layer};

/// Every text of an entry, with the name of its field.
fn texts(entry: &Entry) -> Vec<(&'static str, &'static str)> {
    let mut texts = vec![
        ("title", entry.title),
        ("what", entry.what),
        ("seen_as", entry.seen_as),
        ("proof in logs", entry.proof.logs),
        ("consequence", entry.consequence),
    ];
    texts.extend(entry.proof.live.map(|live| ("live proof", live)));
    texts.extend(entry.remedy.iter().map(|remedy| ("remedy", remedy.text)));
    texts
}

/// Every source that an entry cites.
fn sources(entry: &Entry) -> impl Iterator<Item = Source> {
    entry.remedy.iter().map(|remedy| remedy.source).chain(entry.sources.iter().copied())
}

#[test]
fn every_cause_has_the_page_that_bears_its_name() {
    for &cause in Cause::ALL {
        assert_eq!(cause.entry().cause, cause);
    }
}

#[test]
fn no_text_is_empty_or_ragged() {
    for &cause in Cause::ALL {
        for (field, text) in texts(cause.entry()) {
            assert!(text.len() > 4, "{cause}: {field} says nothing");
            assert_eq!(text, text.trim(), "{cause}: {field} starts or ends with a space");
            assert!(!text.contains("  ") && !text.contains('\n'), "{cause}: {field} is broken up");
            let headline = field == "title";
            assert_eq!(text.ends_with('.'), !headline && !text.ends_with('`'), "{cause}: {field} ends oddly");
        }
    }
}

#[test]
fn every_cause_has_a_remedy_and_sources() {
    for &cause in Cause::ALL {
        let entry = cause.entry();
        assert!(!entry.remedy.is_empty(), "{cause} has no remedy");
        assert!(!entry.sources.is_empty(), "{cause} has no source");
    }
}

#[test]
fn every_source_can_be_looked_up() {
    for &cause in Cause::ALL {
        for source in sources(cause.entry()) {
            match source {
                Source::Broadcom(number) => {
                    assert!((100_000..1_000_000).contains(&number), "{cause}: KB{number} has not six digits");
                }
                Source::Article(text) => {
                    assert!(text.contains(" KB "), "{cause}: {text:?} has no number");
                }
                Source::Page(address) => {
                    assert!(address.starts_with("http") && !address.contains(' '), "{cause}: {address:?}");
                }
                Source::Standard(clause) => {
                    assert!(clause.chars().any(|letter| letter.is_ascii_digit()), "{cause}: {clause:?}");
                }
                Source::Document(path) => {
                    assert!(path.starts_with("docs/") && path.ends_with(".md"), "{cause}: {path:?}");
                }
                Source::CommonPractice => {}
            }
        }
    }
}

#[test]
fn a_knowledge_base_number_shows_where_to_read_it() {
    assert_eq!(
        Source::Broadcom(326_437).to_string(),
        "KB326437 (https://knowledge.broadcom.com/external/article/326437)"
    );
    assert_eq!(Source::CommonPractice.to_string(), "common practice");
}

#[test]
fn what_a_host_can_prove_by_reading_the_disk_has_a_live_proof() {
    const NAMED_BY_HOSTS: [Cause; 16] = [
        Cause::Contention,
        Cause::DelayedOwnWrite,
        Cause::SlowStorage,
        Cause::StaleCache,
        Cause::PathFault,
        Cause::PathsDisagree,
        Cause::ArrayFault,
        Cause::Rollback,
        Cause::CorruptBlock,
        Cause::ForeignBlock,
        Cause::Fenced,
        Cause::QueueDepth,
        Cause::AtsUnsupported,
        Cause::Reservation,
        Cause::ArrayFull,
        Cause::SnapshotSignature,
    ];
    for &cause in Cause::ALL {
        // `cannot-tell` is what a host says when none of these proofs is there.
        let named = NAMED_BY_HOSTS.contains(&cause) || cause == Cause::CannotTell;
        assert_eq!(cause.entry().proof.live.is_some(), named, "{cause}");
    }
}

#[test]
fn every_layer_has_a_cause() {
    for &layer in Layer::ALL {
        assert!(Cause::ALL.iter().any(|cause| cause.entry().layer == layer), "{layer} has none");
    }
}
