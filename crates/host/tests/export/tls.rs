//! TLS, with real clients. Skipped, saying so, without openssl (which makes the certificates) or the client.

use std::fs;
use std::path::Path;

use oarlock_host::HostError;
use oarlock_host::export::Tls;

use crate::client::Client;
use crate::memory::{Beginning, CLUSTER};
use crate::world::{MIB, World, run, tools};

/// An authority, a server and a client of it, in files with QEMU's names.
fn certificates(folder: &Path) {
    let openssl = |arguments: &[&str]| run("openssl", arguments, folder);
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    let authority = [
        "req",
        "-x509",
        "-subj",
        "/CN=authority",
        "-days",
        "2",
        "-keyout",
        "ca-key.pem",
        "-out",
        "ca-cert.pem",
    ];
    openssl(&[&authority[..], &key[..]].concat());
    for (name, usage) in [("server", "serverAuth"), ("client", "clientAuth")] {
        let (keyout, request, out) =
            (format!("{name}-key.pem"), format!("{name}.req"), format!("{name}-cert.pem"));
        openssl(
            &[&["req", "-subj", "/CN=localhost", "-keyout", &keyout, "-out", &request][..], &key[..]]
                .concat(),
        );
        let extensions = format!("subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage={usage}\n");
        fs::write(folder.join("extensions"), extensions).unwrap();
        openssl(&[
            "x509",
            "-req",
            "-in",
            &request,
            "-CA",
            "ca-cert.pem",
            "-CAkey",
            "ca-key.pem",
            "-CAcreateserial",
            "-days",
            "2",
            "-extfile",
            "extensions",
            "-out",
            &out,
        ]);
    }
}

#[test]
fn a_secured_export_is_for_clients_with_a_certificate_only() {
    if !tools(&["openssl", "nbdinfo", "nbdcopy"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    certificates(folder.path());
    let tls = Tls::read(folder.path()).unwrap();
    let world = World::with(16 * MIB, Beginning::Empty, 16 * MIB / CLUSTER, (false, Some(tls)));
    let (secured, place) =
        (format!("{}&tls-certificates={}", world.uri(), folder.path().display()), world.folder.path());
    assert!(secured.starts_with("nbds+unix://"));
    let said = run("nbdinfo", &["--json", &secured], place);
    assert!(said.contains("\"TLS\": true"), "{said}");
    let source = place.join("source.img");
    fs::write(&source, crate::world::pattern(1, 16 << 20)).unwrap();
    run("nbdcopy", &["source.img", &secured], place);
    run("nbdcopy", &[&secured, "copy.img"], place);
    assert!(fs::read(source).unwrap() == fs::read(place.join("copy.img")).unwrap());
    // In the clear, and without a certificate of one's own, nothing is to be had.
    assert!(Client::dial(&world.socket()).is_err());
    fs::remove_file(folder.path().join("client-cert.pem")).unwrap();
    let refused = std::process::Command::new("nbdinfo").arg(&secured).output().unwrap();
    assert!(!refused.status.success());
    world.wait_until("nobody left", |status| status.connections == 0);
}

#[test]
fn a_folder_that_lacks_a_file_is_refused_by_the_file_s_name() {
    let folder = tempfile::tempdir().unwrap();
    let missing = Tls::read(folder.path()).unwrap_err();
    assert!(
        matches!(&missing, HostError::Tls { path, .. } if path.ends_with("server-cert.pem")),
        "{missing}"
    );
    fs::write(folder.path().join("server-cert.pem"), "nothing").unwrap();
    assert!(matches!(Tls::read(folder.path()), Err(HostError::Tls { .. })));
}
