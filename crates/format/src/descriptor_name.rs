//! The second record of a descriptor: the name of the disk or snapshot. It decides what a directory's entry only claims.

use crate::error::DecodeError;
use crate::names::LayerName;
use crate::numbers::DiskUid;
use crate::record::Record;
use crate::stamp::{Kind, STAMP_LENGTH};
use crate::table::{Draft, FieldSpec, RECORD_LENGTH, View, field_table};

field_table! {
    STAMP_LENGTH, RECORD_LENGTH;
    NAME_LENGTH: 88, 1, "name length", Shape::Number;
    NAME: 89, 255, "name", Shape::Text("name length");
    UID: 344, 8, "uid", Shape::Number;
    RESERVED_END: 352, 160, "reserved", Shape::Reserved;
}

const _: () = assert!(at::NAME.length == LayerName::LENGTH_MAX);

/// The name of a disk or a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescriptorName {
    /// The name; none where the descriptor was never used, or a hidden layer uses it.
    pub name: Option<LayerName>,
    /// The use of the descriptor that it belongs to. In another use it is nobody's.
    pub uid: DiskUid,
}

impl DescriptorName {
    /// The name of a descriptor that nothing has ever used.
    #[must_use]
    pub const fn never_used() -> DescriptorName {
        DescriptorName { name: None, uid: DiskUid(0) }
    }

    /// The name that stands at its place in the bytes of a record, which need not check out: nothing is proved by that.
    #[must_use]
    pub fn claimed(record: &[u8]) -> Option<LayerName> {
        let length = usize::from(*record.get(at::NAME_LENGTH.offset)?);
        let text = record.get(at::NAME.offset..)?.get(..length)?;
        LayerName::new(std::str::from_utf8(text).ok()?).ok()
    }
}

impl Record for DescriptorName {
    const KIND: Kind = Kind::DescriptorName;
    const TABLE: &'static [FieldSpec] = at::TABLE;

    fn check(&self) -> Result<(), DecodeError> {
        if self.name.is_some() && self.uid == DiskUid(0) {
            return Err(at::UID.error("no use of the descriptor, beside a name"));
        }
        Ok(())
    }

    fn encode_body(&self, draft: &mut Draft) {
        draft.put_text(at::NAME_LENGTH, at::NAME, self.name.as_ref().map_or("", LayerName::as_str));
        draft.put_u64(at::UID, self.uid.0);
    }

    fn decode_body(view: &View<'_>) -> Result<Self, DecodeError> {
        let name = match view.text(at::NAME_LENGTH, at::NAME)? {
            Some(text) => {
                Some(LayerName::new(text).map_err(|_| at::NAME.error("what is not a disk's name"))?)
            }
            None => None,
        };
        Ok(DescriptorName { name, uid: DiskUid(view.growing(at::UID, DiskUid::LARGEST.0)?) })
    }
}
