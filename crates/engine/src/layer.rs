//! The map of a layer: a tree of nodes over the page cache. Looked up and changed by every thread of the host; grown, and
//! taken down, by the engine's.
//!
//! ```text
//!   root --+--> inner node --+--> leaf --> entries: where each cluster of the disk is read and written
//!          |                 +--> an ancestor's leaf: copied before its first change, and nothing in the copy is owned
//!          +--> none: zeros; made before the first change
//! ```
//! A node is written whole before anything points at it, and the flush with which the next commit begins makes it durable
//! before the pointer. Whoever owns a pointer owns what it points at, if all pointers on the way there are owned, too.

mod adopt;
mod count;
mod fetch;
mod fill;
mod flatten;
mod grow;
mod node;
mod reclaim;
mod root;
mod tree;

pub use adopt::{Adopted, Adoption};
pub(crate) use count::Counting;
pub(crate) use fetch::read_page;
pub use fill::{Filled, Filling};
pub use flatten::{Flattened, Flattening};
pub use grow::{Layer, RootKeeper};
pub use reclaim::{Reclaim, Reclaimed};
pub use root::Root;
pub(crate) use tree::{Ground, Tree};
