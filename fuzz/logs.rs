//! Logs, as the doctor reads them.

use oarlock_doctor::report::html;
use oarlock_doctor::report::terminal::Page;
use oarlock_doctor::{Doctor, explain};

/// A page for a narrow terminal, with colours.
const PAGE: Page = Page { width: 40, colours: true };

/// No bytes make the doctor fall, and what it finds it can show: as JSON, on a page, and with its names hidden. The first byte
/// decides whether they are hidden; what follows a byte `FFh` is a second input.
pub fn check_doctor(data: &[u8]) {
    let (redacts, rest) = data.split_first().map_or((false, data), |(first, rest)| (first % 2 == 1, rest));
    let mut doctor = Doctor::new().showing_strangers(true).redacting(redacts);
    for (number, mut input) in rest.split(|&byte| byte == 0xff).enumerate() {
        doctor.read(&format!("esx{number}/vmkernel.log"), &mut input, &mut |_| {});
    }
    let report = doctor.judge();
    assert!(
        report.incidents.iter().all(|finding| !finding.evidence.is_empty()),
        "a finding without evidence"
    );
    assert!(!PAGE.report(&report).is_empty());
    assert!(html::page(&report).contains("</html>"));
}

/// No line makes the explanation fall, and it always has something to say.
pub fn check_explain(data: &[u8]) {
    let explanation = explain(&String::from_utf8_lossy(data));
    assert!(!explanation.summary.is_empty());
    assert!(!PAGE.explanation(&explanation).is_empty());
}
