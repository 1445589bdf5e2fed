//! The shapes of a unit that libiscsi's suite is run on.

/// A shape of a unit, the tests that are run on it, and the skips that it may have.
pub struct Shape {
    pub name: &'static str,
    /// What is said of the unit behind its file.
    pub unit: &'static str,
    pub tests: &'static [&'static str],
    pub flags: &'static [&'static str],
    pub skips: &'static [&'static [Skip]],
}

/// The beginning of a test's name, and why it skips itself. docs/TESTING.md has the same list.
pub type Skip = (&'static str, &'static str);

const NOT_REMOVABLE: &[Skip] = &[
    ("NoMedia.", "for a removable unit: `removable` runs it"),
    ("PreventAllow.", "for a removable unit: `removable` runs it"),
    ("StartStopUnit.", "for a removable unit: `removable` runs it"),
];
const ONE_BLOCK_ALONE: &[Skip] = &[
    ("CompareAndWrite.InvalidDataOutSize", "for a physical block of several: `physical` runs it"),
    ("WriteSame10.UnmapUnaligned", "for a physical block of several: `physical` runs it"),
    ("WriteSame10.InvalidDataOutSize", "for a physical block of several: `physical` runs it"),
    ("WriteSame16.UnmapUnaligned", "for a physical block of several: `physical` runs it"),
    ("WriteSame16.InvalidDataOutSize", "for a physical block of several: `physical` runs it"),
];
const NO_ALIGNMENT: &[Skip] = &[("WriteAtomic16.VPD", "it looks at alignments, and there are none to keep")];
const NO_ZERO_BLOCKS: &[Skip] = &[
    ("WriteSame10.ZeroBlocks", "WSNZ is set (docs/decisions/0076)"),
    ("WriteSame16.ZeroBlocks", "WSNZ is set (docs/decisions/0076)"),
];
const WRITABLE: &[Skip] = &[("ReadOnly.", "for a read-only unit: `read-only` runs it")];
const NOT_TO_BE_ERASED: &[Skip] =
    &[("Sanitize.", "for a unit that may be erased: `removable and erased` and `thick and erased` run it")];
const LIMITS_OF_UNMAP: &[Skip] =
    &[("Inquiry.BlockLimits", "its limits of UNMAP are a thin unit's: `thin` runs it")];
const NOT_THIN: &[Skip] = &[
    ("CompareAndWrite.InvalidDataOutSize", "for a thin unit: `physical` runs it"),
    ("GetLBAStatus.UnmapSingle", "for a thin unit: `thin` runs it"),
    ("Unmap.", "for a thin unit: `thin` runs it"),
    ("WriteSame10.", "what UNMAP does is a thin unit's: `thin` and `physical` run it"),
    ("WriteSame16.", "what UNMAP does is a thin unit's: `thin` and `physical` run it"),
];
const NO_BLOCK_ERASE: &[Skip] =
    &[("Sanitize.BlockErase", "for a thin unit, whose blocks can be erased: `removable and erased` runs it")];
const NOT_ENCRYPTED: &[Skip] = &[
    ("Sanitize.CryptoErase", "nothing is encrypted"),
    ("Sanitize.Readonly", "its last part is a cryptographic erase: nothing is encrypted"),
    ("Sanitize.Reservations", "its last part is a cryptographic erase: nothing is encrypted"),
];

const DATA_LOSS: &[&str] = &["--dataloss"];
const ALSO_SANITIZE: &[&str] = &["--dataloss", "--allow-sanitize"];

/// All of Sanitize but `Reset`, which wants a unit whose overwriting takes ten seconds.
const SANITIZE: &[&str] = &[
    "SCSI.Sanitize.Block*",
    "SCSI.Sanitize.Overwrite*",
    "SCSI.Sanitize.Crypto*",
    "SCSI.Sanitize.Exit*",
    "SCSI.Sanitize.Invalid*",
    "SCSI.Sanitize.Read*",
    "SCSI.Sanitize.Reservations",
];

pub const SHAPES: [Shape; 8] = [
    Shape {
        name: "thin",
        unit: "size=128M,thin,physical=512",
        tests: &["ALL"],
        flags: DATA_LOSS,
        skips: &[NOT_REMOVABLE, ONE_BLOCK_ALONE, NO_ALIGNMENT, NO_ZERO_BLOCKS, WRITABLE, NOT_TO_BE_ERASED],
    },
    Shape {
        name: "blocks of 4096",
        unit: "size=128M,thin,block=4096,wce=0",
        tests: &["ALL"],
        flags: DATA_LOSS,
        skips: &[NOT_REMOVABLE, ONE_BLOCK_ALONE, NO_ALIGNMENT, NO_ZERO_BLOCKS, WRITABLE, NOT_TO_BE_ERASED],
    },
    Shape {
        name: "thick",
        unit: "size=128M,physical=512",
        tests: &["ALL"],
        flags: DATA_LOSS,
        skips: &[NOT_REMOVABLE, NO_ALIGNMENT, WRITABLE, NOT_TO_BE_ERASED, LIMITS_OF_UNMAP, NOT_THIN],
    },
    Shape {
        name: "removable",
        unit: "size=128M,thin,removable,physical=512",
        tests: &["SCSI.NoMedia", "SCSI.PreventAllow", "SCSI.StartStopUnit", "SCSI.TestUnitReady"],
        flags: DATA_LOSS,
        skips: &[],
    },
    Shape {
        name: "removable and erased",
        unit: "size=128M,thin,removable,physical=512",
        tests: SANITIZE,
        flags: ALSO_SANITIZE,
        skips: &[NOT_ENCRYPTED],
    },
    Shape {
        name: "thick and erased",
        unit: "size=128M,block=4096",
        tests: SANITIZE,
        flags: ALSO_SANITIZE,
        skips: &[NOT_ENCRYPTED, NO_BLOCK_ERASE],
    },
    Shape {
        name: "read-only",
        unit: "ro,thin",
        tests: &["SCSI.ReadOnly", "SCSI.Read10", "SCSI.Inquiry", "SCSI.ReadCapacity16"],
        flags: DATA_LOSS,
        skips: &[],
    },
    Shape {
        name: "physical",
        unit: "size=128M,thin,physical=4K",
        tests: &[
            "SCSI.CompareAndWrite",
            "SCSI.WriteSame10",
            "SCSI.WriteSame16",
            "SCSI.Unmap",
            "SCSI.ReadCapacity16",
        ],
        flags: DATA_LOSS,
        skips: &[NO_ZERO_BLOCKS],
    },
];
