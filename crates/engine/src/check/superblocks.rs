//! Both copies of the superblock, byte by byte: which is true, what is to be said about the other.

use oarlock_block::{BlockCount, BlockSize, IoError, Lba, Refusal};
use oarlock_format::{
    Chosen, DecodeError, Generation, Image, Kind, NoSuperblock, OtherCopy, Stamped, Superblock,
    SuperblockState, Truth, choose, claimed_shadows, decode_superblock, former_shadows, shadow_candidates,
};

use crate::check::CheckError;
use crate::check::code::Code;
use crate::check::evidence::claimed;
use crate::check::report::Spot;
use crate::check::scan::read_patiently;
use crate::check::suspicion::{Remedy, Suspicion};
use crate::store::READS_OF_DAMAGE;
use crate::world::World;

/// Between two reads of a superblock that does not check out. How long a beat is here, only a sound one says; half of
/// the shortest beat that there is holds eight of these pauses.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(3);

/// One copy as it was read.
#[derive(Clone, Debug)]
pub(crate) struct Copy {
    lba: Lba,
    /// Its bytes; none where the device did not give them.
    image: Option<Image>,
    decoded: Result<Stamped<Superblock>, DecodeError>,
}

/// Both copies, and what they come to.
#[derive(Clone, Debug)]
pub(crate) struct Copies {
    pub(crate) first: Copy,
    /// None where the device does not reach that far, or nothing like a shadow was found.
    shadow: Option<Copy>,
    pub(crate) chosen: Result<Chosen, NoSuperblock>,
}

impl Copies {
    /// The superblock by which the rest of the datastore is read: also that of an overwritten one.
    pub(crate) fn to_go_by(&self) -> Option<&Stamped<Superblock>> {
        match &self.chosen {
            Ok(chosen) => Some(&chosen.superblock),
            Err(NoSuperblock::Overwritten { shadow, .. }) => Some(shadow),
            Err(_) => None,
        }
    }

    /// The generations that the copies have, or claim to have had.
    pub(crate) fn generations(&self) -> impl Iterator<Item = Generation> {
        let copies = std::iter::once(&self.first).chain(&self.shadow);
        copies.filter_map(|copy| match (&copy.decoded, &copy.image) {
            (Ok(whole), _) => Some(whole.stamp.generation),
            (Err(error), Some(image)) if error.is_damage() => claimed(image.bytes()),
            (Err(_), _) => None,
        })
    }

    /// The bytes of the copy that was read at `lba`; none where the device did not give them.
    pub(crate) fn image_at(&self, lba: Lba) -> Option<&Image> {
        let mut copies = std::iter::once(&self.first).chain(&self.shadow);
        copies.find(|copy| copy.lba == lba).and_then(|copy| copy.image.as_ref())
    }

    /// Whether the two hold one generation and different content.
    pub(crate) fn differ(&self) -> bool {
        matches!(&self.chosen, Ok(Chosen { other: OtherCopy::Differs, .. }))
    }
}

/// Reads both. What does not check out is read again (R3).
pub(crate) async fn read_copies(world: &World) -> Result<Copies, CheckError> {
    let first = read_copy(world, Lba(0)).await?;
    let shadow = match &first.decoded {
        Ok(superblock) => {
            let lba = superblock.record.layout.shadow.start;
            let reaches = lba.0 < world.device.geometry().blocks.0;
            if reaches { Some(read_copy(world, lba).await?) } else { None }
        }
        Err(_) => find_shadow(world, first.image.as_ref()).await?,
    };
    let decoded = shadow.as_ref().map_or(Err(DecodeError::Blank), |copy| copy.decoded.clone());
    let chosen = choose(first.decoded.clone(), decoded);
    Ok(Copies { first, shadow, chosen })
}

/// At the device's end, or where the first copy's own bytes lead; only where nothing like a shadow stands there, at the ends that
/// the device may have had before it got longer: an old shadow must not speak for a newer one that is damaged.
async fn find_shadow(world: &World, first: Option<&Image>) -> Result<Option<Copy>, CheckError> {
    let geometry = world.device.geometry();
    let claimed = first.into_iter().flat_map(|first| claimed_shadows(first.bytes(), geometry.blocks));
    let at_the_end = shadow_candidates(geometry.block_size, geometry.blocks);
    match shadow_among(world, at_the_end.chain(claimed)).await? {
        None => shadow_among(world, former_shadows(geometry.block_size, geometry.blocks)).await,
        found => Ok(found),
    }
}

async fn shadow_among(world: &World, places: impl Iterator<Item = Lba>) -> Result<Option<Copy>, CheckError> {
    let mut found: Option<Copy> = None;
    for lba in places {
        let copy = read_copy(world, lba).await?;
        match &copy.decoded {
            Ok(_) => return Ok(Some(copy)),
            // A damaged copy of ours says more than a blank block does.
            Err(error) if error.is_damage() => found = Some(copy),
            Err(_) => {}
        }
    }
    Ok(found)
}

async fn read_copy(world: &World, lba: Lba) -> Result<Copy, CheckError> {
    let mut copy = read_once(world, lba).await?;
    let mut reads = 1;
    while reads < READS_OF_DAMAGE && copy.decoded.as_ref().is_err_and(DecodeError::is_damage) {
        world.pause(PAUSE).await;
        copy = read_once(world, lba).await?;
        reads += 1;
    }
    Ok(copy)
}

async fn read_once(world: &World, lba: Lba) -> Result<Copy, CheckError> {
    let mut buffer = [0; BlockSize::LARGEST];
    let buffer = &mut buffer[..world.device.geometry().block_size.length()];
    match read_patiently(world, lba, buffer).await? {
        Ok(()) => {
            let decoded = decode_superblock(buffer, lba);
            Ok(Copy { lba, image: Some(Image::new(buffer)), decoded })
        }
        // A block that the medium lost is a copy that cannot be read; the other one may stand in.
        Err(IoError::Medium | IoError::Refused(Refusal::OutOfRange)) => {
            let what = "what the device did not give";
            Ok(Copy { lba, image: None, decoded: Err(DecodeError::Field { offset: 0, what }) })
        }
        Err(error) => Err(CheckError::Device { lba, error }),
    }
}

fn spot(lba: Lba) -> Spot {
    let name = if lba == Lba(0) { "first superblock" } else { "shadow" };
    Spot { lba, record: Kind::Superblock, name: name.to_owned() }
}

/// What is wrong with the superblock.
///
/// # Errors
/// Why this is no datastore that this program can check.
pub(crate) fn suspicions(copies: &Copies) -> Result<Vec<Suspicion>, CheckError> {
    match &copies.chosen {
        // A shadow that stands beyond a device's end is not damaged: that the device is too short is said of the device.
        Ok(_) if copies.shadow.is_none() && copies.first.decoded.is_ok() => Ok(Vec::new()),
        Ok(chosen) => Ok(of_other(chosen).into_iter().collect()),
        Err(error @ (NoSuperblock::NotOurs { .. } | NoSuperblock::Newer { .. })) => {
            Err(CheckError::NoSuperblock(error.clone()))
        }
        Err(error @ NoSuperblock::Overwritten { .. }) => Ok(vec![
            Suspicion::new(Code::Overwritten, spot(Lba(0)), error.to_string()).cured_by(Remedy::Superblock),
        ]),
        Err(error @ NoSuperblock::Damaged { .. }) => {
            Ok(vec![Suspicion::new(Code::BothSpoiled, spot(Lba(0)), error.to_string())])
        }
    }
}

fn of_other(chosen: &Chosen) -> Option<Suspicion> {
    let shadow = spot(chosen.superblock.record.layout.shadow.start);
    let (code, message) = match (&chosen.other, chosen.truth) {
        (OtherCopy::Same, _) => return None,
        (OtherCopy::Damaged(error) | OtherCopy::Missing(error), Truth::Shadow) => {
            let message = format!("the first superblock is unreadable: {error}");
            return Some(
                Suspicion::new(Code::FirstSpoiled, spot(Lba(0)), message).cured_by(Remedy::Superblock),
            );
        }
        (OtherCopy::Damaged(error) | OtherCopy::Missing(error), Truth::First) => {
            (Code::ShadowSpoiled, format!("the shadow is unreadable: {error}"))
        }
        (OtherCopy::OtherDatastore(found), _) => {
            (Code::ShadowSpoiled, format!("the shadow belongs to the datastore {found}"))
        }
        (OtherCopy::Differs, _) => (
            Code::ShadowDiffers,
            "the shadow has the first copy's generation, and says something else".to_owned(),
        ),
        (OtherCopy::Behind, _) => (Code::ShadowBehind, "the shadow is older than the first copy".to_owned()),
        (OtherCopy::Ahead, _) => (
            Code::ShadowAhead,
            "the shadow is newer than the first copy: a growth or a resignature was broken off".to_owned(),
        ),
        (OtherCopy::Newer(error), _) => (Code::ShadowNewer, format!("the shadow: {error}")),
    };
    let remedy = if chosen.other.wants_repair() { Remedy::Superblock } else { Remedy::Nothing };
    Some(Suspicion::new(code, shadow, message).cured_by(remedy))
}

/// What the superblock says that does not fit this device.
pub(crate) fn against_device(world: &World, superblock: &Superblock) -> Vec<Suspicion> {
    let mut found = Vec::new();
    let geometry = world.device.geometry();
    let (have, needed) = (geometry.blocks.0, superblock.device_blocks.0);
    if superblock.state == SuperblockState::Formatting {
        let message =
            "the superblock says `formatting`: the datastore holds nothing; format it again with --force";
        found.push(Suspicion::new(Code::HalfFormatted, spot(Lba(0)), message.to_owned()));
    }
    if superblock.identity != world.device.identity() {
        let message = format!(
            "the datastore was formatted on {}, and this device is {}; `oarlock resignature` gives a copy a life of its own",
            superblock.identity,
            world.device.identity()
        );
        found.push(Suspicion::new(Code::OtherDevice, spot(Lba(0)), message));
    }
    if have < needed {
        let message = format!("the datastore has {needed} blocks, and the device only {have}");
        found.push(Suspicion::new(Code::Truncated, spot(Lba(0)), message));
    } else if have >= needed + superblock.stride_blocks.0 {
        let message = format!("the datastore has {needed} blocks, and the device {have}");
        found.push(Suspicion::new(Code::Longer, spot(Lba(0)), message));
    }
    found
}

/// What speaks for a new owner of a device whose first superblock was overwritten: then nothing is restored.
pub(crate) async fn new_owner(world: &World, first: &Copy, slots: Lba) -> Result<Option<String>, CheckError> {
    let Some(image) = &first.image else {
        return Ok(Some("the first block could not be read".to_owned()));
    };
    if let Some(what) = signature(image.bytes()) {
        return Ok(Some(format!("the first block looks like {what}")));
    }
    // Nothing of ours stands between the first superblock and the slots; partition tables and file systems do.
    let block_size = world.device.geometry().block_size;
    let blocks = BlockCount(slots.0.saturating_sub(1));
    let mut bytes = vec![0; usize::try_from(blocks.bytes(block_size).0).unwrap_or(0)];
    match read_patiently(world, Lba(1), &mut bytes).await? {
        Err(error) => Err(CheckError::Device { lba: Lba(1), error }),
        Ok(()) => Ok(bytes.iter().position(|byte| *byte != 0).map(|offset| {
            let offset = block_size.length() + offset;
            format!("byte {offset} of the device is not zero, and nothing of ours stands there")
        })),
    }
}

/// Whose first block this is, where that shows in the block itself.
fn signature(bytes: &[u8]) -> Option<&'static str> {
    const BOOT_SIGNATURE: std::ops::Range<usize> = 510..512;
    let starts: [(&[u8], &str); 2] = [(b"XFSB", "an XFS file system"), (b"LUKS\xba\xbe", "a LUKS volume")];
    if bytes.get(BOOT_SIGNATURE) == Some(&[0x55, 0xaa]) {
        return Some("a partition table or a boot sector");
    }
    starts.iter().find(|(start, _)| bytes.starts_with(start)).map(|(_, what)| *what)
}
