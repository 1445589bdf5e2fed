//! Failures of image files, and of copies of them.

use std::error::Error;

use oarlock_host::Code as HostCode;
use oarlock_host::api::ErrorBody;
use oarlock_image::ImageError;

use super::Failure;
use crate::catalogue::Code;

impl From<ImageError> for Failure {
    fn from(error: ImageError) -> Failure {
        let what = with_sources(&error);
        let code = match &error {
            ImageError::Open { .. } | ImageError::NotAFile { .. } | ImageError::Read { .. } => {
                Code::ImageUnread
            }
            ImageError::InUse { .. } => Code::ImageInUse,
            ImageError::Foreign { .. } => Code::ImageForeign,
            ImageError::Qcow2 { .. } => Code::ImageRefused,
            ImageError::Exists { .. } | ImageError::InTheWay { .. } => Code::ImageExists,
            ImageError::Write { .. } | ImageError::NoRoom { .. } | ImageError::TooLarge { .. } => {
                Code::ImageUnwritten
            }
            ImageError::Interrupted => Code::Interrupted,
            ImageError::Refused { .. } if error.is_disk_full() => return of_host(HostCode::NoSpace, what),
            ImageError::Connect { .. }
            | ImageError::Denied { .. }
            | ImageError::Protocol { .. }
            | ImageError::Broken { .. }
            | ImageError::Stalled { .. }
            | ImageError::Refused { .. }
            | ImageError::ReadOnly
            | ImageError::SizeDiffers { .. }
            | ImageError::NoFlush => Code::CopyBroken,
        };
        let failure = Failure::new(code, what);
        // What is to be done about a qcow2 image hangs on what is the matter with it.
        match &error {
            ImageError::Qcow2 { source, .. } if !source.advice().is_empty() => {
                failure.with_cure(source.advice())
            }
            _ => failure,
        }
    }
}

fn of_host(code: HostCode, message: String) -> Failure {
    let entry = code.entry();
    ErrorBody { code: entry.code.to_owned(), message, hint: entry.cure.to_owned() }.into()
}

/// An error with what it comes from, each once.
fn with_sources(error: &ImageError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let words = inner.to_string();
        if !text.ends_with(&words) {
            text = format!("{text}: {words}");
        }
        source = inner.source();
    }
    text
}
