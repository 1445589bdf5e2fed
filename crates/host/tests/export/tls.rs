//! TLS, with real clients. Skipped, saying so, without openssl (which makes the certificates) or the client.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use oarlock_host::HostError;
use oarlock_host::export::{Door, Place, Tls};

use crate::client::{Client, connect, is_ended};
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
    let refused = Command::new("nbdinfo").arg(&secured).output().unwrap();
    assert!(!refused.status.success());
    world.wait_until("nobody left", |status| status.connections == 0);
}

#[test]
fn qemu_speaks_tls_over_tcp_and_holds_the_certificate_against_the_address() {
    if !tools(&["openssl", "qemu-img"]) {
        return;
    }
    let size = 16 * MIB;
    let world = World::empty(size);
    let folder = world.folder.path();
    certificates(folder);
    let port = Door::open(&"tcp:127.0.0.1:0".parse().unwrap(), Some(Tls::read(folder).unwrap())).unwrap();
    port.offer(world.export()).unwrap();
    let Place::Tcp(address) = port.place() else { unreachable!("a port") };
    fs::write(folder.join("source.img"), crate::world::pattern(2, size as usize)).unwrap();
    // A folder of a client's own: QEMU looks for the client's files by name.
    let credentials = format!("tls-creds-x509,id=tls,endpoint=client,dir={}", folder.display());
    let disk = format!("driver=nbd,host=127.0.0.1,port={},export=disk,tls-creds=tls", address.port());
    let convert =
        ["convert", "-n", "--object", &credentials, "--target-image-opts", "-f", "raw", "source.img", &disk];
    run("qemu-img", &convert, folder);
    assert!(world.client().read(0, 16 << 20).data == fs::read(folder.join("source.img")).unwrap());
    // The certificate is not one for another name.
    let disk = format!("{disk},tls-hostname=elsewhere");
    let info = ["info", "--object", &credentials, "--image-opts", &disk];
    assert!(!Command::new("qemu-img").args(info).output().unwrap().status.success());
}

#[test]
fn rubbish_instead_of_tls_ends_its_own_connection_and_nobody_else_s() {
    if !tools(&["openssl", "nbdinfo"]) {
        return;
    }
    let keys = tempfile::tempdir().unwrap();
    certificates(keys.path());
    let tls = Tls::read(keys.path()).unwrap();
    let world = World::with(MIB, Beginning::Empty, MIB / CLUSTER, (false, Some(tls)));
    for seed in 0..20 {
        let mut stream = connect(&world.socket());
        // The client's flags (fixed newstyle, no zeroes), and the option STARTTLS.
        let mut bytes = vec![0, 0, 0, 3];
        bytes.extend(b"IHAVEOPT\0\0\0\x05\0\0\0\0");
        stream.write_all(&bytes).unwrap();
        // The server may have hung up before all of it was written.
        let _ = stream.write_all(&crate::world::pattern(seed, 3000));
        assert!(is_ended(&mut stream));
    }
    let secured = format!("{}&tls-certificates={}", world.uri(), keys.path().display());
    assert!(run("nbdinfo", &["--size", &secured], keys.path()).contains("1048576"));
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
