//! Text as it may stand in a message: it begins no line, ends no quotation, and fits into an SMS.

/// Text that cannot begin a line of its own.
pub(super) fn one_line(text: &str) -> String {
    text.split(|letter: char| letter.is_control()).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Text that cannot end the quotation it stands in: a title must not be able to write the rest of the SMS.
pub(super) fn quotable(text: &str) -> String {
    one_line(text).replace(['"', '\u{201c}', '\u{201d}'], "'")
}

/// Puts common letters that the GSM alphabet (3GPP TS 23.038) lacks into ones it has: one other letter in a text more
/// than halves what fits into an SMS. What has no such counterpart stays as it is.
pub(super) fn gsm_friendly(text: &str) -> String {
    let mut friendly = String::with_capacity(text.len());
    for letter in text.chars() {
        let counterpart = match letter {
            '\u{2018}' | '\u{2019}' => "'",
            '\u{201c}' | '\u{201d}' | '«' | '»' => "\"",
            '\u{2013}' | '\u{2014}' => "-",
            '…' => "...",
            '\u{a0}' | '\u{202f}' => " ",
            'á' | 'â' | 'ã' => "a",
            'À' | 'Á' | 'Â' | 'Ã' => "A",
            'ç' => "c",
            'ê' | 'ë' => "e",
            'È' | 'Ê' | 'Ë' => "E",
            'í' | 'î' | 'ï' => "i",
            'Í' | 'Î' | 'Ï' => "I",
            'ó' | 'ô' | 'õ' => "o",
            'Ó' | 'Ô' | 'Õ' => "O",
            'ú' | 'û' => "u",
            'Ú' | 'Û' | 'Ù' => "U",
            'œ' => "oe",
            'Œ' => "OE",
            other => {
                friendly.push(other);
                continue;
            }
        };
        friendly.push_str(counterpart);
    }
    friendly
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_stays_one_line_and_a_quotation_one_quotation() {
        assert_eq!(one_line("a\r\n\tb\u{7f}c"), "a b c");
        assert_eq!(quotable("\u{201c}a\"\nb\u{201d}"), "'a' b'");
    }

    #[test]
    fn letters_the_gsm_alphabet_lacks_become_ones_it_has() {
        assert_eq!(gsm_friendly("L’été, «\u{a0}À bientôt\u{a0}» – cœur…"), "L'été, \" A bientot \" - coeur...");
        assert_eq!(gsm_friendly("Ελλάδα"), "Ελλάδα", "what has no counterpart stays");
    }
}
