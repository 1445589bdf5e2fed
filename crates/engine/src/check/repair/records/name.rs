//! The name beside a descriptor: proved by its own bytes, or by the descriptor's hash of it, or nobody's. A name that nothing proves is
//! lost: the record says so, and the disk gets another one behind that (`disk::name_anew`).

use oarlock_format::{
    DescriptorName, DescriptorNumber, DescriptorRecord, DiskUid, Image, Layer, LayerKind, LayerName,
    LayerState,
};

use crate::check::CheckError;
use crate::directory::hash_of;
use crate::store::Lane;

use super::{Ground, Judged, Tried, Work, by_another, refused};

impl Work<'_> {
    pub(super) async fn name(
        &self,
        ground: &Ground,
        number: DescriptorNumber,
        image: &Image,
    ) -> Result<Tried, CheckError> {
        let layout = &self.store.layout;
        let lba = layout.descriptor_name(number);
        let proved = match self.judge::<DescriptorName>(lba, image) {
            Judged::Newer(error) => return Ok(refused(error.to_string())),
            Judged::Sound(_) => return Ok(by_another()),
            Judged::Bad(proved) => proved,
        };
        if let Some(proved) = proved {
            let how = "its bytes prove the name: it stands there again".to_owned();
            return self.put(ground, image, lba, (&proved, how)).await;
        }
        // While the name does not check out nobody writes another: so the descriptor may be read once.
        let Ok(seen) = self.store.read::<DescriptorRecord>(Lane::Work, layout.descriptor(number)).await
        else {
            return Ok(refused(format!("descriptor {number}, whose name it is, does not read either")));
        };
        let DescriptorRecord { uid, layer, .. } = seen.stamped.record;
        let nameless = DescriptorName { name: None, uid: DiskUid(0) };
        let Some(layer) = layer.filter(has_a_name) else {
            let how = "nothing that uses the descriptor has a name: it says so again".to_owned();
            return self.put(ground, image, lba, (&nameless, how)).await;
        };
        if let Some(name) = self.by_its_hash(&layer, image) {
            let how =
                format!("its name is `{name}`: what is left of it has the hash that its descriptor says");
            return self.put(ground, image, lba, (&DescriptorName { name: Some(name), uid }, how)).await;
        }
        if layer.state != LayerState::Ready || layer.other_hash.is_some() {
            return Ok(refused(
                "the name is lost, and something that was begun with the disk is not at its end: which of two names it has only \
                 the lost record knew",
            ));
        }
        let how = "its name is lost, which nothing proves: another is given to it behind this".to_owned();
        self.put(ground, image, lba, (&nameless, how)).await
    }

    /// The name that the bytes still show, if the descriptor knows its hash.
    fn by_its_hash(&self, layer: &Layer, image: &Image) -> Option<LayerName> {
        let name = DescriptorName::claimed(image.bytes())?;
        let hash = hash_of(&self.store.format_id, layer, &name)?;
        [layer.hash, layer.other_hash].contains(&Some(hash)).then_some(name)
    }
}

fn has_a_name(layer: &Layer) -> bool {
    layer.kind != LayerKind::Hidden && !(layer.state == LayerState::Doomed && layer.flags.nameless)
}
