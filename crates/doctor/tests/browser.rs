//! The page in a real browser, without a network: nothing runs, nothing sticks out at any width, and it can be printed.
//! Without Chromium on the machine these tests say so and are skipped; on the ladder of checks, which installs it, they fail.
#![allow(clippy::unwrap_used)] // Its functions are called by tests alone.

use std::path::{Path, PathBuf};
use std::process::Command;

use oarlock_doctor::Doctor;
use oarlock_doctor::report::html;

const BROWSERS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "chrome"];
/// The narrowest telephone and a wide screen, in pixels.
const WIDTHS: [u32; 4] = [360, 700, 1_100, 1_600];

fn browser() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let found = std::env::split_paths(&path)
        .flat_map(|folder| BROWSERS.map(|name| folder.join(name)))
        .find(|program| program.is_file());
    if found.is_none() {
        assert!(
            std::env::var_os("OARLOCK_CI").is_none(),
            "no Chromium although this is the ladder of checks"
        );
        eprintln!("skipped: no Chromium on this machine");
    }
    found
}

/// Runs the browser without a window; the answer is what it prints.
fn run(browser: &Path, folder: &Path, arguments: &[&str], page: &Path) -> String {
    let output = Command::new("timeout")
        .arg("120")
        .arg(browser)
        .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
        .args([
            "--allow-file-access-from-files",
            "--host-resolver-rules=MAP * ~NOTFOUND",
            "--virtual-time-budget=10000",
        ])
        .arg(format!("--user-data-dir={}", folder.join("profile").display()))
        .args(arguments)
        .arg(format!("file://{}", page.display()))
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn write_page(folder: &Path) -> PathBuf {
    let logs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/logs/night");
    let mut doctor = Doctor::new();
    for name in ["heron01/vmkernel.log", "heron02/vmkernel.log", "gannet/messages"] {
        doctor.read(name, &mut std::fs::File::open(logs.join(name)).unwrap(), &mut |_| {});
    }
    let page = folder.join("page.html");
    std::fs::write(&page, html::page(&doctor.judge())).unwrap();
    page
}

/// A page that shows the report in frames of every width, and says what sticks out of them.
fn write_frames(folder: &Path) -> PathBuf {
    let frames: String = WIDTHS
        .iter()
        .map(|width| {
            format!("<iframe src=\"page.html\" style=\"width:{width}px;height:800px;border:0\"></iframe>")
        })
        .collect();
    let script = "addEventListener('load', () => {
      const found = [...document.querySelectorAll('iframe')].map(frame => {
        const page = frame.contentDocument, wide = page.documentElement.clientWidth;
        const out = [...page.querySelectorAll('body *:not(.skip)')].filter(part =>
          !part.closest('.scroll') && part.getBoundingClientRect().right > wide + 1);
        const cut = [...page.querySelectorAll('svg.line text')].filter(text => {
          const mine = text.getBoundingClientRect(), all = text.closest('svg').getBoundingClientRect();
          return mine.width > 0 && (mine.right > all.right + 1 || mine.left < all.left - 1 || mine.bottom > all.bottom + 1);
        });
        return frame.clientWidth + ':' + page.querySelectorAll('script,img').length + ':' + out.length + ':' + cut.length
          + ':' + (page.querySelectorAll('svg.line').length > 0) + ':' + page.title;
      });
      document.body.textContent = 'FOUND ' + found.join(' | ') + ' END';
    });";
    let path = folder.join("frames.html");
    std::fs::write(&path, format!("<!DOCTYPE html><body>{frames}<script>{script}</script></body>")).unwrap();
    path
}

#[test]
fn nothing_runs_and_nothing_sticks_out_at_any_width() {
    let Some(browser) = browser() else { return };
    let folder = tempfile::tempdir().unwrap();
    write_page(folder.path());
    let frames = write_frames(folder.path());
    let shown = run(&browser, folder.path(), &["--window-size=1700,900", "--dump-dom"], &frames);
    let found = shown.split("FOUND ").nth(1).and_then(|rest| rest.split(" END").next()).unwrap_or(&shown);
    let wanted: Vec<String> =
        WIDTHS.iter().map(|width| format!("{width}:0:0:0:true:Oarlock doctor: report")).collect();
    assert_eq!(found.split(" | ").collect::<Vec<_>>(), wanted, "(width:scripts:out:cut:drawn:title)");
}

#[test]
fn it_can_be_printed() {
    let Some(browser) = browser() else { return };
    let folder = tempfile::tempdir().unwrap();
    let page = write_page(folder.path());
    let paper = folder.path().join("page.pdf");
    run(&browser, folder.path(), &[&format!("--print-to-pdf={}", paper.display())], &page);
    let bytes = std::fs::read(&paper).unwrap();
    assert!(bytes.starts_with(b"%PDF"));
    let pages = bytes.windows(12).filter(|window| window.starts_with(b"/Type /Page\n")).count();
    assert!((2..40).contains(&pages), "{pages} pages");
}
