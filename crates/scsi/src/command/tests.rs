//! The table against itself, and CDBs by the standards' layouts.

use super::*;

#[test]
fn the_table_is_sorted_and_each_command_has_its_own_row() {
    let order: Vec<_> = COMMANDS.iter().map(|row| (row.opcode, row.service_action)).collect();
    assert!(order.is_sorted(), "{order:?}");
    assert!(order.windows(2).all(|pair| pair[0] != pair[1]));
}
