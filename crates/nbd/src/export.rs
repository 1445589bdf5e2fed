//! What a server offers: exports, their sizes and features, and where they come from.

use crate::bytes::is_string;
use crate::codes::ReplyCode;
use crate::error::NbdError;
use crate::flags::TransmissionFlags;
use crate::limits::{MINIMUM_BLOCK_MAX, PAYLOAD_MAX, PREFERRED_BLOCK_MIN};

/// The three size constraints of an export, all in bytes (document, *Size constraints*).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockSizes {
    minimum: u32,
    preferred: u32,
    payload_max: u32,
}

impl BlockSizes {
    /// What holds where nothing is said: 1, 4,096 and 2^25.
    pub const DEFAULT: BlockSizes = BlockSizes { minimum: 1, preferred: 4096, payload_max: PAYLOAD_MAX };

    /// Checked sizes, in bytes.
    ///
    /// # Errors
    /// [`NbdError::BlockSizes`] where `minimum` is no power of two up to 65,536, `preferred` no power of two of at least `minimum` and
    /// 512, or `payload_max` less than `preferred`, no whole number of minimum blocks, or more than [`PAYLOAD_MAX`].
    pub fn new(minimum: u32, preferred: u32, payload_max: u32) -> Result<BlockSizes, NbdError> {
        let sound = minimum.is_power_of_two()
            && minimum <= MINIMUM_BLOCK_MAX
            && preferred.is_power_of_two()
            && preferred >= minimum.max(PREFERRED_BLOCK_MIN)
            && payload_max >= preferred
            && payload_max <= PAYLOAD_MAX
            && payload_max.is_multiple_of(minimum);
        let sizes = BlockSizes { minimum, preferred, payload_max };
        if sound { Ok(sizes) } else { Err(NbdError::BlockSizes { minimum, preferred, payload_max }) }
    }

    /// What a server said of itself, taken as it is but for sizes that no request could obey: a client has to live with a server whose
    /// maximum is larger than ours, or no power of two.
    pub(crate) fn from_server(minimum: u32, preferred: u32, payload_max: u32) -> Option<BlockSizes> {
        let sound = minimum.is_power_of_two() && preferred >= minimum && payload_max >= minimum;
        sound.then_some(BlockSizes { minimum, preferred, payload_max })
    }

    /// The smallest length and alignment of a request, in bytes.
    pub fn minimum(self) -> u32 {
        self.minimum
    }

    /// The smallest length and alignment that is served well, in bytes.
    pub fn preferred(self) -> u32 {
        self.preferred
    }

    /// The most bytes that one request carries, either way.
    pub fn payload_max(self) -> u32 {
        self.payload_max
    }
}

/// One export, as it is told to clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    name: String,
    description: String,
    size_bytes: u64,
    block_sizes: BlockSizes,
    flags: TransmissionFlags,
    tls_only: bool,
    block_sizes_required: bool,
}

impl Export {
    /// What may be offered of an export itself; `HAS_FLAGS` and `SEND_DF` follow from the protocol and are set by it.
    pub const FEATURES: TransmissionFlags = TransmissionFlags::READ_ONLY
        .and(TransmissionFlags::SEND_FLUSH)
        .and(TransmissionFlags::SEND_FUA)
        .and(TransmissionFlags::ROTATIONAL)
        .and(TransmissionFlags::SEND_TRIM)
        .and(TransmissionFlags::SEND_WRITE_ZEROES)
        .and(TransmissionFlags::CAN_MULTI_CONN)
        .and(TransmissionFlags::SEND_CACHE)
        .and(TransmissionFlags::SEND_FAST_ZERO);

    /// An export of `size_bytes`, with the features of `flags`.
    ///
    /// `name` is the canonical one, which `NBD_INFO_NAME` tells. A name may be empty: the default export.
    ///
    /// # Errors
    /// [`NbdError::NotAString`] for a name that the protocol cannot carry, [`NbdError::PartialBlock`] for a size that is no whole
    /// number of minimum blocks, [`NbdError::ExportFlags`] for flags that are not among [`Export::FEATURES`], and for
    /// `SEND_FAST_ZERO` without `SEND_WRITE_ZEROES` (*Transmission flags*, bit 11).
    pub fn new(
        name: &str,
        size_bytes: u64,
        block_sizes: BlockSizes,
        flags: TransmissionFlags,
    ) -> Result<Export, NbdError> {
        if !is_string(name) {
            return Err(NbdError::NotAString { length: name.len() });
        }
        let fast_alone =
            flags.has(TransmissionFlags::SEND_FAST_ZERO) && !flags.has(TransmissionFlags::SEND_WRITE_ZEROES);
        if !Export::FEATURES.has(flags) || fast_alone {
            return Err(NbdError::ExportFlags { flags });
        }
        if !size_bytes.is_multiple_of(u64::from(block_sizes.minimum)) {
            return Err(NbdError::PartialBlock { size_bytes, minimum: block_sizes.minimum });
        }
        Ok(Export {
            name: name.to_owned(),
            description: String::new(),
            size_bytes,
            block_sizes,
            flags: flags | TransmissionFlags::HAS_FLAGS,
            tls_only: false,
            block_sizes_required: false,
        })
    }

    /// The same export, with a sentence for people (`NBD_INFO_DESCRIPTION`, and behind the name in `NBD_OPT_LIST`).
    ///
    /// # Errors
    /// [`NbdError::NotAString`] for a text that the protocol cannot carry.
    pub fn described(mut self, description: &str) -> Result<Export, NbdError> {
        if !is_string(description) {
            return Err(NbdError::NotAString { length: description.len() });
        }
        description.clone_into(&mut self.description);
        Ok(self)
    }

    /// The same export, to be had under TLS only (*SELECTIVETLS mode*). Matters where TLS is offered and not required.
    pub fn only_with_tls(mut self) -> Export {
        self.tls_only = true;
        self
    }

    /// The same export, refused to clients that do not ask for its block sizes (`NBD_REP_ERR_BLOCK_SIZE_REQD`). Without it they are
    /// let in, and requests that break the sizes fail one by one, which suits more clients.
    pub fn only_with_block_sizes(mut self) -> Export {
        self.block_sizes_required = true;
        self
    }

    /// The canonical name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The sentence for people; empty where there is none.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// The size in bytes.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// The size constraints.
    pub fn block_sizes(&self) -> BlockSizes {
        self.block_sizes
    }

    /// The export's own flags, with `HAS_FLAGS` and without `SEND_DF`.
    pub fn flags(&self) -> TransmissionFlags {
        self.flags
    }

    /// Whether it is to be had under TLS only.
    pub fn is_tls_only(&self) -> bool {
        self.tls_only
    }

    /// Whether clients must ask for its block sizes.
    pub fn needs_block_sizes(&self) -> bool {
        self.block_sizes_required
    }
}

/// Why a client does not get what it asked for, in the words that go to it (*Option reply types*).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No such export: `NBD_REP_ERR_UNKNOWN`.
    Unknown,
    /// There is one, and the server's policy keeps it: `NBD_REP_ERR_POLICY`, with a sentence for people.
    Policy(String),
    /// The server goes down: `NBD_REP_ERR_SHUTDOWN`.
    ShuttingDown,
}

impl Refusal {
    /// The reply that says it.
    pub fn code(&self) -> ReplyCode {
        match self {
            Refusal::Unknown => ReplyCode::ERR_UNKNOWN,
            Refusal::Policy(_) => ReplyCode::ERR_POLICY,
            Refusal::ShuttingDown => ReplyCode::ERR_SHUTDOWN,
        }
    }
}

/// Where a negotiation looks for exports. It is asked anew for each option, so exports may come and go meanwhile.
pub trait Exports {
    /// The export that `name` stands for; the empty name asks for the default one. Aliases are allowed: the client is told the
    /// canonical name. The caller has the export it answered in [`Session`](crate::server::Session) when transmission starts.
    ///
    /// # Errors
    /// Why the client does not get it.
    fn find(&self, name: &str) -> Result<Export, Refusal>;

    /// All exports that may be named to clients, each to `tell`, until it breaks off.
    ///
    /// # Errors
    /// Why they are not named; what was told before does not count then.
    fn list(&self, tell: &mut dyn FnMut(&Export) -> std::ops::ControlFlow<()>) -> Result<(), Refusal>;
}

/// A list of exports, each found by its name; the empty name finds the export of that name, or the only one.
impl Exports for [Export] {
    fn find(&self, name: &str) -> Result<Export, Refusal> {
        let named = self.iter().find(|export| export.name == name);
        let only = match self {
            [only] if name.is_empty() => Some(only),
            _ => None,
        };
        named.or(only).cloned().ok_or(Refusal::Unknown)
    }

    fn list(&self, tell: &mut dyn FnMut(&Export) -> std::ops::ControlFlow<()>) -> Result<(), Refusal> {
        // Whoever breaks off has what it wanted.
        let _ = self.iter().try_for_each(tell);
        Ok(())
    }
}
