//! Lists of names, cut: a report says what happened, and a hundred hosts in a row would hide it.

/// The names of many hosts or devices would hide everything else.
#[must_use]
pub fn some_of(names: &[String]) -> String {
    const SHOWN: usize = 6;
    let more = names.len().saturating_sub(SHOWN);
    let shown = names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{shown} and {more} more") } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_names_are_a_few_and_a_number() {
        let names: Vec<String> = (1..=9).map(|number| format!("h{number}")).collect();
        assert_eq!(some_of(&names), "h1, h2, h3, h4, h5, h6 and 3 more");
        assert_eq!(some_of(&names[..1]), "h1");
    }
}
