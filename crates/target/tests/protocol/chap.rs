//! CHAP, one-way and mutual (RFC 7143, 12.1.3; RFC 1994).

use std::collections::BTreeMap;

use oarlock_scsi::iscsi::{Account, Accounts, Algorithm, LoginResponse, Stage, text};

use crate::initiator::{Flow, Session, Talk, Who, cdb};
use crate::place::Place;

const FAILED: u16 = 0x0201;
const INITIATOR_ERROR: u16 = 0x0200;
const SECRET: &[u8] = b"the initiator's secret";
const TARGET_SECRET: &[u8] = b"the target's own secret";
const ALGORITHMS: [Algorithm; 4] = [Algorithm::Md5, Algorithm::Sha1, Algorithm::Sha256, Algorithm::Sha3];
/// What the initiator asks in turn.
const IDENTIFIER: u8 = 77;
const CHALLENGE: [u8; 16] = [0x3c; 16];

fn account(name: &str, secret: &[u8]) -> Account {
    Account { name: name.to_owned(), secret: secret.to_vec(), allowed: Vec::new() }
}

fn place(is_mutual: bool) -> Place {
    Place::with(|options, _| {
        options.accounts = Accounts {
            initiators: vec![account("another", b"the secret of another"), account("one", SECRET)],
            target: is_mutual.then(|| account("array", TARGET_SECRET)),
        };
    })
}

type Pairs = BTreeMap<String, String>;

fn pairs_text(pairs: &[(&str, &str)]) -> Vec<u8> {
    let mut whole = Vec::new();
    pairs.iter().for_each(|(key, value)| text::put(&mut whole, key, value));
    whole
}

/// A login that was challenged: what the target asks.
fn challenged(place: &Place, who: &Who, algorithms: &str) -> (Talk, Pairs) {
    let mut talk = Talk::new(place.portal(), who);
    let request = talk.request(Stage::Security, None);
    let first = [who.names(), pairs_text(&[("AuthMethod", "CHAP,None")])].concat();
    let (response, answered) = talk.ask(&request, &first);
    assert_eq!((response.status, answered["AuthMethod"].as_str()), (0, "CHAP"));
    let (response, asked) = talk.ask(&request, &pairs_text(&[("CHAP_A", algorithms)]));
    assert_eq!(response.status, 0);
    (talk, asked)
}

/// What proves a secret to the target.
fn proof(asked: &Pairs, secret: &[u8]) -> String {
    let algorithm = Algorithm::from_number(asked["CHAP_A"].parse().unwrap()).unwrap();
    let challenge = text::bytes(&asked["CHAP_C"], 1024).unwrap();
    text::to_hexadecimal(&algorithm.response(asked["CHAP_I"].parse().unwrap(), secret, &challenge))
}

/// Sends the proof, and what is asked in turn.
fn prove(talk: &mut Talk, pairs: &[(&str, &str)]) -> (LoginResponse, Pairs) {
    let request = talk.request(Stage::Security, Some(Stage::Operational));
    talk.ask(&request, &pairs_text(pairs))
}

/// Goes on to the session.
fn enter(mut talk: Talk, who: &Who) -> Session {
    let request = talk.request(Stage::Operational, Some(Stage::FullFeature));
    let (response, answered) = talk.ask(&request, &[]);
    assert_eq!(response.status, 0);
    talk.begin(who, &response, &answered)
}

/// Whoever read one host's secret could log in as another, and write under its reservation.
#[test]
fn an_account_of_one_initiator_lets_no_other_in() {
    let place = Place::with(|options, _| {
        let mut own = account("one", SECRET);
        own.allowed = vec![Who::new("one").name.parse().unwrap()];
        options.accounts.initiators = vec![own];
    });
    let login = |name: &str| {
        let who = Who::new(name);
        let (mut talk, asked) = challenged(&place, &who, "5");
        let (response, _) = prove(&mut talk, &[("CHAP_N", "one"), ("CHAP_R", &proof(&asked, SECRET))]);
        response.status
    };
    assert_eq!(login("one"), 0);
    assert_eq!(login("two"), FAILED);
    let name = Who::new("two").name;
    let told = place.told(&format!("login of {name} refused: it did not prove who it is (status 0201h)"));
    assert_eq!(told.len(), 1);
}

#[test]
fn a_target_with_the_secret_of_an_initiator_does_not_start() {
    let mut place = place(true);
    place.options.accounts.target = Some(account("array", SECRET));
    let refused = place.try_restart().unwrap_err().to_string();
    assert!(refused.contains("`one`") && refused.contains("secret"), "{refused}");
    place.options.accounts.target = None;
    place.restart();
}

#[test]
fn who_knows_the_secret_comes_in_by_each_algorithm() {
    let place = place(false);
    let who = Who::new("one");
    for algorithm in ALGORITHMS {
        let number = (algorithm as u8).to_string();
        let (mut talk, asked) = challenged(&place, &who, &format!("99,{number}"));
        assert_eq!(asked["CHAP_A"], number, "the first that both know");
        let (response, answered) = prove(&mut talk, &[("CHAP_N", "one"), ("CHAP_R", &proof(&asked, SECRET))]);
        assert_eq!((response.status, response.next), (0, Some(Stage::Operational)));
        assert!(!answered.contains_key("CHAP_R"), "nobody asked the target");
        let mut session = enter(talk, &who);
        session.run(0, cdb::test_unit_ready(), Flow::None).code();
        assert_eq!(place.target().sessions().unwrap()[0].account.as_deref(), Some("one"));
        session.logout();
    }
}

#[test]
fn a_target_that_is_asked_proves_itself_by_each_algorithm() {
    let place = place(true);
    let who = Who::new("one");
    for algorithm in ALGORITHMS {
        let (mut talk, asked) = challenged(&place, &who, &(algorithm as u8).to_string());
        let (response, answered) = prove(
            &mut talk,
            &[
                ("CHAP_N", "one"),
                ("CHAP_R", &proof(&asked, SECRET)),
                ("CHAP_I", &IDENTIFIER.to_string()),
                ("CHAP_C", &text::to_hexadecimal(&CHALLENGE)),
            ],
        );
        assert_eq!((response.status, answered["CHAP_N"].as_str()), (0, "array"));
        let expected = algorithm.response(IDENTIFIER, TARGET_SECRET, &CHALLENGE);
        assert_eq!(text::bytes(&answered["CHAP_R"], 64), Some(expected));
        enter(talk, &who).logout();
    }
}

/// The status of a proof that is refused.
fn refused(place: &Place, pairs: impl FnOnce(&Pairs) -> Vec<(&'static str, String)>) -> u16 {
    let (talk, asked) = challenged(place, &Who::new("one"), "5");
    let pairs = pairs(&asked);
    let pairs: Vec<(&str, &str)> = pairs.iter().map(|(key, value)| (*key, value.as_str())).collect();
    let request = talk.request(Stage::Security, Some(Stage::Operational));
    talk.refused(&request, &pairs_text(&pairs))
}

#[test]
fn who_does_not_know_the_secret_stays_outside() {
    let place = place(true);
    let with = |name: &'static str, response: String| {
        move |_: &Pairs| vec![("CHAP_N", name.to_owned()), ("CHAP_R", response)]
    };
    let wrong = |name: &'static str, secret: &'static [u8]| {
        move |asked: &Pairs| vec![("CHAP_N", name.to_owned()), ("CHAP_R", proof(asked, secret))]
    };
    assert_eq!(refused(&place, wrong("one", b"not the secret")), FAILED);
    assert_eq!(refused(&place, wrong("another", SECRET)), FAILED, "the secret of somebody else");
    assert_eq!(refused(&place, wrong("nobody", SECRET)), FAILED);
    assert_eq!(refused(&place, wrong("array", TARGET_SECRET)), FAILED, "the target's own account");
    assert_eq!(refused(&place, with("one", "0x".to_owned())), FAILED);
    assert_eq!(refused(&place, with("one", "0xzz".to_owned())), FAILED);
    assert_eq!(refused(&place, |asked| vec![("CHAP_R", proof(asked, SECRET))]), FAILED);
    assert_eq!(refused(&place, |_| vec![("CHAP_N", "one".to_owned())]), FAILED);
    assert!(place.target().sessions().unwrap().is_empty());
}

/// Who sends the target's own challenge back would have the target compute the answer to it.
#[test]
fn the_targets_own_challenge_is_not_answered() {
    let place = place(true);
    let status = refused(&place, |asked| {
        vec![
            ("CHAP_N", "one".to_owned()),
            ("CHAP_R", proof(asked, SECRET)),
            ("CHAP_I", asked["CHAP_I"].clone()),
            ("CHAP_C", asked["CHAP_C"].clone()),
        ]
    });
    assert_eq!(status, FAILED);
}

#[test]
fn a_target_without_a_secret_of_its_own_proves_nothing() {
    let place = place(false);
    let status = refused(&place, |asked| {
        vec![
            ("CHAP_N", "one".to_owned()),
            ("CHAP_R", proof(asked, SECRET)),
            ("CHAP_I", IDENTIFIER.to_string()),
            ("CHAP_C", text::to_hexadecimal(&CHALLENGE)),
        ]
    });
    assert_eq!(status, FAILED);
}

#[test]
fn nobody_passes_by_the_proof() {
    let place = place(false);
    let who = Who::new("one");
    assert_eq!(who.try_login(place.portal()).err(), Some(FAILED), "straight to the operational stage");
    assert_eq!(who.clone().discovery().try_login(place.portal()).err(), Some(FAILED));
    let talk = Talk::new(place.portal(), &who);
    let request = talk.request(Stage::Security, Some(Stage::FullFeature));
    assert_eq!(talk.refused(&request, &who.text()), FAILED);
    let talk = Talk::new(place.portal(), &who);
    let request = talk.request(Stage::Security, None);
    let none = [who.names(), pairs_text(&[("AuthMethod", "None")])].concat();
    assert_eq!(talk.refused(&request, &none), FAILED);
    let (talk, _) = challenged(&place, &who, "5");
    let request = talk.request(Stage::Security, None);
    assert_eq!(talk.refused(&request, &pairs_text(&[("AuthMethod", "CHAP")])), INITIATOR_ERROR);
    let (mut talk, _) = challenged(&place, &who, "5");
    let (response, _) = prove(&mut talk, &[]);
    assert!(response.status == 0 && !response.is_transit, "the target is not ready");
}

#[test]
fn an_algorithm_that_the_target_does_not_know_is_refused() {
    let place = place(false);
    let who = Who::new("one");
    let mut talk = Talk::new(place.portal(), &who);
    let request = talk.request(Stage::Security, None);
    let first = [who.names(), pairs_text(&[("AuthMethod", "CHAP")])].concat();
    talk.ask(&request, &first);
    assert_eq!(talk.refused(&request, &pairs_text(&[("CHAP_A", "1,2,99")])), FAILED);
}

#[test]
fn every_challenge_is_another() {
    let place = place(false);
    let challenges: std::collections::BTreeSet<String> =
        (0..50).map(|_| challenged(&place, &Who::new("one"), "5").1["CHAP_C"].clone()).collect();
    assert_eq!(challenges.len(), 50);
}
