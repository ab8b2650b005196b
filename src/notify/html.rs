//! The HTML part of a mail, made from its text part: paragraphs, and a button where a line is only a link.
//!
//! Styles are inline and few, there are no images and nothing is loaded: that is what mail programs show everywhere.

/// The HTML page for `text`, with `button` written on links that stand alone.
pub fn page(subject: &str, text: &str, button: &str) -> String {
    let paragraphs: String = paragraphs(text).map(|paragraph| block(paragraph, button)).collect();
    format!(
        "<!DOCTYPE html><html><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{title}</title></head>\
         <body style=\"margin:0;background:#f3f4f6;color:#1c2430;font:16px/1.5 system-ui,-apple-system,'Segoe UI',sans-serif\">\
         <div style=\"max-width:34rem;margin:0 auto;padding:2rem 1rem\">\
         <div style=\"background:#ffffff;border:1px solid #d9dde3;border-radius:8px;padding:1.5rem 1.75rem\">{paragraphs}</div>\
         </div></body></html>",
        title = escape(subject),
    )
}

/// Paragraphs as people write them: set apart by empty lines; empty ones do not count.
pub fn paragraphs(text: &str) -> impl Iterator<Item = &str> {
    text.split("\n\n").map(str::trim).filter(|paragraph| !paragraph.is_empty())
}

fn block(paragraph: &str, button: &str) -> String {
    if is_link(paragraph) {
        let address = escape(paragraph);
        let label = if button.is_empty() { address.clone() } else { escape(button) };
        return format!(
            "<p style=\"margin:1.25rem 0\"><a href=\"{address}\" style=\"display:inline-block;background:#17457a;color:#ffffff;\
             text-decoration:none;padding:.6rem 1.1rem;border-radius:6px\">{label}</a></p>"
        );
    }
    format!("<p style=\"margin:0 0 1rem\">{}</p>", escape(paragraph).replace('\n', "<br>"))
}

fn is_link(paragraph: &str) -> bool {
    (paragraph.starts_with("https://") || paragraph.starts_with("http://")) && !paragraph.contains(char::is_whitespace)
}

/// Text for HTML, in content and in quoted attributes alike.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_stands_alone_becomes_a_button() {
        let page = page("Done", "Hello,\n\nhttps://gate.example.org/x", "Show it");
        assert!(page.contains("href=\"https://gate.example.org/x\""), "{page}");
        assert!(page.contains(">Show it</a>"), "{page}");
    }

    #[test]
    fn nothing_a_value_says_becomes_markup() {
        let page = page("<b>", "<script>alert('x')</script>", "");
        assert!(!page.contains("<script"), "{page}");
        assert!(page.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;"), "{page}");
    }

    #[test]
    fn empty_paragraphs_are_left_out() {
        assert_eq!(paragraphs("one\n\n\n\n\n\ntwo").collect::<Vec<_>>(), ["one", "two"]);
    }
}
