//! Initiators that break RFC 7143 in the ways it names: the target refuses, stays up, and serves everybody else.

mod chap;
mod data;
mod flood;
mod login;
mod sequence;
mod sessions;
mod text;
