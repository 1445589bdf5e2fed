//! The pages, each with its bytes and the bits of them that are settings.

use super::ModeSettings;

/// A setting: where it stands in its page, and how it is read and written.
pub(super) struct Setting {
    pub(super) byte: usize,
    pub(super) bit: u8,
    pub(super) get: fn(&ModeSettings) -> bool,
    pub(super) set: fn(&mut ModeSettings, bool),
}

/// A mode page.
pub(super) struct Page {
    pub(super) code: u8,
    pub(super) subpage: u8,
    /// The whole page, header included, with every setting at zero. PS and SPF are not in it.
    bytes: &'static [u8],
    pub(super) settings: &'static [Setting],
}

impl Page {
    /// The page as it stands with those settings. `saveable` is PS: the page can be saved.
    pub(super) fn encode(&self, settings: &ModeSettings, saveable: bool) -> Vec<u8> {
        let mut bytes = self.bytes.to_vec();
        for setting in self.settings {
            bytes[setting.byte] |= u8::from((setting.get)(settings)) << setting.bit;
        }
        self.finish(bytes, saveable)
    }

    /// The page with ones where MODE SELECT may change it.
    pub(super) fn mask(&self, changeable: &ModeSettings, saveable: bool) -> Vec<u8> {
        let mut bytes = vec![0; self.bytes.len()];
        let header = self.header_length();
        bytes[..header].copy_from_slice(&self.bytes[..header]);
        for setting in self.settings {
            bytes[setting.byte] |= u8::from((setting.get)(changeable)) << setting.bit;
        }
        self.finish(bytes, saveable)
    }

    /// Two bytes, or four of a page with subpages (SPC-5, "Mode page and subpage formats").
    pub(super) fn header_length(&self) -> usize {
        if self.subpage == 0 { 2 } else { 4 }
    }

    pub(super) fn length(&self) -> usize {
        self.bytes.len()
    }

    fn finish(&self, mut bytes: Vec<u8>, saveable: bool) -> Vec<u8> {
        bytes[0] |= u8::from(saveable) << 7 | u8::from(self.subpage != 0) << 6;
        bytes
    }
}

/// Every page, in the order of MODE SENSE: by code and subpage.
pub(super) static PAGES: &[Page] = &[
    // SBC-4, "Read-Write Error Recovery mode page": AWRE and ARRE, as the storage below reallocates by itself.
    Page { code: 0x01, subpage: 0, bytes: &[0x01, 10, 0xc0, 0, 0, 0, 0, 0, 0, 0, 0, 0], settings: &[] },
    // SPC-5, "Disconnect-Reconnect mode page": burst lengths are negotiated at login (RFC 7143), and not told here.
    Page {
        code: 0x02,
        subpage: 0,
        bytes: &[0x02, 14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        settings: &[],
    },
    // SBC-4, "Caching mode page".
    Page {
        code: 0x08,
        subpage: 0,
        bytes: &[0x08, 18, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        settings: &[
            Setting {
                byte: 2,
                bit: 2,
                get: |settings| settings.write_cache,
                set: |settings, on| settings.write_cache = on,
            },
            Setting {
                byte: 12,
                bit: 5,
                get: |settings| settings.read_ahead_disabled,
                set: |settings, on| settings.read_ahead_disabled = on,
            },
        ],
    },
    // SPC-5, "Control mode page": one task set for all nexuses (TST 000b), unrestricted reordering (1h), and commands of a nexus go on after a
    // CHECK CONDITION (QERR 00b).
    Page {
        code: 0x0a,
        subpage: 0,
        bytes: &[0x0a, 10, 0, 0x10, 0, 0, 0, 0, 0, 0, 0, 0],
        settings: &[
            Setting {
                byte: 2,
                bit: 2,
                get: |settings| settings.descriptor_sense,
                set: |settings, on| settings.descriptor_sense = on,
            },
            Setting {
                byte: 4,
                bit: 3,
                get: |settings| settings.write_protected,
                set: |settings, on| settings.write_protected = on,
            },
            Setting {
                byte: 5,
                bit: 6,
                get: |settings| settings.task_aborted_status,
                set: |settings, on| settings.task_aborted_status = on,
            },
        ],
    },
    // SPC-5, "Control Extension mode page": nothing of it is set.
    Page {
        code: 0x0a,
        subpage: 0x01,
        bytes: &[
            0x0a, 0x01, 0, 28, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            0, 0,
        ],
        settings: &[],
    },
    // SBC-4, "Informational Exceptions Control mode page": DEXCPT, as there are none.
    Page { code: 0x1c, subpage: 0, bytes: &[0x1c, 10, 0x08, 0, 0, 0, 0, 0, 0, 0, 0, 0], settings: &[] },
];

pub(super) fn find(code: u8, subpage: u8) -> Option<&'static Page> {
    PAGES.iter().find(|page| page.code == code && page.subpage == subpage)
}
