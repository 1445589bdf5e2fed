//! docs/openapi.json is what the code says.

#![allow(clippy::unwrap_used)]

use std::path::Path;

/// Set to anything, it makes the test write the document instead of comparing it.
const REFRESH: &str = "OARLOCK_REFRESH_OPENAPI";

#[test]
fn the_openapi_document_is_what_the_code_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    let said = oarlock_host::openapi_document().unwrap();
    if std::env::var_os(REFRESH).is_some() {
        std::fs::write(&path, &said).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    let said_lines = said.lines().map(Some).chain(std::iter::repeat(None));
    let written_lines = written.lines().map(Some).chain(std::iter::repeat(None));
    let length = said.lines().count().max(written.lines().count());
    for (number, (said, written)) in said_lines.zip(written_lines).take(length).enumerate() {
        assert_eq!(
            said,
            written,
            "docs/openapi.json differs from the code from line {} on (left: the code, right: the file); \
             refresh it with `{REFRESH}=1 cargo test -p oarlock-host --test openapi`",
            number + 1
        );
    }
}
