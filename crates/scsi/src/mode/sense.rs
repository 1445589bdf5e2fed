//! MODE SENSE parameter data (SPC-5, "Mode parameters").

use super::table::{PAGES, Page, find};
use super::{ALL_PAGES, ALL_SUBPAGES, DPO_AND_FUA, ModePages, ModeSettings, WRITE_PROTECTED};
use crate::bytes::{View, flag, length_u8, length_u16, put};
use crate::command::{ModeForm, ModeSense, PageControl};
use crate::sense::Sense;
use crate::sense_code::AdditionalSense;

impl ModePages {
    /// The parameter data that MODE SENSE asks for, whole.
    ///
    /// # Errors
    /// INVALID FIELD IN CDB where there is no such page; SAVING PARAMETERS NOT SUPPORTED where saved values are asked for and there are none.
    pub fn sense(&self, request: &ModeSense) -> Result<Vec<u8>, Sense> {
        let pages = chosen(request)?;
        let saveable = self.saved.is_some();
        let mut data = self.front(request);
        for page in pages {
            data.extend(match request.control {
                PageControl::Current => page.encode(&self.current, saveable),
                PageControl::Default => page.encode(&self.default, saveable),
                PageControl::Changeable => page.mask(&self.changeable, saveable),
                PageControl::Saved => {
                    let unsaved = Sense::illegal(AdditionalSense::SAVING_PARAMETERS_NOT_SUPPORTED);
                    page.encode(&self.saved.ok_or(unsaved)?, saveable)
                }
            });
        }
        match request.form {
            ModeForm::Six => data[0] = length_u8(data.len() - 1),
            ModeForm::Ten => {
                let length = length_u16(data.len() - 2);
                put(&mut data, 0, &length.to_be_bytes());
            }
        }
        Ok(data)
    }

    /// The header, its length still open, and the block descriptor.
    fn front(&self, request: &ModeSense) -> Vec<u8> {
        let protected = self.medium.read_only || self.current.write_protected;
        let device = if protected { WRITE_PROTECTED } else { 0 } | DPO_AND_FUA;
        let descriptor = self.block_descriptor(request);
        let length = length_u8(descriptor.len());
        let mut data = match request.form {
            ModeForm::Six => vec![0, 0, device, length],
            ModeForm::Ten => vec![0, 0, 0, device, flag(descriptor.len() == 16, 0), 0, 0, length],
        };
        data.extend(descriptor);
        data
    }

    /// SBC-4, "Short LBA mode parameter block descriptor", "Long LBA mode parameter block descriptor".
    fn block_descriptor(&self, request: &ModeSense) -> Vec<u8> {
        let (blocks, block) = (self.medium.blocks.0, self.medium.block_size.bytes().to_be_bytes());
        if request.disable_block_descriptors {
            return Vec::new();
        }
        if request.long_lba_accepted {
            return [&blocks.to_be_bytes()[..], &[0; 4], &block].concat();
        }
        let blocks = u32::try_from(blocks).unwrap_or(u32::MAX);
        [blocks.to_be_bytes(), block].concat()
    }
}

/// The pages that the page and subpage codes ask for.
fn chosen(request: &ModeSense) -> Result<Vec<&'static Page>, Sense> {
    let (code, subpage) = (request.page, request.subpage);
    let chosen: Vec<&Page> = match (code, subpage) {
        (ALL_PAGES, 0) => PAGES.iter().filter(|page| page.subpage == 0).collect(),
        (ALL_PAGES, ALL_SUBPAGES) => PAGES.iter().collect(),
        (ALL_PAGES, _) => Vec::new(),
        (_, ALL_SUBPAGES) => PAGES.iter().filter(|page| page.code == code).collect(),
        _ => find(code, subpage).into_iter().collect(),
    };
    let has_code = code == ALL_PAGES || PAGES.iter().any(|page| page.code == code);
    match (chosen.is_empty(), has_code) {
        (false, _) => Ok(chosen),
        (true, true) => Err(Sense::invalid_cdb(3, None)),
        (true, false) => Err(Sense::invalid_cdb(2, Some(5))),
    }
}

impl ModeSettings {
    /// Reads MODE SENSE parameter data, of pages in effect, and takes from them what the pages that came say; the other settings stay as they
    /// are. `None` where the header is cut short.
    #[must_use]
    pub fn read(mut self, form: ModeForm, data: &[u8]) -> Option<ModeSettings> {
        let view = View(data);
        let (header, descriptors) = match form {
            ModeForm::Six => (4, usize::from(view.u8(3)?)),
            ModeForm::Ten => (8, usize::from(view.u16(6)?)),
        };
        let mut rest = data.get(header + descriptors..).unwrap_or(&[]);
        while let Some((bytes, behind)) = next_page(rest) {
            let view = View(bytes);
            let subpage = if view.bit(0, 6) { view.u8(1)? } else { 0 };
            for setting in find(view.u8(0)? & 0x3f, subpage).map_or(&[][..], |page| page.settings) {
                if setting.byte < bytes.len() {
                    (setting.set)(&mut self, view.bit(setting.byte, setting.bit));
                }
            }
            rest = behind;
        }
        Some(self)
    }
}

/// The page at the front, by its own length, and what is behind it; `None` where none begins, or it is cut short.
pub(super) fn next_page(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let view = View(bytes);
    let length = if view.bit(0, 6) { 4 + usize::from(view.u16(2)?) } else { 2 + usize::from(view.u8(1)?) };
    bytes.split_at_checked(length)
}
