//! The page as a whole: it needs nothing else, trusts no line, is bounded, and can be read by everybody.

use super::*;
use crate::bounds::{EVIDENCE_MAX, FINDINGS_MAX, QUOTE_BYTES_MAX};
use crate::doctor::Doctor;
use crate::finding::Evidence;

const NIGHT: [(&str, &str); 3] = [
    ("heron01/vmkernel.log", include_str!("../../../../../testdata/logs/night/heron01/vmkernel.log")),
    ("heron02/vmkernel.log", include_str!("../../../../../testdata/logs/night/heron02/vmkernel.log")),
    ("gannet/messages", include_str!("../../../../../testdata/logs/night/gannet/messages")),
];

fn night() -> Report {
    let mut doctor = Doctor::new().showing_strangers(true);
    for (name, log) in NIGHT {
        doctor.read(name, &mut log.as_bytes(), &mut |_| {});
    }
    doctor.judge()
}

fn count(page: &str, part: &str) -> usize {
    page.matches(part).count()
}

#[test]
fn the_page_needs_nothing_else_and_runs_nothing() {
    let page = page(&night());
    for part in
        ["<script", "<link", "<img", "<iframe", "src=\"", "@import", "url(", "javascript:", " style=\""]
    {
        assert_eq!(count(&page, part), 0, "{part}");
    }
    assert!(page.contains("default-src 'none'"));
    assert!(page[..1_024].contains(MARK), "the mark stands near the beginning");
}

#[test]
fn a_line_that_means_ill_is_quoted_and_nothing_else() {
    let page = page(&night());
    assert!(page.contains("&lt;script&gt;document.title=1&lt;/script&gt;"));
    assert!(!page.contains('\u{202e}'));
}

#[test]
fn every_tag_is_closed_where_it_was_opened() {
    const ALONE: [&str; 2] = ["meta", "!DOCTYPE"];
    let page = page(&night());
    let body = page.replace(include_str!("style.css"), "");
    let mut open: Vec<&str> = Vec::new();
    for tag in body.split('<').skip(1).map(|rest| rest.split('>').next().unwrap_or("")) {
        let name = tag.split(' ').next().unwrap_or("");
        if let Some(closed) = name.strip_prefix('/') {
            assert_eq!(open.pop(), Some(closed), "{tag}");
        } else if !tag.ends_with('/') && !ALONE.contains(&name) {
            open.push(name);
        }
    }
    assert_eq!(open, Vec::<&str>::new());
}

#[test]
fn who_cannot_see_the_page_can_read_it() {
    let page = page(&night());
    assert_eq!((count(&page, "<h1>"), count(&page, "<main>")), (1, 1));
    assert_eq!(
        count(&page, "<svg class=\"line\""),
        count(&page, "aria-label=\"Time line of this host and device. ")
    );
    assert!(count(&page, "<svg class=\"line\"") >= 6);
    assert_eq!(count(&page, "<th>"), 0, "every heading of a table says what it heads");
    assert!(page.contains("<th scope=\"col\">") && page.contains("<th scope=\"row\">"));
    let order: Vec<usize> = [
        "What happened<",
        "Is data at risk now?",
        "What to do now",
        "What not to do",
        "What happened when",
        "Findings, layer",
    ]
    .iter()
    .map(|head| page.find(head).unwrap())
    .collect();
    assert!(order.is_sorted(), "{order:?}");
}

#[test]
fn a_finding_says_all_that_is_known_of_it() {
    let page = page(&night());
    for part in [
        "Cause",
        "Layer",
        "Confidence",
        "What follows from it",
        "Proof",
        "What was put aside, and why",
        "Risk: ",
        "Source: ",
        "What to collect next",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert!(page.contains("heron01/vmkernel.log:") && page.contains("(log: 2026-06-14T04:15:00"));
    assert!(page.contains("the log&#39;s own zone, +02:00"));
}

#[test]
fn a_page_of_nothing_says_so_and_claims_no_health() {
    let page = page(&Report::default());
    assert!(page.contains("No incident was found") && page.contains("no proof of health"));
}

/// The worst that a report can hold: every maximum at once, each letter one that grows when it is escaped.
#[test]
fn the_page_is_bounded_however_much_was_read() {
    const BYTES_MAX: usize = 6 << 20;
    let mut log = String::new();
    for number in 0..60_000_u64 {
        let (minute, second) = (number / 60 % 60, number % 60);
        let (day, hour, device) = (1 + number / 86_400, number / 3_600 % 24, number % 40);
        log += &format!(
            "2026-06-{day:02}T{hour:02}:{minute:02}:{second:02}.000Z cpu1:2)ScsiDeviceIO: 1: Cmd(0x4) 0x89, CmdSN 0x1 from world 3 to dev \"naa.6{device:031}\" failed H:0x0 D:0x2 P:0x0 Valid sense data: 0xe 0x1d 0x0\n"
        );
    }
    let mut doctor = Doctor::new();
    doctor.read("x", &mut log.as_bytes(), &mut |_| {});
    let mut report = doctor.judge();
    let mut finding = report.incidents[0].clone();
    let quote = Evidence { text: "<".repeat(QUOTE_BYTES_MAX), ..finding.evidence[0].clone() };
    finding.evidence = vec![quote; EVIDENCE_MAX];
    finding.hosts = vec!["h".repeat(200); 10_000];
    report.incidents = vec![finding; FINDINGS_MAX];
    report.problems = vec!["'".repeat(300); 10_000];
    let page = page(&report);
    assert!(page.len() < BYTES_MAX, "{} bytes", page.len());
    assert!(page.contains("more with less to show are not drawn"));
}

/// The contrast of two colours (WCAG 2.2, 1.4.3).
fn contrast(one: &str, other: &str) -> f64 {
    let light = |colour: &str| {
        let part = |at: usize| {
            let value = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
            if value <= 0.03928 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5)
    };
    let (one, other) = (light(one) + 0.05, light(other) + 0.05);
    one.max(other) / one.min(other)
}

#[test]
fn every_text_stands_out_from_its_ground_in_both_schemes_and_in_print() {
    const PAIRS: [(&str, &str); 12] = [
        ("ink", "ground"),
        ("ink", "paper"),
        ("ink", "code"),
        ("ink", "calm-ground"),
        ("ink", "doubt-ground"),
        ("ink", "danger-ground"),
        ("soft", "ground"),
        ("soft", "paper"),
        ("link", "paper"),
        ("calm", "calm-ground"),
        ("doubt", "doubt-ground"),
        ("danger", "danger-ground"),
    ];
    let schemes: Vec<&str> = include_str!("style.css").split(":root {").skip(1).collect();
    assert_eq!(schemes.len(), 3);
    for scheme in schemes {
        let scheme = scheme.split('}').next().unwrap();
        let colour = |name: &str| {
            let mark = format!("--{name}: ");
            let at = scheme.find(&mark).unwrap_or_else(|| panic!("{name}")) + mark.len();
            &scheme[at..at + 7]
        };
        for (text, ground) in PAIRS {
            let found = contrast(colour(text), colour(ground));
            assert!(found >= 4.5, "{text} on {ground}: {found:.2}");
        }
        // Pictures need less, and are told by their words as well (1.4.11).
        for bar in ["latency", "queue", "ats", "false", "open", "path", "beat", "other"] {
            let found = contrast(colour(bar), colour("paper"));
            assert!(found >= 3.0, "{bar}: {found:.2}");
        }
    }
}
