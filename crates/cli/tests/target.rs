//! The array as its operator has it: units that come and go while it serves, and who is there.

use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use crate::common::array::{Initiator, NAME, get};
use crate::common::{Place, Ran, eventually, send, until_it_catches_signals};

fn place() -> Place {
    let place = Place::new();
    place.write("a.img", &[0; 1 << 20]);
    place
}

#[test]
fn units_are_added_grown_and_removed_while_the_array_serves() {
    let place = place();
    let mut array = place.serve(&["--lun", "0=a.img"]);
    let luns = place.target(&["lun", "list"]);
    assert_eq!((&luns[0]["lun"], &luns[0]["size"]), (&json!(0), &json!(1 << 20)));
    // Where the array stands is not where the operator does.
    let added = place.target(&["lun", "add", "7=b.img,size=64K,block=4096,thin,serial=B7"]);
    assert_eq!(added["file"], json!(place.path("b.img").to_str().unwrap()));
    assert_eq!(
        (&added["lun"], &added["size"], &added["block_size"], &added["thin"], &added["serial"]),
        (&json!(7), &json!(65536), &json!(4096), &json!(true), &json!("B7"))
    );
    let told = array.said_behind("Z unit 7 (");
    assert_eq!(told, format!("{}) is served from now on", place.path("b.img").display()));
    let again = place.target_runs(&["lun", "add", "7=c.img,size=64K"]);
    again.fails(1, "OAR-0527").says("there is a unit 7 already");
    let grown = place.target(&["lun", "resize", "7", "--size", "128K"]);
    assert_eq!(grown["size"], json!(131_072));
    place.target_runs(&["lun", "resize", "7", "--size", "4K"]).fails(1, "OAR-0527").says("cannot shrink");
    let said = place.target_runs(&["lun", "list"]);
    assert!(said.stdout.contains("LUN") && said.stdout.contains("B7"), "{}", said.stdout);
    assert_eq!(place.target(&["lun", "remove", "7"]), json!({"lun": 7}));
    place.target_runs(&["lun", "remove", "7"]).fails(1, "OAR-0527").says("no unit 7");
    assert_eq!(place.target(&["lun", "list"]).as_array().unwrap().len(), 1);
    assert_eq!(array.stop(), 0);
}

#[test]
fn initiators_hear_of_a_unit_that_grew_and_the_operator_sees_their_sessions() {
    let place = place();
    let array = place.serve(&["--lun", "0=a.img"]);
    assert_eq!(place.target(&["sessions"]), json!([]));
    let mut esx = Initiator::log_in(&array.address(), "esx");
    let sessions = place.target(&["sessions"]);
    assert_eq!(
        (&sessions[0]["initiator"], &sessions[0]["discovery"], &sessions[0]["commands"]),
        (&json!("iqn.2026-11.org.example:esx"), &json!(false), &json!(0))
    );
    assert_eq!(esx.write(5, 1).status, 0);
    assert_eq!(esx.swap(5, 1, 2).status, 0);
    assert_eq!(esx.swap(5, 1, 3).sense, Some((0xe, 0x1d, 0)), "MISCOMPARE");
    assert_eq!(esx.read(5).data, [2; 512]);
    place.target(&["lun", "resize", "0", "--size", "2M"]);
    let attention = esx.command(&[0; 6], &[], 0);
    assert_eq!((attention.status, attention.sense), (2, Some((6, 0x2a, 9))), "CAPACITY DATA HAS CHANGED");
    drop(esx);
    eventually("its session is gone", || place.target(&["sessions"]) == json!([]));
}

#[test]
fn the_socket_is_the_owner_s_and_goes_with_the_array() {
    let place = place();
    let mut array = place.serve(&["--lun", "0=a.img"]);
    let socket = place.path("run/target").join(format!("{NAME}.sock"));
    assert_eq!(array.said_behind("its API is at "), socket.to_str().unwrap());
    let about = std::fs::metadata(&socket).unwrap();
    assert!(about.file_type().is_socket());
    assert_eq!(about.permissions().mode() & 0o777, 0o660);
    // Clients that say nothing, or close their half, keep nobody out.
    let silent: Vec<UnixStream> = (0..8).map(|_| UnixStream::connect(&socket).unwrap()).collect();
    silent[0].shutdown(std::net::Shutdown::Write).unwrap();
    let status = place.target(&["status"]);
    assert_eq!((&status["name"], &status["portals"][0]["address"]), (&json!(NAME), &json!(array.address())));
    assert_eq!(array.stop(), 0, "nor do they keep the array from ending");
    assert!(!socket.exists());
    place.target_runs(&["status"]).fails(75, "OAR-0525").says("no running array");
    place.target_runs(&["sessions", "--api", "none.sock"]).fails(75, "OAR-0525").says("cannot be reached");
}

#[test]
fn of_several_arrays_one_must_be_named_and_two_of_one_name_are_refused() {
    let place = place();
    let _first = place.serve(&["--lun", "0=a.img"]);
    let namesake = ["target", "serve", "--listen", "127.0.0.1:0", "--lun", "0=b.img,size=64K"];
    place.run(&namesake).fails(1, "OAR-0301");
    assert!(!place.path("b.img").exists(), "it was refused before it touched anything");
    let other = "iqn.2026-11.org.example:other";
    let _second = place.serve(&["--lun", "3=b.img,size=64K", "--iqn", other]);
    place.target_runs(&["lun", "list"]).fails(2, "OAR-0526").says(other);
    assert_eq!(place.target(&["lun", "list", "--iqn", other])[0]["lun"], json!(3));
    assert_eq!(place.target(&["lun", "list", "--iqn", NAME])[0]["lun"], json!(0));
    let _third = place.serve(&["--lun", "9=c.img,size=64K", "--api", "own.sock"]);
    assert_eq!(place.target(&["lun", "list", "--api", "own.sock"])[0]["lun"], json!(9));
    place.run(&["status"]).fails(75, "OAR-0401");
}

#[test]
fn a_file_says_what_flags_would_and_flags_say_it_better() {
    let place = place();
    place.write(
        "array.toml",
        b"listen = ['127.0.0.1:0', '127.0.0.1:0']\nallow = ['iqn.2026-11.org.example:esx']\n\
          [[lun]]\nnumber = 0\nfile = 'a.img'\nserial = 'FILE'\n[[lun]]\nnumber = 1\nfile = 'b.img'\nsize = '64K'\n",
    );
    let from_file = ["target", "serve", "--config", "array.toml"];
    let array = place.serve_as(&from_file);
    assert_eq!(place.target(&["status"])["portals"].as_array().unwrap().len(), 2);
    assert!(Initiator::try_log_in(&array.address(), "win").is_err_and(|status| status == 0x0202));
    assert!(Initiator::try_log_in(&array.address(), "esx").is_ok());
    drop(array);
    let more =
        ["--listen", "127.0.0.1:0", "--allow", "iqn.2026-11.org.example:win", "--lun", "0=a.img,serial=FLAG"];
    let array = place.serve_as(&[&from_file[..], &more].concat());
    assert_eq!(place.target(&["status"])["portals"].as_array().unwrap().len(), 1);
    let luns = place.target(&["lun", "list"]);
    assert_eq!((&luns[0]["serial"], &luns[1]["lun"]), (&json!("FLAG"), &json!(1)));
    assert!(["esx", "win"].iter().all(|word| Initiator::try_log_in(&array.address(), word).is_ok()));
}

#[test]
fn metrics_count_what_initiators_did() {
    let place = place();
    let more = ["--lun", "0=a.img", "--metrics", "127.0.0.1:0", "--allow", "iqn.2026-11.org.example:esx"];
    let array = place.serve(&more);
    let mut esx = Initiator::log_in(&array.address(), "esx");
    assert!(Initiator::try_log_in(&array.address(), "win").is_err());
    assert_eq!((esx.swap(1, 0, 1).status, esx.swap(1, 0, 2).status), (0, 2));
    assert_eq!((esx.write(2, 7).status, esx.read(2).data), (0, vec![7; 512]));
    let address = array.said_behind("its metrics are at http://");
    let address = address.strip_suffix("/metrics").unwrap();
    let metrics = get(address, "/metrics");
    assert!(
        metrics.starts_with("HTTP/1.1 200") && metrics.contains("text/plain; version=0.0.4"),
        "{metrics}"
    );
    for line in [
        r#"oarlock_target_commands_total{opcode="89h",status="good"} 1"#,
        r#"oarlock_target_commands_total{opcode="89h",status="check_condition"} 1"#,
        "oarlock_target_ats_total 2",
        "oarlock_target_ats_false_total 1",
        "oarlock_target_read_bytes_total 512",
        "oarlock_target_written_bytes_total 2560",
        r#"oarlock_target_command_duration_seconds_count{kind="compare_and_write"} 2"#,
        r#"oarlock_target_command_duration_seconds_count{kind="read"} 1"#,
        r#"oarlock_target_logins_total{result="accepted"} 1"#,
        r#"oarlock_target_logins_total{result="refused"} 1"#,
        "oarlock_target_sessions 1",
        "oarlock_target_units 1",
    ] {
        assert!(metrics.lines().any(|there| there == line), "{line} is wanted: {metrics}");
    }
    assert!(get(address, "/v1/luns").starts_with("HTTP/1.1 404"), "the port only tells");
    let taken = [
        "target",
        "serve",
        "--lun",
        "0=a.img",
        "--listen",
        "127.0.0.1:0",
        "--api",
        "x",
        "--metrics",
        address,
    ];
    place.run(&taken).fails(1, "OAR-0523").says("cannot serve metrics");
}

#[test]
fn systemd_hears_when_it_is_ready_and_when_it_stops() {
    let place = place();
    let systemd = UnixDatagram::bind(place.path("notify.sock")).unwrap();
    systemd.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let heard = || {
        let mut words = [0; 256];
        let length = systemd.recv(&mut words).unwrap();
        String::from_utf8(words[..length].to_vec()).unwrap()
    };
    let mut command = place.command(&["target", "serve", "--listen", "127.0.0.1:0", "--lun", "0=a.img"]);
    let mut array = Place::serve_by(command.env("NOTIFY_SOCKET", place.path("notify.sock")));
    assert!(heard().contains("READY=1"));
    assert_eq!(array.stop(), 0);
    assert!(heard().contains("STOPPING=1"));
}

/// A signal in the middle left an empty file, for which every later start was refused.
#[test]
fn a_start_that_is_ended_leaves_a_whole_file_or_none() {
    let place = Place::new();
    for moment in 0..12 {
        let array = place
            .command(&["target", "serve", "--listen", "127.0.0.1:0", "--lun", "0=made.img,size=256M"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        until_it_catches_signals(&array);
        std::thread::sleep(Duration::from_millis(moment * 3));
        send(&array, Signal::TERM);
        Ran::of(array.wait_with_output().unwrap()).succeeds();
        let made = std::fs::metadata(place.path("made.img"));
        assert!(made.is_err() || made.is_ok_and(|made| made.len() == 256 << 20));
        let _ = std::fs::remove_file(place.path("made.img"));
    }
}

#[test]
fn a_file_with_a_mistake_or_a_secret_that_others_read_serves_nothing() {
    let place = place();
    let config = |text: &str| {
        place.write("array.toml", text.as_bytes());
        place.run(&["target", "serve", "--config", "array.toml"])
    };
    config("[[lun]]\nnumber = 0\nfile = 'a.img'\nthick = true\n")
        .fails(2, "OAR-0528")
        .says("array.toml, line 4: unknown field `thick`");
    let secret = place.write("esx.secret", b"a good long secret\n");
    std::fs::set_permissions(secret, std::fs::Permissions::from_mode(0o640)).unwrap();
    let chap = "chap = ['esx:esx.secret']\nlisten = ['127.0.0.1:0']\n";
    config(chap).fails(1, "OAR-0524").says("only its owner may read it");
    config("chap_mutual = 'array:esx.secret'\n").fails(1, "OAR-0524");
    let secret = place.write("two.secret", b"a good long secret\nand another one\n");
    std::fs::set_permissions(secret, std::fs::Permissions::from_mode(0o600)).unwrap();
    config("chap = ['esx:two.secret']\n").fails(1, "OAR-0524").says("several lines");
    place
        .run(&["target", "serve", "--lun", "0=new.img,size=1000"])
        .fails(2, "OAR-0502")
        .says("whole number of blocks");
    assert!(!place.path("new.img").exists());
    place
        .run(&["target", "serve", "--listen", "here:1", "--lun", "0=a.img"])
        .fails(2, "OAR-0502")
        .says("`here:1`");
    place.run(&["target", "serve"]).fails(2, "OAR-0501").says("--lun");
}
