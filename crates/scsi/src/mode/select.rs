//! The parameter list of MODE SELECT (SPC-5, "MODE SELECT (6) command").

use super::sense::next_page;
use super::table::{Page, find};
use super::{ModePages, ModeSettings};
use crate::bytes::View;
use crate::command::{ModeForm, ModeSelect};
use crate::sense::Sense;

/// What a MODE SELECT sets, once its whole list was found good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModeList {
    /// The settings that are in effect from now on.
    pub settings: ModeSettings,
    /// They are saved as well.
    pub save: bool,
}

impl ModePages {
    /// Reads the parameter list. Nothing of it is taken if any of it is refused.
    ///
    /// # Errors
    /// INVALID FIELD IN CDB where pages are to be saved and the unit saves none, or the list is not in the page format. PARAMETER LIST LENGTH ERROR
    /// where it ends within its header, a descriptor or a page. INVALID FIELD IN PARAMETER LIST, with a pointer, where a page is unknown, has another
    /// length, or changes what cannot be changed.
    pub fn select(&self, request: &ModeSelect, list: &[u8]) -> Result<ModeList, Sense> {
        if request.save && self.saved.is_none() {
            return Err(Sense::invalid_cdb(1, Some(0)));
        }
        let unchanged = ModeList { settings: self.current, save: request.save };
        if list.is_empty() {
            return Ok(unchanged);
        }
        if !request.page_format {
            return Err(Sense::invalid_cdb(1, Some(4)));
        }
        let mut settings = self.current;
        let mut at = self.check_front(request.form, list)?;
        while at < list.len() {
            let (page, _) = next_page(&list[at..]).ok_or(Sense::parameter_list_length())?;
            self.select_page(page, at, &mut settings)?;
            at += page.len();
        }
        Ok(ModeList { settings, ..unchanged })
    }

    /// Checks the header and the block descriptors, and says where the pages begin.
    fn check_front(&self, form: ModeForm, list: &[u8]) -> Result<usize, Sense> {
        let too_short = Sense::parameter_list_length();
        let view = View(list);
        let (header, length, is_long) = match form {
            ModeForm::Six => (4, view.u8(3).map(u16::from), false),
            ModeForm::Ten => (8, view.u16(6), view.bit(4, 0)),
        };
        let length = usize::from(length.ok_or(too_short)?);
        let descriptor = view.bytes(header, length).ok_or(too_short)?;
        let (blocks, block_bytes) = match (length, is_long) {
            (0, _) => return Ok(header),
            (8, false) => (
                View(descriptor).u32(0).map(u64::from),
                View(descriptor).u32(4).map(|number| number & 0x00ff_ffff),
            ),
            (16, true) => (View(descriptor).u64(0), View(descriptor).u32(12)),
            _ => return Err(Sense::invalid_parameter(header - if is_long { 2 } else { 1 }, None)),
        };
        // SBC-4: 0 keeps the count, and all ones ask for all there are. A unit's size is not changed this way.
        let (open, keeps) = if is_long { (u64::MAX, 0) } else { (u64::from(u32::MAX), 0) };
        let blocks = blocks.ok_or(too_short)?;
        if blocks != self.medium.blocks.0 && blocks != open && blocks != keeps {
            return Err(Sense::invalid_parameter(header, None));
        }
        if block_bytes != Some(self.medium.block_size.bytes()) {
            return Err(Sense::invalid_parameter(header + if is_long { 12 } else { 5 }, None));
        }
        Ok(header + length)
    }

    /// Takes the settings of one page, which begins at byte `at` of the list.
    fn select_page(&self, given: &[u8], at: usize, settings: &mut ModeSettings) -> Result<(), Sense> {
        const PS: u8 = 0x80;
        let view = View(given);
        let subpage = if view.bit(0, 6) { view.u8(1).unwrap_or(0) } else { 0 };
        let code = view.u8(0).unwrap_or(0) & 0x3f;
        let page: &Page = find(code, subpage).ok_or(Sense::invalid_parameter(at, Some(5)))?;
        if given.len() != page.length() {
            return Err(Sense::invalid_parameter(
                at + page.header_length() - if subpage == 0 { 1 } else { 2 },
                None,
            ));
        }
        let (current, mask) = (page.encode(&self.current, false), page.mask(&self.changeable, false));
        for (index, &byte) in given.iter().enumerate() {
            // PS is reserved in MODE SELECT, and initiators send back what MODE SENSE gave them.
            let may_change = if index == 0 {
                PS
            } else if index < page.header_length() {
                0
            } else {
                mask[index]
            };
            let excess = (byte ^ current[index]) & !may_change;
            if excess != 0 {
                let bit = u8::try_from(7 - excess.leading_zeros()).ok();
                return Err(Sense::invalid_parameter(at + index, bit));
            }
        }
        for setting in page.settings {
            (setting.set)(settings, view.bit(setting.byte, setting.bit));
        }
        Ok(())
    }
}
