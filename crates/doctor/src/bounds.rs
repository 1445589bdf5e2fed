//! Every maximum of the doctor: logs come from strangers, and are larger than memory.

/// Bytes that are read from an input at once, and searched for key words in one go.
pub const CHUNK_BYTES: usize = 1 << 20;
/// A longer line is cut here: counters of esxtop make lines of hundreds of KiB, a binary file makes lines without end.
pub const LINE_BYTES_MAX: usize = 8 << 20;
/// A record of a log is looked at up to here; only tables of counters are longer.
pub const RECORD_BYTES_MAX: usize = 16 << 10;
/// So many lines are no log but an excerpt, from which somebody has cut what is everyday.
pub const EXCERPT_LINES_MAX: u64 = 60;
/// Bytes of an excerpt whose every line is looked at, with a key word or without.
pub const FEW_BYTES_MAX: usize = 64 << 10;
/// Bytes of an input that may be a document, in which sentences stand between the lines of logs.
pub const DOCUMENT_BYTES_MAX: usize = 512 << 10;
/// Bytes behind a line that a dialect may look at to finish a wrapped record.
pub const AHEAD_BYTES: usize = 4 << 10;
/// Lines that one wrapped record may cover.
pub const RECORD_LINES_MAX: usize = 6;
/// Records that run together in one line.
pub const GLUED_RECORDS_MAX: usize = 64;
/// Bytes of one line that are kept to be quoted.
pub const QUOTE_BYTES_MAX: usize = 400;
/// Facts that are kept. Beyond, facts of the same kind are merged over longer and longer times.
pub const FACTS_MAX: usize = 120_000;
/// Different names (hosts, devices, paths, volumes) that are told apart; later ones share one name.
pub const NAMES_MAX: usize = 50_000;
/// Bytes of one such name.
pub const NAME_BYTES_MAX: usize = 200;
/// Lines that were not understood and are kept to be shown.
pub const STRANGERS_MAX: usize = 200;
/// Wrappings within wrappings. A collection of bundles packed once more has eight: archive and compression of each of its three
/// levels, the compression of a rotated log, and the log.
pub const NESTING_MAX: usize = 8;
/// Zero bytes before a text that are passed over: file systems make room for logs in steps of some megabytes.
pub const ZEROS_BYTES_MAX: u64 = 64 << 20;
/// Inputs of one kind that were passed over and are named; of more, the number is told.
pub const PASSED_NAMES_MAX: usize = 5;
/// Things that could not be read and are named one by one; of more, the number is told.
pub const PROBLEMS_MAX: usize = 200;
/// Members of one archive that are looked at.
pub const MEMBERS_MAX: u64 = 200_000;
/// How many times larger than what was read an unpacked stream may be, once it is beyond [`UNPACKED_FREE_BYTES`].
/// Deflate reaches 1,032; repetitive logs reach 60.
pub const UNPACK_RATIO_MAX: u64 = 400;
/// Unpacked bytes below which no ratio is judged.
pub const UNPACKED_FREE_BYTES: u64 = 64 << 20;
/// Unpacked bytes of one compressed input, whatever the ratio.
pub const UNPACKED_BYTES_MAX: u64 = 256 << 30;
/// Pieces of evidence quoted for one finding.
pub const EVIDENCE_MAX: usize = 12;
/// Suggestions of one report.
pub const SUGGESTIONS_MAX: usize = 200;
/// Parts of a machine in one report: a host with a thousand LUNs on eight paths has nine thousand.
pub const MACHINE_PARTS_MAX: usize = 20_000;
/// Findings of one report.
pub const FINDINGS_MAX: usize = 500;
/// Clusters of facts that are weighed with what happened around them; of more, the gravest.
pub const CLUSTERS_MAX: usize = 2_000;
