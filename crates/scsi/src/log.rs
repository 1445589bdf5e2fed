//! Log pages: LOG SENSE parameter data and LOG SELECT parameter lists (SPC-5, "Log parameters").

use crate::bytes::{View, flag, length_u8, length_u16};
use crate::sense::Sense;

/// PAGE CODEs and SUBPAGE CODEs of the pages here.
pub mod log_page {
    /// Supported Log Pages; with the subpage FFh, Supported Log Pages and Subpages.
    pub const SUPPORTED: u8 = 0x00;
    /// Write Error Counters.
    pub const WRITE_ERRORS: u8 = 0x02;
    /// Read Error Counters.
    pub const READ_ERRORS: u8 = 0x03;
    /// Logical Block Provisioning (SBC-4).
    pub const LOGICAL_BLOCK_PROVISIONING: u8 = 0x0c;
    /// General Statistics and Performance.
    pub const GENERAL_STATISTICS: u8 = 0x19;
    /// The subpage of all subpages.
    pub const ALL_SUBPAGES: u8 = 0xff;
}

/// A log parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogParameter {
    /// PARAMETER CODE.
    pub code: u16,
    /// The parameter control byte: [`LogParameter::COUNTER`] or [`LogParameter::LIST`] of those here.
    pub control: u8,
    /// PARAMETER VALUE, at most 255 bytes.
    pub value: Vec<u8>,
}

impl LogParameter {
    /// A counter that stops at its largest value (FORMAT AND LINKING 00b).
    pub const COUNTER: u8 = 0b00;
    /// Binary fields (FORMAT AND LINKING 11b).
    pub const LIST: u8 = 0b11;
}

/// A log page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogPage {
    /// PAGE CODE.
    pub page: u8,
    /// SUBPAGE CODE.
    pub subpage: u8,
    /// Its parameters, in the order of their codes.
    pub parameters: Vec<LogParameter>,
}

/// Header of a log page; SPF says that there is a subpage code.
fn with_header(page: u8, subpage: u8, data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![flag(subpage != 0, 6) | page & 0x3f, subpage];
    bytes.extend(length_u16(data.len()).to_be_bytes());
    bytes.extend(data);
    bytes
}

/// Page 00h: the pages without subpages, sorted. `pages` are all page and subpage codes that the unit has.
#[must_use]
pub fn supported_log_pages(pages: &[(u8, u8)]) -> Vec<u8> {
    let mut codes: Vec<u8> =
        pages.iter().filter(|(_, subpage)| *subpage == 0).map(|(page, _)| *page).collect();
    codes.push(log_page::SUPPORTED);
    codes.sort_unstable();
    codes.dedup();
    with_header(log_page::SUPPORTED, 0, &codes)
}

/// Page 00h, subpage FFh: the pages with their subpages, sorted, this one among them.
#[must_use]
pub fn supported_log_subpages(pages: &[(u8, u8)]) -> Vec<u8> {
    let own = [(log_page::SUPPORTED, 0), (log_page::SUPPORTED, log_page::ALL_SUBPAGES)];
    let mut codes = [pages, &own].concat();
    codes.sort_unstable();
    codes.dedup();
    let data: Vec<u8> = codes.into_iter().flat_map(|(page, subpage)| [page, subpage]).collect();
    with_header(log_page::SUPPORTED, log_page::ALL_SUBPAGES, &data)
}

impl LogPage {
    /// The page, without parameters below PARAMETER POINTER.
    ///
    /// # Errors
    /// INVALID FIELD IN CDB where the pointer is beyond the last parameter.
    pub fn encode(&self, parameter_pointer: u16) -> Result<Vec<u8>, Sense> {
        let mut parameters =
            self.parameters.iter().filter(|parameter| parameter.code >= parameter_pointer).peekable();
        if parameters.peek().is_none() && parameter_pointer != 0 {
            return Err(Sense::invalid_cdb(5, None));
        }
        let mut data = Vec::new();
        for parameter in parameters {
            data.extend(parameter.code.to_be_bytes());
            data.extend([parameter.control, length_u8(parameter.value.len())]);
            data.extend(&parameter.value);
        }
        Ok(with_header(self.page, self.subpage, &data))
    }

    /// Reads a page of parameters, up to one that is cut short.
    #[must_use]
    pub fn decode(data: &[u8]) -> Option<LogPage> {
        let view = View(data);
        let (page, subpage) = (view.u8(0)? & 0x3f, if view.bit(0, 6) { view.u8(1)? } else { 0 });
        let length = usize::from(view.u16(2)?);
        let rest = &data[4..];
        let (parameters, _) = parameters(rest.get(..length).unwrap_or(rest));
        Some(LogPage { page, subpage, parameters })
    }

    /// Reads the parameter list of LOG SELECT: pages, one behind the other.
    ///
    /// # Errors
    /// PARAMETER LIST LENGTH ERROR where it ends within a page or a parameter.
    pub fn decode_list(list: &[u8]) -> Result<Vec<LogPage>, Sense> {
        let too_short = Sense::parameter_list_length();
        let mut pages = Vec::new();
        let mut rest = list;
        while !rest.is_empty() {
            let length = 4 + usize::from(View(rest).u16(2).ok_or(too_short)?);
            let (bytes, behind) = rest.split_at_checked(length).ok_or(too_short)?;
            let (_, left) = parameters(&bytes[4..]);
            let page = LogPage::decode(bytes).filter(|_| left.is_empty()).ok_or(too_short)?;
            pages.push(page);
            rest = behind;
        }
        Ok(pages)
    }
}

/// The parameters of a page, and what is left where one is cut short.
fn parameters(mut bytes: &[u8]) -> (Vec<LogParameter>, &[u8]) {
    let mut all = Vec::new();
    while let [high, low, control, length, rest @ ..] = bytes {
        let Some((value, behind)) = rest.split_at_checked(usize::from(*length)) else { break };
        let code = u16::from_be_bytes([*high, *low]);
        all.push(LogParameter { code, control: *control, value: value.to_vec() });
        bytes = behind;
    }
    (all, bytes)
}

/// The General Statistics and Performance page (SPC-5), in counters of the array.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GeneralStatistics {
    /// NUMBER OF READ COMMANDS.
    pub reads: u64,
    /// NUMBER OF WRITE COMMANDS.
    pub writes: u64,
    /// NUMBER OF LOGICAL BLOCKS RECEIVED, from initiators.
    pub blocks_received: u64,
    /// NUMBER OF LOGICAL BLOCKS TRANSMITTED, to initiators.
    pub blocks_transmitted: u64,
    /// READ COMMAND PROCESSING INTERVALS: how many [`INTERVAL_MICROSECONDS`](GeneralStatistics::INTERVAL_MICROSECONDS) reads took together.
    pub read_intervals: u64,
    /// WRITE COMMAND PROCESSING INTERVALS.
    pub write_intervals: u64,
    /// IDLE TIME INTERVALS.
    pub idle_intervals: u64,
}

impl GeneralStatistics {
    /// The time interval that the page counts in.
    pub const INTERVAL_MICROSECONDS: u64 = 1000;

    /// The page.
    #[must_use]
    pub fn page(&self) -> LogPage {
        let own = [
            self.reads,
            self.writes,
            self.blocks_received,
            self.blocks_transmitted,
            self.read_intervals,
            self.write_intervals,
            // WEIGHTED NUMBER OF READ COMMANDS PLUS WRITE COMMANDS, and the intervals by the same weights: both weigh one.
            self.reads.saturating_add(self.writes),
            self.read_intervals.saturating_add(self.write_intervals),
        ];
        let statistics = own.iter().flat_map(|number| number.to_be_bytes()).collect();
        // TIME INTERVAL: one, times ten to the power of minus three seconds.
        const EXPONENT: u32 = 3;
        let interval = [EXPONENT.to_be_bytes(), 1_u32.to_be_bytes()].concat();
        let parameter = |code, value| LogParameter { code, control: LogParameter::LIST, value };
        let parameters = vec![
            parameter(0x0001, statistics),
            parameter(0x0002, self.idle_intervals.to_be_bytes().to_vec()),
            parameter(0x0003, interval),
        ];
        LogPage { page: log_page::GENERAL_STATISTICS, subpage: 0, parameters }
    }
}

/// The Logical Block Provisioning page (SBC-4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProvisioningResources {
    /// Resources that are free, in units of 2 to the power of THRESHOLD EXPONENT blocks; `None` where nothing is told.
    pub available: Option<u32>,
    /// Resources in use.
    pub used: Option<u32>,
}

impl ProvisioningResources {
    /// The page. The resources are those of this unit alone, unless `shared` says that others draw on them.
    #[must_use]
    pub fn page(&self, shared: bool) -> LogPage {
        const THIS_UNIT: u8 = 0b01;
        const MANY_UNITS: u8 = 0b10;
        let scope = if shared { MANY_UNITS } else { THIS_UNIT };
        let parameter = |code, count: u32, scope| {
            let mut value = count.to_be_bytes().to_vec();
            value.extend([scope, 0, 0, 0]);
            LogParameter { code, control: LogParameter::LIST, value }
        };
        let available = self.available.map(|count| parameter(0x0001, count, scope));
        let used = self.used.map(|count| parameter(0x0002, count, THIS_UNIT));
        let parameters = available.into_iter().chain(used).collect();
        LogPage { page: log_page::LOGICAL_BLOCK_PROVISIONING, subpage: 0, parameters }
    }
}

/// The Read Error Counters and Write Error Counters pages (SPC-5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ErrorCounters {
    /// Total errors corrected.
    pub corrected: u64,
    /// Total bytes processed.
    pub bytes_processed: u64,
    /// Total uncorrected errors.
    pub uncorrected: u64,
}

impl ErrorCounters {
    /// The page of that code: [`log_page::READ_ERRORS`] or [`log_page::WRITE_ERRORS`].
    #[must_use]
    pub fn page(&self, page: u8) -> LogPage {
        let counters = [(0x0003, self.corrected), (0x0005, self.bytes_processed), (0x0006, self.uncorrected)];
        let parameters = counters.map(|(code, count)| LogParameter {
            code,
            control: LogParameter::COUNTER,
            value: count.to_be_bytes().to_vec(),
        });
        LogPage { page, subpage: 0, parameters: parameters.to_vec() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGES: &[(u8, u8)] = &[(0x19, 0), (0x0c, 0), (0x19, 0x20)];

    #[test]
    fn the_lists_of_pages_are_sorted_and_name_themselves() {
        assert_eq!(supported_log_pages(PAGES), [0, 0, 0, 3, 0x00, 0x0c, 0x19]);
        let all = [0x40, 0xff, 0, 10, 0, 0, 0, 0xff, 0x0c, 0, 0x19, 0, 0x19, 0x20];
        assert_eq!(supported_log_subpages(PAGES), all);
    }

    #[test]
    fn provisioning_counts_its_resources() {
        let page = ProvisioningResources { available: Some(0x102), used: Some(3) }.page(true);
        let bytes = page.encode(0).unwrap();
        assert_eq!(bytes[..4], [0x0c, 0, 0, 24]);
        assert_eq!(bytes[4..], [0, 1, 3, 8, 0, 0, 1, 2, 2, 0, 0, 0, 0, 2, 3, 8, 0, 0, 0, 3, 1, 0, 0, 0]);
        assert_eq!(LogPage::decode(&bytes), Some(page));
    }

    #[test]
    fn error_counters_stand_by_their_codes() {
        let counters = ErrorCounters { corrected: 0, bytes_processed: 0x0102, uncorrected: 3 };
        let bytes = counters.page(log_page::WRITE_ERRORS).encode(5).unwrap();
        assert_eq!(bytes[..16], [0x02, 0, 0, 24, 0, 5, 0, 8, 0, 0, 0, 0, 0, 0, 1, 2]);
        assert_eq!(bytes[16..], [0, 6, 0, 8, 0, 0, 0, 0, 0, 0, 0, 3]);
    }

    #[test]
    fn statistics_stand_in_their_places() {
        let statistics = GeneralStatistics {
            reads: 1,
            writes: 2,
            blocks_received: 3,
            idle_intervals: 9,
            ..GeneralStatistics::default()
        };
        let bytes = statistics.page().encode(0).unwrap();
        assert_eq!(bytes[..8], [0x19, 0, 0, 92, 0, 1, 3, 64]);
        assert_eq!((bytes[15], bytes[23], bytes[31]), (1, 2, 3));
        assert_eq!(bytes[63], 3, "both kinds weigh one");
        assert_eq!(bytes[72..], [0, 2, 3, 8, 0, 0, 0, 0, 0, 0, 0, 9, 0, 3, 3, 8, 0, 0, 0, 3, 0, 0, 0, 1]);
    }

    #[test]
    fn parameters_below_the_pointer_are_left_out_and_none_above_is_an_error() {
        let page = GeneralStatistics::default().page();
        let cut = LogPage::decode(&page.encode(2).unwrap()).unwrap();
        assert_eq!(cut.parameters, page.parameters[1..]);
        assert_eq!(page.encode(4), Err(Sense::invalid_cdb(5, None)));
    }

    #[test]
    fn a_list_to_select_is_read_page_by_page_and_ends_with_its_last() {
        let pages = vec![GeneralStatistics::default().page(), ProvisioningResources::default().page(false)];
        let list: Vec<u8> = pages.iter().flat_map(|page| page.encode(0).unwrap()).collect();
        assert_eq!(LogPage::decode_list(&list), Ok(pages));
        assert_eq!(LogPage::decode_list(&[]), Ok(Vec::new()));
        let boundary = list.len() - 4;
        for length in (1..list.len()).filter(|length| *length != boundary) {
            assert_eq!(
                LogPage::decode_list(&list[..length]),
                Err(Sense::parameter_list_length()),
                "{length}"
            );
        }
    }
}
