//! CDBs, each in sixteen bytes (SPC-5, SBC-4, SPC-2).

/// A CDB: its operation code, and what stands in other bytes.
fn cdb(operation: u8, fields: &[(usize, &[u8])]) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[0] = operation;
    for (at, field) in fields {
        bytes[*at..at + field.len()].copy_from_slice(field);
    }
    bytes
}

fn long(operation: u8, flags: u8, lba: u64, blocks: u32) -> [u8; 16] {
    cdb(operation, &[(1, &[flags]), (2, &lba.to_be_bytes()), (10, &blocks.to_be_bytes())])
}

pub(crate) fn test_unit_ready() -> [u8; 16] {
    cdb(0x00, &[])
}

pub(crate) fn request_sense() -> [u8; 16] {
    cdb(0x03, &[(4, &[252])])
}

pub(crate) fn inquiry(length: u16) -> [u8; 16] {
    cdb(0x12, &[(3, &length.to_be_bytes())])
}

pub(crate) fn vpd(page: u8, length: u16) -> [u8; 16] {
    cdb(0x12, &[(1, &[1, page]), (3, &length.to_be_bytes())])
}

pub(crate) fn mode_sense(page: u8) -> [u8; 16] {
    // DBD: without a block descriptor.
    cdb(0x1a, &[(1, &[0x08, page]), (4, &[252])])
}

pub(crate) fn mode_select(length: u8) -> [u8; 16] {
    cdb(0x15, &[(1, &[0x10]), (4, &[length])])
}

/// MODE SELECT with SP.
pub(crate) fn mode_select_saved(length: u8) -> [u8; 16] {
    cdb(0x15, &[(1, &[0x11]), (4, &[length])])
}

/// LOG SELECT with PCR: the parameters of a page are reset.
pub(crate) fn log_reset(page: u8, subpage: u8) -> [u8; 16] {
    cdb(0x4c, &[(1, &[0x02]), (2, &[0xc0 | page, subpage])])
}

pub(crate) fn log_sense(page: u8, subpage: u8) -> [u8; 16] {
    cdb(0x4d, &[(2, &[0x40 | page, subpage]), (7, &[0x01, 0x00])])
}

pub(crate) fn reserve() -> [u8; 16] {
    cdb(0x16, &[])
}

pub(crate) fn release() -> [u8; 16] {
    cdb(0x17, &[])
}

pub(crate) fn start_stop(start: bool, load_eject: bool) -> [u8; 16] {
    cdb(0x1b, &[(4, &[u8::from(load_eject) << 1 | u8::from(start)])])
}

pub(crate) fn prevent_removal(prevent: bool) -> [u8; 16] {
    cdb(0x1e, &[(4, &[u8::from(prevent)])])
}

pub(crate) fn read(lba: u64, blocks: u32) -> [u8; 16] {
    long(0x88, 0, lba, blocks)
}

/// READ (16) with FUA.
pub(crate) fn read_through(lba: u64, blocks: u32) -> [u8; 16] {
    long(0x88, 0x08, lba, blocks)
}

pub(crate) fn write(lba: u64, blocks: u32) -> [u8; 16] {
    long(0x8a, 0, lba, blocks)
}

/// WRITE (16) with FUA.
pub(crate) fn write_through(lba: u64, blocks: u32) -> [u8; 16] {
    long(0x8a, 0x08, lba, blocks)
}

pub(crate) fn write_atomic(lba: u64, blocks: u16) -> [u8; 16] {
    cdb(0x9c, &[(2, &lba.to_be_bytes()), (12, &blocks.to_be_bytes())])
}

pub(crate) fn write_and_verify(lba: u64, blocks: u32) -> [u8; 16] {
    long(0x8e, 0, lba, blocks)
}

pub(crate) fn or_write(lba: u64, blocks: u32) -> [u8; 16] {
    long(0x8b, 0, lba, blocks)
}

/// REPORT SUPPORTED OPERATION CODES of one operation code.
pub(crate) fn report_operation_code(operation: u8) -> [u8; 16] {
    cdb(0xa3, &[(1, &[0x0c, 0x01, operation]), (8, &[0x10])])
}

/// VERIFY (16) without data: every block can be read.
pub(crate) fn verify(lba: u64, blocks: u32) -> [u8; 16] {
    long(0x8f, 0, lba, blocks)
}

pub(crate) fn compare_and_write(lba: u64, blocks: u8) -> [u8; 16] {
    cdb(0x89, &[(2, &lba.to_be_bytes()), (13, &[blocks])])
}

pub(crate) fn write_same(lba: u64, blocks: u32, unmaps: bool) -> [u8; 16] {
    long(0x93, if unmaps { 0x08 } else { 0 }, lba, blocks)
}

pub(crate) fn unmap(length: u16) -> [u8; 16] {
    cdb(0x42, &[(7, &length.to_be_bytes())])
}

/// WRITE SAME (16) of zeros with UNMAP and ANCHOR, without data.
pub(crate) fn write_same_anchored(lba: u64, blocks: u32) -> [u8; 16] {
    long(0x93, 0x19, lba, blocks)
}

/// UNMAP with ANCHOR.
pub(crate) fn unmap_anchored(length: u16) -> [u8; 16] {
    cdb(0x42, &[(1, &[0x01]), (7, &length.to_be_bytes())])
}

pub(crate) fn get_lba_status(lba: u64) -> [u8; 16] {
    cdb(0x9e, &[(1, &[0x12]), (2, &lba.to_be_bytes()), (12, &[0x10])])
}

/// The parameter list of an UNMAP of one run of blocks.
pub(crate) fn unmap_list(lba: u64, blocks: u32) -> Vec<u8> {
    let mut list = vec![0, 22, 0, 16, 0, 0, 0, 0];
    list.extend(lba.to_be_bytes());
    list.extend(blocks.to_be_bytes());
    list.extend([0; 4]);
    list
}

pub(crate) fn synchronize_cache() -> [u8; 16] {
    cdb(0x35, &[])
}

pub(crate) fn extended_copy(length: usize) -> [u8; 16] {
    cdb(0x83, &[(10, &u32::try_from(length).unwrap().to_be_bytes())])
}

/// RECEIVE COPY STATUS (LID1), twelve bytes of it.
pub(crate) fn receive_copy_status(identifier: u8) -> [u8; 16] {
    cdb(0x84, &[(2, &[identifier]), (13, &[12])])
}

/// SANITIZE, which is answered at once: everything is overwritten.
pub(crate) fn sanitize_overwrite(length: usize) -> [u8; 16] {
    cdb(0x48, &[(1, &[0x81]), (7, &u16::try_from(length).unwrap().to_be_bytes())])
}

pub(crate) fn read_capacity() -> [u8; 16] {
    cdb(0x9e, &[(1, &[0x10]), (13, &[32])])
}

pub(crate) fn report_luns() -> [u8; 16] {
    cdb(0xa0, &[(8, &[0x10, 0])])
}

/// REPORT LUNS with SELECT REPORT.
pub(crate) fn report_luns_of(select: u8) -> [u8; 16] {
    cdb(0xa0, &[(2, &[select]), (8, &[0x10, 0])])
}

/// SANITIZE with a block erase, whose end is not waited for.
pub(crate) fn block_erase() -> [u8; 16] {
    cdb(0x48, &[(1, &[0x82])])
}

pub(crate) fn report_target_port_groups() -> [u8; 16] {
    cdb(0xa3, &[(1, &[0x0a]), (8, &[0x10])])
}

pub(crate) fn set_target_port_groups(length: u32) -> [u8; 16] {
    cdb(0xa4, &[(1, &[0x0a]), (6, &length.to_be_bytes())])
}

pub(crate) fn reserve_in(action: u8) -> [u8; 16] {
    cdb(0x5e, &[(1, &[action]), (7, &[0x10, 0])])
}

/// PERSISTENT RESERVE OUT: its action, its type.
pub(crate) fn reserve_out(action: u8, kind: u8) -> [u8; 16] {
    cdb(0x5f, &[(1, &[action, kind]), (8, &[24])])
}

/// The same with a list that names others.
pub(crate) fn reserve_out_long(action: u8, kind: u8, length: u8) -> [u8; 16] {
    cdb(0x5f, &[(1, &[action, kind]), (8, &[length])])
}

/// The parameter list of a PERSISTENT RESERVE OUT.
pub(crate) fn reserve_list(key: u64, new_key: u64, persist: bool) -> Vec<u8> {
    let mut list = [key.to_be_bytes(), new_key.to_be_bytes()].concat();
    list.resize(24, 0);
    list[20] = u8::from(persist);
    list
}
