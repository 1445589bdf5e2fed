"""What libnbd's own client finds at an export: `libnbd.py URI`. An empty disk of 64 MiB stands there. Says `good` at its end."""

import errno
import sys

import nbd

URI = sys.argv[1]
KIB, MIB = 1024, 1 << 20
CLUSTER = 64 * KIB


def connected():
    handle = nbd.NBD()
    handle.add_meta_context(nbd.CONTEXT_BASE_ALLOCATION)
    handle.connect_uri(URI)
    return handle


def status(handle, count, offset, flags=0):
    """Extents as (length, flags)."""
    found = []

    def extent(context, _offset, entries, _error):
        assert context == nbd.CONTEXT_BASE_ALLOCATION
        found.extend(zip(entries[::2], entries[1::2]))

    handle.block_status(count, offset, extent, flags)
    return found


def refused(expected, call, *arguments):
    try:
        call(*arguments)
    except nbd.Error as error:
        assert error.errnum == expected, (error.string, error.errnum, expected)
        return
    raise AssertionError(f"{call.__name__} {arguments[1:]} was not refused")


one, two = connected(), connected()
assert one.get_size() == 64 * MIB
assert one.get_structured_replies_negotiated()
assert one.get_block_size(nbd.SIZE_MINIMUM) == 512
assert one.get_block_size(nbd.SIZE_MAXIMUM) == 32 * MIB
for can in (one.can_flush, one.can_fua, one.can_multi_conn, one.can_trim, one.can_zero, one.can_fast_zero, one.can_cache, one.can_df):
    assert can(), can.__name__
assert not one.is_read_only() and not one.is_rotational()

# What one connection writes another reads, and its flush covers it.
one.pwrite(b"a" * 70000 + b"b" * (72 * KIB - 70000), CLUSTER)
two.flush()
assert two.pread(72 * KIB, CLUSTER) == b"a" * 70000 + b"b" * (72 * KIB - 70000)
one.pwrite(b"c" * 512, 8 * MIB + 512, nbd.CMD_FLAG_FUA)

# A read says where the holes are; one that must come whole does not.
chunks = []
data = two.pread_structured(2 * MIB, 16 * MIB, lambda piece, at, kind, _error: chunks.append((len(piece), at, kind)))
assert data == bytearray(2 * MIB) and [kind for _, _, kind in chunks] == [nbd.READ_HOLE], chunks
chunks.clear()
two.pread_structured(4096, 16 * MIB, lambda piece, at, kind, _error: chunks.append((len(piece), at, kind)), nbd.CMD_FLAG_DF)
assert chunks == [(4096, 16 * MIB, nbd.READ_DATA)], chunks

# Block status: a hole, data, a hole; one extent where one is asked for.
hole = nbd.STATE_HOLE | nbd.STATE_ZERO
found = status(two, MIB, 0)
assert found[0] == (CLUSTER, hole) and found[1] == (72 * KIB, 0) and found[2][1] & nbd.STATE_ZERO, found
assert sum(length for length, _ in found) == MIB, found
assert status(two, MIB, 0, nbd.CMD_FLAG_REQ_ONE) == [(CLUSTER, hole)]

# Zeros: with the place given up, with the place kept, and refused where they would not be fast.
one.pwrite(b"d" * 4 * CLUSTER, 32 * MIB)
one.zero(CLUSTER, 32 * MIB)
one.zero(CLUSTER, 32 * MIB + CLUSTER, nbd.CMD_FLAG_NO_HOLE)
one.zero(CLUSTER, 32 * MIB + 2 * CLUSTER, nbd.CMD_FLAG_FAST_ZERO | nbd.CMD_FLAG_FUA)
refused(errno.EOPNOTSUPP, one.zero, 512, 32 * MIB + 3 * CLUSTER, nbd.CMD_FLAG_FAST_ZERO)
assert status(two, 4 * CLUSTER, 32 * MIB) == [(CLUSTER, hole), (CLUSTER, nbd.STATE_ZERO), (CLUSTER, hole), (CLUSTER, 0)]
assert two.pread(4 * CLUSTER, 32 * MIB) == bytearray(3 * CLUSTER) + b"d" * CLUSTER
one.trim(4 * CLUSTER, 32 * MIB, nbd.CMD_FLAG_FUA)
assert status(two, 4 * CLUSTER, 32 * MIB) == [(4 * CLUSTER, hole)]
one.cache(64 * MIB, 0)

# Many at once, answered in any order.
handles = [connected() for _ in range(8)]
asked = []
for number in range(256):
    handle, data = handles[number % 8], nbd.Buffer.from_bytearray(bytearray([number]) * 4096)
    asked.append((handle, handle.aio_pwrite(data, 48 * MIB + number * 4096)))
for handle, cookie in asked:
    while not handle.aio_command_completed(cookie):
        handle.poll(-1)
two.flush()
everything = two.pread(MIB, 48 * MIB)
assert all(everything[number * 4096 : (number + 1) * 4096] == bytearray([number]) * 4096 for number in range(256))

# What the rules forbid is refused alone, once libnbd lets it through.
two.set_strict_mode(0)
refused(errno.EINVAL, two.pread, 512, 64 * MIB)
refused(errno.ENOSPC, two.pwrite, b"e" * 1024, 64 * MIB - 512)
refused(errno.EINVAL, two.pread, 511, 0)
refused(errno.EINVAL, two.trim, 512, 64 * MIB)
assert two.pread(512, 8 * MIB + 512) == b"c" * 512
for handle in [one, two] + handles:
    handle.shutdown()
print("good")
