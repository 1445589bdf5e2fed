//! The fields of flags: handshake, client, transmission, command and chunk flags (document, *Flag fields*).

use std::fmt;

/// Declares a set of flags: a newtype with one constant for each flag, and the operations of a set.
macro_rules! flags {
    ($(#[$doc:meta])* $name:ident: $bits:ty { $($(#[$flag_doc:meta])* $flag:ident = $bit:literal;)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
        pub struct $name(pub $bits);

        impl $name {
            /// No flag.
            pub const NONE: $name = $name(0);
            $($(#[$flag_doc])* pub const $flag: $name = $name(1 << $bit);)+
            /// Every flag that has a name here.
            pub const KNOWN: $name = $name(0 $(| 1 << $bit)+);

            /// Whether all flags of `other` are set.
            pub const fn has(self, other: $name) -> bool {
                self.0 & other.0 == other.0
            }

            /// The flags that are set here or there.
            pub const fn and(self, other: $name) -> $name {
                $name(self.0 | other.0)
            }

            /// The flags that are set here and not there.
            pub const fn without(self, other: $name) -> $name {
                $name(self.0 & !other.0)
            }
        }

        impl std::ops::BitOr for $name {
            type Output = $name;

            fn bitor(self, other: $name) -> $name {
                self.and(other)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, concat!(stringify!($name), "({:#x}"), self.0)?;
                $(if self.has($name::$flag) { write!(formatter, concat!(" ", stringify!($flag)))?; })+
                write!(formatter, ")")
            }
        }
    };
}

flags! {
    /// What the server's greeting offers (*Handshake flags*).
    HandshakeFlags: u16 {
        /// `NBD_FLAG_FIXED_NEWSTYLE`: options are answered.
        FIXED_NEWSTYLE = 0;
        /// `NBD_FLAG_NO_ZEROES`: the 124 zeros behind the answer to `NBD_OPT_EXPORT_NAME` may be left out.
        NO_ZEROES = 1;
    }
}

flags! {
    /// What the client takes of it (*Client flags*).
    ClientFlags: u32 {
        /// `NBD_FLAG_C_FIXED_NEWSTYLE`.
        FIXED_NEWSTYLE = 0;
        /// `NBD_FLAG_C_NO_ZEROES`.
        NO_ZEROES = 1;
    }
}

flags! {
    /// What an export can do (*Transmission flags*).
    TransmissionFlags: u16 {
        /// `NBD_FLAG_HAS_FLAGS`: always set.
        HAS_FLAGS = 0;
        /// `NBD_FLAG_READ_ONLY`: writes are refused.
        READ_ONLY = 1;
        /// `NBD_FLAG_SEND_FLUSH`: `NBD_CMD_FLUSH` is known.
        SEND_FLUSH = 2;
        /// `NBD_FLAG_SEND_FUA`: `NBD_CMD_FLAG_FUA` is kept.
        SEND_FUA = 3;
        /// `NBD_FLAG_ROTATIONAL`: a medium that turns.
        ROTATIONAL = 4;
        /// `NBD_FLAG_SEND_TRIM`: `NBD_CMD_TRIM` is known.
        SEND_TRIM = 5;
        /// `NBD_FLAG_SEND_WRITE_ZEROES`: `NBD_CMD_WRITE_ZEROES` and `NBD_CMD_FLAG_NO_HOLE` are known.
        SEND_WRITE_ZEROES = 6;
        /// `NBD_FLAG_SEND_DF`: `NBD_CMD_FLAG_DF` is known; only with structured replies.
        SEND_DF = 7;
        /// `NBD_FLAG_CAN_MULTI_CONN`: a flush on one connection covers what was answered on the others.
        CAN_MULTI_CONN = 8;
        /// `NBD_FLAG_SEND_RESIZE` of the experimental extension: the client may change the size. Never offered here.
        SEND_RESIZE = 9;
        /// `NBD_FLAG_SEND_CACHE`: `NBD_CMD_CACHE` is known.
        SEND_CACHE = 10;
        /// `NBD_FLAG_SEND_FAST_ZERO`: `NBD_CMD_FLAG_FAST_ZERO` is known.
        SEND_FAST_ZERO = 11;
        /// `NBD_FLAG_BLOCK_STATUS_PAYLOAD` of the experimental extension of extended headers. Never offered here.
        BLOCK_STATUS_PAYLOAD = 12;
    }
}

flags! {
    /// How a request is to be carried out (*Command flags*).
    CommandFlags: u16 {
        /// `NBD_CMD_FLAG_FUA`: on stable storage before the answer.
        FUA = 0;
        /// `NBD_CMD_FLAG_NO_HOLE`: zeros that take their room.
        NO_HOLE = 1;
        /// `NBD_CMD_FLAG_DF`: one chunk of content at most.
        DF = 2;
        /// `NBD_CMD_FLAG_REQ_ONE`: one extent for each context.
        REQ_ONE = 3;
        /// `NBD_CMD_FLAG_FAST_ZERO`: zeros faster than a write would be, or `NBD_ENOTSUP`.
        FAST_ZERO = 4;
        /// `NBD_CMD_FLAG_PAYLOAD_LEN` of the experimental extension of extended headers. Never valid here.
        PAYLOAD_LEN = 5;
    }
}

flags! {
    /// What is said of a chunk of a structured reply (*Structured reply flags*).
    ChunkFlags: u16 {
        /// `NBD_REPLY_FLAG_DONE`: no chunk of this reply follows.
        DONE = 0;
    }
}

flags! {
    /// The status of an extent in the context `base:allocation`.
    Allocation: u32 {
        /// `NBD_STATE_HOLE`: takes no room; a write may end in `NBD_ENOSPC`.
        HOLE = 0;
        /// `NBD_STATE_ZERO`: reads as zeros.
        ZERO = 1;
    }
}
