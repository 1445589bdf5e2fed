//! Pages as the standards lay them out, byte for byte.

use super::*;

#[test]
fn the_list_of_pages_is_sorted_and_names_itself() {
    let pages = SupportedPages { pages: vec![0xb2, 0x83, 0x80, 0x83] };
    assert_eq!(pages.encode(), [0, 0, 0, 4, 0x00, 0x80, 0x83, 0xb2]);
    let read = SupportedPages::decode(&pages.encode()).unwrap();
    assert_eq!(read.pages, [0x00, 0x80, 0x83, 0xb2]);
}
