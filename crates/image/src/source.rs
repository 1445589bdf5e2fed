//! An image file that is read: its format, its size, where its data are, its bytes.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use crate::error::ImageError;
use crate::extent::{Content, Extent, Format};
use crate::foreign::foreign;
use crate::in_use::has_writer;
use crate::limits::HEAD_LENGTH;
use crate::onlooker::Onlooker;
use crate::qcow2::{Census, Header, Qcow2Fault, Qcow2Reader, is_qcow2};
use crate::storage::{FileStorage, Storage};

/// The size of the disk for an image: disks end at a block, image files anywhere. What the image lacks is zeros.
///
/// # Panics
/// Where `block_size` is no power of two.
#[must_use]
pub fn disk_size(image_bytes: u64, block_size: u64) -> u64 {
    assert!(block_size.is_power_of_two(), "blocks of {block_size} bytes");
    image_bytes.checked_next_multiple_of(block_size).unwrap_or(u64::MAX - (block_size - 1))
}

/// What an image holds, all in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Survey {
    /// Bytes of data; the rest of the size is empty.
    pub data_bytes: u64,
}

#[derive(Debug)]
enum Reader {
    Raw(FileStorage),
    Qcow2(Box<Qcow2Reader<FileStorage>>),
}

/// An image file.
#[derive(Debug)]
pub struct Source {
    path: PathBuf,
    reader: Reader,
    survey: Option<Survey>,
}

impl Source {
    /// Opens an image file, and recognises its format by its beginning unless the caller knows it. A raw image whose guest wrote the
    /// beginning of another format is taken for that format: whoever takes images from strangers should say what they are.
    ///
    /// # Errors
    /// What is no image file, is being written by QEMU, is of a format that is not read, or is damaged.
    pub fn open(path: &Path, format: Option<Format>) -> Result<Source, ImageError> {
        let failed = |source| ImageError::Open { path: path.to_owned(), source };
        let kind = fs::metadata(path).map_err(failed)?.file_type();
        // Opening a pipe would wait for its other end.
        if !kind.is_file() && !kind.is_block_device() {
            return Err(ImageError::NotAFile { path: path.to_owned() });
        }
        let file = File::open(path).map_err(failed)?;
        if has_writer(&file) {
            return Err(ImageError::InUse { path: path.to_owned() });
        }
        let storage = FileStorage::new(file).map_err(failed)?;
        let format = match format {
            Some(format) => format,
            None => recognise(path, &storage)?,
        };
        let reader = match format {
            Format::Raw => Reader::Raw(storage),
            Format::Qcow2 => {
                Reader::Qcow2(Box::new(Qcow2Reader::open(storage).map_err(|fault| of_fault(path, fault))?))
            }
        };
        Ok(Source { path: path.to_owned(), reader, survey: None })
    }

    /// Its format.
    #[must_use]
    pub fn format(&self) -> Format {
        match self.reader {
            Reader::Raw(_) => Format::Raw,
            Reader::Qcow2(_) => Format::Qcow2,
        }
    }

    /// The size of the disk in it. [`disk_size`] tells what disk it needs.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        match &self.reader {
            Reader::Raw(storage) => storage.length(),
            Reader::Qcow2(image) => image.header().size_bytes,
        }
    }

    /// Internal snapshots in it, which are not copied: people may want to know.
    #[must_use]
    pub fn snapshots(&self) -> u32 {
        match &self.reader {
            Reader::Raw(_) => 0,
            Reader::Qcow2(image) => {
                let Header { snapshots, .. } = *image.header();
                snapshots
            }
        }
    }

    /// Looks through the whole image without reading its data: how much there are, and whether its tables can be true. To be done before a
    /// disk is made for it; [`import`](crate::import) does it where nobody did.
    ///
    /// # Errors
    /// Damage, wherever it is in the tables; [`ImageError::Interrupted`].
    pub fn survey(&mut self, onlooker: &dyn Onlooker) -> Result<Survey, ImageError> {
        if let Some(survey) = self.survey {
            return Ok(survey);
        }
        let data_bytes = match &mut self.reader {
            Reader::Raw(storage) => {
                raw_data(storage, onlooker).map_err(|error| of_read(&self.path, error))?
            }
            Reader::Qcow2(image) => {
                let census = image.survey(&mut || !onlooker.wants_out());
                census
                    .map_err(|fault| of_fault(&self.path, fault))?
                    .map(|Census { data_bytes, .. }| data_bytes)
            }
        };
        let survey = Survey { data_bytes: data_bytes.ok_or(ImageError::Interrupted)? };
        self.survey = Some(survey);
        Ok(survey)
    }

    /// The run of like content that begins at byte `offset`, which lies before the end; a long one may be told in pieces. What it costs grows
    /// with the run: ask once for each.
    ///
    /// # Errors
    /// Damage on the way.
    pub fn extent_at(&mut self, offset: u64) -> Result<Extent, ImageError> {
        match &mut self.reader {
            Reader::Raw(storage) => {
                let run = storage.run_at(offset).map_err(|error| of_read(&self.path, error))?;
                let content = if run.is_data { Content::Data } else { Content::Hole };
                Ok(Extent { offset, length: run.end - offset, content })
            }
            Reader::Qcow2(image) => image.extent_at(offset).map_err(|fault| of_fault(&self.path, fault)),
        }
    }

    /// Fills the buffer with the bytes from `offset` on; what lies behind the end is zeros.
    ///
    /// # Errors
    /// Damage on the way.
    pub fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<(), ImageError> {
        let there = self.size_bytes().saturating_sub(offset);
        let there = usize::try_from(there).unwrap_or(usize::MAX).min(buffer.len());
        let (bytes, behind) = buffer.split_at_mut(there);
        behind.fill(0);
        match &mut self.reader {
            Reader::Raw(storage) => {
                storage.read_at(offset, bytes).map_err(|error| of_read(&self.path, error))
            }
            Reader::Qcow2(image) => image.read_at(offset, bytes).map_err(|fault| of_fault(&self.path, fault)),
        }
    }
}

fn recognise(path: &Path, storage: &FileStorage) -> Result<Format, ImageError> {
    let mut head = vec![0; usize::try_from(storage.length()).unwrap_or(HEAD_LENGTH).min(HEAD_LENGTH)];
    storage.read_at(0, &mut head).map_err(|error| of_read(path, error))?;
    if is_qcow2(&head) {
        return Ok(Format::Qcow2);
    }
    match foreign(&head) {
        Some(format) => Err(ImageError::Foreign { path: path.to_owned(), format }),
        None => Ok(Format::Raw),
    }
}

/// Bytes of data in a raw image; `None` where the onlooker wants out.
fn raw_data(storage: &FileStorage, onlooker: &dyn Onlooker) -> io::Result<Option<u64>> {
    let (mut data, mut place) = (0, 0);
    while place < storage.length() {
        if onlooker.wants_out() {
            return Ok(None);
        }
        let run = storage.run_at(place)?;
        data += if run.is_data { run.end - place } else { 0 };
        place = run.end;
    }
    Ok(Some(data))
}

fn of_read(path: &Path, source: io::Error) -> ImageError {
    ImageError::Read { path: path.to_owned(), source }
}

fn of_fault(path: &Path, fault: Qcow2Fault) -> ImageError {
    match fault {
        Qcow2Fault::Storage { source } => of_read(path, source),
        source => ImageError::Qcow2 { path: path.to_owned(), source },
    }
}
